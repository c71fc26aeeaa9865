package trulioo

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/token"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// The sentinels that callers branch on with errors.Is. The typed errors below
// say which of them they are.
var (
	// ErrNotFound means that the API itself said so: a 404 with a JSON body, or,
	// whatever the status, one of the codes by which Workflow Studio says that a
	// flow, a node or a client does not exist. The 404 of a gateway, whose body is a
	// page or empty, is not ErrNotFound: the client behind the gateway may exist.
	ErrNotFound = errors.New("trulioo: not found")
	// ErrUnauthorized is a 401, or credentials that the token endpoint refused.
	ErrUnauthorized = errors.New("trulioo: unauthorized")
	// ErrForbidden is a 403.
	ErrForbidden = errors.New("trulioo: forbidden")
	// ErrConflict is a 409. The vendor documents that it can mean the
	// account's request limit; it is not retried.
	ErrConflict = errors.New("trulioo: conflict")
	// ErrTooLarge is a 413, or an answer over the cap of WithMaxResponseBytes.
	ErrTooLarge = errors.New("trulioo: too large")
	// ErrRateLimited is a 429 that outlasted the retry policy.
	ErrRateLimited = errors.New("trulioo: rate limited")
	// ErrServer is any 5xx.
	ErrServer = errors.New("trulioo: server error")
	// ErrNoDetails means that a service result has no vendor record:
	// GetOptions.FullServiceDetails was not set, or the answer is from the test half of
	// an account, which sends none even when asked.
	ErrNoDetails = errors.New("trulioo: no full service details: " +
		"GetOptions.FullServiceDetails is not set, or the environment is the test one, which sends none even when asked")
	// ErrScreeningUnknown means that the outcome of a watchlist check is unknown, or
	// that its list of hits is incomplete. Never take it for "no hit".
	ErrScreeningUnknown = errors.New("trulioo: the outcome of a watchlist check is unknown, or its list of hits is incomplete")
	// ErrUnexpectedAnswer means that the status is a success and the answer is not
	// what was asked for: a gateway's page, no object, an error, an empty object,
	// another client's profile. It is retried as a 502 is, where that can help.
	ErrUnexpectedAnswer = errors.New("trulioo: the status is a success, but the answer is not what was asked for")
	// ErrOpenEnded means that the server does not say where a file ends, so that it
	// may have been cut off; see FilesService.Download and WithOpenEndedFiles.
	ErrOpenEnded = errors.New("trulioo: the server does not say where the file ends")
	// ErrPaging means that the pages of a list contradict each other, so that
	// going on could lose or repeat rows.
	ErrPaging = errors.New("trulioo: the pages of the list contradict each other")
	// ErrWebhookSignature means that a body does not bear a valid signature.
	ErrWebhookSignature = errors.New("trulioo: webhook signature not valid")
	// ErrWebhookToken means that an event does not bear a valid verification token.
	ErrWebhookToken = errors.New("trulioo: webhook token not valid")
	// ErrWebhookTooOld means that an event happened longer ago than WithMaxAge
	// allows, or does not say when.
	ErrWebhookTooOld = errors.New("trulioo: webhook event too old")
)

// APIError is an answer of the API that is an error: mostly by its status, and
// sometimes, with a status of success, by its body. Its fields hold what the
// server said, which can be personal; Error, the fmt verbs, slog and encoders
// show the operation, whom it asked, the status, the code and the number of
// attempts only.
//
//trulioo:redact text
type APIError struct {
	Operation  string        // what was asked, such as "get client"
	Where      string        // whom, such as "live, v2, api.example.com": the configured environment, version and host
	StatusCode int           // the HTTP status; 0 only in a zero value
	Code       string        // the Workflow Studio code, such as "4100", if the body has one
	Message    string        // the server's words, if the body has any
	RequestID  string        // the server's X-Request-Id or the like, if it sent one
	RetryAfter time.Duration // the wait that the server asked for; 0 if it did not
	Attempts   int           // HTTP exchanges made, the last one included

	body  []byte
	page  string // constant words for a body that is a gateway's page; "" where it is not
	vague bool   // a 404 whose body is not the API's
	cause error  // the end of the context that cut a wait short
}

// Body is the server's answer, at most 64 KiB of it. It can be personal.
func (e *APIError) Body() []byte { return e.body }

