package trulioo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/env"
	"github.com/trulioo-go/trulioo/internal/inbound"
	"github.com/trulioo-go/trulioo/internal/once"
	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/tape"
	"github.com/trulioo-go/trulioo/internal/verify"
)

// signatureHeader holds the hex HMAC-SHA256 of the raw body.
const signatureHeader = "X-Trulioo-Signature"

// WebhookHandler receives the vendor's callbacks: it verifies them, answers
// the handshake, and hands each event to a function, once where that is
// possible. It is an http.Handler; Handle is the same without net/http's server.
//
// A request is checked in this order: method (405), content type (415), size
// (413), signature (401), JSON object (400), token (401). Then the answer is
// 200 when the function has returned nil, for this delivery or an earlier one
// of the same event; 500 when it failed or panicked, so that the vendor sends
// again; 503 while the same event is still in hand, or after Shutdown. The
// answer's body is the same for all requests of one status.
type WebhookHandler struct{ r *receiver }

// NewWebhookHandler makes a handler that calls fn for each event, of any type.
// At least one of WithVerificationToken and WithSigningSecret is needed; where
// both are given, both must hold. The error is an *ArgumentError.
//
// fn's context has a deadline; see WithHandlerTimeout. It outlives the
// request: a sender that hangs up does not cut the work short. When fn returns
// nil the event is done and not run again for a later delivery; when it
// returns an error the next delivery runs it. The answer waits for fn. One that
// ignores its deadline keeps the event in hand until it returns: the vendor
// has hung up by then and sends again, and gets a 503 in place of a second run.
func NewWebhookHandler(fn func(context.Context, *Event) error, opts ...WebhookOption) (*WebhookHandler, error) {
	return newWebhookHandler(fn, newWebhookConfig(opts))
}

// NewWebhookHandlerFromEnv is NewWebhookHandler with the token and the secret
// of TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET, for each of the two that
// no option gives. A value is taken whole, commas included. During a rotation
// TRULIOO_WEBHOOK_TOKEN_PREVIOUS and TRULIOO_WEBHOOK_SECRET_PREVIOUS hold the
// values that are about to end; they are accepted too.
func NewWebhookHandlerFromEnv(fn func(context.Context, *Event) error, opts ...WebhookOption) (*WebhookHandler, error) {
	c := newWebhookConfig(opts)
	if err := c.fromEnv(); err != nil {
		return nil, err
	}
	return newWebhookHandler(fn, c)
}

