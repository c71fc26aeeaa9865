package trulioo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/webhook"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// This file follows a callback from the socket to the user's function and back:
// ServeHTTP or Handle, arrive, verify, open, dispatch, run, settle, and last the
// response.

// receiver is the WebhookHandler's inside.
type receiver struct {
	fn        func(context.Context, *Event) error
	name      string // of the handler, among those that share the deduper
	secrets   webhook.Secrets
	tokens    webhook.Tokens
	maxAge    time.Duration // 0 means any
	inFlight  *webhook.InFlightSet
	deduper   Deduper
	maxBody   int64
	timeout   time.Duration
	observers []Observer
	errorHook func(context.Context, error)
}

func newReceiver(fn func(context.Context, *Event) error, c *webhookConfig) *receiver {
	r := &receiver{
		fn: fn, name: c.name, secrets: webhook.NewSecrets(c.secrets), tokens: webhook.NewTokens(c.tokens), maxAge: c.maxAge,
		inFlight: webhook.NewInFlightSet(), deduper: c.deduper, maxBody: c.maxBody, timeout: c.timeout, errorHook: c.errorHook,
	}
	if r.deduper == nil {
		r.deduper = new(MemoryDeduper)
	}
	if c.observer != nil {
		r.observers = append(r.observers, c.observer)
	}
	if c.logger != nil {
		r.observers = append(r.observers, webhookLog{c.logger})
	}
	return r
}

// ServeHTTP receives one callback.
func (h *WebhookHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, end := h.r.begin(context.WithoutCancel(r.Context()))
	resp := endedByGoexit
	defer func() {
		resp.write(w)
		h.r.finish(ctx, resp, end)
	}()
	resp = h.r.arrive(ctx, w, r)
}

// Handle receives one callback whose body was read elsewhere, such as in an AWS
// Lambda function or in another web framework, and gives the status, the header
// and the JSON to answer with. The header that came must hold Content-Type and,
// with WithSigningSecret, X-Trulioo-Signature, in any case; body must be the
// exact bytes, decoded where the platform encodes them as base64. The caller has to
// check the method.
func (h *WebhookHandler) Handle(ctx context.Context, header http.Header, body []byte) (status int, answerHeader http.Header, answer []byte) {
	if err := checkContext(ctx); err != nil {
		resp := response{status: http.StatusInternalServerError, result: "refused", err: err}
		h.r.report(context.Background(), err) //nolint:contextcheck // there is none
		return resp.status, resp.header(), bytes.Clone(resp.body())
	}
	ctx, end := h.r.begin(ctx)
	resp := endedByGoexit
	defer func() { h.r.finish(ctx, resp, end) }()
	resp = h.r.message(ctx, header, body)
	return resp.status, resp.header(), bytes.Clone(resp.body())
}

// The headers that a callback is known by.
const (
	contentType     = "Content-Type"
	contentEncoding = "Content-Encoding"
	signatureHeader = "X-Trulioo-Signature" // the hex HMAC-SHA256 of the body
)

// readTimeout is how long a body may take to arrive. Its sender is not verified yet,
// and the vendor itself has hung up by then.
const readTimeout = 10 * time.Second

// arrive reads an HTTP request and verifies its body.
func (r *receiver) arrive(ctx context.Context, w http.ResponseWriter, req *http.Request) response {
	if req.Method != http.MethodPost {
		return refused(http.StatusMethodNotAllowed, &ArgumentError{"method", "must be POST"})
	}
	if !webhook.IsJSON(req.Header.Get(contentType)) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if req.ContentLength > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	body, err := r.read(w, req)
	if err != nil {
		return r.unread(err)
	}
	return r.verify(ctx, req.Header[signatureHeader], req.Header[contentEncoding], body)
}

