package pace

import (
	"net/http"
	"sync/atomic"
	"time"
)

// Tap is a RoundTripper that tells a Gate how the server bears the pace, and
// knows what time it is there.
type Tap struct {
	Base http.RoundTripper
	Gate *Gate

	skew atomic.Int64 // what the server's clock is ahead of ours, in nanoseconds
}

// RoundTrip implements http.RoundTripper. By the vendor's pages a 409 can mean
// the account's request limit, as a 429 does.
func (t *Tap) RoundTrip(req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := t.Base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusConflict:
		t.Gate.Slow(began)
	case resp.StatusCode < http.StatusBadRequest:
		t.Gate.Good()
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		t.skew.Store(int64(time.Until(date)))
	}
	return resp, nil
}

// Unwrap tells package transport whether net/http's own transport is behind it.
func (t *Tap) Unwrap() http.RoundTripper { return t.Base }

// Now is the server's time in whole seconds by its last answer, and ours where
// no answer has told one.
func (t *Tap) Now() int64 { return time.Now().Add(time.Duration(t.skew.Load())).Unix() }
