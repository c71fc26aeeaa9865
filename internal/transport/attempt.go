package transport

import "net/http"

// exchangeKey is the context's key of the *exchange that a request belongs to.
type exchangeKey struct{}

// observed tells the observer of each exchange over the network: it is the last
// step before send, so that no wait and no fetch of a token is inside. A
// request that is sent again with another token, or to another address after a
// redirect, is one more.
type observed struct {
	next *send
	of   *Transport
}

// RoundTrip implements http.RoundTripper.
func (o *observed) RoundTrip(req *http.Request) (*http.Response, error) {
	x, _ := req.Context().Value(exchangeKey{}).(*exchange)
	if x == nil || x.Transport != o.of { // a call within a token store's
		return o.next.RoundTrip(req)
	}
	resp, err := o.next.RoundTrip(x.sends(req))
	if err == nil && (resp.StatusCode == http.StatusUnauthorized || resp.StatusCode/100 == 3) {
		x.resends(resp)
	}
	return resp, err
}

// sends begins an exchange, and gives the request with its context.
func (x *exchange) sends(req *http.Request) *http.Request {
	x.sent++
	ctx, end := x.config.Observe(req.Context(), Step{
		Kind: KindAttempt, Operation: x.call.Operation, Attempt: x.sent, Method: req.Method, URL: req.URL,
	})
	x.end = end
	return req.WithContext(ctx)
}

// resends ends an exchange after which the request may be sent again before
// check sees an answer.
func (x *exchange) resends(resp *http.Response) {
	if resp.StatusCode == http.StatusUnauthorized {
		x.ends(resp, &Failure{StatusCode: resp.StatusCode, Header: resp.Header, Attempts: x.attempts})
		return
	}
	x.ends(resp, nil)
}

// ends reports the end of an exchange, once, and only if something was sent.
func (x *exchange) ends(resp *http.Response, failure *Failure) {
	if x.end == nil {
		return
	}
	o := Outcome{Attempts: x.attempts, Failure: failure}
	if resp != nil {
		o.StatusCode, o.RequestID = resp.StatusCode, RequestID(resp.Header)
	}
	x.end(o)
	x.end = nil
}
