// Webhook receives the vendor's events and prints one JSON line for each, with
// nothing personal in it. After the end of a flow it fetches the profile.
//
// It reads TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET, with the values of
// before a rotation in the same names with _PREVIOUS, and for the
// profile the variables of trulioo.NewClientFromEnv. Without any of them it
// shows itself at work against a sandbox and exits.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/trulioo-go/trulioo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook failed:", err)
		os.Exit(1)
	}
}

// run is the program without the process around it.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("webhook", flag.ContinueOnError)
	flags.SetOutput(log)
	addr := flags.String("addr", "127.0.0.1:8080", "host and port to listen on")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if !anyVariable() {
		return demo(ctx, out)
	}
	r := &receiver{out: out}
	if os.Getenv("TRULIOO_CLIENT_ID") != "" {
		client, err := trulioo.NewClientFromEnv()
		if err != nil {
			return err
		}
		r.client = client
	}
	handler, err := trulioo.NewWebhookHandlerFromEnv(r.receive,
		trulioo.WithWebhookLogger(slog.New(slog.NewTextHandler(log, nil))))
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(log, "listening on", listener.Addr())
	return serve(ctx, listener, handler)
}

// anyVariable reports whether somebody wants more than the demonstration.
func anyVariable() bool {
	for _, name := range []string{"TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET", "TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// serve receives at "/" until ctx ends, and then finishes what is in hand.
func serve(ctx context.Context, listener net.Listener, handler *trulioo.WebhookHandler) error {
	mux := http.NewServeMux()
	mux.Handle("/{$}", handler)
	server := &http.Server{Handler: mux, ReadTimeout: 10 * time.Second}
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

// receiver prints events.
type receiver struct {
	client *trulioo.Client // nil without credentials

	mu  sync.Mutex
	out io.Writer
}

// line is what is printed of an event.
type line struct {
	Type    trulioo.EventType   `json:"type"`
	Client  string              `json:"client"`
	Flow    string              `json:"flow"`
	Test    bool                `json:"test"`
	Service trulioo.ServiceType `json:"service,omitempty"`
	Retry   int                 `json:"retry"`
	Profile *outcome            `json:"profile,omitempty"`
}

// outcome is what is printed of a profile.
type outcome struct {
	Status   trulioo.Status `json:"status"`
	Services int            `json:"services"`
}

// receive is called once for each event. An error makes the vendor send it again.
func (r *receiver) receive(ctx context.Context, ev *trulioo.Event) error {
	l := line{Type: ev.Type, Client: ev.ClientID, Flow: ev.FlowID, Test: ev.Test, Service: ev.ServiceType, Retry: ev.Retry}
	if ev.Type == trulioo.EventFlowEnd && r.client != nil {
		profile, err := r.client.ForEvent(ev).Clients.Get(ctx, ev.ClientID, nil)
		if err != nil {
			return err
		}
		l.Profile = &outcome{profile.Status, len(profile.Services())}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return json.NewEncoder(r.out).Encode(l)
}
