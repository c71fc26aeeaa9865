// Package loopback finds a port for a server that a test takes away: truliootest's
// listeners, and the brokers and stores of contrib's tests.
package loopback

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
)

// The ports lie below what systems hand out to whoever asks for any port or
// connects to somebody (Linux from 32768, macOS and Windows from 49152). There
// the port of a server that was closed soon answers as somebody else's, and one
// that comes back finds it taken.
const (
	lowest = 10_000
	ports  = 22_000
	tries  = 1_000 // Windows keeps some ranges of a few hundred for itself
)

// next is where the search goes on; processes begin at different places.
var next atomic.Uint32

func init() { next.Store(rand.Uint32N(ports)) } //nolint:gosec // a port is no secret

// Listen listens on a free port of 127.0.0.1, and on another one each time it
// is called.
func Listen(ctx context.Context) (net.Listener, error) {
	var last error
	for range tries {
		port := lowest + int(next.Add(1)%ports)
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err == nil {
			return l, nil
		}
		last = err
	}
	return nil, last
}

// Address is one that Listen could listen on a moment ago, for a server that
// opens it by itself.
func Address(ctx context.Context) (string, error) {
	l, err := Listen(ctx)
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