func newWebhookHandler(fn func(context.Context, *Event) error, c *webhookConfig) (*WebhookHandler, error) {
	if fn == nil {
		return nil, &ArgumentError{"fn", "must not be nil"}
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return &WebhookHandler{newReceiver(fn, c)}, nil
}

// ServeHTTP receives one callback.
func (h *WebhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := h.r.begin(context.WithoutCancel(r.Context()))
	v := h.r.request(ctx, w, r)
	header := w.Header()
	header["Content-Type"] = jsonContent
	switch v.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	w.WriteHeader(v.status)
	_, _ = w.Write(v.body()) //nolint:gosec // JSON, and of a request only the challenge that was asked for
	h.r.finish(ctx, v, end)
}

// Handle receives one callback whose body was read elsewhere, such as in an AWS
// Lambda function or in another web framework, and gives the status and the
// JSON to answer with. The header must hold Content-Type and, with
// WithSigningSecret, X-Trulioo-Signature, in any case; body must be the exact
// bytes. The method is the caller's to check. With a 503, answer Retry-After: 5.
func (h *WebhookHandler) Handle(ctx context.Context, header http.Header, body []byte) (status int, answer []byte) {
	ctx, end := h.r.begin(ctx)
	v := h.r.message(ctx, header, body)
	h.r.finish(ctx, v, end)
	return v.status, bytes.Clone(v.body())
}

// Shutdown refuses new events with a 503, so that the vendor sends them again,
// and waits until no function runs any more. The error is the context's. Call it
// before http.Server.Shutdown, so that the vendor still gets its answers.
func (h *WebhookHandler) Shutdown(ctx context.Context) error { return h.r.inHand.Close(ctx) }

// Format prints the type's name only: a handler holds secrets.
func (h WebhookHandler) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.WebhookHandler") }

// LogValue is the type's name only, for slog.
func (h WebhookHandler) LogValue() slog.Value { return redact.Value("trulioo.WebhookHandler") }

// VerifySignature reports ErrWebhookSignature unless signature is the hex
// HMAC-SHA256 of body, the raw bytes as they came, under one of the secrets. No
// secret, or one shorter than 8 bytes, is an *ArgumentError.
func VerifySignature(body []byte, signature string, secrets ...string) error {
	if err := checkSecrets("secrets", secrets); err != nil {
		return err
	}
	if !verify.NewSecrets(secrets).Signed(body, signature) {
		return ErrWebhookSignature
	}
	return nil
}

const retryAfter = "5" // seconds; the vendor's own schedule is not known

var jsonContent = []string{"application/json"}

// receiver is what a WebhookHandler is made of.
type receiver struct {
	fn        func(context.Context, *Event) error
	secrets   verify.Secrets
	tokens    verify.Tokens
	inHand    *once.Hand // the keys of events whose function runs
	deduper   Deduper
	maxBody   int64
	timeout   time.Duration
	observers []Observer
	errorHook func(context.Context, error)
}

func newReceiver(fn func(context.Context, *Event) error, c *webhookConfig) *receiver {
	r := &receiver{
		fn: fn, secrets: verify.NewSecrets(c.secrets), tokens: verify.NewTokens(c.tokens), inHand: once.NewHand(),
		deduper: c.deduper, maxBody: c.maxBody, timeout: c.timeout, errorHook: c.errorHook,
	}
	if r.deduper == nil {
		r.deduper = NewMemoryDeduper(defaultDedupeSize, defaultDedupeTTL)
	}
	if c.observer != nil {
		r.observers = append(r.observers, c.observer)
	}
	if c.logger != nil {
		r.observers = append(r.observers, webhookLog{c.logger})
	}
	return r
}

// request reads an HTTP request and passes its body on.
func (r *receiver) request(ctx context.Context, w http.ResponseWriter, req *http.Request) verdict {
	if req.Method != http.MethodPost {
		return refused(http.StatusMethodNotAllowed, &ArgumentError{"method", "must be POST"})
	}
	if !inbound.IsJSON(req.Header.Get("Content-Type")) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if req.ContentLength > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	body, err := inbound.Body(http.MaxBytesReader(w, req.Body, r.maxBody), req.ContentLength)
	if err != nil {
		return unread(err)
	}
	return r.receive(ctx, req.Header[signatureHeader], body)
}

func unread(err error) verdict {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	return refused(http.StatusBadRequest, &ArgumentError{"body", "cut off"})
}

// message is request for what did not come over net/http.
func (r *receiver) message(ctx context.Context, header http.Header, body []byte) verdict {
	if !inbound.IsJSON(strings.Join(inbound.Values(header, "Content-Type"), ",")) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if int64(len(body)) > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	return r.receive(ctx, inbound.Values(header, signatureHeader), bytes.Clone(body))
}

var errContentType = &ArgumentError{"Content-Type", "must be application/json"}

// receive checks a whole body, which is the receiver's to keep.
func (r *receiver) receive(ctx context.Context, signatures []string, body []byte) verdict {
	if len(r.secrets) > 0 && (len(signatures) != 1 || !r.secrets.Signed(body, signatures[0])) {
		return refused(http.StatusUnauthorized, ErrWebhookSignature)
	}
	doc, err := readEvent(body)
	if err != nil {
		return refused(http.StatusBadRequest, err)
	}
	root := doc.Root()
	if !r.bearsToken(root) {
		doc.Free()
		return refused(http.StatusUnauthorized, ErrWebhookToken)
	}
	if kind, _ := root.At("type"); bytes.EqualFold(kind.Bytes(), []byte("url_verification")) {
		defer doc.Free()
		return handshake(root)
	}
	ev := newEvent(doc, body)
	doc.Free()
	return r.dispatch(ctx, ev)
}

// bearsToken takes a token that is a string, under that very name.
func (r *receiver) bearsToken(root tape.Value) bool {
	if len(r.tokens) == 0 {
		return true
	}
	v, _ := root.At("token")
	return v.Kind() == tape.String && r.tokens.Have(v.Bytes())
}

// handshake gives the challenge back in the very bytes that it came in.
func handshake(root tape.Value) verdict {
	challenge, _ := root.At("challenge")
	if challenge.Kind() != tape.String {
		return refused(http.StatusBadRequest, &DecodeError{Operation: "answer handshake", Path: "challenge", Reason: "not a string"})
	}
	answer := append([]byte(`{"challenge":`), challenge.Raw()...)
	return verdict{status: http.StatusOK, result: "handshake", answer: append(answer, '}')}
}

// verdict is the answer to a request and what observers hear of it.
type verdict struct {
	status    int
	result    string
	answer    []byte // "" for the constant one of the status
	eventType EventType
	err       error
}

func refused(status int, err error) verdict {
	return verdict{status: status, result: "refused", err: err}
}

// answers are all that a sender learns.
var answers = map[int][]byte{
	http.StatusOK:                    []byte(`{"status":"ok"}`),
	http.StatusBadRequest:            []byte(`{"error":"bad request"}`),
	http.StatusUnauthorized:          []byte(`{"error":"unauthorized"}`),
	http.StatusMethodNotAllowed:      []byte(`{"error":"method not allowed"}`),
	http.StatusRequestEntityTooLarge: []byte(`{"error":"too large"}`),
	http.StatusUnsupportedMediaType:  []byte(`{"error":"unsupported media type"}`),
	http.StatusInternalServerError:   []byte(`{"error":"internal error"}`),
	http.StatusServiceUnavailable:    []byte(`{"error":"try again later"}`),
}

func (v verdict) body() []byte {
	if v.answer != nil {
		return v.answer
	}
	return answers[v.status]
}

// judge is the verdict on an event whose function has ended.
func judge(ev *Event, err error) verdict {
	v := verdict{status: http.StatusOK, result: "handled", eventType: ev.Type}
	if failure := webhookError("run", err); failure != nil {
		v.status, v.result, v.err = http.StatusInternalServerError, "failed", failure
		if failure.PanicType != "" {
			v.result = "panicked"
		}
	}
	return v
}

// begin tells the observers of a request.
func (r *receiver) begin(ctx context.Context) (context.Context, func(Outcome)) {
	if len(r.observers) == 0 {
		return ctx, nil
	}
	return startAll(ctx, r.observers, Step{Kind: StepWebhook, Operation: "receive webhook"})
}

// finish tells the observers and the error hook of its outcome.
func (r *receiver) finish(ctx context.Context, v verdict, end func(Outcome)) {
	if end != nil {
		o := Outcome{StatusCode: v.status, Result: v.result, Err: v.err}
		if known, ok := eventTypes[string(v.eventType)]; ok { // any other is the sender's words
			o.EventType = known
		}
		end(o)
	}
	r.report(ctx, v.err)
}

// report calls the error hook, whose own panic must not cost an event.
func (r *receiver) report(ctx context.Context, err error) {
	if err == nil || r.errorHook == nil {
		return
	}
	_ = guarded(func() error { r.errorHook(ctx, err); return nil })
}

// validate checks all options together.
func (c *webhookConfig) validate() error {
	verified := c.has("WithVerificationToken") || c.has("WithSigningSecret")
	switch {
	case c.insecure && verified:
		return c.refuse("WithInsecureNoVerification", "cannot go together with a token or a secret")
	case !c.insecure && !verified:
		return c.refuse("WithVerificationToken", "needed, or WithSigningSecret, or both")
	case c.has("WithVerificationToken") && (len(c.tokens) == 0 || slices.Contains(c.tokens, "")):
		return c.refuse("WithVerificationToken", "needs a token, and none may be empty")
	case c.has("WithDeduper") && c.deduper == nil:
		return c.refuse("WithDeduper", "must not be nil")
	case c.maxBody < 1:
		return c.refuse("WithMaxBodyBytes", "must be positive")
	case c.timeout <= 0:
		return c.refuse("WithHandlerTimeout", "must be positive")
	case c.has("WithWebhookLogger") && c.logger == nil:
		return c.refuse("WithWebhookLogger", "must not be nil")
	case c.has("WithWebhookObserver") && c.observer == nil:
		return c.refuse("WithWebhookObserver", "must not be nil")
	case c.has("WithErrorHook") && c.errorHook == nil:
		return c.refuse("WithErrorHook", "must not be nil")
	case c.has("WithSigningSecret"):
		return checkSecrets(c.given["WithSigningSecret"], c.secrets)
	}
	return nil
}

// minSecret refuses what can only be a piece of a secret, or a mistake: the
// vendor's have about 40 characters.
const minSecret = 8 // bytes

// checkSecrets refuses what would verify everything, and what would panic.
func checkSecrets(argument string, secrets []string) error {
	if len(secrets) == 0 || slices.Contains(secrets, "") {
		return &ArgumentError{argument, "needs a secret, and none may be empty"}
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return len(s) < minSecret }) {
		return &ArgumentError{argument, "a secret must have at least 8 characters"}
	}
	if slices.ContainsFunc(secrets, verify.Short) {
		return &ArgumentError{argument, "FIPS 140 mode needs secrets of at least 14 bytes"}
	}
	return nil
}

