package trulioo

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// StepKind says what kind of work a Step is.
type StepKind string

// The kinds of steps.
const (
	StepCall     StepKind = "call"     // one call of a method, its retries and waits included
	StepAttempt  StepKind = "attempt"  // one HTTP exchange of a call that took place, without the waits before it
	StepToken    StepKind = "token"    // one token fetch, its retries included
	StepTransfer StepKind = "transfer" // the bytes of one file, from the answer's header to their end
	StepThrottle StepKind = "throttle" // a wait for the rate limit, for the end of a 429 pause, or for an export's pace
	StepWebhook  StepKind = "webhook"  // one webhook request, from its first byte to the answer
)

// stepKinds names the steps that the transport reports.
var stepKinds = map[transport.Kind]StepKind{
	transport.KindCall:     StepCall,
	transport.KindAttempt:  StepAttempt,
	transport.KindToken:    StepToken,
	transport.KindThrottle: StepThrottle,
}

// Step is a piece of work that begins. Nothing in it is personal or secret.
type Step struct {
	Kind      StepKind
	Operation string // one of the constants, such as OperationGetClient

	// Environment is the client's, or "" for StepWebhook.
	Environment Environment

	// The fields below are set for StepAttempt only. A request that is sent again with
	// another token, or to another address after a redirect, is an exchange of its own.
	// Host and Port are those of the base URL or of the token URL; they are "" and 0 for
	// an object store, whose address can tell whose files it holds.
	Attempt int    // 1 for the first exchange of a call
	Method  string // such as "GET"
	Host    string // without the port
	Port    int
}

// Outcome is how a Step ended. Nothing in it is personal or secret.
type Outcome struct {
	StatusCode int       // the HTTP status received or, for StepWebhook, given; 0 where there was none
	RequestID  string    // the server's id of the request, if it sent one
	Bytes      int64     // of a file that came, whether or not it came whole; set for StepTransfer only
	Attempts   int       // tries made so far; set for StepCall and StepToken
	EventType  EventType // of a verified event, if it is one of the constants; set for StepWebhook only
	Result     string    // a constant such as "handled" or "duplicate"; set for StepWebhook only
	Err        error     // nil for success; prints nothing personal
}

// Observer sees calls, attempts, token fetches, throttles and webhook
// outcomes: the seam for logging, tracing and metrics. Start returns the
// context for the work below the step and a function that is called once when
// it ends. Both are called from many goroutines at once and must be quick.
type Observer interface {
	Start(ctx context.Context, step Step) (context.Context, func(Outcome))
}

// observers are the caller's observer, the logger, or both.
func (c *config) observers() []Observer {
	var observers []Observer
	if c.observer != nil {
		observers = append(observers, c.observer)
	}
	if c.logger != nil {
		observers = append(observers, logObserver{c.logger})
	}
	return observers
}

type callsKey struct{}

// ObserveCalls returns a context under which each is told of every call, once it has
// ended. It shows the status, the request id and the number of attempts of a single
// answer, a success included. step.Kind is StepCall. A method that makes several
// calls, such as an iterator or an export, may call each from several goroutines at
// once.
func ObserveCalls(ctx context.Context, each func(step Step, o Outcome)) context.Context {
	if ctx == nil || each == nil {
		return ctx
	}
	return context.WithValue(ctx, callsKey{}, each)
}

// observe is the function that the transport calls.
func (c *config) observe() transport.Observe {
	observers := c.observers()
	if len(observers) == 0 {
		return nil
	}
	return func(ctx context.Context, s transport.Step) (context.Context, func(transport.Outcome)) {
		step := Step{Kind: stepKinds[s.Kind], Operation: cmp.Or(s.Operation, OperationWait), Environment: c.environment, Attempt: s.Attempt, Method: s.Method}
		step.Host, step.Port = c.server(s.URL)
		ctx, end := startAll(ctx, observers, step)
		return ctx, func(o transport.Outcome) { end(c.outcome(step, o)) }
	}
}

