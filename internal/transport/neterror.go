package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// Reason says in constant words what went wrong on the way.
func Reason(err error) string {
	var (
		dns  *net.DNSError
		rec  tls.RecordHeaderError
		time interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, guard.ErrGoexit):
		return "a function of the caller's ended its goroutine"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "time ran out"
	case errors.As(err, &dns):
		return "the host name did not resolve"
	case distrust(err):
		return "the server's certificate is not trusted"
	case errors.As(err, &rec):
		return "the server does not speak TLS"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut off"
	case errors.Is(err, io.EOF):
		return "connection closed before the answer"
	case errors.As(err, &time) && time.Timeout():
		return "time ran out"
	}
	return ""
}

// distrust reports whether the server's certificate is not good, which another
// attempt does not mend.
func distrust(err error) bool {
	var (
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &cert) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// Causes picks those causes whose types belong to the standard library and
// hold no URL. Whatever wraps them, *url.Error above all, is left behind: a
// message once built from a URL cannot be cleaned.
func Causes(err error) []error {
	var kept []error
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, sentinel) {
			kept = append(kept, sentinel)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		// Its own Err and Server are a foreign resolver's words.
		kept = append(kept, &net.DNSError{Err: "lookup failed", Name: dns.Name, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound})
	}
	kept = appendAs[*tls.CertificateVerificationError](kept, err)
	kept = appendAs[tls.RecordHeaderError](kept, err)
	kept = appendAs[x509.UnknownAuthorityError](kept, err)
	kept = appendAs[x509.HostnameError](kept, err)
	kept = appendAs[x509.CertificateInvalidError](kept, err)
	kept = appendAs[syscall.Errno](kept, err)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		// Its own Err is of a foreign type where a custom dialer made it.
		inner := errors.Join(kept...)
		if inner == nil {
			inner = errors.New("network error")
		}
		kept = append(kept, &net.OpError{Op: op.Op, Net: op.Net, Source: op.Source, Addr: op.Addr, Err: inner})
	}
	return kept
}

func appendAs[E error](kept []error, err error) []error {
	if e, ok := errors.AsType[E](err); ok {
		return append(kept, e)
	}
	return kept
}
