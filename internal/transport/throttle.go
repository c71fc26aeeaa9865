package transport

import (
	"context"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// Pause is the time until which no client of a family sends, since the API has
// answered one of them with 429.
type Pause struct {
	mu    sync.Mutex
	until time.Time
}

// extend lets the pause last until t, if it does not last longer already.
func (p *Pause) extend(t time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if t.After(p.until) {
		p.until = t
	}
}

// left is how long the pause still lasts.
func (p *Pause) left() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.until)
}

// throttled means that no wait was begun, since it would outlast the caller's
// deadline.
type throttled struct {
	wait  time.Duration
	local bool // WithRateLimit's own limit, not the API's 429
}

func (e *throttled) Error() string { return "the wait would outlast the deadline" }

// Spread is how long the next request has to wait so that an export keeps to its
// pace. Each call of it is for one request.
type Spread func() time.Duration

// throttle waits for the end of a 429 pause, for the rate limit and for an
// export's pace.
type throttle struct {
	next    http.RoundTripper
	pause   *Pause
	limiter *RateLimit
	spread  Spread
	observe Observe
}

// RoundTrip implements http.RoundTripper.
func (t *throttle) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := t.wait(req.Context()); err != nil {
		return nil, err
	}
	return t.next.RoundTrip(req)
}

func (t *throttle) wait(ctx context.Context) error {
	for {
		left := t.pause.left()
		if left <= 0 {
			break
		}
		// Otherwise all waiting calls would go at the same instant.
		if err := t.pauseFor(ctx, min(left, longest)+rand.N(min(left, longest)/10+1)); err != nil { //nolint:gosec // jitter, no secret
			return err
		}
	}
	if err := t.limited(ctx); err != nil || t.spread == nil {
		return err
	}
	if d := t.spread(); d > 0 {
		return t.observed(ctx, d)
	}
	return nil
}

// limited waits for the rate limit.
func (t *throttle) limited(ctx context.Context) error {
	if t.limiter == nil {
		return nil
	}
	turn, wait := t.limiter.enter(ctx)
	switch {
	case turn == nil && wait == 0:
		return nil
	case turn == nil:
		return &throttled{wait: wait, local: true}
	}
	_, end := t.observe.start(ctx, Step{Kind: KindThrottle})
	defer end(Outcome{})
	return t.limiter.await(ctx, turn)
}

// pauseFor waits for the end of a pause.
func (t *throttle) pauseFor(ctx context.Context, d time.Duration) error {
	if outlasts(ctx, d) {
		return &throttled{wait: d}
	}
	return t.observed(ctx, d)
}

// observed waits, and the observer sees it.
func (t *throttle) observed(ctx context.Context, d time.Duration) error {
	_, end := t.observe.start(ctx, Step{Kind: KindThrottle})
	defer end(Outcome{})
	if !Wait(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// outlasts reports whether a wait of d cannot end before the deadline.
func outlasts(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= d
}
