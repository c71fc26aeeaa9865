package transport

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest stands for every longer wait, so that no arithmetic on one can overflow.
const longest = 365 * 24 * time.Hour

// retryAfter reads for how long the server asks to wait: Retry-After-Ms; else
// Retry-After in either form, as seconds, whole or not, or as a date; else, on a 429,
// RateLimit-Reset in seconds. A date in the past means no wait. Any other form is
// ignored.
func retryAfter(status int, h http.Header) (time.Duration, bool) {
	if wait, ok := number(h.Get("Retry-After-Ms"), time.Millisecond); ok {
		return wait, true
	}
	value := strings.TrimSpace(h.Get("Retry-After"))
	if wait, ok := number(value, time.Second); ok {
		return wait, true
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(answered(h)), 0), longest), true
	}
	if status == http.StatusTooManyRequests {
		return number(h.Get("RateLimit-Reset"), time.Second)
	}
	return 0, false
}

// answered is when the server answered by its own clock: its other dates go by that
// clock, which may be an hour from ours.
func answered(h http.Header) time.Time {
	if at, err := http.ParseTime(h.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// number reads digits, perhaps with a decimal point, as a number of units.
func number(text string, unit time.Duration) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(n, 1) {
		return 0, false
	}
	if n > float64(longest/unit) {
		return longest, true
	}
	return time.Duration(math.Ceil(n * float64(unit))), true
}