// read takes the whole body within readTimeout, or until Shutdown.
func (r *receiver) read(w http.ResponseWriter, req *http.Request) ([]byte, error) {
	connection := http.NewResponseController(w)
	deadline := func(t time.Time) { _ = connection.SetReadDeadline(t) } // a writer that cannot is a test's, or hides its connection
	deadline(time.Now().Add(readTimeout))
	end := r.inFlight.BeginRead(func() { deadline(time.Unix(1, 0)) })
	body, err := webhook.Body(http.MaxBytesReader(w, req.Body, r.maxBody), req.ContentLength)
	end()
	if err == nil {
		deadline(time.Time{}) // else it stays: net/http would wait for the rest of the body
	}
	return body, err
}

func (r *receiver) unread(err error) response {
	_, tooLarge := errors.AsType[*http.MaxBytesError](err)
	switch late := errors.Is(err, os.ErrDeadlineExceeded); {
	case tooLarge:
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	case late && r.inFlight.Closing():
		return response{status: http.StatusServiceUnavailable, result: "shutting down"}
	case late:
		return refused(http.StatusRequestTimeout, &ArgumentError{"body", "took longer than 10 seconds to arrive"})
	}
	return refused(http.StatusBadRequest, &ArgumentError{"body", "is cut off"})
}

// message is arrive for a callback that did not come over net/http.
func (r *receiver) message(ctx context.Context, header http.Header, body []byte) response {
	if !webhook.IsJSON(strings.Join(webhook.Values(header, contentType), ",")) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if int64(len(body)) > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	return r.verify(ctx, webhook.Values(header, signatureHeader), webhook.Values(header, contentEncoding), bytes.Clone(body))
}

var (
	errContentType     = &ArgumentError{contentType, "must be application/json"}
	errContentEncoding = &ArgumentError{contentEncoding, "must be gzip or none"}
)

// verify checks the signature of a whole body, which the receiver may keep, and
// decompresses it. The signature is of the bytes as they came or, where a proxy has
// compressed them, of the bytes before that.
func (r *receiver) verify(ctx context.Context, signatures, codings []string, body []byte) response {
	compressed, known := webhook.IsGzip(codings, body)
	if !known {
		return refused(http.StatusUnsupportedMediaType, errContentEncoding)
	}
	asItCame, err := body, error(nil)
	if compressed {
		body, err = webhook.Gunzip(body, r.maxBody)
	}
	if len(r.secrets) > 0 && !r.signed(signatures, asItCame) && (!compressed || err != nil || !r.signed(signatures, body)) {
		return refused(http.StatusUnauthorized, perhapsBase64(asItCame, ErrWebhookSignature))
	}
	switch {
	case errors.Is(err, webhook.ErrTooLarge):
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	case err != nil:
		return refused(http.StatusBadRequest, &ArgumentError{"body", "is not gzip, although its Content-Encoding says so"})
	}
	return r.open(ctx, body)
}

func (r *receiver) signed(signatures []string, body []byte) bool {
	return len(signatures) == 1 && r.secrets.Signed(body, signatures[0])
}

// perhapsBase64 is the error for a body that a platform may have encoded.
func perhapsBase64(body []byte, err error) error {
	if !webhook.LooksBase64(body) {
		return err
	}
	return &DecodeError{Operation: OperationReceiveWebhook, Reason: "the body is not JSON; if it is base64, decode it first", cause: err}
}

// open reads the callback, whose token must be right, and answers the handshake
// or hands the event over. It builds nothing of a callback before its sender has
// proved something.
func (r *receiver) open(ctx context.Context, body []byte) response {
	if len(r.tokens) > 0 && !r.isToken(wire.First(body, "token")) {
		return stranger(body)
	}
	ev, err := newEvent(body)
	if err != nil {
		return refused(http.StatusBadRequest, perhapsBase64(body, err))
	}
	if strings.EqualFold(ev.CallbackType, "url_verification") {
		challenge, _ := ev.Field("challenge")
		return handshake(challenge)
	}
	if r.maxAge > 0 && (ev.Time.IsZero() || time.Since(ev.Time.Time) > r.maxAge) {
		return refused(http.StatusUnauthorized, ErrWebhookTooOld)
	}
	return r.dispatch(ctx, ev)
}

