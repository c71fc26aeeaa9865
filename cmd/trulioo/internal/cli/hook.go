package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/account"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
	"github.com/trulioo-go/trulioo/truliootest"
)

// hookAddress is the default address that receives callbacks.
const hookAddress = "127.0.0.1:8076"

const hookSecretsHelp = `The verification token and the signing secret are those of TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET, or of "trulioo login
--webhook"; with --sandbox they are the sandbox's.`

// hook holds the secrets that callbacks are verified and signed with.
type hook struct {
	account       string // whose they are
	token, secret string
	variables     bool // from the environment
}

var errNoHook = errors.New("no verification token and no signing secret: set TRULIOO_WEBHOOK_TOKEN or TRULIOO_WEBHOOK_SECRET, use \"trulioo login --webhook\", or try it with --sandbox")

// openHook chooses an account as open does, without a client.
func (a *app) openHook(ctx context.Context) (*hook, error) {
	if a.sandbox {
		return &hook{account: "sandbox", token: truliootest.WebhookToken, secret: truliootest.WebhookSecret}, nil
	}
	token, secret := os.Getenv("TRULIOO_WEBHOOK_TOKEN"), os.Getenv("TRULIOO_WEBHOOK_SECRET")
	if a.account == "" && token+secret != "" {
		return &hook{account: "variables", token: token, secret: secret, variables: true}, nil
	}
	book, err := account.Open()
	if err != nil {
		return nil, err
	}
	name := cmp.Or(a.account, book.Default)
	if _, known := book.Accounts[name]; !known {
		return nil, errNoHook
	}
	secrets, err := book.Secrets(ctx, name)
	if err != nil {
		return nil, err
	}
	if secrets.WebhookToken+secrets.WebhookSecret == "" {
		return nil, errNoHook
	}
	return &hook{account: "login " + name, token: secrets.WebhookToken, secret: secrets.WebhookSecret}, nil
}

// handler makes the library's handler.
func (h *hook) handler(fn func(context.Context, *trulioo.Event) error, opts ...trulioo.WebhookOption) (*trulioo.WebhookHandler, error) {
	if h.variables {
		return trulioo.NewWebhookHandlerFromEnv(fn, opts...)
	}
	if h.token != "" {
		opts = append(opts, trulioo.WithVerificationToken(h.token))
	}
	if h.secret != "" {
		opts = append(opts, trulioo.WithSigningSecret(h.secret))
	}
	return trulioo.NewWebhookHandler(fn, opts...)
}

func (a *app) listen() *cobra.Command {
	var address, forward, dir string
	var show, asJSON bool
	command := &cobra.Command{
		Use:   "listen",
		Short: "Receive callbacks, verify them, show them, and forward them",
		Long: `Receives the vendor's callbacks, for development: verifies and de-duplicates them as trulioo.WebhookHandler does, prints a line for
each, and forwards new ones to a program under development, with the headers and bytes that came. The vendor gets the program's answer,
and sends again if that is not a 2xx. --keep writes the verified ones into a folder, without the token, for "trulioo replay".

` + hookSecretsHelp,
		Example: `  trulioo listen --forward http://127.0.0.1:3000/trulioo
  trulioo listen --sandbox --keep callbacks
  trulioo trigger FLOW_END --sandbox             # in another terminal`,
	}
	flags := command.Flags()
	flags.StringVar(&address, "addr", hookAddress, "the `host:port` to listen on")
	flags.StringVar(&forward, "forward", "", "the `URL` of the program under development")
	flags.StringVar(&dir, "keep", "", "keep the callbacks in this `folder`; they are personal data")
	flags.BoolVar(&show, "show", false, "print the bodies too, without the token")
	flags.BoolVar(&asJSON, "ndjson", false, "print one JSON object for each")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkTarget("--forward", forward); err != nil {
			return err
		}
		h, err := a.openHook(cmd.Context())
		if err != nil {
			return err
		}
		printer := &deliveryPrinter{out: a.out, errors: a.err, show: show, json: asJSON}
		if dir != "" {
			if printer.folder, err = callback.OpenFolder(dir, h.account); err != nil {
				return err
			}
			defer printer.folder.Close() //nolint:errcheck // each file was closed
		}
		receiver, err := callback.New(forward, printer.print, h.handler)
		if err != nil {
			return err
		}
		listener, err := new(net.ListenConfig).Listen(cmd.Context(), "tcp", address)
		if err != nil {
			return listenError(err)
		}
		fmt.Fprintf(a.err, "listening on http://%s/ for callbacks; Ctrl-C ends it\n", listener.Addr())
		return serve(cmd.Context(), listener, receiver, receiver.Shutdown)
	}
	return command
}

// serve serves until ctx ends, which is an error as every Ctrl-C is.
func serve(ctx context.Context, listener net.Listener, handler http.Handler, shutdown func(context.Context) error) error {
	server := &http.Server{Handler: handler, ReadTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = shutdown(limited)
	_ = server.Close()
	return ctx.Err()
}

// listenError says what is wrong with an address.
func listenError(err error) error {
	if at, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("cannot listen on the address: %w", at.Err)
	}
	return errors.New("cannot listen on the address")
}

