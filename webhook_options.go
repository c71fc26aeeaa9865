package trulioo

import (
	"context"
	"crypto/fips140"
	"log/slog"
	"slices"
	"time"
)

// WebhookOption sets one thing of a WebhookHandler. The order of options does
// not matter; the last one of a kind counts. All are checked together by the
// constructor, whose *ArgumentError names the option.
//
//trulioo:redact fmt
type WebhookOption func(*webhookConfig)

// webhookConfig is filled by the options. It is checked and used once.
type webhookConfig struct {
	tokens    []string
	secrets   []string
	insecure  bool
	deduper   Deduper
	maxBody   int64
	timeout   time.Duration
	name      string
	maxAge    time.Duration // 0 means any
	logger    *slog.Logger
	observer  Observer
	errorHook func(context.Context, error)

	given
}

const (
	defaultMaxBody        = 1 << 20
	defaultHandlerTimeout = 8 * time.Second
)

func newWebhookConfig(opts []WebhookOption) *webhookConfig {
	c := &webhookConfig{maxBody: defaultMaxBody, timeout: defaultHandlerTimeout, given: given{}}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	return c
}

// webhookOption is a WebhookOption that is remembered as given.
func webhookOption(name string, set func(*webhookConfig)) WebhookOption {
	return func(c *webhookConfig) {
		c.given[name] = name
		set(c)
	}
}

// WithVerificationToken demands that an event bears one of these tokens, which were
// typed into the workflow builder. Give the old and the new one while they rotate.
func WithVerificationToken(tokens ...string) WebhookOption {
	return webhookOption("WithVerificationToken", func(c *webhookConfig) { c.tokens = slices.Clone(tokens) })
}

// WithSigningSecret demands that the X-Trulioo-Signature header holds the hex
// HMAC-SHA256 of the body under one of these secrets, which the vendor gave the
// account. Give the old and the new one while they rotate. A secret shorter than 8
// bytes is refused.
func WithSigningSecret(secrets ...string) WebhookOption {
	return webhookOption("WithSigningSecret", func(c *webhookConfig) { c.secrets = slices.Clone(secrets) })
}

// WithInsecureNoVerification takes events from anybody who can reach the
// handler. It cannot go together with a token or a secret.
func WithInsecureNoVerification() WebhookOption {
	return webhookOption("WithInsecureNoVerification", func(c *webhookConfig) { c.insecure = true })
}

// WithDeduper remembers handled events elsewhere than in this process. The
// default is NewMemoryDeduper(100_000, 24*time.Hour).
func WithDeduper(d Deduper) WebhookOption {
	return webhookOption("WithDeduper", func(c *webhookConfig) { c.deduper = d })
}

// WithMaxBodyBytes caps a request's body; a larger one is a 413. The default is 1 MiB.
func WithMaxBodyBytes(n int64) WebhookOption {
	return webhookOption("WithMaxBodyBytes", func(c *webhookConfig) { c.maxBody = n })
}

// WithHandlerTimeout sets the deadline of the function's context, counted from
// the event's arrival. The default is 8 s, since the vendor hangs up after
// 10 s and sends again. A later one makes sense only for Handle behind a queue.
func WithHandlerTimeout(d time.Duration) WebhookOption {
	return webhookOption("WithHandlerTimeout", func(c *webhookConfig) { c.timeout = d })
}

// WithWebhookLogger logs each request: the event type if it is a known one,
// the status, the result and the duration; of a panic the type and the stack.
// Nothing of the event is logged. The default is silence.
func WithWebhookLogger(logger *slog.Logger) WebhookOption {
	return webhookOption("WithWebhookLogger", func(c *webhookConfig) { c.logger = logger })
}

// WithWebhookObserver sees each request as a StepWebhook, for tracing and
// metrics. The function's context comes from it.
func WithWebhookObserver(observer Observer) WebhookOption {
	return webhookOption("WithWebhookObserver", func(c *webhookConfig) { c.observer = observer })
}

