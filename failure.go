package trulioo

import (
	"errors"
	"strconv"
	"strings"

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
	return &TransportError{Operation: operation, Reason: transport.Reason(err), Attempts: attempts, causes: transport.Causes(err)}
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
