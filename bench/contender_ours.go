package main

import (
	"context"
	"errors"
	"io"

	"github.com/trulioo-go/trulioo"
)

// library is this library, as its README shows it.
type library struct{ client *trulioo.Client }

func newLibrary(to api) (*library, error) {
	client, err := trulioo.NewClient(trulioo.WithCredentials(to.ClientID, to.Secret),
		trulioo.WithBaseURL(to.BaseURL), trulioo.WithTokenURL(to.TokenURL))
	return &library{client}, err
}

func (l *library) get(ctx context.Context, id string, full, details bool) error {
	profile, err := l.client.Clients.Get(ctx, id, &trulioo.GetOptions{FullServiceDetails: full})
	if err != nil || !details {
		return err
	}
	for _, service := range profile.Services() {
		if _, err := service.Details(); err != nil && !errors.Is(err, trulioo.ErrNoDetails) {
			return err
		}
	}
	return nil
}

func (l *library) download(ctx context.Context, key string, w io.Writer) error {
	_, err := l.client.Files.Save(ctx, key, w)
	return err
}

func (l *library) export(ctx context.Context, concurrency int, full bool) (int, error) {
	n := 0
	opts := &trulioo.ExportOptions{Concurrency: concurrency, FullServiceDetails: full}
	for item, err := range l.client.Clients.Export(ctx, opts) {
		if err != nil {
			return n, err
		}
		if item.Err != nil {
			return n, item.Err
		}
		n++
	}
	return n, nil
}
