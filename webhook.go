package trulioo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/tape"
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
// no option gives. Several are separated by commas; one that holds a comma
// needs the option.
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
func (h *WebhookHandler) Shutdown(ctx context.Context) error { return h.r.shutdown(ctx) }

// Format prints the type's name only: a handler holds secrets.
func (h WebhookHandler) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.WebhookHandler") }

// LogValue is the type's name only, for slog.
func (h WebhookHandler) LogValue() slog.Value { return redact.Value("trulioo.WebhookHandler") }

// VerifySignature reports ErrWebhookSignature unless signature is the hex
// HMAC-SHA256 of body, the raw bytes as they came, under one of the secrets. No
// secret, or an empty one, is an *ArgumentError.
func VerifySignature(body []byte, signature string, secrets ...string) error {
	if err := checkSecrets("secrets", secrets); err != nil {
		return err
	}
	signers := make([]*signer, len(secrets))
	for i, secret := range secrets {
		signers[i] = newSigner(secret)
	}
	if !signed(signers, body, signature) {
		return ErrWebhookSignature
	}
	return nil
}

// signer keeps the states of HMAC under one secret: making one costs more than using it.
type signer struct{ states sync.Pool }

type signerState struct {
	mac hash.Hash
	sum [sha256.Size]byte
}

func newSigner(secret string) *signer {
	key := []byte(secret)
	return &signer{sync.Pool{New: func() any { return &signerState{mac: hmac.New(sha256.New, key)} }}}
}

// compare gives 1 where sum is the body's, else 0.
func (s *signer) compare(body []byte, sum *[sha256.Size]byte) int {
	state := s.states.Get().(*signerState)
	defer s.states.Put(state)
	state.mac.Reset()
	_, _ = state.mac.Write(body)
	return subtle.ConstantTimeCompare(state.mac.Sum(state.sum[:0]), sum[:])
}

// signed tries every secret, in the same time whichever it is.
func signed(signers []*signer, body []byte, signature string) bool {
	var text [2 * sha256.Size]byte
	var sum [sha256.Size]byte
	if len(signature) != copy(text[:], signature) {
		return false
	}
	if n, err := hex.Decode(sum[:], text[:len(signature)]); err != nil || n != len(sum) {
		return false
	}
	good := 0
	for _, s := range signers {
		good |= s.compare(body, &sum)
	}
	return good == 1
}

// request reads an HTTP request and passes its body on.
func (r *receiver) request(ctx context.Context, w http.ResponseWriter, req *http.Request) verdict {
	if req.Method != http.MethodPost {
		return refused(http.StatusMethodNotAllowed, &ArgumentError{"method", "must be POST"})
	}
	if !isJSON(req.Header.Get("Content-Type")) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if req.ContentLength > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	body, err := readBody(http.MaxBytesReader(w, req.Body, r.maxBody), req.ContentLength)
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

// readBody reads it all. A length that is only claimed does not get its memory at once.
func readBody(body io.Reader, length int64) ([]byte, error) {
	buf := make([]byte, 0, min(max(length, 511), 64<<10)+1)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// message is request for what did not come over net/http.
func (r *receiver) message(ctx context.Context, header http.Header, body []byte) verdict {
	if !isJSON(strings.Join(values(header, "Content-Type"), ",")) {
		return refused(http.StatusUnsupportedMediaType, errContentType)
	}
	if int64(len(body)) > r.maxBody {
		return refused(http.StatusRequestEntityTooLarge, ErrTooLarge)
	}
	return r.receive(ctx, values(header, signatureHeader), bytes.Clone(body))
}

// values finds a header whose name may not be in net/http's form.
func values(header http.Header, name string) []string {
	var found []string
	for key, v := range header {
		if strings.EqualFold(key, name) {
			found = append(found, v...)
		}
	}
	return found
}

var errContentType = &ArgumentError{"Content-Type", "must be application/json"}

// isJSON takes application/json and its kin, such as application/vnd.x+json,
// with any parameters.
func isJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	kin := strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	return media == "application/json" || kin && !strings.ContainsAny(media, ", ")
}

// receive checks a whole body, which is the receiver's to keep.
func (r *receiver) receive(ctx context.Context, signatures []string, body []byte) verdict {
	if len(r.signers) > 0 && (len(signatures) != 1 || !signed(r.signers, body, signatures[0])) {
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

// bearsToken compares digests, so that not even a token's length shows in the time.
func (r *receiver) bearsToken(root tape.Value) bool {
	if len(r.tokens) == 0 {
		return true
	}
	v, _ := root.At("token")
	if v.Kind() != tape.String {
		return false
	}
	given, good := sha256.Sum256(v.Bytes()), 0
	for _, token := range r.tokens {
		good |= subtle.ConstantTimeCompare(token[:], given[:])
	}
	return good == 1
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
