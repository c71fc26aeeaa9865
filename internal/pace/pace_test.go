package pace_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/pace"
)

func TestGateHoldsAndAdmitsInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := pace.New(2)
		var held, most atomic.Int32
		for range 20 {
			go func() {
				assert.NoError(t, g.Acquire(t.Context()))
				most.Store(max(most.Load(), held.Add(1)))
				<-time.After(time.Second)
				held.Add(-1)
				g.Release()
			}()
		}
		began := time.Now()
		synctest.Wait()
		<-time.After(time.Minute)
		assert.EqualValues(t, 2, most.Load())
		assert.Equal(t, time.Minute, time.Since(began))
		require.NoError(t, g.Acquire(t.Context()))
		require.NoError(t, g.Acquire(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, g.Acquire(ctx), context.DeadlineExceeded)
		g.Release()
		require.NoError(t, g.Acquire(t.Context()), "the place of one who gave up is not lost")
		g.Release()
		g.Release()
	})
}

func TestGateForgetsWhoeverLeavesTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := pace.New(1)
		require.NoError(t, g.Acquire(t.Context()))
		var admitted []string
		wait := func(ctx context.Context, name string) {
			go func() {
				if g.Acquire(ctx) == nil {
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
			g.Release()
			synctest.Wait()
		}
		assert.Equal(t, []string{"first", "third"}, admitted)
	})
}

func TestGateSlowsDownByHalfAndSpeedsUpByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := pace.New(16)
		assert.Equal(t, 4, g.Share(4))
		began := time.Now()
		<-time.After(time.Second)
		g.Slow(began)
		g.Slow(began) // under way at the same time: it counts once
		assert.Equal(t, 8, g.Limit())
		assert.Equal(t, 2, g.Share(4))
		for range 9 {
			<-time.After(time.Second)
			g.Slow(time.Now())
		}
		assert.Equal(t, 1, g.Limit())
		assert.Equal(t, 1, g.Share(4))
		answers := 0
		for ; g.Limit() < 16; answers++ {
			g.Good()
		}
		assert.InDelta(t, 16*15/2, answers, 16, "one place for as many answers as there are places")
		g.Good()
		assert.Equal(t, 16, g.Limit())
	})
}

func TestTapKnowsTheServersTimeAndItsPatience(t *testing.T) {
	t.Parallel()
	status, date := http.StatusOK, time.Now().Add(-time.Hour)
	tap := &pace.Tap{Gate: pace.New(8), Base: transport(func(*http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		rec.Header().Set("Date", date.UTC().Format(http.TimeFormat))
		rec.WriteHeader(status)
		return rec.Result(), nil
	})}
	ask := func() {
		resp, err := tap.RoundTrip(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/", strings.NewReader("")))
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, resp.Body)
		require.NoError(t, resp.Body.Close())
	}
	assert.InDelta(t, time.Now().Unix(), tap.Now(), 2, "ours, where there is no answer yet")
	ask()
	assert.InDelta(t, date.Unix(), tap.Now(), 2)
	for want, code := range map[int]int{8: http.StatusInternalServerError, 4: http.StatusConflict} {
		tap.Gate = pace.New(8)
		status = code
		ask()
		assert.Equal(t, want, tap.Gate.Limit(), code)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