// checkTarget refuses a target that is not the address of a web server.
func checkTarget(flag, target string) error {
	if target == "" {
		return nil
	}
	at, err := url.Parse(target)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return usage(flag + " must be an address such as http://127.0.0.1:3000/trulioo")
	}
	if _, has := at.User.Password(); has {
		return usage(flag + " must not hold a password, which others could see")
	}
	return nil
}

// deliveryPrinter prints a line for each delivery.
type deliveryPrinter struct {
	mu     sync.Mutex
	out    *term.Screen
	errors *term.Screen
	folder *callback.Folder
	show   bool
	json   bool
}

func (p *deliveryPrinter) print(d callback.Delivery) {
	if p.folder != nil {
		if err := p.folder.Add(d); err != nil {
			fmt.Fprintln(p.errors, "the callback could not be kept:", explain(err))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.object(d)
		return
	}
	ev := d.Event
	if ev == nil {
		ev = &trulioo.Event{}
	}
	half := "live"
	if ev.Test {
		half = "test"
	}
	fmt.Fprintf(p.out, "%s %s %s %s %s %s%s\n", d.At.Format(time.TimeOnly), p.out.Paint(resultStyle(d), term.Pad(outcome(d), 14)),
		term.Pad(cmp.Or(term.Clean(string(ev.Type)), "-"), 24), term.Pad(cmp.Or(term.Clean(ev.ClientID), "-"), 24), half, d.Took.Round(time.Millisecond), forwardWord(d.Forward))
	if p.show && d.Verified() {
		fmt.Fprintln(p.out, term.Clean(string(callback.WithoutToken(d.Event, d.Body))))
	}
}

// outcome is the delivery's outcome in a word for people.
func outcome(d callback.Delivery) string {
	switch {
	case d.Status == http.StatusUnauthorized:
		return "not verified"
	case d.Result != "":
		return d.Result
	}
	return fmt.Sprintf("status %d", d.Status)
}

func resultStyle(d callback.Delivery) term.Style {
	switch {
	case d.Status == http.StatusOK && d.Result == "duplicate":
		return term.Faint
	case d.Status == http.StatusOK:
		return term.Green
	}
	return term.Red
}

func forwardWord(f *callback.Forwarded) string {
	switch {
	case f == nil:
		return ""
	case f.Err != nil:
		return " forwarded: " + f.Err.Error()
	}
	return fmt.Sprintf(" forwarded: %d", f.Status)
}

func (p *deliveryPrinter) object(d callback.Delivery) {
	object := map[string]any{"at": d.At, "status": d.Status, "result": outcome(d), "verified": d.Verified(), "took_ms": d.Took.Milliseconds()}
	if d.Event != nil {
		object["type"], object["client"], object["workflow"], object["test"], object["retry"] = d.Event.Type, d.Event.ClientID, d.Event.FlowID, d.Event.Test, d.Event.Retry
	}
	if d.Forward != nil {
		object["forwarded"] = d.Forward.Status
	}
	if p.show && d.Verified() {
		object["body"] = json.RawMessage(callback.WithoutToken(d.Event, d.Body))
	}
	_ = json.NewEncoder(p.out).Encode(object) // a pipe that closes ends the process
}

func (a *app) trigger() *cobra.Command {
	var to, client, workflow string
	var test bool
	var times int
	command := &cobra.Command{
		Use:   "trigger TYPE",
		Short: "Send a callback as the vendor would",
		Long: `Sends one invented callback, with the token in it and signed, to a program under development or to "trulioo listen", and again until it
is acknowledged, five times at most. TYPE is a type of event such as FLOW_END or MANUALLY_ACCEPTED; "flow" for all events of
somebody who goes through a workflow; "all" for one of each type; or "handshake" for the request that the vendor sends when an
address is set up. A type that the vendor does not document is sent too, since a receiver must expect it.

` + hookSecretsHelp,
		Example: `  trulioo trigger FLOW_END --to http://127.0.0.1:3000/trulioo
  trulioo trigger flow --sandbox
  trulioo trigger STEP_SUBMIT --times 2          # the second one is a duplicate`,
		Args:              oneArgument("a type of event, flow, all or handshake"),
		ValidArgsFunction: completeTypes,
	}
	flags := command.Flags()
	flags.StringVar(&to, "to", "http://"+hookAddress+"/", "the `URL` to send to")
	flags.StringVar(&client, "client", "", "the end client's `id`; an invented one if not given")
	flags.StringVar(&workflow, "workflow", "", "the workflow's `id`; an invented one if not given")
	flags.BoolVar(&test, "test", false, "of the test environment")
	flags.IntVar(&times, "times", 1, "how often to send each, as at-least-once delivery does")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkTarget("--to", to); err != nil {
			return err
		}
		if times < 1 || times > 1000 {
			return usage("--times must be 1 to 1000")
		}
		h, err := a.openHook(cmd.Context())
		if err != nil {
			return err
		}
		sender := &truliootest.Sender{Token: h.token, Secret: h.secret, Wait: 200 * time.Millisecond}
		if args[0] == "handshake" {
			return senderError(cmd.Context(), sender.Handshake(cmd.Context(), to))
		}
		events, err := a.events(args[0], truliootest.EventSpec{ClientID: client, FlowID: workflow, Test: test, Time: time.Now()})
		if err != nil {
			return err
		}
		for _, event := range events {
			for range times {
				if err := sender.SendEvent(cmd.Context(), to, event); err != nil {
					return senderError(cmd.Context(), err)
				}
				fmt.Fprintf(a.out, "%s acknowledged\n", event.Type)
			}
		}
		return nil
	}
	return command
}

