// Package walk goes through the pages of a list. It fetches ahead, and it judges
// by counts and ids alone where the list ends, since a server's word for it
// cannot be relied on.
package walk

import (
	"context"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// Fetch fetches a page by its number.
type Fetch[P any] func(ctx context.Context, number int) (P, error)

// Each gives the pages from start on to use, until that has had enough or more
// says that no page comes after this one. The next page is fetched while use
// works on this one; leaving cancels that and waits for it. The error is that of
// fetch or of more.
func Each[P any](ctx context.Context, start int, fetch Fetch[P], more func(page P) (bool, error), use func(page P) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	next := ahead(ctx, start, fetch)
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
			next = ahead(ctx, number, fetch)
		}
		if !use(page) || !goesOn {
			return nil
		}
	}
}

// ahead fetches a page beside the caller's work.
func ahead[P any](ctx context.Context, number int, fetch Fetch[P]) *guard.Task[P] {
	return guard.Start(func() (P, error) { return fetch(ctx, number) })
}
