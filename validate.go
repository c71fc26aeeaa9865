package trulioo

import (
	"crypto/fips140"
	"math"
	"net"
	"net/url"
	"strings"
)

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
