package trulioo

// This file is all options: those of a Client, and below them those of a
// WebhookHandler. What they are checked for stands where they are used, in
// client.go and webhook.go.

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/redact"
)

// Option sets one thing of a Client. The order of options does not matter; the
// last one of a kind counts. All are checked together by NewClient or With,
// whose *ArgumentError names the option.
type Option func(*config)

// Format prints the type's name only: an option can hold a secret.
func (Option) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Option") }

// config is what the options fill. It is checked and used once.
type config struct {
	clientID     string
	clientSecret string
	tokenSource  oauth2.TokenSource
	tokenStore   TokenStore
	environment  Environment
	version      APIVersion
	baseURL      string
	tokenURL     string
	scope        string
	httpClient   *http.Client
	retry        RetryPolicy
	perSecond    float64
	burst        int
	logger       *slog.Logger
	observer     Observer
	userAgent    string
	maxResponse  int64
	insecureHTTP bool
	dialect      Dialect
	openEnded    bool

	given // by this NewClient or With
}

// given holds the options that were given, each with the name that an error
// should call it by: its own, or an environment variable's.
type given map[string]string

func (g given) has(option string) bool { return g[option] != "" }

func (g given) refuse(option, reason string) error {
	return &ArgumentError{Argument: cmp.Or(g[option], option), Reason: reason}
}

const (
	defaultScope       = "workflow.studio.api"
	defaultUserAgent   = "trulioo-go"
	defaultMaxResponse = 32 << 20
)

func newConfig() *config {
	return &config{
		environment: Live,
		version:     V2,
		baseURL:     DefaultBaseURL,
		scope:       defaultScope,
		userAgent:   defaultUserAgent,
		maxResponse: defaultMaxResponse,
		given:       given{},
	}
}

// child is a copy for With: everything is inherited, nothing is given yet.
func (c *config) child() *config {
	inherited := *c
	inherited.given = given{}
	return &inherited
}

func (c *config) apply(opts []Option) {
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
}

// option is an Option that is remembered as given.
func option(name string, set func(*config)) Option {
	return func(c *config) {
		c.given[name] = name
		set(c)
	}
}

// WithCredentials sets the client id and secret of the account, which are
// exchanged for tokens as the API version demands.
func WithCredentials(id, secret string) Option {
	return option("WithCredentials", func(c *config) { c.clientID, c.clientSecret = id, secret })
}

// WithTokenSource takes tokens from the caller's source in place of
// credentials. It is asked for every call, so it should keep its token, as
// oauth2.ReuseTokenSource does. After a 401 it is asked once more; if it
// gives the same token, the 401 is the answer.
func WithTokenSource(source oauth2.TokenSource) Option {
	return option("WithTokenSource", func(c *config) { c.tokenSource = source })
}

// WithTokenStore shares tokens among processes. The default is a
// MemoryTokenStore, shared by the clients that With makes.
func WithTokenStore(store TokenStore) Option {
	return option("WithTokenStore", func(c *config) { c.tokenStore = store })
}

// WithEnvironment chooses Live, the default, or Test.
func WithEnvironment(e Environment) Option {
	return option("WithEnvironment", func(c *config) { c.environment = e })
}

// WithAPIVersion chooses V2, the default, or V1.
func WithAPIVersion(v APIVersion) Option {
	return option("WithAPIVersion", func(c *config) { c.version = v })
}

// WithBaseURL sets the address below which the API's paths are, without the
// environment and the version. The default is DefaultBaseURL.
func WithBaseURL(base string) Option {
	return option("WithBaseURL", func(c *config) { c.baseURL = base })
}

// WithTokenURL sets the token endpoint's address. The default is
// DefaultTokenURL for V2 and oauth/accessToken below the base URL for V1.
func WithTokenURL(endpoint string) Option {
	return option("WithTokenURL", func(c *config) { c.tokenURL = endpoint })
}

// WithScope sets the scope that a v2 token is asked for. The default is
// "workflow.studio.api"; "" leaves the parameter out.
func WithScope(scope string) Option {
	return option("WithScope", func(c *config) { c.scope = scope })
}

// WithHTTPClient takes the Transport and the Timeout of a client, which is
// never changed; its Jar and CheckRedirect are not used. An *http.Transport is
// cloned, with its proxy, TLS and dialing settings kept and
// MaxIdleConnsPerHost raised to 128. Any other RoundTripper is used as it is.
// Timeout becomes RetryPolicy.AttemptTimeout where that is not set.
func WithHTTPClient(client *http.Client) Option {
	return option("WithHTTPClient", func(c *config) { c.httpClient = client })
}

// RetryPolicy bounds the retries of a call. A zero field means the default.
// What is retried stands in the package's overview.
type RetryPolicy struct {
	MaxAttempts    int           // exchanges of a call, the first included; default 4; 1 turns retries off
	MinWait        time.Duration // the bound of the first random wait, doubled with each attempt; default 200 ms
	MaxWait        time.Duration // the bound of every random wait; default 10 s
	MaxRetryAfter  time.Duration // the longest Retry-After that is waited for; a longer one fails at once; default 60 s
	AttemptTimeout time.Duration // one exchange of a JSON call, its body included; default 30 s
	IdleTimeout    time.Duration // the longest silence of a file's stream; default 60 s
}

// WithRetry sets the retry policy.
func WithRetry(policy RetryPolicy) Option {
	return option("WithRetry", func(c *config) { c.retry = policy })
}

// WithRateLimit lets at most perSecond requests a second through on average,
// and burst of them at once. Clients made by With share the limit.
func WithRateLimit(perSecond float64, burst int) Option {
	return option("WithRateLimit", func(c *config) { c.perSecond, c.burst = perSecond, burst })
}

// WithLogger logs calls, attempts, token fetches and waits: the operation, the
// status, the attempt, the duration and the server's request id, and nothing
// else. Failures are warnings, the rest is for debugging. The default is silence.
func WithLogger(logger *slog.Logger) Option {
	return option("WithLogger", func(c *config) { c.logger = logger })
}

// WithObserver sees every step, for tracing and metrics.
func WithObserver(observer Observer) Option {
	return option("WithObserver", func(c *config) { c.observer = observer })
}

// WithUserAgent sets the User-Agent header. The default is "trulioo-go".
func WithUserAgent(agent string) Option {
	return option("WithUserAgent", func(c *config) { c.userAgent = agent })
}

// WithMaxResponseBytes caps a JSON answer, counted after decompression. A
// larger one is a *DecodeError that is ErrTooLarge. The default is 32 MiB.
// Files have no cap.
func WithMaxResponseBytes(n int64) Option {
	return option("WithMaxResponseBytes", func(c *config) { c.maxResponse = n })
}

// WithOpenEndedFiles takes a file for whole although nothing tells where it
// ends: where the answer has neither a length nor chunks, and the server does
// not tell the length either. A connection that breaks then ends a file
// anywhere, without an error. It is for a store that cannot do better.
func WithOpenEndedFiles() Option {
	return option("WithOpenEndedFiles", func(c *config) { c.openEnded = true })
}

// WithInsecureHTTP allows plain http for hosts that are not loopback. Tokens,
// secrets and personal data then cross the network in clear.
func WithInsecureHTTP() Option {
	return option("WithInsecureHTTP", func(c *config) { c.insecureHTTP = true })
}
