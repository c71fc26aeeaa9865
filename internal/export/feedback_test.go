package export_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/trulioo-go/trulioo/internal/export"
)

// A server that lets through 60 requests a second without a burst, as nginx does,
// and asks for a second of quiet after each one too many.
func TestFeedbackFindsTheRateThatTheServerLetsThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const allowed, seconds, workers = 60, 60, 16
		var mu sync.Mutex
		var last, pause time.Time
		through, refused := 0, 0
		limiter := export.NewAdaptiveLimiter(workers)
		feedback := &export.Feedback{Limiter: limiter, Host: "api", Base: transport(func(*http.Request) (*http.Response, error) {
			<-time.After(20 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			rec := httptest.NewRecorder()
			if time.Since(last) < time.Second/allowed {
				refused++
				pause = time.Now().Add(time.Second)
				rec.WriteHeader(http.StatusTooManyRequests)
				return rec.Result(), nil
			}
			last = time.Now()
			through++
			return rec.Result(), nil
		})}
		end := time.Now().Add(seconds * time.Second)
		var all sync.WaitGroup
		for range workers {
			all.Go(func() {
				for time.Now().Before(end) {
					mu.Lock()
					wait := time.Until(pause)
					mu.Unlock()
					<-time.After(wait)
					assert.NoError(t, limiter.Acquire(t.Context())) //nolint:testifylint // not on the test's goroutine
					<-time.After(limiter.Spread())
					resp, err := feedback.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://api/", http.NoBody))
					if assert.NoError(t, err) {
						_ = resp.Body.Close()
					}
					limiter.Release()
				}
			})
		}
		all.Wait()
		t.Logf("%d of %d came through, %d were refused", through, allowed*seconds, refused)
		assert.GreaterOrEqual(t, through, allowed*seconds/2)
	})
}

// A 429 of an object store says nothing about the API's pace.
func TestFeedbackIsOfTheAPIOnly(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]int{"api": 4, "store": 8} {
		limiter := export.NewAdaptiveLimiter(8)
		feedback := &export.Feedback{Limiter: limiter, Host: "api", Base: transport(func(*http.Request) (*http.Response, error) {
			rec := httptest.NewRecorder()
			rec.WriteHeader(http.StatusTooManyRequests)
			return rec.Result(), nil
		})}
		resp, err := feedback.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", http.NoBody))
		if assert.NoError(t, err) {
			_ = resp.Body.Close()
		}
		assert.Equal(t, want, limiter.Limit(), host)
	}
}
