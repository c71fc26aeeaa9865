package token

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// The first requests have no pause before them; then it is a second, and twice as long
// each time, up to a minute. After a minute without a request it begins anew.
func TestBrake(t *testing.T) {
	t.Parallel()
	for free := range 3 {
		var b brake
		now := time.Unix(1_700_000_000, 0)
		for range 2 {
			for range free {
				b.hold(now, free)
				assert.False(t, b.held(now), "%d are free", free)
			}
			for _, seconds := range []int{1, 2, 4, 8, 16, 32, 60, 60, 60} {
				pause := time.Duration(seconds) * time.Second
				b.hold(now, free)
				assert.True(t, b.held(now.Add(pause-1)), pause)
				now = now.Add(pause)
				assert.False(t, b.held(now), pause)
			}
			now = now.Add(time.Minute + 1)
		}
	}
}
