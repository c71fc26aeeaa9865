// Package dates reads the times that people type.
package dates

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// errForm names the three forms, and does not repeat the input.
var errForm = errors.New("must be a date such as 2026-11-01, a time such as 2026-11-01T12:00:00Z, or an age such as 7d, 12h or 30m")

// units are the units of an age. A week and a day have a fixed length, since the API's
// times are UTC.
var units = map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}

// oldest keeps an age within what a time.Duration holds.
const oldest = 200 * 366 * 24 * time.Hour

// Parse reads a date (its beginning, in UTC), an RFC 3339 time, or an age before now.
func Parse(text string, now time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	if len(text) < 2 {
		return time.Time{}, errForm
	}
	unit, known := units[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
	if err != nil || !known || text[0] < '0' || text[0] > '9' || n > int64(oldest/unit) {
		return time.Time{}, errForm
	}
	return now.Add(-time.Duration(n) * unit), nil
}