// Error names the operation, whom it asked, the status, the code and the attempts.
func (e *APIError) Error() string {
	return sentence(e.Operation, e.Where, e.what(), e.Attempts, e.cause)
}

func (e *APIError) what() string {
	what := "status " + strconv.Itoa(e.StatusCode)
	if text := http.StatusText(e.StatusCode); text != "" {
		what += " " + text
	}
	if success(e.StatusCode) {
		what = "an error with " + what
	}
	if number(e.Code) {
		what += ", code " + e.Code
	}
	if e.page != "" {
		what += ", " + e.page
	}
	if e.vague {
		what += ", not an answer of the API: check the base URL"
	}
	if e.RetryAfter > 0 {
		what += ", retry after " + e.RetryAfter.String()
	}
	return what
}

// Is reports whether target is the sentinel of this status or code.
func (e *APIError) Is(target error) bool {
	switch target {
	case ErrNotFound:
		return e.StatusCode == http.StatusNotFound && !e.vague || transport.NotFound(e.Code)
	case ErrUnexpectedAnswer:
		return success(e.StatusCode)
	case ErrServer:
		return e.StatusCode >= 500
	default:
		return target != nil && target == statusErrors[e.StatusCode]
	}
}

func success(status int) bool { return status >= 200 && status < 300 }

// Unwrap gives the context's error where it cut a wait short, so that both
// errors.Is(err, ErrRateLimited) and errors.Is(err, context.DeadlineExceeded) hold.
func (e *APIError) Unwrap() error { return e.cause }

var statusErrors = map[int]error{
	http.StatusUnauthorized:          ErrUnauthorized,
	http.StatusForbidden:             ErrForbidden,
	http.StatusConflict:              ErrConflict,
	http.StatusRequestEntityTooLarge: ErrTooLarge,
	http.StatusTooManyRequests:       ErrRateLimited,
}

// AuthError means that no access token could be obtained. A 4xx of the token
// endpoint is ErrUnauthorized, except a proxy's 407; a 429 is ErrRateLimited
// too, a 5xx is ErrServer.
//
//trulioo:redact text
type AuthError struct {
	Operation  string // always OperationFetchToken
	Where      string // whom, such as "live, v2, auth.example.com": the configured environment, version and token endpoint's host
	StatusCode int    // the token endpoint's status; 0 where there was no answer
	Attempts   int    // POSTs made
	Code       string // the endpoint's code, such as "invalid_client", if the body has one
	Reason     string // a constant text of this library, never the server's

	body  []byte
	cause error
}

// Body is the token endpoint's answer, at most 64 KiB of it; nil where there
// was none, and where it may hold a token.
func (e *AuthError) Body() []byte { return e.body }

// Error names the operation, whom it asked, the reason, the status and the attempts.
func (e *AuthError) Error() string {
	return sentence(e.Operation, e.Where, e.what(), e.Attempts, e.cause)
}

func (e *AuthError) what() string {
	what := cmp.Or(e.Reason, "failed")
	if e.StatusCode != 0 {
		what += ", status " + strconv.Itoa(e.StatusCode)
	}
	return what
}

// Is reports whether target is the sentinel of this status.
func (e *AuthError) Is(target error) bool {
	switch target {
	case ErrUnauthorized:
		return e.StatusCode >= 400 && e.StatusCode < 500 && e.StatusCode != http.StatusProxyAuthRequired || token.KnownCode(e.Code) != ""
	case ErrRateLimited:
		return e.StatusCode == http.StatusTooManyRequests
	case ErrServer:
		return e.StatusCode >= 500
	}
	return false
}

// Unwrap gives the cause: a *TransportError, a context's error or nil.
func (e *AuthError) Unwrap() error { return e.cause }

// TransportError means that no whole answer came: the name did not resolve,
// the connection was refused or broke, the certificate was not trusted, or it
// timed out. The address is not kept. Causes of the packages context, io, net,
// syscall, crypto/tls and crypto/x509 are kept for errors.Is and errors.As.
//
//trulioo:redact text
type TransportError struct {
	Operation string // what was asked, such as "get client"
	Where     string // whom, as in APIError
	Reason    string // a constant text, such as "connection refused"
	Attempts  int    // HTTP exchanges begun

	causes []error
}

