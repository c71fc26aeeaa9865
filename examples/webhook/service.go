package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/trulioo-go/trulioo"
)

// service hands events that come to "/" to fn until ctx ends. It then finishes the
// events that it has begun; a new one gets a 503, and the vendor sends it again.
func service(ctx context.Context, listener net.Listener, fn func(context.Context, *trulioo.Event) error, opts ...trulioo.WebhookOption) error {
	defer func() { _ = listener.Close() }()
	handler, err := trulioo.NewWebhookHandlerFromEnv(fn, opts...)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/{$}", handler)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	return errors.Join(handler.Shutdown(limited), server.Shutdown(limited))
}