// isToken compares a token, which must be a string.
func (r *receiver) isToken(token []byte) bool {
	return len(token) > 0 && token[0] == '"' && r.tokens.Have([]byte(wire.Text(token)))
}

// stranger tells a body that is not a callback from a callback without the right token.
func stranger(body []byte) response {
	tokens := 0
	err := wire.Members(body, func(_, name, _ []byte) {
		if string(name) == "token" {
			tokens++
		}
	})
	if err == nil && tokens > 1 {
		err = &wire.Error{Reason: "a name occurs twice"}
	}
	if err != nil {
		return refused(http.StatusBadRequest, perhapsBase64(body, eventError(OperationParseEvent, err)))
	}
	return refused(http.StatusUnauthorized, ErrWebhookToken)
}

// handshake returns the challenge byte for byte.
func handshake(challenge []byte) response {
	if len(challenge) == 0 || challenge[0] != '"' {
		return refused(http.StatusBadRequest, &DecodeError{Operation: OperationAnswerHandshake, Path: "challenge", Reason: "not a string"})
	}
	answer := append([]byte(`{"challenge":`), challenge...)
	return response{status: http.StatusOK, result: "handshake", answer: append(answer, '}')}
}

// leaseMargin is how long after the deadline another process may take an
// event for lost. In this process an event in flight is never run again.
const leaseMargin = 30 * time.Second

// dispatch hands an event over: it reserves the event, runs the function, and
// commits or releases it. A Deduper that fails does not keep it from running.
// The function may change the event, so its key and type are taken before.
func (r *receiver) dispatch(ctx context.Context, ev *Event) response {
	key, kind := ev.key, ev.Type
	if r.name != "" {
		key = r.name + "/" + key
	}
	if reason := r.inFlight.TryBegin(key); reason != "" {
		return response{status: http.StatusServiceUnavailable, result: reason, eventType: kind}
	}
	defer r.inFlight.End(key)
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	claim, state, err := r.reserve(limited, key)
	switch {
	case err != nil:
		r.report(ctx, webhookError("reserve", err))
	case state == DedupDone:
		return response{status: http.StatusOK, result: "duplicate", eventType: kind}
	case state == DedupInFlight:
		return response{status: http.StatusServiceUnavailable, result: "in flight", eventType: kind}
	}
	err = errGoexit // stays where fn ends without a return
	defer func() { r.settle(ctx, key, claim, err) }()
	err = guarded(func() error { return r.fn(limited, ev) })
	return ran(kind, err)
}

func (r *receiver) reserve(ctx context.Context, key string) (claim string, state DedupState, err error) {
	ctx, cancel := r.dedupeContext(ctx)
	defer cancel()
	lease := r.timeout + min(leaseMargin, math.MaxInt64-r.timeout)
	err = guarded(func() (err error) {
		claim, state, err = r.deduper.Reserve(ctx, key, lease)
		return err
	})
	return claim, state, err
}

// settle commits or releases a claim. It does not stop when the caller goes away.
func (r *receiver) settle(ctx context.Context, key, claim string, failed error) {
	if claim == "" {
		return
	}
	limited, cancel := r.dedupeContext(context.WithoutCancel(ctx))
	defer cancel()
	step, call := "commit", r.deduper.Commit
	if failed != nil {
		step, call = "release", r.deduper.Release
	}
	if err := guarded(func() error { return call(limited, key, claim) }); err != nil {
		r.report(ctx, webhookError(step, err))
	}
}

// dedupeContext bounds a call of the Deduper to a quarter of the time, so that
// one which hangs leaves some for the function. The one in memory cannot hang.
func (r *receiver) dedupeContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := r.deduper.(*MemoryDeduper); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, r.timeout/4)
}

// guarded calls f and turns a panic into a *WebhookError.
func guarded(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &WebhookError{PanicType: fmt.Sprintf("%T", p), Stack: debug.Stack()}
		}
	}()
	return f()
}