// fromEnv fills what no option has given. A variable holds one value, whole:
// real secrets hold commas.
func (c *webhookConfig) fromEnv() error {
	if c.insecure {
		return nil
	}
	for _, v := range []struct {
		option, variable, previous string
		list                       *[]string
	}{
		{"WithVerificationToken", "TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_TOKEN_PREVIOUS", &c.tokens},
		{"WithSigningSecret", "TRULIOO_WEBHOOK_SECRET", "TRULIOO_WEBHOOK_SECRET_PREVIOUS", &c.secrets},
	} {
		if c.has(v.option) {
			continue
		}
		values, err := rotated(v.variable, v.previous)
		if err != nil {
			return err
		}
		if values != nil {
			c.given[v.option], *v.list = v.variable, values
		}
	}
	if !c.has("WithVerificationToken") && !c.has("WithSigningSecret") {
		return &ArgumentError{"TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET", "neither is set; one is needed, or both"}
	}
	return nil
}

// rotated gives the values of a variable and of the one that holds the previous
// value during a rotation; nil where neither is set.
func rotated(variable, previous string) ([]string, error) {
	var values []string
	for _, name := range []string{variable, previous} {
		value, wrong := env.Value(name)
		switch {
		case wrong != "":
			return nil, &ArgumentError{name, wrong}
		case value == "":
		case name == previous && len(values) == 0:
			return nil, &ArgumentError{name, "is set without " + variable}
		default:
			values = append(values, value)
		}
	}
	return values, nil
}
