// Package callback receives the vendor's callbacks on a developer's machine: it
// verifies and de-duplicates them as trulioo.WebhookHandler does, hands them on with
// their own headers and bytes, and remembers them.
package callback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/trulioo-go/trulioo"
)

// Delivery is one request of the vendor, or of somebody who pretends to be.
type Delivery struct {
	N       int // counts from 1
	At      time.Time
	Header  http.Header
	Body    []byte         // as it came, with the verification token in it
	Event   *trulioo.Event // nil where the body is not an event
	Status  int            // of the answer
	Result  string         // a word of the library such as handled, duplicate or handshake
	Took    time.Duration
	Forward *Forwarded // nil where it was not forwarded
}

// Forwarded is the answer of the program under development.
type Forwarded struct {
	Status int   // 0 where there was no answer
	Err    error // such as a refused connection
}

// Verified reports whether signature and token held.
func (d *Delivery) Verified() bool {
	return d.Event != nil && (d.Result == "handled" || d.Result == "duplicate" || d.Forward != nil)
}

// maxBody is the library's own limit.
const maxBody = 1 << 20

// Receiver is the http.Handler that receives callbacks.
type Receiver struct {
	target  string
	seen    func(Delivery)
	handler *trulioo.WebhookHandler
	client  *http.Client
}

// Constructor is trulioo.NewWebhookHandler with options that verify.
type Constructor func(func(context.Context, *trulioo.Event) error, ...trulioo.WebhookOption) (*trulioo.WebhookHandler, error)

// New makes a receiver that forwards to target, unless that is "", and calls seen for
// each request after its answer, from many goroutines.
func New(target string, seen func(Delivery), handler Constructor) (*Receiver, error) {
	r := &Receiver{target: target, seen: seen, client: &http.Client{
		Timeout:       9 * time.Second, // the vendor waits for 10
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	var err error
	r.handler, err = handler(r.receive, trulioo.WithWebhookObserver(observer{}))
	return r, err
}

// place is the key of the request's Delivery in its context.
type place struct{}

// ServeHTTP receives one callback.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	d := &Delivery{At: time.Now().UTC(), Header: request.Header.Clone()}
	body, err := io.ReadAll(io.LimitReader(request.Body, maxBody+1))
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	if len(body) <= maxBody {
		d.Body = body
		if event, err := trulioo.ParseEvent(body); err == nil {
			d.Event = event
		}
	}
	inner := request.Clone(context.WithValue(request.Context(), place{}, d))
	inner.Body, inner.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	answer := &noted{ResponseWriter: w, status: http.StatusOK}
	r.handler.ServeHTTP(answer, inner)
	d.Status, d.Took = answer.status, time.Since(d.At)
	r.seen(*d)
}

// Shutdown waits for the requests that are being handled.
func (r *Receiver) Shutdown(ctx context.Context) error {
	r.client.CloseIdleConnections()
	return r.handler.Shutdown(ctx)
}

// receive is called once for each event that is verified.
func (r *Receiver) receive(ctx context.Context, _ *trulioo.Event) error {
	d, ok := ctx.Value(place{}).(*Delivery)
	if !ok || r.target == "" {
		return nil
	}
	status, err := Post(ctx, r.client, r.target, d.Header, d.Body)
	d.Forward = &Forwarded{status, err}
	if err != nil {
		return errors.New("the program under development does not answer")
	}
	if status < 200 || status > 299 {
		return fmt.Errorf("the program under development answered with status %d", status)
	}
	return nil
}

// Post sends a callback with its own headers and bytes. The error names no address.
func Post(ctx context.Context, client *http.Client, target string, header http.Header, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the address is not a URL")
	}
	request.Header = header.Clone()
	for _, hop := range []string{"Connection", "Content-Length", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		request.Header.Del(hop)
	}
	response, err := client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if at, ok := errors.AsType[*net.OpError](err); ok {
			return 0, fmt.Errorf("%s: %w", at.Op, at.Err)
		}
		return 0, errors.New("there was no answer")
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxBody))
	return response.StatusCode, response.Body.Close()
}

// observer notes the library's own word for the result of a request.
type observer struct{}

// Start finds the Delivery.
func (observer) Start(ctx context.Context, _ trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	return ctx, func(o trulioo.Outcome) {
		if d, ok := ctx.Value(place{}).(*Delivery); ok {
			d.Result = o.Result
		}
	}
}

// noted remembers the status.
type noted struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController through.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// WriteHeader notes the status.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}
