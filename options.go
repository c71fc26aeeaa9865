package trulioo

import (
	"crypto/fips140"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
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

	// given holds the options of this NewClient or With, each with the name
	// that an error should call it by: its own, or an environment variable's.
	given map[string]string
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
		given:       map[string]string{},
	}
}

// child is a copy for With: everything is inherited, nothing is given yet.
func (c *config) child() *config {
	inherited := *c
	inherited.given = map[string]string{}
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

// WithInsecureHTTP allows plain http for hosts that are not loopback. Tokens,
// secrets and personal data then cross the network in clear.
func WithInsecureHTTP() Option {
	return option("WithInsecureHTTP", func(c *config) { c.insecureHTTP = true })
}

// name is what an error calls the option.
func (c *config) name(option string) string {
	if name, ok := c.given[option]; ok {
		return name
	}
	return option
}

func (c *config) has(option string) bool { return c.given[option] != "" }

// minFIPSKey is the shortest HMAC key, in bytes, that the Go Cryptographic
// Module accepts where FIPS 140-3 is enforced; a shorter one panics.
const minFIPSKey = 14

// validate checks the options of one NewClient or With together.
func (c *config) validate() error {
	for _, check := range []func() error{c.checkSecrets, c.checkVariant, c.checkURLs, c.checkLimits, c.checkParts} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) refuse(option, reason string) error {
	return &ArgumentError{Argument: c.name(option), Reason: reason}
}

func (c *config) checkSecrets() error {
	switch {
	case c.has("WithCredentials") && c.has("WithTokenSource"):
		return c.refuse("WithTokenSource", "cannot go together with WithCredentials")
	case c.has("WithTokenSource") && c.tokenSource == nil:
		return c.refuse("WithTokenSource", "must not be nil")
	case c.tokenSource != nil:
		return nil
	case !c.has("WithCredentials") && c.clientID == "" && c.clientSecret == "":
		return c.refuse("WithCredentials", "needed, or WithTokenSource")
	case c.clientID == "":
		return c.refuse("WithCredentials", "the client id must not be empty")
	case c.clientSecret == "":
		return c.refuse("WithCredentials", "the client secret must not be empty")
	case fips140.Enforced() && len(c.clientSecret) < minFIPSKey:
		return c.refuse("WithCredentials", "FIPS 140 mode needs a client secret of at least 14 bytes")
	}
	return nil
}

func (c *config) checkVariant() error {
	if c.environment != Live && c.environment != Test {
		return c.refuse("WithEnvironment", "must be live or test")
	}
	if c.version != V1 && c.version != V2 {
		return c.refuse("WithAPIVersion", "must be v1 or v2")
	}
	return nil
}

func (c *config) checkURLs() error {
	if err := c.checkURL("WithBaseURL", c.baseURL); err != nil {
		return err
	}
	if c.tokenURL == "" && !c.has("WithTokenURL") {
		return nil
	}
	return c.checkURL("WithTokenURL", c.tokenURL)
}

func (c *config) checkURL(option, address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return c.refuse(option, "is not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return c.refuse(option, "must begin with https://")
	case u.Hostname() == "":
		return c.refuse(option, "needs a host")
	case u.User != nil:
		return c.refuse(option, "must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(address, "#"):
		return c.refuse(option, "must not have a query or a fragment")
	case u.Scheme == "http" && !c.insecureHTTP && !loopback(u.Hostname()):
		return c.refuse(option, "plain http is for loopback hosts only; see WithInsecureHTTP")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (c *config) checkLimits() error {
	r := c.retry
	switch {
	case r.MaxAttempts < 0 || r.MinWait < 0 || r.MaxWait < 0 || r.MaxRetryAfter < 0 || r.AttemptTimeout < 0 || r.IdleTimeout < 0:
		return c.refuse("WithRetry", "no field may be negative")
	case c.has("WithRateLimit") && (!(c.perSecond > 0) || math.IsInf(c.perSecond, 1) || c.burst < 1):
		return c.refuse("WithRateLimit", "needs a positive rate and a burst of at least 1")
	case c.maxResponse < 1:
		return c.refuse("WithMaxResponseBytes", "must be positive")
	}
	return nil
}

func (c *config) checkParts() error {
	switch {
	case c.has("WithHTTPClient") && c.httpClient == nil:
		return c.refuse("WithHTTPClient", "must not be nil")
	case c.httpClient != nil && c.httpClient.Timeout < 0:
		return c.refuse("WithHTTPClient", "the Timeout must not be negative")
	case c.has("WithTokenStore") && c.tokenStore == nil:
		return c.refuse("WithTokenStore", "must not be nil")
	case c.has("WithLogger") && c.logger == nil:
		return c.refuse("WithLogger", "must not be nil")
	case c.has("WithObserver") && c.observer == nil:
		return c.refuse("WithObserver", "must not be nil")
	case !headerSafe(c.userAgent):
		return c.refuse("WithUserAgent", "must be printable ASCII, and not empty")
	}
	return nil
}

// headerSafe reports whether s can stand in a header's value.
func headerSafe(s string) bool {
	printable := func(r rune) bool { return r >= ' ' && r <= '~' }
	return s != "" && strings.TrimFunc(s, printable) == "" && !strings.ContainsFunc(s, func(r rune) bool { return !printable(r) })
}
