package webhook

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Several who close wait for the last key, and none for ever.
func TestInFlightClosesWhenTheLastKeyEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := NewInFlightSet()
		for _, key := range []string{"a", "b"} {
			require.Empty(t, f.TryBegin(key))
			require.Equal(t, "in flight", f.TryBegin(key))
		}
		f.End("a")
		require.Empty(t, f.TryBegin("a"), "it can begin again")

		var closed atomic.Int64
		for range 3 {
			go func() {
				assert.NoError(t, f.Close(context.WithoutCancel(t.Context())))
				closed.Add(1)
			}()
			synctest.Wait()
		}
		f.End("a")
		synctest.Wait()
		assert.Zero(t, closed.Load())
		assert.Equal(t, "shutting down", f.TryBegin("a"))
		f.End("b")
		synctest.Wait()
		assert.EqualValues(t, 3, closed.Load())
	})
}

// A forgotten event frees its memory, so that a process that runs for long does not
// grow.
func TestClaimsKeepToTheirRoom(t *testing.T) {
	t.Parallel()
	const size, rounds = 100, 1000
	c := NewClaims(size, time.Hour)
	for i := range rounds {
		key := strconv.Itoa(i)
		claim, state, err := c.Reserve(key, time.Minute)
		require.NoError(t, err)
		require.Equal(t, New, state)
		if i%3 == 0 {
			require.NoError(t, c.Release(key, claim))
		} else {
			require.NoError(t, c.Commit(key, claim))
		}
	}
	assert.LessOrEqual(t, len(c.index), size)
	room := len(c.entries)
	assert.Equal(t, size+2, room, "with the two that the rings begin at")
}
