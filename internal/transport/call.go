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

	// Accept returns a *DecodeError for a success whose header shows that the stream
	// is not the one that was asked for; nil accepts all.
	Accept func(*http.Response) error

	Attempts int // set by Do: the exchanges begun
}

// Failure is why a call has no answer. StatusCode is set where the server answered.
// Err is the error of the network, the context, Decode or the TokenFunc. Both are set
// where a wait after an answer was cut short.
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

// TokenErr is the TokenFunc's own error, if the TokenFunc failed.
func (f *Failure) TokenErr() error {
	if e, ok := errors.AsType[tokenError](f.Err); ok {
		return e.error
	}
	return nil
}

// Do makes the call, with retries. The caller closes the body of a stream; any other
// body has been read and closed.
func (t *Transport) Do(ctx context.Context, call *Call) (*http.Response, error) {
	kind := KindCall
	if call.Post {
		kind = KindToken
	}
	ctx, end := t.config.Observe.start(ctx, Step{Kind: kind, Operation: call.Operation})
	x := &exchange{Transport: t, call: call, ctx: ctx}
	if t.config.Observe != nil {
		x.ctx = context.WithValue(ctx, exchangeKey{}, x)
	}
	resp, failure := x.run()
	call.Attempts = x.attempts
	if failure != nil {
		end(Outcome{StatusCode: failure.StatusCode, RequestID: RequestID(failure.Header), Attempts: x.attempts, Failure: failure})
		return nil, failure
	}
	end(Outcome{StatusCode: resp.StatusCode, RequestID: RequestID(resp.Header), Attempts: x.attempts})
	return resp, nil
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

func success(status int) bool { return status >= 200 && status < 300 }

// RequestID is the server's id of the exchange, under one of the common header names;
// the vendor documents none.
func RequestID(h http.Header) string {
	for _, name := range []string{"X-Request-Id", "X-Correlation-Id", "X-Amzn-Requestid"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}