func webhookError(step string, err error) *WebhookError {
	if err == nil {
		return nil
	}
	if panicked, ok := err.(*WebhookError); ok && panicked.PanicType != "" { //nolint:errorlint // made by guarded
		panicked.Step = step
		return panicked
	}
	return &WebhookError{Step: step, err: err}
}

// response is the answer to a request and what observers hear of it.
type response struct {
	status    int
	result    string
	answer    []byte // nil for the constant one of the status
	eventType EventType
	err       error
}

func refused(status int, err error) response {
	return response{status: status, result: "refused", err: err}
}

// withoutType is the result of an event that does not say what happened. The vendor's
// events all do, so that such an event points to a fault of the sender or of ours.
const withoutType = "handled, without a type"

// ran is the response to an event whose function has ended.
func ran(kind EventType, err error) response {
	resp := response{status: http.StatusOK, result: "handled", eventType: kind}
	if failure := webhookError("run", err); failure != nil {
		resp.status, resp.result, resp.err = http.StatusInternalServerError, "failed", failure
		if failure.PanicType != "" {
			resp.result = "panicked"
		}
	}
	if kind == "" && resp.err == nil {
		resp.result = withoutType
	}
	return resp
}

var errGoexit = errors.New("trulioo: the goroutine was ended by runtime.Goexit")

// endedByGoexit is the response where nothing returns one: the function has
// ended its goroutine, as the FailNow of a test does.
var endedByGoexit = ran("", errGoexit)

// answers are the only bodies that a sender gets, except the challenge.
var answers = map[int][]byte{
	http.StatusOK:                    []byte(`{"status":"ok"}`),
	http.StatusBadRequest:            []byte(`{"error":"bad request"}`),
	http.StatusUnauthorized:          []byte(`{"error":"unauthorized"}`),
	http.StatusMethodNotAllowed:      []byte(`{"error":"method not allowed"}`),
	http.StatusRequestTimeout:        []byte(`{"error":"request timeout"}`),
	http.StatusRequestEntityTooLarge: []byte(`{"error":"too large"}`),
	http.StatusUnsupportedMediaType:  []byte(`{"error":"unsupported media type"}`),
	http.StatusInternalServerError:   []byte(`{"error":"internal error"}`),
	http.StatusServiceUnavailable:    []byte(`{"error":"try again later"}`),
}

func (resp response) body() []byte {
	if resp.answer != nil {
		return resp.answer
	}
	return answers[resp.status]
}

// retryAfter is in seconds; the vendor's own schedule is not known.
const retryAfter = "5"

func (resp response) header() http.Header {
	header := http.Header{contentType: {"application/json"}}
	switch resp.status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", http.MethodPost)
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", retryAfter)
	}
	return header
}

func (resp response) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), resp.header())
	w.WriteHeader(resp.status)
	_, _ = w.Write(resp.body())        //nolint:gosec // JSON, and of a request only the challenge that was asked for
	if resp.err == endedByGoexit.err { //nolint:errorlint // the very one: nobody flushes after it
		_ = http.NewResponseController(w).Flush()
	}
}

// begin tells the observers of a request.
func (r *receiver) begin(ctx context.Context) (context.Context, func(Outcome)) {
	if len(r.observers) == 0 {
		return ctx, nil
	}
	return startAll(ctx, r.observers, Step{Kind: StepWebhook, Operation: OperationReceiveWebhook})
}

// finish tells the observers and the error hook of its outcome.
func (r *receiver) finish(ctx context.Context, resp response, end func(Outcome)) {
	if end != nil {
		o := Outcome{StatusCode: resp.status, Result: resp.result, Err: resp.err}
		if known, ok := eventTypes[string(resp.eventType)]; ok { // any other is the sender's words
			o.EventType = known
		}
		end(o)
	}
	r.report(ctx, resp.err)
}

// report calls the error hook, whose own panic must not cost an event.
func (r *receiver) report(ctx context.Context, err error) {
	if err == nil || r.errorHook == nil {
		return
	}
	_ = guarded(func() error { r.errorHook(ctx, err); return nil })
}
