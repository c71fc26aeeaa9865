package once

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
func TestHandClosesWhenTheLastKeyIsLetGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHand()
		for _, key := range []string{"a", "b"} {
			require.Empty(t, h.Take(key))
			require.Equal(t, "in flight", h.Take(key))
		}
		h.LetGo("a")
		require.Empty(t, h.Take("a"), "it can be taken again")

		var closed atomic.Int64
		for range 3 {
			go func() {
				assert.NoError(t, h.Close(context.WithoutCancel(t.Context())))
				closed.Add(1)
			}()
			synctest.Wait()
		}
		h.LetGo("a")
		synctest.Wait()
		assert.Zero(t, closed.Load())
		assert.Equal(t, "shutting down", h.Take("a"))
		h.LetGo("b")
		synctest.Wait()
		assert.EqualValues(t, 3, closed.Load())
	})
}

// What is forgotten leaves its room to what comes: a process that runs for long
// does not grow.
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
