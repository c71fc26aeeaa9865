package cli

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/web"
)

func (a *app) inspect() *cobra.Command {
	var address, hookAt, forward, in string
	var show bool
	command := &cobra.Command{
		Use:   "inspect",
		Short: "Look at the account in a browser",
		Long: `Serves a page on this machine only: the account over time, the list of end clients with filters and search, a page for each person with
photos, callbacks as they come, and the exports that run. It prints an address that works once and lets one browser in; nobody else gets
anything. Values are masked until they are asked for, unless --show is given. Nothing is written to the disk, but
for a zip while it is made, in the folder for temporary files.

Callbacks are received where a verification token or a signing secret is known, and forwarded with --forward, as by "trulioo listen".
With --sandbox people go through its workflows while the page is open.

` + hookSecretsHelp,
		Example: `  trulioo inspect --sandbox
  trulioo inspect --in backup --forward http://127.0.0.1:3000/trulioo`,
	}
	flags := command.Flags()
	flags.StringVar(&address, "addr", "127.0.0.1:0", "the loopback `host:port` of the page; port 0 means a free one")
	flags.StringVar(&hookAt, "callbacks", hookAddress, "the `host:port` to receive callbacks on; empty for none")
	flags.StringVar(&forward, "forward", "", "the `URL` of a program under development, which gets the callbacks")
	flags.StringVar(&in, "in", "", "search in, and draw from, this export: a folder, a .db, .csv or .parquet file, or a PostgreSQL address")
	flags.BoolVar(&show, "show", false, "show values from the start")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkTarget("--forward", forward); err != nil {
			return err
		}
		return a.serveInspect(cmd.Context(), address, hookAt, forward, in, show)
	}
	return command
}

func (a *app) serveInspect(ctx context.Context, address, hookAt, forward, in string, show bool) error {
	x, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer x.close() //nolint:contextcheck // a sandbox listens until it is closed
	settings := web.Settings{Client: x.client, Account: x.name, Digest: x.digest, Show: show, ReadAll: x.box != nil, Callbacks: &callback.Log{}}
	if in != "" {
		if settings.Records, err = recordsOf(ctx, in, x.digest); err != nil {
			return err
		}
		settings.From = "the export"
	}
	stop, err := a.receive(ctx, x, &settings, hookAt, forward)
	if err != nil {
		return err
	}
	defer stop()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return listenError(err)
	}
	page, err := web.New(listener, settings)
	if err != nil {
		_ = listener.Close()
		return usage("--addr: " + err.Error())
	}
	fmt.Fprintf(a.out, "%s\n", page.Address())
	fmt.Fprintln(a.err, "open this address in a browser; it works once. Ctrl-C ends the page")
	return page.Serve(ctx, listener)
}

// recordsOf reads an export, which must be the account's own.
func recordsOf(ctx context.Context, in, digest string) ([]exportstore.Record, error) {
	if err := checkPlace(in); err != nil {
		return nil, err
	}
	var records []exportstore.Record
	err := lookIn(ctx, in, func(r exportstore.Record) error {
		if r.Account != digest {
			return exportstore.ErrAnotherAccount
		}
		records = append(records, r)
		return nil
	})
	return records, err
}

// receive receives callbacks where there is something to verify them with.
func (a *app) receive(ctx context.Context, x *access, settings *web.Settings, hookAt, forward string) (stop func(), err error) {
	h, err := a.openHook(ctx)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil || hookAt == "" {
		return func() {}, nil //nolint:nilerr // the page says that callbacks are not received
	}
	receiver, err := callback.New(forward, settings.Callbacks.Add, h.handler)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", hookAt)
	if err != nil {
		return nil, listenError(err)
	}
	settings.Hook = "http://" + listener.Addr().String() + "/"
	target := settings.Hook
	if forward != "" {
		target = forward
	}
	client := &http.Client{Timeout: 10 * time.Second}
	settings.Again = func(ctx context.Context, d callback.Delivery) (int, error) {
		return callback.Post(ctx, client, target, d.Header, d.Body)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{}, 2)
	go func() {
		_ = serve(ctx, listener, receiver, receiver.Shutdown)
		ended <- struct{}{}
	}()
	if x.box != nil {
		go func() {
			x.box.Walk(ctx, settings.Hook, 2*time.Second, func(error) {}) // the page shows what came
			ended <- struct{}{}
		}()
	} else {
		ended <- struct{}{}
	}
	return func() {
		cancel()
		<-ended
		<-ended
		client.CloseIdleConnections()
	}, nil
}
