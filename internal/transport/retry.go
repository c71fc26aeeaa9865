package transport

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// exchange is the state of one call over its attempts.
type exchange struct {
	*Transport
	call     *Call
	ctx      context.Context //nolint:containedctx // the call's own, and ends with it
	attempts int             // turns of the loop
	sent     int             // requests over the network, as observed counts them
	wait     time.Duration
	decoded  bool          // the last attempt's body was read whole and understood
	failure  *Failure      // of the last attempt; nil after a success
	answer   *Failure      // the last answer that was not a success
	end      func(Outcome) // of the exchange under way, for the observer
}

// run is the retry loop of go-retryablehttp. Each turn of it calls, in the order
// in which they stand below: begin, then auth, throttle, observed and send, then
// check of the header, then decode and check of the body, then backoff.
func (x *exchange) run() (*http.Response, *Failure) {
	req, err := x.request()
	if err != nil {
		return nil, &Failure{Err: err}
	}
	// Each call has a retry client of its own: its hooks are closures over this call's
	// state, and the connections are in the HTTPClient below it.
	retry := &retryablehttp.Client{
		RetryMax:       x.config.Policy.MaxAttempts - 1,
		RequestLogHook: x.begin,
		HTTPClient:     x.client(),
		CheckRetry:     x.check, // twice where the body is decoded: req has x.decode
		Backoff:        x.backoff,
		ErrorHandler:   retryablehttp.PassthroughErrorHandler,
	}
	resp, err := retry.Do(req)
	if x.failure == nil {
		return resp, nil
	}
	if err != nil && x.failure.Err == nil {
		x.failure.Err = x.ctx.Err() // it ended while retryablehttp waited
	}
	return nil, x.result()
}

// begin runs before each attempt.
func (x *exchange) begin(retryablehttp.Logger, *http.Request, int) {
	x.attempts++
	x.failure, x.decoded = nil, false
}

// check runs after each attempt's header and again after its decoding, and
// says whether to try again.
func (x *exchange) check(_ context.Context, resp *http.Response, err error) (bool, error) {
	if x.failure != nil {
		return false, nil //nolint:nilerr // the second look at an answer that is not a success
	}
	if err == nil && success(resp.StatusCode) && x.call.Accept != nil {
		if err = x.call.Accept(resp); err != nil {
			_ = resp.Body.Close()
		}
	}
	if err == nil && success(resp.StatusCode) {
		if x.call.Decode == nil || x.decoded {
			x.ends(resp, nil)
		}
		return false, nil
	}
	x.failure = x.failed(resp, err)
	x.ends(resp, x.failure)
	// An object store that a file was redirected to does not speak for the API.
	stranger := resp != nil && !x.call.Post && !SameOrigin(x.config.Origin, resp.Request.URL)
	return x.again(stranger), nil
}

// decode reads and decodes the answer inside the retry loop, so that a body
// that is cut off is tried again.
func (x *exchange) decode(resp *http.Response) error {
	if x.failure != nil {
		return nil // the answer is not a success; check has read it
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusResetContent {
		return &DecodeError{Err: ErrNoContent, StatusCode: resp.StatusCode, Header: resp.Header}
	}
	b, err := read(resp, x.config.MaxBytes)
	if err != nil {
		return err
	}
	if err := x.call.Decode(b); err != nil {
		if wrong, ok := errors.AsType[*DecodeError](err); ok {
			wrong.StatusCode, wrong.Header = resp.StatusCode, resp.Header
		}
		return err
	}
	x.decoded = true
	return nil
}

// failed describes an attempt that is not a success, and remembers the last one in
// which the server answered.
func (x *exchange) failed(resp *http.Response, err error) *Failure {
	if err != nil {
		return &Failure{Err: err, Attempts: x.attempts}
	}
	f := &Failure{StatusCode: resp.StatusCode, Header: resp.Header, Attempts: x.attempts}
	f.RetryAfter, f.told = retryAfter(resp.StatusCode, resp.Header)
	f.Body = prefix(resp.Body)
	x.answer = f
	return f
}

// again decides whether another attempt may help and fits into the caller's
// time, and how long to wait before it.
func (x *exchange) again(stranger bool) bool {
	f, policy := x.failure, x.config.Policy
	wait := Backoff(policy.MinWait, policy.MaxWait, x.attempts)
	if f.told {
		wait = min(f.RetryAfter, policy.MaxRetryAfter)
	}
	x.wait = wait
	if AsksForQuiet(f.StatusCode, f.told) && !x.call.Post && !stranger {
		// Every client waits; this call waits in the throttle.
		x.config.Pause.extend(time.Now().Add(wait))
		x.wait = 0
	}
	switch {
	case x.ctx.Err() != nil, x.attempts >= policy.MaxAttempts, f.RetryAfter > policy.MaxRetryAfter, !mayPass(f):
		return false
	case outlasts(x.ctx, wait):
		f.Err = context.DeadlineExceeded
		return false
	}
	return true
}

// backoff is the wait before the next attempt, as again has decided.
func (x *exchange) backoff(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.wait }

// result is the last failure. Where the context ended, or a wait would have outlasted
// it, the failure has the server's last answer, too.
func (x *exchange) result() *Failure {
	f := x.failure
	var wait *throttled
	if errors.As(f.Err, &wait) {
		f.Attempts--
		f.Err = context.DeadlineExceeded
		if wait.local {
			f.RateLimit = true
			return f
		}
		if x.answer == nil {
			return &Failure{StatusCode: http.StatusTooManyRequests, RetryAfter: wait.wait, Attempts: f.Attempts, Err: f.Err}
		}
	}
	ended := f.StatusCode == 0 && (x.ctx.Err() != nil || wait != nil)
	if ended && x.answer != nil {
		last := *x.answer
		last.Attempts = x.attempts
		last.Err = f.Err
		if x.ctx.Err() != nil {
			last.Err = x.ctx.Err()
		}
		return &last
	}
	return f
}
