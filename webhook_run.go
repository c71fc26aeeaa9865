package trulioo

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

const (
	retryAfter = "5" // seconds; the vendor's own schedule is not known
	// leaseMargin is how long after the deadline another process may take an
	// event for lost. In this process an event in hand is never run again.
	leaseMargin = 30 * time.Second
)

var jsonContent = []string{"application/json"}

// receiver is what a WebhookHandler is made of.
type receiver struct {
	fn        func(context.Context, *Event) error
	signers   []*signer
	tokens    [][sha256.Size]byte // digests
	deduper   Deduper
	maxBody   int64
	timeout   time.Duration
	observers []Observer
	errorHook func(context.Context, error)

	mu      sync.Mutex
	inHand  map[string]struct{} // the keys of events whose function runs
	closing bool
	idle    chan struct{} // closed when closing and nothing is in hand
}

func newReceiver(fn func(context.Context, *Event) error, c *webhookConfig) *receiver {
	r := &receiver{
		fn: fn, deduper: c.deduper, maxBody: c.maxBody, timeout: c.timeout, errorHook: c.errorHook,
		inHand: map[string]struct{}{}, idle: make(chan struct{}),
	}
	for _, secret := range c.secrets {
		r.signers = append(r.signers, newSigner(secret))
	}
	for _, token := range c.tokens {
		r.tokens = append(r.tokens, sha256.Sum256([]byte(token)))
	}
	if r.deduper == nil {
		r.deduper = NewMemoryDeduper(defaultDedupeSize, defaultDedupeTTL)
	}
	if c.observer != nil {
		r.observers = append(r.observers, c.observer)
	}
	if c.logger != nil {
		r.observers = append(r.observers, webhookLog{c.logger})
	}
	return r
}

// verdict is the answer to a request and what observers hear of it.
type verdict struct {
	status    int
	result    string
	answer    []byte // "" for the constant one of the status
	eventType EventType
	err       error
}

func refused(status int, err error) verdict {
	return verdict{status: status, result: "refused", err: err}
}

// answers are all that a sender learns.
var answers = map[int][]byte{
	http.StatusOK:                    []byte(`{"status":"ok"}`),
	http.StatusBadRequest:            []byte(`{"error":"bad request"}`),
	http.StatusUnauthorized:          []byte(`{"error":"unauthorized"}`),
	http.StatusMethodNotAllowed:      []byte(`{"error":"method not allowed"}`),
	http.StatusRequestEntityTooLarge: []byte(`{"error":"too large"}`),
	http.StatusUnsupportedMediaType:  []byte(`{"error":"unsupported media type"}`),
	http.StatusInternalServerError:   []byte(`{"error":"internal error"}`),
	http.StatusServiceUnavailable:    []byte(`{"error":"try again later"}`),
}

func (v verdict) body() []byte {
	if v.answer != nil {
		return v.answer
	}
	return answers[v.status]
}

// begin tells the observers of a request.
func (r *receiver) begin(ctx context.Context) (context.Context, func(Outcome)) {
	if len(r.observers) == 0 {
		return ctx, nil
	}
	return startAll(ctx, r.observers, Step{Kind: StepWebhook, Operation: "receive webhook"})
}

// finish tells the observers and the error hook of its outcome.
func (r *receiver) finish(ctx context.Context, v verdict, end func(Outcome)) {
	if end != nil {
		o := Outcome{StatusCode: v.status, Result: v.result, Err: v.err}
		if known, ok := eventTypes[string(v.eventType)]; ok { // any other is the sender's words
			o.EventType = known
		}
		end(o)
	}
	r.report(ctx, v.err)
}

// report calls the error hook, whose own panic must not cost an event.
func (r *receiver) report(ctx context.Context, err error) {
	if err == nil || r.errorHook == nil {
		return
	}
	_ = guarded(func() error { r.errorHook(ctx, err); return nil })
}

// take marks an event as in hand, unless it is or the handler is closing.
func (r *receiver) take(key string) (reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closing {
		return "shutting down"
	}
	if _, ok := r.inHand[key]; ok {
		return "in flight"
	}
	r.inHand[key] = struct{}{}
	return ""
}

func (r *receiver) letGo(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.inHand, key)
	if r.closing && len(r.inHand) == 0 {
		close(r.idle)
	}
}

func (r *receiver) shutdown(ctx context.Context) error {
	r.mu.Lock()
	if !r.closing && len(r.inHand) == 0 {
		close(r.idle)
	}
	r.closing = true
	r.mu.Unlock()
	select {
	case <-r.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// dispatch hands an event over: it reserves the event, runs the function, and
// commits or releases it. A Deduper that fails does not keep it from running.
func (r *receiver) dispatch(ctx context.Context, ev *Event) verdict {
	if reason := r.take(ev.key); reason != "" {
		return verdict{status: http.StatusServiceUnavailable, result: reason, eventType: ev.Type}
	}
	defer r.letGo(ev.key)
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

func judge(ev *Event, err error) verdict {
	v := verdict{status: http.StatusOK, result: "handled", eventType: ev.Type}
	if failure := webhookError("run", err); failure != nil {
		v.status, v.result, v.err = http.StatusInternalServerError, "failed", failure
		if failure.PanicType != "" {
			v.result = "panicked"
		}
	}
	return v
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

// WebhookError means that the caller's function or Deduper failed. It prints
// the step and, of a panic, the type of its value; the caller's own error,
// which can hold anything, is what it wraps.
type WebhookError struct {
	Step      string // "run" for the function, "reserve", "commit" or "release" for the Deduper
	PanicType string // the type of the panic's value; "" where it was an error
	Stack     []byte // the stack of a panic; nil where it was an error

	err error
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

// Error names the step, and the type of a panic's value.
func (e *WebhookError) Error() string {
	var b strings.Builder
	start(&b, "receive webhook")
	b.WriteString(e.Step)
	if e.PanicType == "" {
		b.WriteString(" failed: see the wrapped error")
	} else {
		b.WriteString(" panicked: " + e.PanicType)
	}
	return b.String()
}

// Unwrap gives the error of the function or the Deduper; nil for a panic.
func (e *WebhookError) Unwrap() error { return e.err }

// Format prints Error whatever the verb, %#v included.
func (e *WebhookError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// LogValue is Error, for slog.
func (e *WebhookError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// webhookLog is the log of a handler: that of a client, and a panic's stack.
type webhookLog struct{ logger *slog.Logger }

// Start implements Observer.
func (l webhookLog) Start(ctx context.Context, step Step) (context.Context, func(Outcome)) {
	ctx, end := logObserver(l).Start(ctx, step)
	return ctx, func(o Outcome) {
		end(o)
		var failed *WebhookError
		if errors.As(o.Err, &failed) && failed.PanicType != "" {
			l.logger.LogAttrs(ctx, slog.LevelError, "trulioo webhook panicked",
				slog.String("type", failed.PanicType), slog.String("stack", string(failed.Stack)))
		}
	}
}
