package transport

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// A date of the server's is read by its own clock: an hour behind ours it was no
// wait, an hour ahead it ended the call. Its other words for a wait were not heard.
func TestTrap_retry_after_is_read_in_every_form(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		at := func(d time.Duration) string { return now.Add(d).UTC().Format(http.TimeFormat) }
		for _, tt := range []struct {
			name   string
			status int
			header map[string]string
			want   time.Duration
			told   bool
		}{
			{"nothing", 429, nil, 0, false},
			{"seconds", 503, map[string]string{"Retry-After": "5"}, 5 * time.Second, true},
			{"none", 503, map[string]string{"Retry-After": "0"}, 0, true},
			{"fraction", 503, map[string]string{"Retry-After": "1.5"}, 1500 * time.Millisecond, true},
			{"small fraction", 503, map[string]string{"Retry-After": ".25"}, 250 * time.Millisecond, true},
			{"huge", 503, map[string]string{"Retry-After": "99999999999999999999"}, longest, true},
			{"two points", 503, map[string]string{"Retry-After": "1.5.0"}, 0, false},
			{"a point", 503, map[string]string{"Retry-After": "."}, 0, false},
			{"words", 503, map[string]string{"Retry-After": "Inf"}, 0, false},
			{"date, our clock", 503, map[string]string{"Retry-After": at(10 * time.Second)}, 10 * time.Second, true},
			{"date, an hour behind", 503, map[string]string{"Retry-After": at(10*time.Second - time.Hour), "Date": at(-time.Hour)}, 10 * time.Second, true},
			{"date, an hour ahead", 503, map[string]string{"Retry-After": at(10*time.Second + time.Hour), "Date": at(time.Hour)}, 10 * time.Second, true},
			{"date in the server's past", 503, map[string]string{"Retry-After": at(time.Hour), "Date": at(2 * time.Hour)}, 0, true},
			{"date, Date is malformed", 503, map[string]string{"Retry-After": at(10 * time.Second), "Date": "today"}, 10 * time.Second, true},
			{"milliseconds", 429, map[string]string{"Retry-After-Ms": "250", "Retry-After": "1"}, 250 * time.Millisecond, true},
			{"milliseconds that are none", 429, map[string]string{"Retry-After-Ms": "x", "Retry-After": "1"}, time.Second, true},
			{"reset", 429, map[string]string{"RateLimit-Reset": "7"}, 7 * time.Second, true},
			{"reset beside Retry-After", 429, map[string]string{"RateLimit-Reset": "7", "Retry-After": "3"}, 3 * time.Second, true},
			{"reset of an answer that is no throttle", 500, map[string]string{"RateLimit-Reset": "7"}, 0, false},
		} {
			h := http.Header{}
			for name, value := range tt.header {
				h.Set(name, value)
			}
			got, told := retryAfter(tt.status, h)
			assert.Equal(t, tt.told, told, tt.name)
			assert.WithinRange(t, now.Add(got), now.Add(tt.want-time.Second+1), now.Add(tt.want), tt.name)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add(429, "1.5", "", "", "")
	f.Add(503, "Fri, 27 Nov 2026 08:00:00 GMT", "Fri, 27 Nov 2026 07:00:00 GMT", "9e9", "1")
	f.Fuzz(func(t *testing.T, status int, after, date, ms, reset string) {
		wait, told := retryAfter(status, http.Header{"Retry-After": {after}, "Date": {date}, "Retry-After-Ms": {ms}, "Ratelimit-Reset": {reset}})
		if wait < 0 || wait > longest || !told && wait != 0 {
			t.Error(wait, told)
		}
	})
}

func TestRetriedAndThrottling(t *testing.T) {
	t.Parallel()
	for status, want := range map[int][2]bool{ // tried again, and with a Retry-After
		400: {}, 401: {}, 404: {}, 407: {}, 409: {}, 501: {}, 505: {}, 519: {}, 531: {}, 403: {false, true},
		408: {true, true}, 429: {true, true}, 500: {true, true}, 502: {true, true}, 503: {true, true}, 504: {true, true},
		520: {true, true}, 522: {true, true}, 525: {true, true}, 530: {true, true},
	} {
		assert.Equal(t, want[0], mayPass(&Failure{StatusCode: status}), status)
		assert.Equal(t, want[1], mayPass(&Failure{StatusCode: status, told: true}), status)
		assert.Equal(t, status == 429, AsksForQuiet(status, false), status)
		assert.Equal(t, status == 429 || status == 503 || status == 403, AsksForQuiet(status, true), status)
	}
}

// A wait is between zero and the bound for all numbers of the caller's.
func TestTrap_backoff_saturates(t *testing.T) {
	t.Parallel()
	const most = time.Duration(1<<63 - 1)
	for _, least := range []time.Duration{1, time.Second, 3 << 60, most} {
		for _, bound := range []time.Duration{1, time.Second, most} {
			for attempt := range 80 {
				wait := Backoff(least, bound, attempt+1)
				assert.Positive(t, wait)
				assert.LessOrEqual(t, wait, min(bound, longest))
			}
		}
	}

	for _, wrapsAround := range []time.Duration{1<<62 + 1, 1<<61 + 1, 3<<61 + 1, most/2 + 1} {
		for attempt := range 8 {
			var wait time.Duration
			for range 50 {
				wait = max(wait, Backoff(wrapsAround, most, attempt+1))
			}
			assert.Greater(t, wait, time.Hour, "%d doubled %d times", wrapsAround, attempt)
		}
	}
}
