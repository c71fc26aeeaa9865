package transport

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// pass waits for the limit as the throttle does.
func (l *RateLimit) pass(ctx context.Context) error {
	turn, wait := l.enter(ctx)
	switch {
	case turn == nil && wait == 0:
		return nil
	case turn == nil:
		return &throttled{wait: wait, local: true}
	}
	return l.await(ctx, turn)
}

// 60 callers who gave up left their debt behind: the next one waited for 12
// seconds with nobody in the queue, or failed at once.
func TestTrap_a_wait_that_is_given_up_costs_nobody(t *testing.T) {
	t.Parallel()
	for name, stay := range map[string]time.Duration{"together": time.Second, "one after another": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := NewRateLimit(5, 1)
				require.NoError(t, l.pass(t.Context()))
				ctx, cancel := context.WithCancel(t.Context())
				for i := range 60 {
					go func() {
						own, leave := context.WithCancel(ctx)
						defer leave()
						if stay == 0 {
							time.AfterFunc(time.Duration(i)*time.Millisecond, leave)
						}
						_ = l.pass(own)
					}()
				}
				synctest.Wait()
				<-time.After(100 * time.Millisecond)
				cancel()
				synctest.Wait()
				begun := time.Now()
				short, end := context.WithTimeout(t.Context(), 150*time.Millisecond)
				defer end()
				require.NoError(t, l.pass(short))
				assert.Equal(t, 100*time.Millisecond, time.Since(begun))

				// Nor does the queue's length remember those who left it.
				go func() { _ = l.pass(t.Context()) }()
				synctest.Wait()
				second, end := context.WithTimeout(t.Context(), 500*time.Millisecond)
				defer end()
				require.NoError(t, l.pass(second), "one is before it, whose turn is in 200 ms")
				assert.Equal(t, 500*time.Millisecond, time.Since(begun))
			})
		})
	}
}

func TestRateLimit_is_first_come_first_served(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewRateLimit(10, 3)
		begun := time.Now()
		order := make(chan int, 20)
		for i := range 20 {
			go func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%5 == 4 {
					time.AfterFunc(250*time.Millisecond, cancel) // some leave the middle
				}
				if l.pass(ctx) == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		last, n := -1, 0
		for n < 16 {
			i := <-order
			assert.Greater(t, i, last)
			last, n = i, n+1
		}
		assert.InDelta(t, (16-3)*100*time.Millisecond, time.Since(begun), float64(100*time.Millisecond))
	})
}

func TestTrap_a_wait_that_outlasts_the_deadline_is_not_begun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewRateLimit(1, 1)
		require.NoError(t, l.pass(t.Context()))
		for range 3 {
			go func() { _ = l.pass(t.Context()) }()
		}
		synctest.Wait()
		for patience, want := range map[time.Duration]bool{3500 * time.Millisecond: false, 4500 * time.Millisecond: true} {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			turn, wait := l.enter(ctx)
			assert.Equal(t, want, turn != nil)
			assert.Equal(t, 4*time.Second, wait)
			if turn != nil {
				l.leave(turn)
			}
			cancel()
		}
		<-time.After(time.Minute)
	})
}

func TestTrap_rate_limits_of_any_number(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{math.SmallestNonzeroFloat64, 1e-9, 1, 1e9, math.MaxFloat64} {
		for _, burst := range []int{1, 2, math.MaxInt} {
			l := NewRateLimit(rate, burst)
			assert.Positive(t, l.interval)
			assert.GreaterOrEqual(t, l.ahead, time.Duration(0))
			for range 3 {
				_, wait := l.enter(t.Context())
				assert.GreaterOrEqual(t, wait, time.Duration(0))
				assert.LessOrEqual(t, wait, longest)
			}
		}
	}
}
