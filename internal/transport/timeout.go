package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

// errIdle is the cause when a stream has been silent for too long.
var errIdle = fmt.Errorf("the stream stalled: %w", os.ErrDeadlineExceeded)

// send is the last step: one exchange over the base transport. It bounds the
// time, and it is no more than a RoundTripper, so that retryablehttp, which
// closes the shared idle connections after each failure, cannot.
type send struct {
	base    http.RoundTripper
	timeout time.Duration // for the whole exchange, the reading of the body included
	idle    time.Duration // for each read of the body; exclusive with timeout
}

// RoundTrip implements http.RoundTripper.
func (s *send) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	// Until the header is there, both kinds of call have a bound.
	patience := s.timeout + s.idle
	timer := time.AfterFunc(patience, func() { cancel(context.DeadlineExceeded) })
	resp, err := s.base.RoundTrip(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		err = because(ctx, req.Context(), err)
		cancel(nil)
		return nil, err
	}
	b := &body{ReadCloser: resp.Body, timer: timer, cancel: cancel, ctx: ctx, parent: req.Context()}
	if s.idle > 0 {
		timer.Stop()
		b.idle = s.idle
		b.timer = time.AfterFunc(s.idle, func() { cancel(errIdle) })
		// The caller may rest between two reads; only a read that hangs is a stall.
		b.timer.Stop()
	}
	resp.Body = b
	return resp, nil
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

// because names the end of our own clock, which net/http reports as a mere
// cancellation, in place of err. The caller's own end of it is told as Canceled
// or DeadlineExceeded, where net/http gives the cause that the caller put there.
func because(own, parent context.Context, err error) error {
	switch {
	case parent.Err() != nil:
		return parent.Err()
	case own.Err() != nil:
		return context.Cause(own)
	}
	return err
}