// Error names the operation, the reason and the attempts.
func (e *TransportError) Error() string {
	return sentence(e.Operation, e.Where, cmp.Or(e.Reason, "no answer"), e.Attempts, nil)
}

// Unwrap gives the causes that hold no URL.
func (e *TransportError) Unwrap() []error { return e.causes }

// DecodeError means that an answer, an event or a vendor record is not what it
// should be. It names the place, never the value.
//
//trulioo:redact text
type DecodeError struct {
	Operation string // what was asked, such as "get client"
	Where     string // whom, as in APIError; "" where nothing was sent
	Path      string // the place in the JSON, such as "data[3].created"; "" for the whole
	Reason    string // a constant text, such as "not one whole JSON value"
	Attempts  int    // HTTP exchanges made; 0 where nothing was sent

	cause error
}

// Error names the operation, the place and the reason.
func (e *DecodeError) Error() string {
	return sentence(e.Operation, e.Where, e.what(), e.Attempts, nil)
}

// what is the reason with the place.
func (e *DecodeError) what() string {
	what := cmp.Or(e.Reason, "answer not understood")
	if e.Path != "" {
		what += " at " + e.Path
	}
	return what
}

// Unwrap gives io.ErrUnexpectedEOF for a cut-off body, ErrTooLarge for one
// over the cap, ErrUnexpectedAnswer for one that is not what was asked for,
// ErrPaging for pages that contradict each other, else nil.
func (e *DecodeError) Unwrap() error { return e.cause }

// WebhookError means that the caller's function or Deduper failed. It prints
// the step and, of a panic, the type of its value. It wraps the caller's own error,
// which can hold anything.
//
//trulioo:redact text
type WebhookError struct {
	Step      string // "run" for the function, "reserve", "commit" or "release" for the Deduper
	PanicType string // the type of the panic's value; "" where it was an error
	Stack     []byte // the stack of a panic; nil where it was an error

	err error
}

// Error names the step, and the type of a panic's value.
func (e *WebhookError) Error() string {
	return sentence(OperationReceiveWebhook, "", e.what(), 0, nil)
}

func (e *WebhookError) what() string {
	if e.PanicType != "" {
		return e.Step + " panicked: " + e.PanicType
	}
	return e.Step + " failed: see the wrapped error"
}

// Unwrap gives the error of the function or the Deduper; nil for a panic.
func (e *WebhookError) Unwrap() error { return e.err }

// ArgumentError means that the caller's argument was refused before anything
// was sent. It names the option, field or parameter, never its value.
//
//trulioo:redact text
type ArgumentError struct {
	Argument string // such as "WithBaseURL" or "ListOptions.Limit"
	Reason   string // such as "must be 1 to 50"
}

// Error names the argument and what it must be.
func (e *ArgumentError) Error() string {
	return "trulioo: " + e.Argument + ": " + e.Reason
}

// asked is a call: what was asked, and whom.
type asked struct{ operation, where string }

func (c *config) asked(operation string) asked { return asked{operation, c.whereAt(c.baseURL)} }

// failure turns the transport's errors into the typed ones. It wraps none of them:
// net/http's hold the URL.
func (a asked) failure(err error) error {
	var f *transport.Failure
	if !errors.As(err, &f) {
		return a.transportError(err, 0)
	}
	if f.StatusCode != 0 {
		return a.apiError(f)
	}
	if auth := f.TokenErr(); auth != nil {
		return a.authFailure(auth)
	}
	if decode, ok := errors.AsType[*transport.DecodeError](f.Err); ok {
		return a.decodeFailure(decode, f.Attempts)
	}
	if errors.Is(f.Err, transport.ErrTooLarge) {
		return &DecodeError{Operation: a.operation, Where: a.where, Reason: "the answer is larger than the limit", Attempts: f.Attempts, cause: ErrTooLarge}
	}
	e := a.transportError(f.Err, f.Attempts)
	if f.RateLimit {
		e.Reason = "the wait for the rate limit would outlast the deadline"
		e.causes = append(e.causes, ErrRateLimited)
	}
	return e
}

// apiError is the error for a status that is not a success.
func (a asked) apiError(f *transport.Failure) *APIError {
	said := transport.ReadErrorBody(f.Body)
	return &APIError{
		Operation:  a.operation,
		Where:      a.where,
		StatusCode: f.StatusCode,
		Code:       said.Code,
		Message:    said.Message,
		RequestID:  transport.RequestID(f.Header),
		RetryAfter: f.RetryAfter,
		Attempts:   f.Attempts,
		body:       f.Body,
		page:       transport.PageReason(f.Body),
		vague:      f.StatusCode == http.StatusNotFound && !said.Structured,
		cause:      f.Err,
	}
}

