package export_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/export"
)

func TestAdaptiveLimiterHoldsAndAdmitsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := export.NewAdaptiveLimiter(2)
		var held, most atomic.Int32
		for range 20 {
			go func() {
				assert.NoError(t, l.Acquire(t.Context()))
				most.Store(max(most.Load(), held.Add(1)))
				<-time.After(time.Second)
				held.Add(-1)
				l.Release()
			}()
		}
		began := time.Now()
		synctest.Wait()
		<-time.After(time.Minute)
		assert.EqualValues(t, 2, most.Load())
		assert.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, l.Acquire(t.Context()))
		require.NoError(t, l.Acquire(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, l.Acquire(ctx), context.DeadlineExceeded)
		l.Release()
		require.NoError(t, l.Acquire(t.Context()), "the place of one who gave up is not lost")
		l.Release()
		l.Release()
	})
}

func TestAdaptiveLimiterForgetsWhoeverLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := export.NewAdaptiveLimiter(1)
		require.NoError(t, l.Acquire(t.Context()))
		var admitted []string
		wait := func(ctx context.Context, name string) {
			go func() {
				if l.Acquire(ctx) == nil {
					admitted = append(admitted, name)
				}
			}()
			synctest.Wait()
		}
		leaving, leave := context.WithCancel(t.Context())
		wait(t.Context(), "first")
		wait(leaving, "second")
		wait(t.Context(), "third")
		leave()
		synctest.Wait()
		for range 2 {
			l.Release()
			synctest.Wait()
		}
		assert.Equal(t, []string{"first", "third"}, admitted)
	})
}

func TestAdaptiveLimiterSlowsDownByHalfAndSpeedsUpByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := export.NewAdaptiveLimiter(16)
		assert.Equal(t, 4, l.Scale(4))
		began := time.Now()
		<-time.After(time.Second)
		l.Decrease(began)
		l.Decrease(began) // under way at the same time: it counts once
		assert.Equal(t, 8, l.Limit())
		assert.Equal(t, 2, l.Scale(4))
		for range 9 {
			<-time.After(time.Second)
			l.Decrease(time.Now())
		}
		assert.Equal(t, 1, l.Limit())
		assert.Equal(t, 1, l.Scale(4))
		answers := 0
		for ; l.Limit() < 16; answers++ {
			l.Increase()
		}
		assert.InDelta(t, 16*15/2, answers, 16, "one place for as many answers as there are places")
		l.Increase()
		assert.Equal(t, 16, l.Limit())
	})
}

// However slow the server wants it and however many wait, nobody waits longer than
// ten seconds for a turn to send.
func TestAdaptiveLimiterLetsNobodyWaitForLong(t *testing.T) {
	t.Parallel()
	for _, places := range []int{1, 8, 1000} {
		synctest.Test(t, func(t *testing.T) {
			l := export.NewAdaptiveLimiter(places)
			assert.Zero(t, l.Spread(), "no pace is known yet")
			for range 50 {
				<-time.After(time.Second)
				l.Decrease(time.Now())
			}
			var longest time.Duration
			for range 30 * places {
				longest = max(longest, l.Spread())
			}
			assert.Equal(t, 10*time.Second, longest, "%d places", places)
			<-time.After(time.Minute)
			assert.Zero(t, l.Spread(), "the queue is gone")
		})
	}
}

func TestFeedbackFollowsTheServer(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{200: 8, 500: 8, 404: 8, 409: 4, 429: 4, 503: 4} {
		for _, host := range []string{"127.0.0.1", "store.example"} {
			feedback := &export.Feedback{Host: "127.0.0.1", Limiter: export.NewAdaptiveLimiter(8), Base: transport(func(*http.Request) (*http.Response, error) {
				rec := httptest.NewRecorder()
				rec.WriteHeader(status)
				return rec.Result(), nil
			})}
			resp, err := feedback.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+host+"/", strings.NewReader("")))
			require.NoError(t, err)
			require.NoError(t, resp.Body.Close())
			if host != "127.0.0.1" {
				want = 8 // an object store says nothing about the API
			}
			assert.Equal(t, want, feedback.Limiter.Limit(), "%d from %s", status, host)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
