package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"golang.org/x/sync/errgroup"
)

// The contenders.
const (
	ours    = "trulioo"
	codegen = "oapi-codegen"
	plain   = "net/http"
)

var contenders = []string{ours, plain, codegen}

// contender is one way to use the API.
type contender interface {
	// get gets a profile. details says to decode the full service details, which two of
	// the contenders always do.
	get(ctx context.Context, id string, full, details bool) error
	download(ctx context.Context, key string, w io.Writer) error
	// export gets all profiles and gives their number.
	export(ctx context.Context, concurrency int, full bool) (int, error)
}

// enter makes a contender that is ready for concurrency requests at once.
func enter(ctx context.Context, name string, to api, concurrency int) (contender, error) {
	switch name {
	case ours:
		return newLibrary(to)
	case codegen:
		return newGenerated(ctx, to, concurrency)
	case plain:
		return newByHand(ctx, to, concurrency)
	}
	return nil, fmt.Errorf("no contender %q", name)
}

// token gets the token once, with the package that everybody uses for it. The
// contenders that are not ours keep it, which costs nothing.
func token(ctx context.Context, to api) (string, error) {
	config := clientcredentials.Config{
		ClientID: to.ClientID, ClientSecret: to.Secret, TokenURL: to.TokenURL,
		Scopes: []string{"workflow.studio.api"}, AuthStyle: oauth2.AuthStyleInParams,
	}
	token, err := config.Token(ctx)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}

// listers is how many pages the parallel export by hand reads at once.
const listers = 4

// The two calls that an export by hand makes.
type (
	pageFunc func(ctx context.Context, number int) (ids []string, pages int, err error)
	getFunc  func(ctx context.Context, id string) error
)

// exportByHand is the export that one writes with a client for single calls. It is as
// fast as possible while nothing changes and nothing fails: it does not retry, and it
// misses clients when the list moves.
func exportByHand(ctx context.Context, concurrency int, page pageFunc, get getFunc) (int, error) {
	if concurrency == 1 {
		return exportInTurn(ctx, page, get)
	}
	ids := make(chan string, 8*concurrency)
	work, ctx := errgroup.WithContext(ctx)
	work.Go(func() error {
		defer close(ids)
		return listInParallel(ctx, page, ids)
	})
	var n atomic.Int64
	for range concurrency {
		work.Go(func() error {
			for id := range ids {
				if err := get(ctx, id); err != nil {
					return err
				}
				n.Add(1)
			}
			return nil
		})
	}
	err := work.Wait()
	return int(n.Load()), err
}

// listInParallel reads the first page, which tells the number of pages, and then a few
// pages at once.
func listInParallel(ctx context.Context, page pageFunc, ids chan<- string) error {
	first, pages, err := page(ctx, 0)
	if err != nil {
		return err
	}
	if err := hand(ctx, ids, first); err != nil {
		return err
	}
	var read atomic.Int64
	work, ctx := errgroup.WithContext(ctx)
	for range listers {
		work.Go(func() error {
			for number := int(read.Add(1)); number < pages; number = int(read.Add(1)) {
				rows, _, err := page(ctx, number)
				if err != nil {
					return err
				}
				if err := hand(ctx, ids, rows); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return work.Wait()
}

func hand(ctx context.Context, to chan<- string, rows []string) error {
	for _, id := range rows {
		select {
		case to <- id:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// exportInTurn makes one request after the other.
func exportInTurn(ctx context.Context, page pageFunc, get getFunc) (int, error) {
	n := 0
	for number, pages := 0, 1; number < pages; number++ {
		var ids []string
		var err error
		if ids, pages, err = page(ctx, number); err != nil {
			return n, err
		}
		for _, id := range ids {
			if err := get(ctx, id); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}
