package trulioo

import (
	"cmp"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// config is filled by the options. It is checked and used once.
type config struct {
	clientID     string
	clientSecret secret
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
	audience     string
	application  string // name/version
	dialect      Dialect
	openEnded    bool

	given // by this NewClient or With
}

// secret is a text that fmt cannot reach. In an unexported field of a caller's struct
// fmt calls no method and prints everything that it can follow, but only the address
// of a function.
type secret func() string

func newSecret(text string) secret { return func() string { return text } }

func (s secret) text() string {
	if s == nil {
		return ""
	}
	return s()
}

// given holds the options that were given, each with the name that an error calls
// it by: its own, or that of an environment variable.
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

// validate checks the options of one NewClient or With together.
func (c *config) validate() error {
	for _, check := range []func() error{c.checkSecrets, c.checkVariant, c.checkURLs, c.checkLimits, c.checkParts, c.checkDialect} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c *config) checkSecrets() error {
	switch {
	case c.has("WithCredentials") && c.has("WithTokenSource"):
		return c.refuse("WithTokenSource", "cannot go together with WithCredentials")
	case c.has("WithTokenSource") && c.tokenSource == nil:
		return c.refuse("WithTokenSource", "must not be nil")
	case c.tokenSource != nil:
		return nil
	case !c.has("WithCredentials") && c.clientID == "" && c.clientSecret.text() == "":
		return c.refuse("WithCredentials", "is needed, unless WithTokenSource is given")
	case c.clientID == "":
		return c.refuse("WithCredentials", "the client id must not be empty")
	case c.clientSecret.text() == "":
		return c.refuse("WithCredentials", "the client secret must not be empty")
	case shortForFIPS(c.clientSecret.text()):
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
	if reason := transport.CheckAddress(c.baseURL, c.insecureHTTP); reason != "" {
		return c.refuse("WithBaseURL", reason)
	}
	if c.tokenURL == "" && !c.has("WithTokenURL") {
		return c.checkInheritedEndpoint()
	}
	if reason := transport.CheckEndpoint(c.tokenURL, c.insecureHTTP); reason != "" {
		return c.refuse("WithTokenURL", reason)
	}
	return nil
}

// checkInheritedEndpoint refuses to send credentials to the vendor's own token
// endpoint where the API is a server of the caller's, which has an endpoint of its own.
func (c *config) checkInheritedEndpoint() error {
	if c.tokenSource != nil || c.version == V1 || !transport.Local(c.baseURL) {
		return nil
	}
	needed := "WithTokenURL"
	if c.given["WithBaseURL"] == "TRULIOO_BASE_URL" {
		needed = "TRULIOO_TOKEN_URL"
	}
	return &ArgumentError{needed, "is needed where the base URL is a loopback address or plain http: credentials must not go to the vendor's endpoint"}
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
	case c.has("WithApplication") && !headerSafe(c.application):
		return c.refuse("WithApplication", "the name and the version must be printable ASCII without spaces and slashes, and the name not empty")
	case c.has("WithAudience") && c.version == V1:
		return c.refuse("WithAudience", "is for v2 only")
	}
	return nil
}

// headerSafe reports whether s can stand in a header's value.
func headerSafe(s string) bool {
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	return s != "" && !strings.ContainsFunc(s, odd)
}

// fromEnv fills the settings that no option has given.
func (c *config) fromEnv() error {
	for _, v := range []struct {
		option, variable string
		set              func(string)
	}{
		{"WithEnvironment", "TRULIOO_ENVIRONMENT", func(s string) { c.environment = Environment(s) }},
		{"WithAPIVersion", "TRULIOO_API_VERSION", func(s string) { c.version = APIVersion(s) }},
		{"WithBaseURL", "TRULIOO_BASE_URL", func(s string) { c.baseURL = s }},
		{"WithTokenURL", "TRULIOO_TOKEN_URL", func(s string) { c.tokenURL = s }},
		{"WithDialect.TimeUnit", "TRULIOO_TIME_UNIT", func(s string) { c.dialect.TimeUnit = TimeUnit(s) }},
		{"WithDialect.Statuses", "TRULIOO_STATUSES", func(s string) { c.dialect.Statuses = StatusesForm(s) }},
		{"WithDialect.WorkflowsPath", "TRULIOO_WORKFLOWS_PATH", func(s string) { c.dialect.WorkflowsPath = s }},
	} {
		if option, _, _ := strings.Cut(v.option, "."); c.has(option) {
			continue
		}
		value, wrong := envValue(v.variable)
		if wrong != "" {
			return &ArgumentError{Argument: v.variable, Reason: wrong}
		}
		if value != "" {
			c.given[v.option] = v.variable
			v.set(value)
		}
	}
	if err := c.insecureFromEnv(); err != nil {
		return err
	}
	if c.has("WithCredentials") || c.has("WithTokenSource") {
		return nil
	}
	return c.credentialsFromEnv()
}

// envValue reads one variable. An empty one is unset. White space around a value,
// most often a newline from a file, is never meant; wrong says so, without the value.
func envValue(name string) (value, wrong string) {
	value = os.Getenv(name)
	if value != strings.TrimSpace(value) {
		return "", "has white space around its value"
	}
	return value, ""
}

// insecureFromEnv allows plain http, as in a network of containers.
func (c *config) insecureFromEnv() error {
	const variable = "TRULIOO_INSECURE_HTTP"
	value, wrong := envValue(variable)
	if c.has("WithInsecureHTTP") || value == "" && wrong == "" {
		return nil
	}
	allowed, err := strconv.ParseBool(value)
	if err != nil {
		return &ArgumentError{Argument: variable, Reason: "must be true or false"}
	}
	c.insecureHTTP = allowed
	return nil
}

func (c *config) credentialsFromEnv() error {
	const idName, secretName = "TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET" //nolint:gosec // names
	id, wrong := envValue(idName)
	if wrong != "" {
		return &ArgumentError{Argument: idName, Reason: wrong}
	}
	text, wrong := envValue(secretName)
	if wrong != "" {
		return &ArgumentError{Argument: secretName, Reason: wrong}
	}
	const both = idName + " and " + secretName
	if id == "" || text == "" {
		return &ArgumentError{Argument: both, Reason: "both must be set"}
	}
	c.clientID, c.clientSecret = id, newSecret(text)
	c.given["WithCredentials"] = both
	return nil
}

// whereAt says whom a call asks. All its words are settings of the caller's.
func (c *config) whereAt(address string) string {
	words := string(c.environment) + ", " + string(c.version)
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		words += ", " + u.Hostname()
	}
	return words
}

// agent is the User-Agent of all requests.
func (c *config) agent() string {
	if c.application == "" {
		return c.userAgent
	}
	return c.application + " " + c.userAgent
}

func (c *config) limiter() *transport.RateLimit {
	if c.perSecond == 0 {
		return nil
	}
	return transport.NewRateLimit(c.perSecond, c.burst)
}

// policy fills the zero fields of the retry policy.
func (c *config) policy() transport.Policy {
	var timeout time.Duration
	if c.httpClient != nil {
		timeout = c.httpClient.Timeout
	}
	return transport.Policy{
		MaxAttempts:    cmp.Or(c.retry.MaxAttempts, 4),
		MinWait:        cmp.Or(c.retry.MinWait, 200*time.Millisecond),
		MaxWait:        cmp.Or(c.retry.MaxWait, 10*time.Second),
		MaxRetryAfter:  cmp.Or(c.retry.MaxRetryAfter, time.Minute),
		AttemptTimeout: cmp.Or(c.retry.AttemptTimeout, timeout, 30*time.Second),
		IdleTimeout:    cmp.Or(c.retry.IdleTimeout, time.Minute),
	}
}
