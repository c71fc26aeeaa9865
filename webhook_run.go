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
	"sync/atomic"
	"time"
)

const (
	retryAfter = "5" // seconds; the vendor's own schedule is not known
	// leaseMargin is how long after the deadline another process may take an
	// event for lost. In this process an event in hand is never run again.
	leaseMargin = 30 * time.Second
	// overrun is how long an answer waits for a function past its deadline: the
	// time to see that its context ended, and still within the vendor's 10 s.
	overrun = 500 * time.Millisecond
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

// begin tells the observers of a request, and end of its outcome.
func (r *receiver) begin(ctx context.Context) (context.Context, func(verdict)) {
	if len(r.observers) == 0 {
		return ctx, func(v verdict) { r.report(ctx, v.err) }
	}
	ctx, end := startAll(ctx, r.observers, Step{Kind: StepWebhook, Operation: "receive webhook"})
	return ctx, func(v verdict) {
		end(Outcome{StatusCode: v.status, EventType: v.eventType, Result: v.result, Err: v.err})
		r.report(ctx, v.err)
	}
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

// dispatch hands an event over and waits for the outcome, though not for ever.
func (r *receiver) dispatch(ctx context.Context, ev *Event) verdict {
	if reason := r.take(ev.key); reason != "" {
		return verdict{status: http.StatusServiceUnavailable, result: reason, eventType: ev.Type}
	}
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	d := &delivery{r: r, ctx: ctx, ev: ev, outcome: make(chan verdict), gone: make(chan struct{})}
	defer close(d.gone)
	go d.run(limited)
	select {
	case v := <-d.outcome:
		return v
	case <-limited.Done():
	}
	late := time.NewTimer(overrun)
	defer late.Stop()
	select {
	case v := <-d.outcome:
		return v
	case <-late.C:
	}
	if d.succeeded.Load() { // and the Deduper is slow to hear of it
		return d.verdict(http.StatusOK, "handled", nil)
	}
	return d.verdict(http.StatusServiceUnavailable, "timed out", &WebhookError{Step: "run", err: context.Cause(limited)})
}

// delivery is one event on its way through the Deduper and the function.
type delivery struct {
	r         *receiver
	ctx       context.Context // of the request, without the deadline
	ev        *Event
	outcome   chan verdict
	gone      chan struct{} // closed when nobody waits for the outcome
	succeeded atomic.Bool
}

func (d *delivery) verdict(status int, result string, err error) verdict {
	return verdict{status: status, result: result, eventType: d.ev.Type, err: err}
}

// run reserves the event, runs the function, and commits or releases it. A
// Deduper that fails does not keep the event from running.
func (d *delivery) run(ctx context.Context) {
	v := d.verdict(http.StatusInternalServerError, "failed", webhookError("run", errGoexit))
	defer func() {
		d.r.letGo(d.ev.key)
		select {
		case d.outcome <- v:
		case <-d.gone:
			d.r.report(d.ctx, v.err)
		}
	}()
	claim, state, err := d.reserve(ctx)
	switch {
	case err != nil:
		d.r.report(d.ctx, webhookError("reserve", err))
	case state == DedupDone:
		v = d.verdict(http.StatusOK, "duplicate", nil)
		return
	case state == DedupInFlight:
		v = d.verdict(http.StatusServiceUnavailable, "in flight", nil)
		return
	}
	err = errGoexit
	defer func() {
		d.settle(claim, err)
		v = d.judge(err)
	}()
	err = guarded(func() error { return d.r.fn(ctx, d.ev) })
	d.succeeded.Store(err == nil)
}

func (d *delivery) judge(err error) verdict {
	failure := webhookError("run", err)
	switch {
	case failure == nil:
		return d.verdict(http.StatusOK, "handled", nil)
	case failure.PanicType != "":
		return d.verdict(http.StatusInternalServerError, "panicked", failure)
	}
	return d.verdict(http.StatusInternalServerError, "failed", failure)
}

func (d *delivery) reserve(ctx context.Context) (claim string, state DedupState, err error) {
	ctx, cancel := d.r.dedupeContext(ctx)
	defer cancel()
	err = guarded(func() (err error) {
		claim, state, err = d.r.deduper.Reserve(ctx, d.ev.key, d.r.timeout+leaseMargin)
		return err
	})
	return claim, state, err
}

// settle commits or releases a claim. It is not cut short by the deadline.
func (d *delivery) settle(claim string, failed error) {
	if claim == "" {
		return
	}
	ctx, cancel := d.r.dedupeContext(context.WithoutCancel(d.ctx))
	defer cancel()
	step, call := "commit", d.r.deduper.Commit
	if failed != nil {
		step, call = "release", d.r.deduper.Release
	}
	err := guarded(func() error { return call(ctx, d.ev.key, claim) })
	if err != nil {
		d.r.report(d.ctx, webhookError(step, err))
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
	ctx, end := logObserver{l.logger}.Start(ctx, step)
	return ctx, func(o Outcome) {
		if _, known := eventTypes[string(o.EventType)]; !known {
			o.EventType = ""
		}
		end(o)
		var failed *WebhookError
		if errors.As(o.Err, &failed) && failed.PanicType != "" {
			l.logger.LogAttrs(ctx, slog.LevelError, "trulioo webhook panicked",
				slog.String("type", failed.PanicType), slog.String("stack", string(failed.Stack)))
		}
	}
}
