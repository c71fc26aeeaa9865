package export_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/export"
)

func TestOrderedQueueKeepsItsOrderAndItsLength(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const jobs, length, workers = 20, 6, 3
		l := export.NewOrderedQueue[int](length)
		put := 0
		go func() {
			defer l.Close()
			for n := range jobs {
				if n%5 == 4 {
					assert.NoError(t, l.Put(t.Context(), &n))
				} else {
					assert.NoError(t, l.PutWork(t.Context(), &n))
				}
				put++
			}
		}()
		for range workers {
			go func() {
				assert.NoError(t, l.Work(t.Context(), func(_ context.Context, n *int) error {
					<-time.After(time.Duration(jobs-*n) * time.Second) // the later, the sooner
					return nil
				}))
			}()
		}
		var taken []int
		for n := range l.All(t.Context()) {
			synctest.Wait()
			assert.LessOrEqual(t, put, len(taken)+length)
			taken = append(taken, *n)
		}
		require.Len(t, taken, jobs)
		assert.IsIncreasing(t, taken)
		assert.Equal(t, jobs, put)
	})
}

func TestOrderedQueueEnds(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fails := func(context.Context, *int) error { return broken }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	n := 1

	full := export.NewOrderedQueue[int](2)
	require.NoError(t, full.Put(t.Context(), &n))
	require.ErrorIs(t, full.Put(ended, &n), context.Canceled)
	require.ErrorIs(t, full.PutWork(ended, &n), context.Canceled)

	undone := export.NewOrderedQueue[int](2)
	require.NoError(t, undone.PutWork(t.Context(), &n))
	require.NoError(t, undone.Work(ended, fails), "there is nobody left to work for")
	require.ErrorIs(t, undone.Work(t.Context(), fails), broken)
	for range undone.All(ended) {
		assert.Fail(t, "the job was never done")
	}
}
