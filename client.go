package trulioo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/env"
	"github.com/trulioo-go/trulioo/internal/redact"
	"github.com/trulioo-go/trulioo/internal/transport"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// Client asks the Export API of one account, environment and version. It is
// safe for concurrent use; make one and keep it. Its zero value cannot be used.
type Client struct {
	Workflows *WorkflowsService
	Clients   *ClientsService
	Files     *FilesService

	config    *config
	family    *family
	prefix    string
	transport *transport.Transport
}

// family is what a client shares with those that With makes of it.
type family struct {
	base    http.RoundTripper
	pause   *transport.Pause
	store   TokenStore
	limiter *transport.RateLimit
}

// NewClient makes a client of credentials, or of a token source, and options.
// It sends nothing. The error is an *ArgumentError.
func NewClient(opts ...Option) (*Client, error) {
	c := newConfig()
	c.apply(opts)
	return newClient(c)
}

// NewClientFromEnv is NewClient with what the TRULIOO_ variables say for each
// thing that no option says; doc.go has the table. The error of missing
// credentials names both variables.
func NewClientFromEnv(opts ...Option) (*Client, error) {
	c := newConfig()
	c.apply(opts)
	if err := c.fromEnv(); err != nil {
		return nil, err
	}
	return newClient(c)
}

func newClient(c *config) (*Client, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	f := &family{
		base:  baseTransport(c.httpClient),
		pause: &transport.Pause{},
		store: c.tokenStore,
	}
	if f.store == nil {
		f.store = NewMemoryTokenStore()
	}
	f.limiter = c.limiter()
	return build(c, f), nil
}

// With makes a client that differs in the given options. It shares the
// connections, the tokens, the rate limit and the pause after a 429, unless an
// option replaces them. A change of the API version drops an inherited token URL.
func (c *Client) With(opts ...Option) (*Client, error) {
	child := c.config.child()
	child.apply(opts)
	if child.version != c.config.version && !child.has("WithTokenURL") {
		child.tokenURL = ""
	}
	if child.has("WithCredentials") && !child.has("WithTokenSource") {
		child.tokenSource = nil
	}
	if err := child.validate(); err != nil {
		return nil, err
	}
	f := *c.family
	if child.has("WithHTTPClient") {
		f.base = baseTransport(child.httpClient)
	}
	if child.has("WithTokenStore") {
		f.store = child.tokenStore
	}
	if child.has("WithRateLimit") {
		f.limiter = child.limiter()
	}
	return build(child, &f), nil
}

// ForEvent gives the client of the environment in which the event happened.
// It is the client itself where that is its own environment.
func (c *Client) ForEvent(ev *Event) *Client {
	env := Live
	if ev != nil && ev.Test {
		env = Test
	}
	if ev == nil || env == c.config.environment {
		return c
	}
	sibling := c.config.child()
	sibling.environment = env
	return build(sibling, c.family)
}

// baseTransport is the caller's transport or Go's default one, made fit for the API.
func baseTransport(client *http.Client) http.RoundTripper {
	if client == nil || client.Transport == nil {
		return transport.Fit(http.DefaultTransport)
	}
	return transport.Fit(client.Transport)
}

// build makes a client of a config that has been validated.
func build(c *config, f *family) *Client {
	client := &Client{config: c, family: f, prefix: prefix(c.baseURL, c.environment, c.version)}
	origin, _ := url.Parse(c.baseURL) // validated
	steps := transport.Config{
		Base:      f.base,
		Origin:    origin,
		Pause:     f.pause,
		Limiter:   f.limiter,
		Policy:    c.policy(),
		MaxBytes:  c.maxResponse,
		UserAgent: c.userAgent,
		Observe:   c.observe(),
	}
	steps.Token = newTokenFunc(c, f.store, transport.New(steps))
	client.transport = transport.New(steps)
	client.Workflows = &WorkflowsService{client}
	client.Clients = &ClientsService{client}
	client.Files = &FilesService{client}
	return client
}

