package seen_test

import (
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/seen"
)

func TestAddTellsNewFromKnown(t *testing.T) {
	t.Parallel()
	var s seen.Set
	for i := range 20_000 {
		require.True(t, s.Add(strconv.Itoa(i)), "%d is new", i)
	}
	for i := range 20_000 {
		require.False(t, s.Add(strconv.Itoa(i)), "%d is known", i)
	}
	assert.Equal(t, 20_000, s.Len())
}

func TestMarkTellsTheFirstOfARound(t *testing.T) {
	t.Parallel()
	var s seen.Set
	for round := range uint8(3) {
		for i := range 1000 {
			fresh, first := s.Mark(strconv.Itoa(i), round)
			require.Equal(t, round == 0, fresh)
			require.True(t, first)
			fresh, first = s.Mark(strconv.Itoa(i), round)
			require.False(t, fresh)
			require.False(t, first)
		}
	}
}

// Issue: at most 40 bytes a client. Small sets are dominated by the shards'
// first places; from a thousand on it holds at every size.
func TestBytesPerClient(t *testing.T) {
	t.Parallel()
	var s seen.Set
	worst, best := 0.0, 100.0
	for i := range 300_000 {
		s.Add(strconv.Itoa(i))
		if i >= 1000 {
			each := float64(s.Bytes()) / float64(s.Len())
			worst, best = max(worst, each), min(best, each)
		}
	}
	t.Logf("%.1f to %.1f bytes an id", best, worst)
	assert.LessOrEqual(t, worst, 40.0)
	assert.Greater(t, best, 17.0*7/6, "tables that are fuller are slow")
}

func BenchmarkAdd(b *testing.B) {
	var before, after runtime.MemStats
	const ids = 1_000_000
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		var s seen.Set
		for i := range ids {
			s.Add(strconv.Itoa(i))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/ids, "B/id")
		runtime.KeepAlive(&s)
	}
}
