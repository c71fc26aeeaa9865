package transport

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

// answer is the meaning of a status for the client that gets it.
type answer uint8

const (
	passes      answer = 1 << iota // tried again, since it may pass
	quiet                          // the whole family of clients pauses, and it is tried again
	quietIfTold                    // as quiet, where Retry-After says for how long
	slows                          // an export slows down
)

// answers are the statuses that are not final at once, for a call and for an
// export, which has more patience. The list in doc.go is the same.
var answers = []struct {
	from, to int
	answer   answer
}{
	{http.StatusForbidden, http.StatusForbidden, quietIfTold},
	{http.StatusRequestTimeout, http.StatusRequestTimeout, passes},
	{http.StatusConflict, http.StatusConflict, slows}, // can be the account's request limit, by the vendor's pages
	{http.StatusTooManyRequests, http.StatusTooManyRequests, passes | quiet | slows},
	{http.StatusInternalServerError, http.StatusInternalServerError, passes},
	{http.StatusBadGateway, http.StatusBadGateway, passes},
	{http.StatusServiceUnavailable, http.StatusServiceUnavailable, passes | quietIfTold | slows}, // nginx's limit_req answers with it
	{http.StatusGatewayTimeout, http.StatusGatewayTimeout, passes},
	{520, 530, passes}, // Cloudflare's statuses for a server behind it that fails
}

func answerOf(status int) answer {
	for _, a := range answers {
		if a.from <= status && status <= a.to {
			return a.answer
		}
	}
	return 0
}

// Passes reports whether the status may pass, so that another attempt may help.
func Passes(status int) bool { return answerOf(status)&passes != 0 }

// AsksForQuiet reports whether the server asks all clients to pause. told says whether
// it tells for how long.
func AsksForQuiet(status int, told bool) bool {
	a := answerOf(status)
	return a&quiet != 0 || told && a&quietIfTold != 0
}

// Slows reports whether the status can be about too many requests, so that an
// export has to go slower.
func Slows(status int) bool { return answerOf(status)&slows != 0 }

// MayBeDown reports whether a status that slows can also come from a server that is
// down.
func MayBeDown(status int) bool { return answerOf(status)&(slows|quietIfTold) == slows|quietIfTold }

// mayPass reports whether another attempt may help.
func mayPass(f *Failure) bool {
	if NotFound(ReadErrorBody(f.Body).Code) {
		return false // whatever the status
	}
	if f.Err == nil {
		return Passes(f.StatusCode) || AsksForQuiet(f.StatusCode, f.told)
	}
	var (
		token   tokenError
		wait    *throttled
		decoded *DecodeError
	)
	switch {
	case errors.As(f.Err, &token), errors.As(f.Err, &wait), errors.Is(f.Err, ErrTooLarge), lasting(f.Err):
		return false
	case errors.As(f.Err, &decoded):
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