// whereAt says whom a call asks, in words that are all settings of the caller's.
func (c *config) whereAt(address string) string {
	words := string(c.environment) + ", " + string(c.version)
	if u, err := url.Parse(address); err == nil && u.Hostname() != "" {
		words += ", " + u.Hostname()
	}
	return words
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

// CloseIdleConnections closes the connections that are kept for later calls,
// also those of the clients that share them.
func (c *Client) CloseIdleConnections() {
	(&http.Client{Transport: c.family.base}).CloseIdleConnections()
}

// GetJSON is the way out for an endpoint that the library does not know. path
// is relative to the environment and version, such as "query/workflows", and
// already escaped. The answer is one whole JSON value, with retries, auth and
// the cap as for any call.
func (c *Client) GetJSON(ctx context.Context, path string, query url.Values) (json.RawMessage, error) {
	if !transport.Below(path) {
		return nil, &ArgumentError{Argument: "path", Reason: "must be relative, without a query, a fragment or dot segments"}
	}
	var raw json.RawMessage
	err := c.call(ctx, "get JSON", c.address(route{path: path}, "", query), func(body []byte) error {
		raw = body
		return decodeError(wire.Check(body))
	})
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// checkContext refuses a nil context, on which the packages below would panic.
func checkContext(ctx context.Context) error {
	if ctx == nil {
		return &ArgumentError{Argument: "ctx", Reason: "must not be nil"}
	}
	return nil
}

// call makes a JSON call. decode gets the whole body, which is its to keep.
func (c *Client) call(ctx context.Context, operation, address string, decode func([]byte) error) error {
	if err := checkContext(ctx); err != nil {
		return err
	}
	resp, err := c.transport.Do(ctx, &transport.Call{Operation: operation, URL: address, Decode: decoded(decode)})
	if err != nil {
		return c.config.asked(operation).failure(err)
	}
	return resp.Body.Close()
}

// decoded tells the transport which decoding errors another attempt may mend.
func decoded(decode func([]byte) error) func([]byte) error {
	return func(body []byte) error {
		var err error
		if page := transport.PageReason(body); page != "" {
			err = &DecodeError{Reason: page, cause: ErrUnexpectedAnswer}
		} else {
			err = decode(body)
		}
		if wrong, ok := errors.AsType[*DecodeError](err); ok && wrong.Path == "" && wrong.cause == nil {
			err = saidOr(body, err) // such as a list of errors in place of a profile
		}
		if err != nil {
			return &transport.DecodeError{Err: err, MayPass: mayPass(err)}
		}
		return nil
	}
}

// Format prints the type's name only: a client holds a secret.
func (c Client) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Client") }

// LogValue is the type's name, for slog.
func (c Client) LogValue() slog.Value { return redact.Value("trulioo.Client") }

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
	case !c.has("WithCredentials") && c.clientID == "" && c.clientSecret == "":
		return c.refuse("WithCredentials", "needed, or WithTokenSource")
	case c.clientID == "":
		return c.refuse("WithCredentials", "the client id must not be empty")
	case c.clientSecret == "":
		return c.refuse("WithCredentials", "the client secret must not be empty")
	case shortForFIPS(c.clientSecret):
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
	if reason := transport.CheckAddress(address, c.insecureHTTP); reason != "" {
		return c.refuse(option, reason)
	}
	return nil
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
	odd := func(r rune) bool { return r < ' ' || r > '~' }
	return s != "" && !strings.ContainsFunc(s, odd)
}

// fromEnv fills what no option has given.
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
		value, wrong := env.Value(v.variable)
		if wrong != "" {
			return &ArgumentError{Argument: v.variable, Reason: wrong}
		}
		if value != "" {
			c.given[v.option] = v.variable
			v.set(value)
		}
	}
	if c.has("WithCredentials") || c.has("WithTokenSource") {
		return nil
	}
	return c.credentialsFromEnv()
}

func (c *config) credentialsFromEnv() error {
	const id, secret = "TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET" //nolint:gosec // names
	var wrong string
	if c.clientID, wrong = env.Value(id); wrong != "" {
		return &ArgumentError{Argument: id, Reason: wrong}
	}
	if c.clientSecret, wrong = env.Value(secret); wrong != "" {
		return &ArgumentError{Argument: secret, Reason: wrong}
	}
	const both = id + " and " + secret
	if c.clientID == "" || c.clientSecret == "" {
		return &ArgumentError{Argument: both, Reason: "both must be set"}
	}
	c.given["WithCredentials"] = both
	return nil
}
