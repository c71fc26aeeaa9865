package trulioo

import (
	"context"

	"github.com/trulioo-go/trulioo/internal/webhook"
)

// WebhookHandler receives the vendor's callbacks: it verifies them, answers
// the handshake, and hands each event to a function, once where that is
// possible. It is an http.Handler; Handle is the same without net/http's server.
//
// A request is checked in this order: method (405), content type and coding
// (415), size (413), signature (401), JSON object (400), token (401), age (401).
// A body that takes longer than 10 seconds to arrive is a 408. Then the answer is
// 200 when the function has returned nil, for this delivery or an earlier one
// of the same event; 500 when it failed or panicked, so that the vendor sends
// again; 503 while the same event is still in flight, or after Shutdown. The
// answer's body is the same for all requests of one status. A gzip body is
// decompressed; its signature may be of the compressed or of the plain bytes.
//
//trulioo:redact
type WebhookHandler struct{ r *receiver }

// NewWebhookHandler makes a handler that calls fn for each event, of any type.
// At least one of WithVerificationToken and WithSigningSecret is needed; where
// both are given, both must hold. The error is an *ArgumentError.
//
// fn's context has a deadline; see WithHandlerTimeout. It outlives the
// request: a sender that hangs up does not cut the work short. When fn returns
// nil the event is done and not run again for a later delivery; when it
// returns an error the next delivery runs it. The answer waits for fn. A function
// that ignores its deadline keeps the event in flight until it returns: the vendor
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

// Shutdown refuses new events with a 503, so that the vendor sends them again,
// cuts off bodies that are still arriving, with a 503 too, and waits until no
// function runs any more. The error is the context's. Call it before
// http.Server.Shutdown, so that the vendor still gets its answers.
func (h *WebhookHandler) Shutdown(ctx context.Context) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	return h.r.inFlight.Close(ctx)
}

// VerifySignature reports ErrWebhookSignature unless signature is the hex
// HMAC-SHA256 of body, the raw bytes as they came, under one of the secrets. No
// secret, or one shorter than 8 bytes, is an *ArgumentError.
func VerifySignature(body []byte, signature string, secrets ...string) error {
	if err := checkSecrets("secrets", secrets); err != nil {
		return err
	}
	if !webhook.NewSecrets(secrets).Signed(body, signature) {
		return ErrWebhookSignature
	}
	return nil
}
