package loopback_test

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/loopback"
)

// listened is Listen as an address.
func listened(ctx context.Context) (string, error) {
	l, err := loopback.Listen(ctx)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Linux gives ports from 32768 to whoever asks for any, the others higher ones.
func TestPortIsNoneThatTheSystemHandsOut(t *testing.T) {
	t.Parallel()
	given := map[string]bool{}
	for range 100 {
		for _, find := range []func(context.Context) (string, error){listened, loopback.Address} {
			text, err := find(t.Context())
			require.NoError(t, err)
			address, err := netip.ParseAddrPort(text)
			require.NoError(t, err)
			assert.True(t, address.Addr().IsLoopback())
			assert.GreaterOrEqual(t, address.Port(), uint16(10_000))
			assert.Less(t, address.Port(), uint16(32_768))
			assert.False(t, given[text], "the one before it may still be somebody's")
			given[text] = true
		}
	}
}

func TestTakenPortIsPassedOver(t *testing.T) { //nolint:paralleltest // nobody else may move on to the next port
	before, err := loopback.Address(t.Context())
	require.NoError(t, err)
	free, err := netip.ParseAddrPort(before)
	require.NoError(t, err)
	next := netip.AddrPortFrom(free.Addr(), free.Port()+1).String()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", next)
	if err == nil { // else it is taken already
		t.Cleanup(func() { require.NoError(t, taken.Close()) })
	}
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, next, address)
	again, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err, "Address leaves it free")
	require.NoError(t, again.Close())
}