// WithErrorHook calls hook with everything that goes wrong: ErrWebhookSignature and
// ErrWebhookToken for events that are not verified, ErrTooLarge, a
// *DecodeError, an *ArgumentError for a request that is not an event, and a
// *WebhookError for the function and the Deduper. hook is called from many
// goroutines and must be quick.
func WithErrorHook(hook func(ctx context.Context, err error)) WebhookOption {
	return webhookOption("WithErrorHook", func(c *webhookConfig) { c.errorHook = hook })
}

// WithHandlerName names the handler among those that share a Deduper: each of
// them then handles an event once, where without names the second would take
// the first one's event for its own. The name is part of the key that the
// Deduper gets; a handler that is renamed runs events again.
func WithHandlerName(name string) WebhookOption {
	return webhookOption("WithHandlerName", func(c *webhookConfig) { c.name = name })
}

// WithMaxAge refuses events that happened longer ago, by their own event.ts,
// or that do not say when, with a 401 and ErrWebhookTooOld. It guards against old
// deliveries that somebody recorded and sends again when the Deduper has forgotten
// them. Give it the time that the Deduper remembers, 24 hours by default. The
// vendor's schedule of retries is not known; a retry later than d is lost.
// Without a signing secret it proves nothing.
func WithMaxAge(d time.Duration) WebhookOption {
	return webhookOption("WithMaxAge", func(c *webhookConfig) { c.maxAge = d })
}

// validate checks all options together.
func (c *webhookConfig) validate() error {
	verified := c.has("WithVerificationToken") || c.has("WithSigningSecret")
	switch {
	case c.insecure && verified:
		return c.refuse("WithInsecureNoVerification", "cannot go together with a token or a secret")
	case !c.insecure && !verified:
		return c.refuse("WithVerificationToken", "is needed, or WithSigningSecret, or both")
	case c.has("WithVerificationToken") && (len(c.tokens) == 0 || slices.Contains(c.tokens, "")):
		return c.refuse("WithVerificationToken", "needs a token, and none may be empty")
	case c.has("WithDeduper") && c.deduper == nil:
		return c.refuse("WithDeduper", "must not be nil")
	case c.maxBody < 1:
		return c.refuse("WithMaxBodyBytes", "must be positive")
	case c.timeout <= 0:
		return c.refuse("WithHandlerTimeout", "must be positive")
	case c.has("WithHandlerName") && c.name == "":
		return c.refuse("WithHandlerName", "must not be empty")
	case c.has("WithMaxAge") && c.maxAge <= 0:
		return c.refuse("WithMaxAge", "must be positive")
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

// minSecret refuses a piece of a secret, or a mistake: the vendor's secrets have
// about 40 characters.
const minSecret = 8 // bytes

// checkSecrets refuses secrets that would verify everything, or that would panic.
func checkSecrets(argument string, secrets []string) error {
	if len(secrets) == 0 || slices.Contains(secrets, "") {
		return &ArgumentError{argument, "needs a secret, and none may be empty"}
	}
	if slices.ContainsFunc(secrets, func(s string) bool { return len(s) < minSecret }) {
		return &ArgumentError{argument, "a secret must have at least 8 characters"}
	}
	if slices.ContainsFunc(secrets, shortForFIPS) {
		return &ArgumentError{argument, "FIPS 140 mode needs secrets of at least 14 bytes"}
	}
	return nil
}

// minFIPSKey is the shortest HMAC key, in bytes, that the Go Cryptographic
// Module accepts where FIPS 140-3 is enforced; a shorter one panics.
const minFIPSKey = 14

// shortForFIPS reports whether FIPS 140 mode is on and the secret is too short for it.
func shortForFIPS(secret string) bool { return fips140.Enforced() && len(secret) < minFIPSKey }

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
		value, wrong := envValue(name)
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
