package transport

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest stands for every wait too long to be counted, so that no arithmetic
// on one can overflow.
const longest = 365 * 24 * time.Hour

// retryAfter reads Retry-After in both its forms, seconds and a date. A date
// in the past is no wait; what is neither form is no header.
func retryAfter(h http.Header) (time.Duration, bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		seconds, err := strconv.ParseInt(value, 10, 64)
		if err != nil || seconds > int64(longest/time.Second) {
			return longest, true
		}
		return time.Duration(seconds) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(time.Until(at), 0), longest), true
}
