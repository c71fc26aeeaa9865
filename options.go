package trulioo

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Option sets one thing of a Client. The order of options does not matter; the
// last one of a kind counts. All are checked together by NewClient or With,
// whose *ArgumentError names the option.
//
//trulioo:redact fmt
type Option func(*config)

// WithCredentials sets the client id and secret of the account, which are
// exchanged for tokens as the API version demands.
func WithCredentials(id, secret string) Option {
	return option("WithCredentials", func(c *config) { c.clientID, c.clientSecret = id, newSecret(secret) })
}

// WithTokenSource takes tokens from the caller's source in place of
// credentials. It is asked for every call, so it should keep its token, as
// oauth2.ReuseTokenSource does. After a 401 it is asked once more; if it
// gives the same token, the 401 is the answer. oauth2.ReuseTokenSource does so
// until the token expires, even if it was revoked: a [RefreshingTokenSource]
// recovers at once. While 401s go on, and while the source fails with an
// *oauth2.RetrieveError with a 4xx, it is asked less and less often.
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

// WithTokenURL sets the token endpoint's address, which may have a query. The
// default is DefaultTokenURL for V2 and oauth/accessToken below the base URL for
// V1. V2 needs it where the base URL is a loopback address or plain http: the
// vendor's endpoint must not get the credentials for somebody else's server.
func WithTokenURL(endpoint string) Option {
	return option("WithTokenURL", func(c *config) { c.tokenURL = endpoint })
}

// WithScope sets the scope that a v2 token is asked for. The default is
// "workflow.studio.api"; "" leaves the parameter out.
func WithScope(scope string) Option {
	return option("WithScope", func(c *config) { c.scope = scope })
}

// WithAudience sets the audience that a v2 token is asked for, which some
// authorization servers demand. By default the parameter is left out.
func WithAudience(audience string) Option {
	return option("WithAudience", func(c *config) { c.audience = audience })
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
// The package's overview says what is retried.
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

// WithApplication puts the caller's own name and version before the User-Agent,
// as in "importer/1.2 trulioo-go", so that the vendor can tell programs apart.
// version may be "".
func WithApplication(name, version string) Option {
	return option("WithApplication", func(c *config) { c.application = product(name, version) })
}

// product is a name with a version as in a User-Agent; "" where one of them
// cannot stand there.
func product(name, version string) string {
	if name == "" || strings.ContainsAny(name+version, " /") {
		return ""
	}
	if version == "" {
		return name
	}
	return name + "/" + version
}

// WithMaxResponseBytes caps a JSON answer, counted after decompression. A
// larger one is a *DecodeError that is ErrTooLarge. The default is 32 MiB.
// Files have no cap.
func WithMaxResponseBytes(n int64) Option {
	return option("WithMaxResponseBytes", func(c *config) { c.maxResponse = n })
}

// WithOpenEndedFiles accepts a file of unknown length, where the answer has neither a
// length nor chunks and the server does not tell the length when asked. A broken
// connection can then cut such a file off anywhere, without an error. It is for a
// store that cannot do better.
func WithOpenEndedFiles() Option {
	return option("WithOpenEndedFiles", func(c *config) { c.openEnded = true })
}

// WithInsecureHTTP allows plain http for hosts that are not loopback. Tokens,
// secrets and personal data then cross the network in clear.
func WithInsecureHTTP() Option {
	return option("WithInsecureHTTP", func(c *config) { c.insecureHTTP = true })
}
