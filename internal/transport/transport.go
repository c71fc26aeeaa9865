// Package transport carries one call to the API and its answer back: retry,
// then auth, then throttle, then observed, then send, then the reading and
// decoding of the body, each step in a small file of its own. No step knows the one
// above it, and none knows what a profile is.
package transport

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Config holds the parts of a Transport. All of them are valid: the root
// package has checked it.
type Config struct {
	Base      http.RoundTripper // the caller's or our own; shared by all clients of a family
	Origin    *url.URL          // the only scheme, host and port that get the bearer
	Token     TokenFunc         // nil where no bearer is sent: the token endpoint
	Pause     *Pause            // shared by all clients of a family
	Limiter   *RateLimit        // nil means no limit
	Spread    Spread            // nil means that no export sets a pace
	Policy    Policy
	MaxBytes  int64 // cap on a decoded JSON answer
	UserAgent string
	Observe   Observe // nil means that nobody observes
}

// Policy is the root package's RetryPolicy with no field left at zero.
type Policy struct {
	MaxAttempts    int
	MinWait        time.Duration
	MaxWait        time.Duration
	MaxRetryAfter  time.Duration
	AttemptTimeout time.Duration
	IdleTimeout    time.Duration
}

// Step mirrors the root package's, without its types.
type Step struct {
	Kind      Kind
	Operation string
	Attempt   int
	Method    string   // of an attempt
	URL       *url.URL // of an attempt; only its scheme, host and port are for showing
}

// Outcome mirrors the root package's, without its types.
type Outcome struct {
	StatusCode int
	RequestID  string
	Attempts   int
	Failure    *Failure
}

// Observe begins a step and returns the function that ends it.
type Observe func(context.Context, Step) (context.Context, func(Outcome))

// Kind says what kind of work a Step is. The root package has the names.
type Kind int

// The kinds of steps that this package reports.
const (
	KindCall Kind = iota
	KindAttempt
	KindToken
	KindThrottle
)

// Transport sends calls. It is safe for concurrent use.
type Transport struct {
	config Config
	agent  []string     // the User-Agent header's value
	json   *http.Client // a timeout for each attempt, redirects within the origin
	stream *http.Client // no timeout but on silence, redirects anywhere but down to plain http
	post   *http.Client // token requests: no redirects at all
}

// New builds the chain of steps once for each kind of call.
func New(c Config) *Transport {
	t := &Transport{config: c, agent: []string{c.UserAgent}}
	timed := &send{base: c.Base, timeout: c.Policy.AttemptTimeout}
	silent := &send{base: c.Base, timeout: c.Policy.AttemptTimeout, idle: c.Policy.IdleTimeout}
	t.json = &http.Client{Transport: t.chain(timed), CheckRedirect: t.withinOrigin}
	t.stream = &http.Client{Transport: t.chain(silent), CheckRedirect: notDownwards}
	t.post = &http.Client{Transport: t.observed(timed), CheckRedirect: never}
	return t
}

func (t *Transport) chain(last *send) http.RoundTripper {
	s := t.observed(last)
	throttled := &throttle{next: s, pause: t.config.Pause, limiter: t.config.Limiter, spread: t.config.Spread, observe: t.config.Observe}
	return &auth{next: throttled, foreign: s, origin: t.config.Origin, token: t.config.Token}
}

// observed is send, and an observer's look at it where there is one.
func (t *Transport) observed(s *send) http.RoundTripper {
	if t.config.Observe == nil {
		return s
	}
	return &observed{next: s, of: t}
}

func (o Observe) start(ctx context.Context, s Step) (context.Context, func(Outcome)) {
	if o == nil {
		return ctx, func(Outcome) {}
	}
	return o(ctx, s)
}
