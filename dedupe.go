package trulioo

// This file is about events that come more than once: how a WebhookHandler
// hands each over once, and the Deduper that remembers which it did.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/trulioo-go/trulioo/internal/once"
)

// DedupState says what a Deduper knows of an event.
type DedupState int

// The states. The zero value is DedupNew, so that a Deduper which says nothing
// has the event run rather than lost.
const (
	DedupNew      DedupState = iota // nobody has it: the caller now holds a claim
	DedupInFlight                   // somebody holds a claim whose lease has not ended
	DedupDone                       // somebody committed it
)

// Deduper remembers which events were handled, by Event.Key. A WebhookHandler
// reserves an event, runs its function, and then commits or releases it. A
// claim fences: only its holder can commit or release, and once the lease has
// ended and another holds the event, the old claim is refused with an error.
// An event whose holder died is new again when the lease ends: it runs at
// least once and is never lost. Methods are called from many goroutines.
type Deduper interface {
	// Reserve claims a key for the time of the lease. The claim is "" unless
	// the state is DedupNew.
	Reserve(ctx context.Context, key string, lease time.Duration) (claim string, state DedupState, err error)
	// Commit marks the key as done.
	Commit(ctx context.Context, key, claim string) error
	// Release gives the key up: the next Reserve finds it new.
	Release(ctx context.Context, key, claim string) error
}

const (
	defaultDedupeSize = 100_000
	defaultDedupeTTL  = 24 * time.Hour
)

// MemoryDeduper is a Deduper for one process, with bounds on how many keys it
// remembers and for how long. It forgets everything when the process ends.
type MemoryDeduper struct{ claims *once.Claims }

// NewMemoryDeduper remembers size events, each for ttl after it was handled.
// When it is full it forgets the one handled longest ago, and never one in
// flight. An event takes about 200 bytes. A size below 1 means 100,000, and a
// ttl of 0 or less 24 hours.
func NewMemoryDeduper(size int, ttl time.Duration) *MemoryDeduper {
	if size < 1 {
		size = defaultDedupeSize
	}
	if ttl <= 0 {
		ttl = defaultDedupeTTL
	}
	return &MemoryDeduper{once.NewClaims(size, ttl)}
}

// Reserve claims a key. The error means that size events are in flight.
func (d *MemoryDeduper) Reserve(_ context.Context, key string, lease time.Duration) (string, DedupState, error) {
	claim, state, err := d.claims.Reserve(key, lease)
	return claim, DedupState(state), err
}

// Commit marks the key as done. The error means that the claim was lost.
func (d *MemoryDeduper) Commit(_ context.Context, key, claim string) error {
	return d.claims.Commit(key, claim)
}

// Release gives the key up. The error means that the claim was lost.
func (d *MemoryDeduper) Release(_ context.Context, key, claim string) error {
	return d.claims.Release(key, claim)
}

// leaseMargin is how long after the deadline another process may take an
// event for lost. In this process an event in hand is never run again.
const leaseMargin = 30 * time.Second

// dispatch hands an event over: it reserves the event, runs the function, and
// commits or releases it. A Deduper that fails does not keep it from running.
func (r *receiver) dispatch(ctx context.Context, ev *Event) verdict {
	if reason := r.inHand.Take(ev.key); reason != "" {
		return verdict{status: http.StatusServiceUnavailable, result: reason, eventType: ev.Type}
	}
	defer r.inHand.LetGo(ev.key)
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	claim, state, err := r.reserve(limited, ev.key)
	switch {
	case err != nil:
		r.report(ctx, webhookError("reserve", err))
	case state == DedupDone:
		return verdict{status: http.StatusOK, result: "duplicate", eventType: ev.Type}
	case state == DedupInFlight:
		return verdict{status: http.StatusServiceUnavailable, result: "in flight", eventType: ev.Type}
	}
	err = errGoexit // what ends fn without a return
	defer func() { r.settle(ctx, ev.key, claim, err) }()
	err = guarded(func() error { return r.fn(limited, ev) })
	return judge(ev, err)
}

func (r *receiver) reserve(ctx context.Context, key string) (claim string, state DedupState, err error) {
	ctx, cancel := r.dedupeContext(ctx)
	defer cancel()
	err = guarded(func() (err error) {
		claim, state, err = r.deduper.Reserve(ctx, key, r.timeout+leaseMargin)
		return err
	})
	return claim, state, err
}

// settle commits or releases a claim. The caller's end does not cut it short.
func (r *receiver) settle(ctx context.Context, key, claim string, failed error) {
	if claim == "" {
		return
	}
	limited, cancel := r.dedupeContext(context.WithoutCancel(ctx))
	defer cancel()
	step, call := "commit", r.deduper.Commit
	if failed != nil {
		step, call = "release", r.deduper.Release
	}
	if err := guarded(func() error { return call(limited, key, claim) }); err != nil {
		r.report(ctx, webhookError(step, err))
	}
}

// dedupeContext bounds a call of the Deduper to a quarter of the time, so that
// one which hangs leaves some for the function. The one in memory cannot hang.
func (r *receiver) dedupeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := r.deduper.(*MemoryDeduper); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.timeout/4)
}

var errGoexit = errors.New("trulioo: the goroutine was ended by runtime.Goexit")

// guarded calls f and turns a panic into a *WebhookError.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &WebhookError{PanicType: fmt.Sprintf("%T", p), Stack: debug.Stack()}
		}
	}()
	return f()
}

func webhookError(step string, err error) *WebhookError {
	if err == nil {
		return nil
	}
	if panicked, ok := err.(*WebhookError); ok && panicked.PanicType != "" { //nolint:errorlint // made by guarded
		panicked.Step = step
		return panicked
	}
	return &WebhookError{Step: step, err: err}
}
