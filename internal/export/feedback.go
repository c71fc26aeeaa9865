package export

import (
	"net/http"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// Feedback is a RoundTripper that tells a limiter how the server bears the pace.
// Only the API's own answers count: a 429 of an object store says nothing about the
// API.
type Feedback struct {
	Base    http.RoundTripper
	Limiter *AdaptiveLimiter
	Host    string // of the API
}

// RoundTrip implements http.RoundTripper.
func (f *Feedback) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := f.Base.RoundTrip(req)
	if err != nil || resp == nil || req.URL.Host != f.Host {
		return resp, err
	}
	switch {
	case transport.Slows(resp.StatusCode):
		f.Limiter.Decrease(began)
	case resp.StatusCode < http.StatusBadRequest:
		f.Limiter.Increase()
	}
	return resp, nil
}

// Unwrap tells package transport whether net/http's own transport is behind it.
func (f *Feedback) Unwrap() http.RoundTripper { return f.Base }
