package export

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// A proof needs each id before the moment and after it, as many as were counted
// then, all of them delivered; and a server that once counted fewer than there
// were proves nothing more.
func TestProof(t *testing.T) {
	t.Parallel()
	a, b := digestOf("a"), digestOf("b")
	var s sightings
	both := func(flags sighting) {
		s.together()
		s.sight(a, flags)
		s.sight(b, flags)
	}
	both(0)
	s.alone(2)
	assert.False(t, s.proven(), "neither is known to have been there at the moment")
	s.together()
	s.sight(a, 0)
	assert.False(t, s.proven(), "one is, of two that were counted")
	s.sight(b, 0)
	assert.False(t, s.proven(), "both are, and wait to be delivered")
	assert.True(t, s.deliver(a))
	assert.False(t, s.deliver(a), "once")
	assert.True(t, s.deliver(b))
	assert.True(t, s.proven())

	s.alone(1)
	assert.True(t, s.proven(), "one may have been deleted since")
	both(0)
	assert.False(t, s.proven(), "both were there, and one was counted")
	s.alone(2)
	both(0)
	assert.False(t, s.proven(), "a server that miscounts is not believed later")

	var late sightings
	late.alone(1)
	late.together()
	late.alone(noTotal)
	late.together()
	late.sight(a, delivered)
	assert.False(t, late.proven(), "it may have come since, and another one may have been counted")
}
