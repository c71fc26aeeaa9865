package trulioo_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// reserve is a Reserve that must not fail.
func reserve(t *testing.T, d trulioo.Deduper, key string) (string, trulioo.DedupState) {
	t.Helper()
	claim, state, err := d.Reserve(t.Context(), key, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, state == trulioo.DedupNew, claim != "")
	return claim, state
}

func TestMemoryDeduper(t *testing.T) {
	t.Parallel()
	d := trulioo.NewMemoryDeduper(10, time.Hour)
	claim, state := reserve(t, d, "a")
	assert.Equal(t, trulioo.DedupNew, state)
	_, state = reserve(t, d, "a")
	assert.Equal(t, trulioo.DedupInFlight, state)
	require.NoError(t, d.Release(t.Context(), "a", claim))
	second, state := reserve(t, d, "a")
	assert.Equal(t, trulioo.DedupNew, state)

	require.Error(t, d.Commit(t.Context(), "a", claim), "a claim that was released")
	require.Error(t, d.Release(t.Context(), "a", claim))
	require.Error(t, d.Commit(t.Context(), "a", ""))
	require.Error(t, d.Commit(t.Context(), "never seen", second))
	require.NoError(t, d.Commit(t.Context(), "a", second))
	_, state = reserve(t, d, "a")
	assert.Equal(t, trulioo.DedupDone, state)
	require.Error(t, d.Commit(t.Context(), "a", second), "twice")
	require.Error(t, d.Release(t.Context(), "a", second), "what is done stays done")
	require.Error(t, d.Release(t.Context(), "a", ""))
	require.Error(t, d.Release(t.Context(), "a", "0"))
	require.Error(t, d.Release(t.Context(), "a", "not a claim"))
}

func TestMemoryDeduperLeaseAndTTL(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := trulioo.NewMemoryDeduper(10, time.Hour)
		old, _ := reserve(t, d, "a")
		pass(time.Minute - 1)
		_, state := reserve(t, d, "a")
		assert.Equal(t, trulioo.DedupInFlight, state)
		pass(time.Nanosecond)
		claim, state := reserve(t, d, "a")
		assert.Equal(t, trulioo.DedupNew, state, "the lease has ended")
		require.Error(t, d.Commit(t.Context(), "a", old), "the old claim is fenced")

		pass(2 * time.Minute)
		require.NoError(t, d.Commit(t.Context(), "a", claim), "late, but nobody else came")
		pass(time.Hour - 1)
		_, state = reserve(t, d, "a")
		assert.Equal(t, trulioo.DedupDone, state)
		pass(time.Nanosecond)
		_, state = reserve(t, d, "a")
		assert.Equal(t, trulioo.DedupNew, state, "forgotten after the ttl")
	})
}

func TestMemoryDeduperIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := trulioo.NewMemoryDeduper(3, time.Hour)
		for i := range 10 {
			key := fmt.Sprint(i)
			claim, state := reserve(t, d, key)
			assert.Equal(t, trulioo.DedupNew, state)
			require.NoError(t, d.Commit(t.Context(), key, claim))
		}
		for _, key := range []string{"9", "8", "7"} {
			_, state := reserve(t, d, key)
			assert.Equal(t, trulioo.DedupDone, state, "the latest are known")
		}
		for _, key := range []string{"0", "1", "2"} {
			_, state := reserve(t, d, key)
			assert.Equal(t, trulioo.DedupNew, state, "the oldest are not")
		}
		_, state, err := d.Reserve(t.Context(), "3", time.Minute)
		require.Error(t, err, "no event in flight is forgotten")
		assert.Equal(t, trulioo.DedupNew, state)
		pass(time.Minute)
		reserve(t, d, "3")
	})
}

func TestMemoryDeduperOfOneEvent(t *testing.T) {
	t.Parallel()
	d := trulioo.NewMemoryDeduper(1, time.Hour)
	for _, key := range []string{"a", "b", "a"} {
		claim, state := reserve(t, d, key)
		assert.Equal(t, trulioo.DedupNew, state)
		require.NoError(t, d.Commit(t.Context(), key, claim))
	}
}

func TestMemoryDeduperDefaults(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := trulioo.NewMemoryDeduper(0, 0)
		claim, _ := reserve(t, d, "a")
		require.NoError(t, d.Commit(t.Context(), "a", claim))
		for i := range 99_999 {
			reserve(t, d, fmt.Sprint(i))
		}
		_, state := reserve(t, d, "a")
		assert.Equal(t, trulioo.DedupDone, state, "100,000 fit")
		reserve(t, d, "one more")
		_, _, err := d.Reserve(t.Context(), "a", time.Minute)
		require.Error(t, err, "one more does not")
	})
}

func TestMemoryDeduperAtOnce(t *testing.T) {
	t.Parallel()
	d := trulioo.NewMemoryDeduper(100, time.Hour)
	var mu sync.Mutex
	holders := map[string]int{}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 50 {
				key := fmt.Sprint(i)
				claim, state, err := d.Reserve(t.Context(), key, time.Minute)
				if err != nil || state != trulioo.DedupNew {
					continue
				}
				mu.Lock()
				holders[key]++
				mu.Unlock()
				assert.NoError(t, d.Commit(t.Context(), key, claim))
			}
		})
	}
	all.Wait()
	assert.Len(t, holders, 50)
	for key, n := range holders {
		assert.Equal(t, 1, n, key)
	}
}
