package export

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A list that changes is read until two passes in a row find nothing new, and longer
// while that is cheap. It takes more passes where no ranges have been read, and most
// where rows are known to be missing. A list without changes is read until the proof.
func TestPassesThatAreEnough(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scanner func(s *Scanner[byte])
		pass    pass
		passes  int // without anything new; 0 means without an end
	}{
		"it stands still":       {pass: pass{counted: true, most: 3, least: 3}},
		"its count changes":     {pass: pass{counted: true, most: 3, least: 2}, passes: 2},
		"rows come":             {pass: pass{counted: true, most: 3, least: 3, lateArrivals: 1}, passes: 2},
		"deep pages refused":    {pass: pass{counted: true, most: 3, least: 3, refused: true}, passes: 2},
		"no counts":             {pass: pass{most: 0, least: 0}, passes: 4},
		"counts that lie":       {scanner: func(s *Scanner[byte]) { s.miscounted.Store(true) }, pass: pass{counted: true, most: 3, least: 3}, passes: 4},
		"bounds ignored":        {scanner: func(s *Scanner[byte]) { s.fallback.Store(true) }, pass: pass{counted: true, most: 3, least: 3}, passes: 4},
		"ranges given up":       {scanner: func(s *Scanner[byte]) { s.abandon = busyPresent }, pass: pass{counted: true, most: 3, least: 2}, passes: 4},
		"rows that are missing": {scanner: func(s *Scanner[byte]) { s.known.alone(3) }, pass: pass{counted: true, most: 3, least: 2}, passes: 10},
	} {
		s := New(Config[byte]{})
		if c.scanner != nil {
			c.scanner(s)
		}
		const plenty = 1000 // requests
		for passes := range 20 {
			assert.Equal(t, c.passes > 0 && passes >= c.passes, s.enough(&c.pass, passes, plenty), "%s: %d passes", name, passes)
		}
	}
	s, changing := New(Config[byte]{}), &pass{counted: true, most: 3, least: 2}
	assert.False(t, s.enough(changing, 2, 59), "one more is cheap")
	assert.True(t, s.enough(changing, 2, 60))
}
