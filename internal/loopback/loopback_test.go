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
func listened(ctx context.Context) (netip.AddrPort, error) {
	l, err := loopback.Listen(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return l.Addr().(*net.TCPAddr).AddrPort(), l.Close()
}

// Linux gives ports from 32768 on to a program that asks for any port; other systems give
// higher ones.
func TestTheSystemHandsOutNoSuchPort(t *testing.T) {
	t.Parallel()
	given := map[netip.AddrPort]bool{}
	for range 100 {
		for _, find := range []func(context.Context) (netip.AddrPort, error){listened, loopback.Address} {
			address, err := find(t.Context())
			require.NoError(t, err)
			assert.True(t, address.Addr().IsLoopback())
			assert.GreaterOrEqual(t, address.Port(), uint16(10_000))
			assert.Less(t, address.Port(), uint16(32_768))
			assert.False(t, given[address], "the one before it may still be somebody's")
			given[address] = true
		}
	}
}

func TestTakenPortIsPassedOver(t *testing.T) { //nolint:paralleltest // nobody else may move on to the next port
	before, err := loopback.Address(t.Context())
	require.NoError(t, err)
	next := netip.AddrPortFrom(before.Addr(), before.Port()+1)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", next.String())
	if err == nil { // else it is taken already
		t.Cleanup(func() { require.NoError(t, taken.Close()) })
	}
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	assert.NotEqual(t, next, address)
	again, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address.String())
	require.NoError(t, err, "Address leaves it free")
	require.NoError(t, again.Close())
}
