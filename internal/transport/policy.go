package transport

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// retried are the statuses that may pass. The list in doc.go is the same.
// From 520 to 530 are Cloudflare's words for a server behind it that fails.
var retried = []struct{ from, to int }{
	{http.StatusRequestTimeout, http.StatusRequestTimeout},
	{http.StatusTooManyRequests, http.StatusTooManyRequests},
	{http.StatusInternalServerError, http.StatusInternalServerError},
	{http.StatusBadGateway, http.StatusGatewayTimeout},
	{520, 530},
}

// throttles reports whether the server asks for quiet, from everybody. A 503
// and a 403 do where they say for how long.
func throttles(status int, told bool) bool {
	return status == http.StatusTooManyRequests || told && (status == http.StatusServiceUnavailable || status == http.StatusForbidden)
}

// transient reports whether the failure may pass.
func transient(f *Failure) bool {
	err := f.Err
	if err == nil {
		for _, r := range retried {
			if r.from <= f.StatusCode && f.StatusCode <= r.to {
				return true
			}
		}
		return throttles(f.StatusCode, f.told)
	}
	var (
		token   tokenError
		wait    *throttled
		decoded *DecodeError
	)
	switch {
	case errors.As(err, &token), errors.As(err, &wait), errors.Is(err, ErrTooLarge), lasting(err):
		return false
	case errors.As(err, &decoded):
		return decoded.MayPass
	}
	return true
}

// Backoff is full jitter: anything up to a bound that doubles from min with each
// attempt after the first, up to max.
func Backoff(min, max time.Duration, attempt int) time.Duration {
	bound := min
	for range attempt - 1 {
		if bound >= max/2 {
			bound = max
			break
		}
		bound *= 2
	}
	if bound > max || bound <= 0 {
		bound = max
	}
	if bound > longest {
		bound = longest
	}
	return rand.N(bound) + 1 //nolint:gosec // jitter, no secret
}