// server is the host and port of an address, where it is one that the caller has set.
func (c *config) server(u *url.URL) (host string, port int) {
	if u == nil {
		return "", 0
	}
	for _, known := range []string{c.baseURL, c.tokenEndpoint()} {
		if k, err := url.Parse(known); err == nil && transport.SameOrigin(k, u) {
			port, _ = strconv.Atoi(transport.Port(u))
			return u.Hostname(), port
		}
	}
	return "", 0
}

// startAll begins a step with each observer and ends it in the reverse order.
func startAll(ctx context.Context, observers []Observer, step Step) (context.Context, func(Outcome)) {
	ends := make([]func(Outcome), len(observers))
	for i, o := range observers {
		ctx, ends[i] = o.Start(ctx, step)
	}
	return ctx, func(o Outcome) {
		for _, end := range slices.Backward(ends) {
			end(o)
		}
	}
}

func (c *config) outcome(step Step, o transport.Outcome) Outcome {
	out := Outcome{StatusCode: o.StatusCode, RequestID: printableID(o.RequestID), Attempts: o.Attempts}
	switch {
	case o.Failure == nil:
	case step.Operation == OperationFetchToken:
		out.Err = c.askedForToken().authError(o.Failure)
	default:
		out.Err = c.asked(step.Operation).failure(o.Failure)
	}
	return out
}

// printableID is a request id that is fit for a log line, else "".
func printableID(id string) string {
	if len(id) > 128 || !headerSafe(id) {
		return ""
	}
	return id
}

// reason says why in this library's constant words, without what the log's other
// attributes have.
func reason(err error) string {
	switch e := err.(type) { //nolint:errorlint // what it is, not what it wraps
	case *APIError:
		return e.what()
	case *AuthError:
		return strings.TrimPrefix(sentence("", "", e.what(), 0, e.cause), "trulioo: ")
	case *TransportError:
		return cmp.Or(e.Reason, "no answer")
	case *DecodeError:
		return e.what()
	case *WebhookError:
		return e.what()
	case *ArgumentError:
		return e.Argument + ": " + e.Reason
	}
	for _, own := range []error{ErrWebhookSignature, ErrWebhookToken, ErrTooLarge} {
		if errors.Is(err, own) {
			return strings.TrimPrefix(own.Error(), "trulioo: ")
		}
	}
	return "see the error hook"
}

// logObserver writes a line for each step that ends. It writes an allow-list of
// attributes, and of an error only its reason.
type logObserver struct{ logger *slog.Logger }

// Start implements Observer.
func (l logObserver) Start(ctx context.Context, step Step) (context.Context, func(Outcome)) {
	begun := time.Now()
	return ctx, func(o Outcome) {
		level := slog.LevelDebug
		if step.Kind == StepWebhook {
			level = slog.LevelInfo
		}
		if o.Err != nil && step.Kind != StepAttempt || o.Result == withoutType {
			level = slog.LevelWarn
		}
		if errors.Is(o.Err, context.Canceled) {
			level = slog.LevelDebug // the caller has left, such as a loop while its next page comes
		}
		attrs := make([]slog.Attr, 0, 9)
		attrs = append(attrs, slog.String("operation", step.Operation), slog.Duration("duration", time.Since(begun)))
		if o.StatusCode != 0 {
			attrs = append(attrs, slog.Int("status", o.StatusCode))
		}
		if n := max(step.Attempt, o.Attempts); n != 0 {
			attrs = append(attrs, slog.Int("attempt", n))
		}
		if step.Kind == StepTransfer {
			attrs = append(attrs, slog.Int64("bytes", o.Bytes))
		}
		if o.RequestID != "" {
			attrs = append(attrs, slog.String("request_id", o.RequestID))
		}
		if o.EventType != "" {
			attrs = append(attrs, slog.String("event_type", string(o.EventType)))
		}
		if o.Result != "" {
			attrs = append(attrs, slog.String("result", o.Result))
		}
		if o.Err != nil {
			attrs = append(attrs, slog.String("reason", reason(o.Err)))
		}
		l.logger.LogAttrs(ctx, level, "trulioo "+string(step.Kind), attrs...)
	}
}

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
