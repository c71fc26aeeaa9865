// Webhook receives the vendor's events and prints one JSON line for each, with
// nothing personal in it. After the end of a flow it fetches the profile.
//
// It reads TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET, during a rotation the same
// names with _PREVIOUS for the old values, and for the profile the variables of
// trulioo.NewClientFromEnv. Without any of them it runs a demonstration against a sandbox
// and exits.
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
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/trulioo-go/trulioo"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "webhook failed:", err)
		os.Exit(1)
	}
}

const usage = `Usage: webhook [-addr host:port]

Prints one JSON line for each event of the vendor, with nothing personal in it,
until Ctrl-C. Without any of the variables it runs a demonstration against a
sandbox of its own, and ends.

Variables:
  TRULIOO_WEBHOOK_TOKEN, TRULIOO_WEBHOOK_SECRET    verify the callbacks; one is needed
  ..._TOKEN_PREVIOUS, ..._SECRET_PREVIOUS          the values before a rotation
  TRULIOO_CLIENT_ID, TRULIOO_CLIENT_SECRET         to fetch the profile at the end of a flow
  TRULIOO_API_VERSION, TRULIOO_BASE_URL, TRULIOO_TOKEN_URL, default: version 2 of the vendor's API

Exit codes: 0 stopped, 1 failed, 2 wrong flags. Times are in UTC.

Flags:
`

// errUsage means that the flags are wrong. main exits with 2 and prints nothing more.
var errUsage = errors.New("wrong flags")

// run is the program without the process around it.
func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("webhook", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() {
		_, _ = io.WriteString(flags.Output(), usage)
		flags.PrintDefaults()
	}
	addr := flags.String("addr", "127.0.0.1:8081", "the `host:port` to listen on")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil || flags.NArg() > 0:
		return errUsage
	case !anyVariable():
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
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *addr)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintln(log, "listening on", listener.Addr())
	return service(ctx, listener, r.receive, trulioo.WithWebhookLogger(slog.New(slog.NewTextHandler(log, utc))))
}

// utc makes a log's times UTC, as the vendor's times are.
var utc = &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}}

// anyVariable reports whether any variable is set, so that this is not the
// demonstration.
func anyVariable() bool {
	for _, name := range []string{"TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET", "TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}

// receiver prints events.
type receiver struct {
	client *trulioo.Client // nil without credentials

	mu  sync.Mutex
	out io.Writer
}

// line is the printed part of an event.
type line struct {
	Type    trulioo.EventType   `json:"type"`
	Client  string              `json:"client"`
	Flow    string              `json:"flow"`
	Test    bool                `json:"test"`
	Service trulioo.ServiceType `json:"service,omitempty"`
	Retry   int                 `json:"retry"`
	Profile *outcome            `json:"profile,omitempty"`
}

// outcome is the printed part of a profile.
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
