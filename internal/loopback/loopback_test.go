package loopback_test

import (
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/loopback"
)

// Linux gives ports from 32768 to whoever asks for any, the others higher ones.
func TestPortIsNoneThatTheSystemHandsOut(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 100 {
		l, err := loopback.Listen(t.Context())
		require.NoError(t, err)
		addr := l.Addr().(*net.TCPAddr)
		require.NoError(t, l.Close())
		assert.True(t, addr.IP.IsLoopback())
		assert.Greater(t, addr.Port, 1023)
		assert.Less(t, addr.Port, 32768)
		assert.False(t, given[addr.Port], "the one before it may still be somebody's")
		given[addr.Port] = true
	}
}

func TestTakenPortIsPassedOver(t *testing.T) { //nolint:paralleltest // nobody else may move on to the next port
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	free, err := netip.ParseAddrPort(address)
	require.NoError(t, err)
	next := netip.AddrPortFrom(free.Addr(), free.Port()+1).String()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", next)
	if err == nil { // else it is taken already
		t.Cleanup(func() { require.NoError(t, taken.Close()) })
	}
	address, err = loopback.Address(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, next, address)
	again, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err, "Address leaves it free")
	require.NoError(t, again.Close())
}
