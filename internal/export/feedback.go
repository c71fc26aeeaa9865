package export

import (
	"net/http"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// Feedback is a RoundTripper that tells a limiter how the server bears the pace,
// and keeps requests to it. Only the API's own answers count: an object store
// that has had enough says nothing about the API.
type Feedback struct {
	Base    http.RoundTripper
	Limiter *AdaptiveLimiter
	Host    string // of the API
}

// RoundTrip implements http.RoundTripper. By the vendor's pages a 409 can mean the
// account's request limit, as a 429 does; a 503 is what nginx's limit_req answers.
func (f *Feedback) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Host != f.Host {
		return f.Base.RoundTrip(req)
	}
	if wait := f.Limiter.Spread(); wait > 0 && !transport.Wait(req.Context(), wait) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, req.Context().Err()
	}
	began := time.Now()
	resp, err := f.Base.RoundTrip(req)
	if err != nil || resp == nil {
		return resp, err
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusConflict, http.StatusServiceUnavailable:
		f.Limiter.Decrease(began)
	default:
		if resp.StatusCode < http.StatusBadRequest {
			f.Limiter.Increase()
		}
	}
	return resp, nil
}

// Unwrap tells package transport whether net/http's own transport is behind it.
func (f *Feedback) Unwrap() http.RoundTripper { return f.Base }
