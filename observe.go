package trulioo

import "context"

// StepKind says what kind of work a Step is.
type StepKind string

// The kinds of steps.
const (
	StepCall     StepKind = "call"     // one call of a method, its retries and waits included
	StepAttempt  StepKind = "attempt"  // one HTTP exchange of a call
	StepToken    StepKind = "token"    // one token fetch, its retries included
	StepThrottle StepKind = "throttle" // a wait for the rate limit or for the end of a 429 pause
	StepWebhook  StepKind = "webhook"  // one webhook request, from its first byte to the answer
)

// Step is a piece of work that begins. Nothing in it is personal or secret.
type Step struct {
	Kind      StepKind
	Operation string // a constant such as "get client", "fetch token" or "receive webhook"
	Attempt   int    // 1 for the first exchange of a call; 0 where the kind is not StepAttempt
}

// Outcome is how a Step ended. Nothing in it is personal or secret.
type Outcome struct {
	StatusCode int       // the HTTP status received or, for StepWebhook, given; 0 where there was none
	RequestID  string    // the server's id of the request, if it sent one
	Attempts   int       // exchanges made so far; set for StepCall and StepToken
	EventType  EventType // of a verified event; set for StepWebhook only
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
