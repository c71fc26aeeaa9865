package truliootest

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

// The addresses of a server in memory. No socket has them.
const (
	memoryAddress      = "127.0.0.1:8080"
	memoryStoreAddress = "localhost:8081"
)

// memoryListener hands the far ends of pipes to an http.Server.
type memoryListener struct {
	address memoryAddr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newMemoryListener(address string) *memoryListener {
	return &memoryListener{
		address: memoryAddr(address),
		conns:   make(chan net.Conn),
		closed:  make(chan struct{}),
	}
}

// Accept waits for the next dial.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close refuses all further dials.
func (l *memoryListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is the made-up address.
func (l *memoryListener) Addr() net.Addr { return l.address }

func (l *memoryListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	broken := new(atomic.Bool)
	select {
	case l.conns <- &memoryConn{Conn: far, address: l.address, broken: broken}:
		return &memoryConn{Conn: near, address: l.address, broken: broken}, nil
	case <-l.closed:
		return nil, refused()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

// memoryConn is one end of a pipe that can be reset as a TCP connection can.
type memoryConn struct {
	net.Conn
	address memoryAddr
	broken  *atomic.Bool // shared by both ends
}

// Read gives ECONNRESET instead of io.EOF after a reset.
func (c *memoryConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err == io.EOF && c.broken.Load() { //nolint:errorlint // net.Pipe returns it bare
		err = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	return n, err
}

// LocalAddr and RemoteAddr give the server's address, as an http.Server puts
// it in the request's context.
func (c *memoryConn) LocalAddr() net.Addr { return c.address }

// RemoteAddr is the server's address too: a pipe has no other.
func (c *memoryConn) RemoteAddr() net.Addr { return c.address }

// reset closes the connection so that the other end sees ECONNRESET.
func (c *memoryConn) reset() {
	c.broken.Store(true)
	_ = c.Close()
}

type memoryAddr string

// Network is "tcp", since programs parse the address of such a network.
func (memoryAddr) Network() string { return "tcp" }

// String is host:port.
func (a memoryAddr) String() string { return string(a) }

// resetConnection breaks the connection under an answer, with a TCP RST where
// there is TCP.
func resetConnection(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	switch conn := conn.(type) {
	case *memoryConn:
		conn.reset()
	case *net.TCPConn:
		_ = conn.SetLinger(0)
		_ = conn.Close()
	default:
		_ = conn.Close()
	}
}
