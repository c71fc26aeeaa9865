package transport

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Call is one thing to ask.
type Call struct {
	Operation string
	URL       string
	Header    http.Header             // what to send beside our own; may be nil
	Form      []byte                  // a token request's body; non-nil makes it a POST
	Post      bool                    // a token request: no bearer, no redirects, 4xx is final
	Head      bool                    // a HEAD: the answer has a header and no body
	Decode    func(body []byte) error // nil for a stream

	// Accept refuses a success whose header tells that it is not the stream that
	// was asked for, with a *DecodeError; nil takes all.
	Accept func(*http.Response) error

	Attempts int // set by Do: the exchanges begun
}

// Failure is why a call has no answer. Where the server said something,
// StatusCode is set; Err is what the network, the context, Decode or the
// TokenFunc said. Both are set where a wait after an answer was cut short.
type Failure struct {
	StatusCode int
	Header     http.Header
	Body       []byte
	RetryAfter time.Duration
	Attempts   int
	Err        error
	RateLimit  bool // our own limit's wait would have outlasted the deadline

	told bool // the server sent RetryAfter, which may be 0
}

func (f *Failure) Error() string { return "the call failed" }
func (f *Failure) Unwrap() error { return f.Err }

// TokenErr is the TokenFunc's own error, if that is what failed.
func (f *Failure) TokenErr() error {
	if e, ok := errors.AsType[tokenError](f.Err); ok {
		return e.error
	}
	return nil
}

// exchange is the state of one call over its attempts.
type exchange struct {
	*Transport
	call     *Call
	ctx      context.Context //nolint:containedctx // the call's own, and ends with it
	attempts int
	wait     time.Duration
	decoded  bool     // the last attempt's body was read whole and understood
	failure  *Failure // of the last attempt; nil after a success
	answer   *Failure // the last answer that was no success
	end      func(Outcome)
}

// Do makes the call, with retries. For a stream the response's body is the
// caller's to close; for the rest it has been read and closed.
func (t *Transport) Do(ctx context.Context, call *Call) (*http.Response, error) {
	kind := KindCall
	if call.Post {
		kind = KindToken
	}
	ctx, end := t.config.Observe.start(ctx, Step{Kind: kind, Operation: call.Operation})
	x := &exchange{Transport: t, call: call, ctx: ctx}
	resp, failure := x.run()
	call.Attempts = x.attempts
	if failure != nil {
		end(Outcome{StatusCode: failure.StatusCode, RequestID: RequestID(failure.Header), Attempts: x.attempts, Failure: failure})
		return nil, failure
	}
	end(Outcome{StatusCode: resp.StatusCode, RequestID: RequestID(resp.Header), Attempts: x.attempts})
	return resp, nil
}

func (x *exchange) run() (*http.Response, *Failure) {
	req, err := x.request()
	if err != nil {
		return nil, &Failure{Err: err}
	}
	// One retry client a call: its hooks are closures over this call's state,
	// and the connections are in the HTTPClient below it.
	retry := &retryablehttp.Client{
		HTTPClient:     x.client(),
		RetryMax:       x.config.Policy.MaxAttempts - 1,
		RequestLogHook: x.begin,
		CheckRetry:     x.check,
		Backoff:        func(_, _ time.Duration, _ int, _ *http.Response) time.Duration { return x.wait },
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

// acceptJSON is shared by all requests, as nothing writes into a header's values.
var acceptJSON = []string{"application/json"}

func (x *exchange) client() *http.Client {
	switch {
	case x.call.Post:
		return x.post
	case x.call.Decode == nil:
		return x.stream
	default:
		return x.json
	}
}

func (x *exchange) request() (*retryablehttp.Request, error) {
	method := http.MethodGet
	var form any
	switch {
	case x.call.Post:
		method, form = http.MethodPost, x.call.Form
	case x.call.Head:
		method = http.MethodHead
	}
	req, err := retryablehttp.NewRequestWithContext(x.ctx, method, x.call.URL, form)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, x.call.Header)
	req.Header["User-Agent"] = x.agent
	if x.call.Form != nil {
		req.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	}
	if x.call.Decode != nil {
		req.Header["Accept"] = acceptJSON
		req.SetResponseHandler(x.decode)
	}
	return req, nil
}

// begin runs before each attempt.
func (x *exchange) begin(_ retryablehttp.Logger, req *http.Request, _ int) {
	x.attempts++
	x.failure, x.decoded = nil, false
	if x.config.Observe == nil {
		return
	}
	var ctx context.Context
	ctx, x.end = x.config.Observe(x.ctx, Step{Kind: KindAttempt, Operation: x.call.Operation, Attempt: x.attempts})
	*req = *req.WithContext(ctx)
}

// decode reads and decodes the answer inside the retry loop, so that a body
// that is cut off is tried again.
func (x *exchange) decode(resp *http.Response) error {
	if x.failure != nil {
		return nil // an answer that is no success; check has read it
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

// check runs after each attempt's header and again after its decoding, and
// says whether to try again.
func (x *exchange) check(_ context.Context, resp *http.Response, err error) (bool, error) {
	if x.failure != nil {
		return false, nil //nolint:nilerr // the second look at an answer that is no success
	}
	if err == nil && success(resp.StatusCode) && x.call.Accept != nil {
		if err = x.call.Accept(resp); err != nil {
			_ = resp.Body.Close()
		}
	}
	if err == nil && success(resp.StatusCode) {
		if x.call.Decode == nil || x.decoded {
			x.ended(resp)
		}
		return false, nil
	}
	x.failure = x.failed(resp, err)
	x.ended(resp)
	// An object store that a file was redirected to does not speak for the API.
	stranger := resp != nil && !x.call.Post && !SameOrigin(x.config.Origin, resp.Request.URL)
	return x.again(stranger), nil
}

// ended reports the end of an attempt to the observer, once.
func (x *exchange) ended(resp *http.Response) {
	if x.end == nil {
		return
	}
	o := Outcome{Attempts: x.attempts, Failure: x.failure}
	if resp != nil {
		o.StatusCode, o.RequestID = resp.StatusCode, RequestID(resp.Header)
	}
	x.end(o)
	x.end = nil
}

func success(status int) bool { return status >= 200 && status < 300 }

// failed describes an attempt that is no success, and remembers the last one
// in which the server said so.
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
	f := x.failure
	wait := Backoff(x.config.Policy.MinWait, x.config.Policy.MaxWait, x.attempts)
	if f.told {
		wait = min(f.RetryAfter, x.config.Policy.MaxRetryAfter)
	}
	x.wait = wait
	if throttles(f.StatusCode, f.told) && !x.call.Post && !stranger {
		// Everybody waits, this call in the throttle too.
		x.config.Pause.extend(time.Now().Add(wait))
		x.wait = 0
	}
	switch {
	case NotFound(ReadErrorBody(f.Body).Code):
		return false // whatever the status
	case x.ctx.Err() != nil, x.attempts >= x.config.Policy.MaxAttempts, !transient(f), f.RetryAfter > x.config.Policy.MaxRetryAfter:
		return false
	case outlasts(x.ctx, wait):
		f.Err = context.DeadlineExceeded
		return false
	}
	return true
}

// result is the last failure, told so that nothing is lost: where the context
// ended or our own wait could not be, the server's last answer comes with it.
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

// RequestID is the server's id of the exchange, by the names in common use;
// the vendor documents none.
func RequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "X-Amzn-Requestid"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
