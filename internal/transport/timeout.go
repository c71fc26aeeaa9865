package transport

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// maxForeignRead bounds the memory of one read from a body that is not net/http's.
const maxForeignRead = 64 << 10

// errIdle is the cause of a stream that was silent for too long.
var errIdle = fmt.Errorf("the stream stalled: %w", os.ErrDeadlineExceeded)

// send is the last step: one exchange over the base transport. It bounds the time. It
// has no method but RoundTrip, so that retryablehttp, which closes idle connections
// after each failure, cannot close the shared ones.
type send struct {
	base    http.RoundTripper
	timeout time.Duration // for the whole exchange, the reading of the body included
	idle    time.Duration // in place of timeout for a success: for the header, and then for each read of the body
}

// RoundTrip implements http.RoundTripper.
func (s *send) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	// Until the header is there, both kinds of call have a bound.
	patience := s.timeout
	if s.idle > 0 {
		patience = s.idle
	}
	timer := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	resp, err := s.exchange(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		err = because(ctx, req.Context(), err)
		cancel(nil)
		return nil, err
	}
	b := &body{ReadCloser: s.bounded(ctx, resp), timer: timer, cancel: cancel, ctx: ctx, parent: req.Context()}
	switch {
	case s.idle > 0 && !success(resp.StatusCode):
		// The idle clock alone is enough only for a file's own bytes.
		timer.Reset(s.timeout)
	case s.idle > 0:
		timer.Stop()
		b.idle = s.idle
		b.timer = time.AfterFunc(s.idle, func() { cancel(errIdle) })
		// The caller may rest between two reads; only a read that hangs is a stall.
		b.timer.Stop()
	}
	resp.Body = b
	return resp, nil
}

// exchange is the base's RoundTrip, bounded in time and checked: any transport but
// net/http's own can panic, hang, and leave out fields that net/http sets.
func (s *send) exchange(req *http.Request) (*http.Response, error) {
	if ofNetHTTP(s.base) {
		resp, err := s.base.RoundTrip(req)
		if err == nil {
			complete(resp, req)
		}
		return resp, err
	}
	return guard.Do(req.Context(), func() (*http.Response, error) {
		resp, err := s.base.RoundTrip(req)
		switch {
		case err != nil:
			return nil, err
		case resp == nil:
			return nil, errNoResponse
		}
		complete(resp, req)
		return resp, nil
	}, func(late *http.Response) { _ = late.Body.Close() })
}

// ofNetHTTP reports whether the transport is net/http's own, or one of ours around it.
func ofNetHTTP(base http.RoundTripper) bool {
	if ours, ok := base.(interface{ Unwrap() http.RoundTripper }); ok {
		base = ours.Unwrap()
	}
	_, own := base.(*http.Transport)
	return own
}

// errNoResponse has net/http's text about such a transport, without the type's name.
var errNoResponse = errors.New("the transport returned neither a response nor an error")

// complete sets the fields that net/http's own transport always sets. Redirects and
// the origin are judged by one of them, Request.
func complete(resp *http.Response, req *http.Request) {
	resp.Request = req
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	if resp.Header == nil {
		resp.Header = http.Header{}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the bare connection, which no context closes.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
}

// bounded is the answer's body with reads that end with ctx, as net/http's own reads
// do.
func (s *send) bounded(ctx context.Context, resp *http.Response) io.ReadCloser {
	if ofNetHTTP(s.base) {
		return resp.Body
	}
	return &foreignBody{body: resp.Body, ctx: ctx}
}

// foreignBody is a body whose Read may hang or panic. Each Read is on a
// goroutine of its own, into memory of its own, since it may go on for ever.
type foreignBody struct {
	body io.ReadCloser
	ctx  context.Context //nolint:containedctx // of the exchange, and ends with it
	gone bool            // a Read goes on for ever
	once sync.Once
}

func (b *foreignBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil || b.gone {
		b.gone = true
		return 0, cmp.Or(err, errors.New("read of an abandoned body"))
	}
	type result struct {
		bytes []byte
		err   error
	}
	r, err := guard.Do(b.ctx, func() (result, error) {
		own := make([]byte, min(len(p), maxForeignRead))
		n, err := b.body.Read(own)
		return result{own[:max(0, min(n, len(own)))], err}, nil
	}, nil)
	if err != nil {
		b.gone = b.ctx.Err() != nil
		return 0, err
	}
	return copy(p, r.bytes), r.err
}

// Close does not wait for a body that hangs.
func (b *foreignBody) Close() (err error) {
	b.once.Do(func() {
		closed := guard.Start(func() (struct{}, error) { return struct{}{}, b.body.Close() })
		if !b.gone {
			_, err = closed.Wait(b.ctx)
		}
	})
	return err
}

// body ends the exchange's clock and context when it is closed: a cancel that
// ran earlier would cut the caller's reading off.
type body struct {
	io.ReadCloser
	timer  *time.Timer
	idle   time.Duration
	cancel context.CancelCauseFunc
	ctx    context.Context //nolint:containedctx // it is this exchange's own, and ends with it
	parent context.Context //nolint:containedctx // as above
}

func (b *body) Read(p []byte) (int, error) {
	if b.idle > 0 {
		b.timer.Reset(b.idle)
	}
	n, err := b.ReadCloser.Read(p)
	if b.idle > 0 {
		b.timer.Stop()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = because(b.ctx, b.parent, err)
	}
	return n, err
}

func (b *body) Close() error {
	b.timer.Stop()
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// because replaces err where our own clock ended the exchange, which net/http reports
// as a mere cancellation. Where the caller ended it, the error is Canceled or
// DeadlineExceeded; net/http would give the cause that the caller put there.
func because(own, parent context.Context, err error) error {
	switch {
	case parent.Err() != nil:
		return parent.Err()
	case own.Err() != nil:
		return context.Cause(own)
	}
	return err
}