// events are the events that TYPE names.
func (a *app) events(kind string, spec truliootest.EventSpec) ([]*trulioo.Event, error) {
	switch kind {
	case "flow":
		return truliootest.FlowEvents(spec), nil
	case "all":
		return truliootest.EveryEvent(spec), nil
	}
	if strings.Trim(kind, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" || len(kind) > 60 {
		return nil, usage("a type of event has capital letters, digits and underscores, such as FLOW_END")
	}
	known := false
	for _, event := range truliootest.EveryEvent(truliootest.EventSpec{}) {
		known = known || string(event.Type) == kind
	}
	if !known {
		fmt.Fprintln(a.err, "the vendor documents no event of this type; it is sent anyway")
	}
	return []*trulioo.Event{truliootest.NewEvent(trulioo.EventType(kind), spec)}, nil
}

// senderError is an error of truliootest's sender without the address.
func senderError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if refused, ok := errors.AsType[*truliootest.NotAcknowledged](err); ok {
		return fmt.Errorf("not acknowledged: status %d after %d deliveries", refused.Status, refused.Attempts)
	}
	if at, ok := errors.AsType[*net.OpError](err); ok {
		return fmt.Errorf("the receiver does not answer: %s: %w", at.Op, at.Err)
	}
	if at, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("the receiver does not answer: %w", at.Err)
	}
	return err
}

func (a *app) replay() *cobra.Command {
	var to, kind string
	var after, before timeFlag
	var last int
	command := &cobra.Command{
		Use:   "replay FOLDER",
		Short: "Send callbacks again that \"trulioo listen --keep\" has kept",
		Long: `Sends kept callbacks again, oldest first, with the vendor's own bytes, headers and signature; the token, which is not kept, is put back.
If the token has changed since, the callback is signed anew. A receiver that de-duplicates acknowledges the callbacks that it knows.

` + hookSecretsHelp,
		Example: `  trulioo replay callbacks --to http://127.0.0.1:3000/trulioo
  trulioo replay callbacks --type FLOW_END --after 1d --last 10`,
		Args: oneArgument("the folder of \"trulioo listen --keep\""),
	}
	flags := command.Flags()
	flags.StringVar(&to, "to", "http://"+hookAddress+"/", "the `URL` to send to")
	flags.StringVar(&kind, "type", "", "only events of this `type`")
	flags.Var(&after, "after", "only callbacks received after this `time`")
	flags.Var(&before, "before", "only callbacks received before this `time`")
	flags.IntVar(&last, "last", 0, "only this many of the newest; 0 means all")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkTarget("--to", to); err != nil {
			return err
		}
		h, err := a.openHook(cmd.Context())
		if err != nil {
			return err
		}
		folder, err := callback.ReadFolder(args[0], h.account)
		if err != nil {
			return err
		}
		defer folder.Close() //nolint:errcheck // it is only read
		all, err := folder.All(h.token, h.secret)
		if err != nil {
			return err
		}
		var chosen []callback.Callback
		for _, c := range all {
			if (kind == "" || c.EventType == kind) && (after.IsZero() || c.At.After(after.Time)) && (before.IsZero() || c.At.Before(before.Time)) {
				chosen = append(chosen, c)
			}
		}
		if last > 0 && len(chosen) > last {
			chosen = chosen[len(chosen)-last:]
		}
		return a.sendAgain(cmd.Context(), to, chosen)
	}
	return command
}

func (a *app) sendAgain(ctx context.Context, to string, callbacks []callback.Callback) error {
	client := &http.Client{Timeout: 10 * time.Second}
	defer client.CloseIdleConnections()
	failed := 0
	for _, c := range callbacks {
		status, err := callback.Post(ctx, client, to, c.Header, c.Body)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		word := fmt.Sprint(status)
		if err != nil {
			word = err.Error()
		}
		if err != nil || status < 200 || status > 299 {
			failed++
		}
		anew := ""
		if !c.Original {
			anew = " (signed anew)"
		}
		fmt.Fprintf(a.out, "%s %s %s %s%s\n", c.At.Format(time.RFC3339), term.Pad(term.Clean(c.EventType), 24), term.Pad(term.Clean(c.ClientID), 24), word, anew)
	}
	switch {
	case len(callbacks) == 0:
		return errors.New("the folder has no such callback")
	case failed == len(callbacks):
		return errors.New("no callback was acknowledged")
	case failed > 0:
		return fmt.Errorf("%d of %d were not acknowledged: %w", failed, len(callbacks), errSome)
	}
	return nil
}
