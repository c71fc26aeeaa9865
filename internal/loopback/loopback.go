// Package loopback finds ports for servers that a test takes away: truliootest's
// own, and the brokers, stores and receivers of contrib's tests.
package loopback

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
)

// All ports lie below those that a system gives to a program that asks for any port or
// connects to another one (Linux from 32768, macOS and Windows from 49152). Among
// these a closed server's port soon belongs to another program, and a server that
// comes back finds it taken. Servers that come back have a range of their own, apart
// from the many that a test of another process starts meanwhile.
var (
	passing = newPortRange(12_000, 20_000)
	coming  = newPortRange(10_000, 2_000)
)

// tries is how many ports are tried: Windows keeps some hundreds in a row for itself.
const tries = 1_000

type portRange struct {
	first, size uint32
	next        atomic.Uint32
}

// newPortRange begins at another place in each process.
func newPortRange(first, size uint32) *portRange {
	r := &portRange{first: first, size: size}
	r.next.Store(rand.Uint32N(size)) //nolint:gosec // a port is no secret
	return r
}

func (r *portRange) listen(ctx context.Context) (net.Listener, error) {
	var last error
	for range tries {
		port := uint16(r.first + r.next.Add(1)%r.size) //nolint:gosec // all of a range are ports
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", address.String())
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, last
}

// Listen listens on a free port of 127.0.0.1, and on another one each time.
func Listen(ctx context.Context) (net.Listener, error) { return passing.listen(ctx) }

// Address gives an address of 127.0.0.1, another one each time, to a server that
// listens by itself, stops and listens again later.
func Address(ctx context.Context) (netip.AddrPort, error) {
	l, err := coming.listen(ctx)
	if err != nil {
		return netip.AddrPort{}, err
	}
	return l.Addr().(*net.TCPAddr).AddrPort(), l.Close()
}
