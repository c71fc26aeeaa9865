package trulioo

import (
	"context"
	"crypto/fips140"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/redact"
)

const (
	defaultMaxBody        = 1 << 20
	defaultHandlerTimeout = 8 * time.Second
)

// The variables that NewWebhookHandlerFromEnv reads.
const (
	envWebhookToken  = "TRULIOO_WEBHOOK_TOKEN"  //nolint:gosec // a name
	envWebhookSecret = "TRULIOO_WEBHOOK_SECRET" //nolint:gosec // a name
)

// WebhookOption sets one thing of a WebhookHandler. The order of options does
// not matter; the last one of a kind counts. All are checked together by the
// constructor, whose *ArgumentError names the option.
type WebhookOption func(*webhookConfig)

// Format prints the type's name only: an option can hold a secret.
func (WebhookOption) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.WebhookOption") }

// webhookConfig is what the options fill. It is checked and used once.
type webhookConfig struct {
	tokens    []string
	secrets   []string
	insecure  bool
	deduper   Deduper
	maxBody   int64
	timeout   time.Duration
	logger    *slog.Logger
	observer  Observer
	errorHook func(context.Context, error)

	given       map[string]bool
	secretsFrom string // what an error calls the secrets
}

func webhookOption(name string, set func(*webhookConfig)) WebhookOption {
	return func(c *webhookConfig) {
		c.given[name] = true
		set(c)
	}
}

// WithVerificationToken demands that an event bears one of these tokens: what
// was typed into the workflow builder. Give the old and the new one while they rotate.
func WithVerificationToken(tokens ...string) WebhookOption {
	return webhookOption("WithVerificationToken", func(c *webhookConfig) { c.tokens = slices.Clone(tokens) })
}

// WithSigningSecret demands that the X-Trulioo-Signature header holds the hex
// HMAC-SHA256 of the body under one of these secrets: what the vendor gave the
// account. Give the old and the new one while they rotate.
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
// 10 s and sends again. More makes sense for Handle behind a queue only.
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

// WithErrorHook is told of everything that goes wrong: ErrWebhookSignature and
// ErrWebhookToken for events that are not verified, ErrTooLarge, a
// *DecodeError, an *ArgumentError for a request that is no event, and a
// *WebhookError for the function and the Deduper. It is called from many
// goroutines and must be quick.
func WithErrorHook(hook func(ctx context.Context, err error)) WebhookOption {
	return webhookOption("WithErrorHook", func(c *webhookConfig) { c.errorHook = hook })
}

func newWebhookConfig(opts []WebhookOption) *webhookConfig {
	c := &webhookConfig{maxBody: defaultMaxBody, timeout: defaultHandlerTimeout,
		given: map[string]bool{}, secretsFrom: "WithSigningSecret"}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	return c
}

func (c *webhookConfig) validate() error {
	verified := c.given["WithVerificationToken"] || c.given["WithSigningSecret"]
	switch {
	case c.insecure && verified:
		return &ArgumentError{"WithInsecureNoVerification", "cannot go together with a token or a secret"}
	case !c.insecure && !verified:
		return &ArgumentError{"WithVerificationToken", "needed, or WithSigningSecret, or both"}
	case c.given["WithVerificationToken"] && (len(c.tokens) == 0 || slices.Contains(c.tokens, "")):
		return &ArgumentError{"WithVerificationToken", "needs a token, and none may be empty"}
	case c.given["WithDeduper"] && c.deduper == nil:
		return &ArgumentError{"WithDeduper", "must not be nil"}
	case c.maxBody < 1:
		return &ArgumentError{"WithMaxBodyBytes", "must be positive"}
	case c.timeout <= 0:
		return &ArgumentError{"WithHandlerTimeout", "must be positive"}
	case c.given["WithWebhookLogger"] && c.logger == nil:
		return &ArgumentError{"WithWebhookLogger", "must not be nil"}
	case c.given["WithWebhookObserver"] && c.observer == nil:
		return &ArgumentError{"WithWebhookObserver", "must not be nil"}
	case c.given["WithErrorHook"] && c.errorHook == nil:
		return &ArgumentError{"WithErrorHook", "must not be nil"}
	case c.given["WithSigningSecret"]:
		return checkSecrets(c.secretsFrom, c.secrets)
	}
	return nil
}

// checkSecrets refuses what would verify everything, and what would panic.
func checkSecrets(argument string, secrets []string) error {
	if len(secrets) == 0 || slices.Contains(secrets, "") {
		return &ArgumentError{argument, "needs a secret, and none may be empty"}
	}
	short := func(s string) bool { return len(s) < minFIPSKey }
	if fips140.Enforced() && slices.ContainsFunc(secrets, short) {
		return &ArgumentError{argument, "FIPS 140 mode needs secrets of at least 14 bytes"}
	}
	return nil
}

// fromEnv fills what no option has given.
func (c *webhookConfig) fromEnv() error {
	if c.insecure {
		return nil
	}
	var err error
	if !c.given["WithVerificationToken"] {
		if c.tokens, err = envList(envWebhookToken); err != nil {
			return err
		}
		c.given["WithVerificationToken"] = c.tokens != nil
	}
	if !c.given["WithSigningSecret"] {
		if c.secrets, err = envList(envWebhookSecret); err != nil {
			return err
		}
		c.given["WithSigningSecret"], c.secretsFrom = c.secrets != nil, envWebhookSecret
	}
	if !c.given["WithVerificationToken"] && !c.given["WithSigningSecret"] {
		return &ArgumentError{envWebhookToken + " and " + envWebhookSecret, "neither is set; one is needed, or both"}
	}
	return nil
}

// envList reads a comma-separated variable; nil means unset.
func envList(name string) ([]string, error) {
	value, err := envValue(name)
	if err != nil || value == "" {
		return nil, err
	}
	parts := strings.Split(value, ",")
	for _, part := range parts {
		if part == "" {
			return nil, &ArgumentError{name, "has an empty part"}
		}
		if part != strings.TrimSpace(part) {
			return nil, &ArgumentError{name, "has white space around a part"}
		}
	}
	return parts, nil
}
