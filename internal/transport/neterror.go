package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/trulioo-go/trulioo/internal/guard"
)

const timedOut = "timed out"

// Reason says in constant words what went wrong on the way.
func Reason(err error) string {
	var (
		dns   *net.DNSError
		proxy *ProxyError
		time  interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, guard.ErrGoexit):
		return "the caller's function ended its goroutine"
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut
	case errors.As(err, &proxy):
		return proxy.reason()
	case throughProxy(err):
		return "the proxy cannot be reached"
	case errors.As(err, &dns):
		return "the host name did not resolve"
	case distrust(err):
		return "the server's certificate is not trusted"
	}
	if reason := mismatch(err); reason != "" {
		return reason
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "connection reset"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the answer was cut off"
	case errors.Is(err, io.EOF):
		return "connection closed before the answer"
	case errors.As(err, &time) && time.Timeout():
		return timedOut
	}
	return ""
}

// lasting reports whether the failure is of the configuration, on either side,
// so that another attempt does not mend it.
func lasting(err error) bool {
	if proxy, ok := errors.AsType[*ProxyError](err); ok {
		return proxy.StatusCode < 500
	}
	return distrust(err) || mismatch(err) != ""
}

// distrust reports whether the server's certificate is not trusted.
func distrust(err error) bool {
	var (
		cert      *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &cert) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// mismatch says in constant words on what the two sides of a connection disagree; ""
// where they agree.
func mismatch(err error) string {
	var record tls.RecordHeaderError
	if errors.Is(err, http.ErrSchemeMismatch) || errors.As(err, &record) {
		return "the server does not speak TLS"
	}
	if alert := remoteAlert(err); alert != "" {
		return alert
	}
	// These have no type.
	switch text := err.Error(); {
	case strings.Contains(text, "tls: server selected unsupported protocol version"):
		return oldTLS
	case strings.Contains(text, `malformed HTTP response "\x15\x03`):
		return "the server speaks TLS, not plain http"
	}
	return ""
}

const oldTLS = "the server's TLS version is not supported"

// remoteAlert names the TLS alert that the server has sent, if it is about something
// that both sides must agree on. crypto/tls does not export the type of alerts.
func remoteAlert(err error) string {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	switch strings.TrimPrefix(op.Err.Error(), "tls: ") {
	case "certificate required":
		return "the server requires a client certificate"
	case "bad certificate", "unsupported certificate", "revoked certificate", "expired certificate", "unknown certificate",
		"unknown certificate authority", "access denied":
		return "the server refused the client certificate"
	case "protocol version not supported", "inappropriate fallback":
		return "the server does not support the client's TLS versions"
	case "handshake failure", "insufficient security level":
		return "the server refused the TLS handshake: a client certificate or a TLS version may be missing"
	case "unrecognized name":
		return "the server does not know the host name"
	}
	return ""
}

// ProxyError means that a proxy did not make the connection it was asked for.
type ProxyError struct{ StatusCode int }

// Error names the status.
func (e *ProxyError) Error() string { return e.reason() }

func (e *ProxyError) reason() string {
	status := " (its status is " + strconv.Itoa(e.StatusCode) + ")"
	switch {
	case e.StatusCode == http.StatusProxyAuthRequired:
		return "the proxy requires a user name and a password" + status
	case e.StatusCode >= 500:
		return "the proxy could not connect to the server" + status
	}
	return "the proxy refused to connect to the server" + status
}

// proxyAnswer makes an answer that refuses a CONNECT an error with a type; net/http
// keeps only its text.
func proxyAnswer(next func(context.Context, *url.URL, *http.Request, *http.Response) error) func(context.Context, *url.URL, *http.Request, *http.Response) error {
	return func(ctx context.Context, proxy *url.URL, req *http.Request, resp *http.Response) error {
		if next != nil {
			if err := next(ctx, proxy, req, resp); err != nil {
				return err
			}
		}
		if resp.StatusCode != http.StatusOK {
			return &ProxyError{resp.StatusCode}
		}
		return nil
	}
}

// throughProxy reports whether the connection to the proxy failed.
func throughProxy(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && (op.Op == "proxyconnect" || op.Op == "socks connect")
}

// Causes picks those causes whose types belong to the standard library and hold no
// URL. Their wrappers, *url.Error above all, are left behind: a message that was
// built from a URL cannot be cleaned.
func Causes(err error) []error {
	var kept []error
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, http.ErrSchemeMismatch} {
		if errors.Is(err, sentinel) {
			kept = append(kept, sentinel)
		}
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		// Its Err and Server hold a foreign resolver's words.
		kept = append(kept, &net.DNSError{Err: "lookup failed", Name: dns.Name, IsTimeout: dns.IsTimeout, IsTemporary: dns.IsTemporary, IsNotFound: dns.IsNotFound})
	}
	kept = appendAs[*tls.CertificateVerificationError](kept, err)
	kept = appendAs[tls.RecordHeaderError](kept, err)
	kept = appendAs[x509.UnknownAuthorityError](kept, err)
	kept = appendAs[x509.HostnameError](kept, err)
	kept = appendAs[x509.CertificateInvalidError](kept, err)
	kept = appendAs[syscall.Errno](kept, err)
	if op, ok := errors.AsType[*net.OpError](err); ok {
		// Its Err is of a foreign type where a custom dialer made it.
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
