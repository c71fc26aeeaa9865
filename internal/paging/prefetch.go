// Package paging goes through the pages of a list. It fetches one page ahead
// (prefetch.go), and it detects the list's end by counts and ids (end.go), since
// the server's own word for the end is not reliable.
package paging

import (
	"context"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// Fetch fetches a page by its number.
type Fetch[P any] func(ctx context.Context, number int) (P, error)

// Each gives the pages from start on to use, until use returns false or more says
// that no page follows. The next page is fetched while use works on the current
// one; leaving cancels that fetch and waits for it. The error is that of fetch or
// of more.
func Each[P any](ctx context.Context, start int, fetch Fetch[P], more func(page P) (bool, error), use func(page P) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	next := prefetch(ctx, start, fetch)
	defer func() {
		cancel()
		<-next.Done()
	}()
	for number := start + 1; ; number++ {
		page, err := next.Wait(context.WithoutCancel(ctx)) // fetch obeys ctx, and its error says more
		if err != nil {
			return err
		}
		goesOn, err := more(page)
		if err != nil {
			return err
		}
		if goesOn {
			next = prefetch(ctx, number, fetch)
		}
		if !use(page) || !goesOn {
			return nil
		}
	}
}

// prefetch fetches a page beside the caller's work.
func prefetch[P any](ctx context.Context, number int, fetch Fetch[P]) *guard.Task[P] {
	return guard.Start(func() (P, error) { return fetch(ctx, number) })
}
