package transport

import (
	"context"
	"maps"
	"net/http"
	"net/url"
)

// TokenFunc gives the bearer token. refused is a token that the API has just answered
// with 401, to be replaced if there is another; it is "" the first time.
type TokenFunc func(ctx context.Context, refused string) (string, error)

// tokenError marks an error of TokenFunc, which has had its own retries.
type tokenError struct{ error }

func (e tokenError) Unwrap() error { return e.error }

// auth sets the bearer where the request goes to the API's origin, and nowhere
// else: a file's redirect must not carry it to an object store.
type auth struct {
	next    http.RoundTripper
	foreign http.RoundTripper // for other hosts, which the API's throttle does not concern
	origin  *url.URL
	token   TokenFunc
}

// RoundTrip implements http.RoundTripper. After a 401 the request is sent once
// more, if there is another token to send; else the 401 is the call's answer.
func (a *auth) RoundTrip(req *http.Request) (*http.Response, error) {
	if !SameOrigin(a.origin, req.URL) {
		return a.foreign.RoundTrip(with(req, ""))
	}
	token, err := a.token(req.Context(), "")
	if err != nil {
		return nil, tokenError{err}
	}
	resp, err := a.next.RoundTrip(with(req, token))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	fresh, err := a.token(req.Context(), token)
	if err != nil {
		discard(resp.Body)
		return nil, tokenError{err}
	}
	if fresh == token {
		return resp, nil
	}
	discard(resp.Body)
	return a.next.RoundTrip(with(req, fresh))
}

// with copies the request, as a RoundTripper must, with the bearer set or deleted.
func with(req *http.Request, token string) *http.Request {
	out := *req
	out.Header = make(http.Header, len(req.Header)+2)
	maps.Copy(out.Header, req.Header)
	delete(out.Header, "Authorization")
	if token != "" {
		out.Header["Authorization"] = []string{"Bearer " + token}
	}
	return &out
}