// authFailure passes on the errors of the token path, which have an operation of
// their own. Where the caller gave up, the error has the caller's operation.
func (a asked) authFailure(err error) error {
	if auth, ok := errors.AsType[*AuthError](err); ok {
		return auth
	}
	return a.transportError(err, 0)
}

// decodeFailure completes a decoding error with what only the call knows.
func (a asked) decodeFailure(decode *transport.DecodeError, attempts int) error {
	if said, ok := errors.AsType[*APIError](decode.Err); ok {
		completed := *said
		completed.Operation, completed.Where, completed.Attempts = a.operation, a.where, attempts
		completed.StatusCode, completed.RequestID = decode.StatusCode, transport.RequestID(decode.Header)
		return &completed
	}
	completed := DecodeError{}
	if errors.Is(decode.Err, transport.ErrNoContent) {
		completed = DecodeError{Reason: "the answer has no content: status " + strconv.Itoa(decode.StatusCode), cause: ErrUnexpectedAnswer}
	}
	if e, ok := errors.AsType[*DecodeError](decode.Err); ok {
		completed = *e
	}
	completed.Operation, completed.Where, completed.Attempts = a.operation, a.where, attempts
	return &completed
}

func (a asked) transportError(err error, attempts int) *TransportError {
	return &TransportError{
		Operation: a.operation, Where: a.where, Reason: transport.Reason(err), Attempts: attempts, causes: transport.Causes(err),
	}
}

const maxKeptBody = 64 << 10 // bytes; the same as for an answer whose status is an error

// unexpected is the error for JSON that is not what was asked for: the error that
// the JSON describes, or else reason.
func unexpected(body []byte, place, reason string) error {
	return saidOr(body, &DecodeError{Path: place, Reason: reason, cause: ErrUnexpectedAnswer})
}

// saidOr is the error that the body of a success describes, or else the other error.
func saidOr(body []byte, other error) error {
	said := transport.ReadErrorBody(body)
	if said.Code == "" && said.Message == "" {
		return other
	}
	return &APIError{Code: said.Code, Message: said.Message, body: body[:min(len(body), maxKeptBody)]}
}

// mayPass reports whether another attempt may get a better answer than the one
// with this decoding error. A code that is a word, such as invalid_client, or begins with
// 4, as a status does, is about the request and comes again, except those of a
// timeout and of too many requests.
func mayPass(err error) bool {
	if said, ok := errors.AsType[*APIError](err); ok {
		aboutTheRequest := said.Code != "" && strings.Trim(said.Code, "0123456789") != "" || strings.HasPrefix(said.Code, "4")
		return !aboutTheRequest || said.Code == "408" || said.Code == "429"
	}
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, ErrUnexpectedAnswer)
}

// sentence is an error's text: the operation, whom it asked, the outcome, the number
// of attempts if there were several, and the cause.
func sentence(operation, where, what string, attempts int, because error) string {
	var b strings.Builder
	b.Grow(160) // as long as most of them are
	b.WriteString("trulioo: ")
	if operation != "" {
		b.WriteString(operation)
		if where != "" {
			b.WriteString(" (" + where + ")")
		}
		b.WriteString(": ")
	}
	b.WriteString(what)
	if attempts > 1 {
		fmt.Fprintf(&b, " (%d attempts)", attempts)
	}
	if because != nil {
		b.WriteString(": " + cause(because))
	}
	return b.String()
}

// cause prints an error that is known to hold nothing of the caller's. Of any other
// it says only that there is one.
func cause(err error) string {
	if down, ok := errors.AsType[*TransportError](err); ok {
		return cmp.Or(down.Reason, "no answer")
	}
	if wrong, ok := errors.AsType[*DecodeError](err); ok {
		return wrong.what()
	}
	return cmp.Or(transport.Reason(err), "see the wrapped error")
}

// number reports whether a server's code is short and made of digits, and so
// safe to print.
func number(code string) bool {
	return code != "" && len(code) <= 6 && strings.Trim(code, "0123456789") == ""
}
