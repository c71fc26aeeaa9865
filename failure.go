package trulioo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/trulioo-go/trulioo/internal/tidy"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// failure turns what the transport says into the typed errors. Nothing of the
// transport's own errors is wrapped: net/http's hold the URL.
func failure(operation string, err error) error {
	var f *transport.Failure
	if !errors.As(err, &f) {
		return transportError(operation, err, 0)
	}
	if f.StatusCode != 0 {
		return apiError(operation, f)
	}
	if auth := f.TokenErr(); auth != nil {
		return authFailure(operation, auth)
	}
	var decode *transport.DecodeError
	if errors.As(f.Err, &decode) {
		return decodeFailure(operation, decode.Err, f.Attempts)
	}
	if errors.Is(f.Err, transport.ErrTooLarge) {
		return &DecodeError{Operation: operation, Reason: "the answer is over the cap", Attempts: f.Attempts, cause: ErrTooLarge}
	}
	e := transportError(operation, f.Err, f.Attempts)
	if f.RateLimit {
		e.Reason = "the wait for the rate limit would outlast the deadline"
		e.causes = append(e.causes, ErrRateLimited)
	}
	return e
}

// apiError reads what it can of a body whose form is not documented.
func apiError(operation string, f *transport.Failure) *APIError {
	e := &APIError{
		Operation:  operation,
		StatusCode: f.StatusCode,
		RequestID:  transport.RequestID(f.Header),
		RetryAfter: f.RetryAfter,
		Attempts:   f.Attempts,
		body:       f.Body,
		cause:      f.Err,
	}
	var said map[string]any
	if tidy.Unmarshal(f.Body, &said) != nil {
		return e
	}
	if nested, ok := said["error"].(map[string]any); ok {
		said = nested
	}
	e.Code = firstText(said, "code", "errorCode", "error_code", "error")
	e.Message = firstText(said, "message", "errorMessage", "error_description", "detail", "title")
	return e
}

// authFailure passes on the errors of the token path, which have their own
// operation, and names the caller's where it was the caller who gave up.
func authFailure(operation string, err error) error {
	var auth *AuthError
	if errors.As(err, &auth) {
		return auth
	}
	return transportError(operation, err, 0)
}

// decodeFailure completes what a model's decode said with what only the call knows.
func decodeFailure(operation string, err error, attempts int) error {
	var e *DecodeError
	if !errors.As(err, &e) {
		return &DecodeError{Operation: operation, Attempts: attempts}
	}
	completed := *e
	completed.Operation, completed.Attempts = operation, attempts
	return &completed
}

func transportError(operation string, err error, attempts int) *TransportError {
	return &TransportError{Operation: operation, Reason: transportReason(err), Attempts: attempts, causes: causes(err)}
}

// transportReason says in constant words what went wrong on the way.
func transportReason(err error) string {
	var (
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
		rec  tls.RecordHeaderError
		time interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return "time ran out"
	case errors.As(err, &dns):
		return "the host name did not resolve"
	case errors.As(err, &cert), trust(err):
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

func trust(err error) bool {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	return errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

// causes picks those causes whose types belong to the standard library and
// hold no URL. Whatever wraps them, *url.Error above all, is left behind: a
// message once built from a URL cannot be cleaned.
func causes(err error) []error {
	var kept []error
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded} {
		if errors.Is(err, sentinel) {
			kept = append(kept, sentinel)
		}
	}
	kept = appendAs[*net.DNSError](kept, err)
	kept = appendAs[*tls.CertificateVerificationError](kept, err)
	kept = appendAs[tls.RecordHeaderError](kept, err)
	kept = appendAs[x509.UnknownAuthorityError](kept, err)
	kept = appendAs[x509.HostnameError](kept, err)
	kept = appendAs[x509.CertificateInvalidError](kept, err)
	kept = appendAs[syscall.Errno](kept, err)
	var op *net.OpError
	if errors.As(err, &op) {
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
	var e E
	if errors.As(err, &e) {
		return append(kept, e)
	}
	return kept
}

// firstText is the first of the names that has a text or a number.
func firstText(said map[string]any, names ...string) string {
	for _, name := range names {
		switch v := said[name].(type) {
		case string:
			if v = strings.TrimSpace(v); v != "" {
				return v
			}
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return ""
}
