package trulioo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/tidy"
	"github.com/trulioo-go/trulioo/internal/transport"
)

const (
	fetchToken = "fetch token" // the operation of every AuthError

	// fetchTimeout bounds a token fetch with its retries, since it outlives
	// the call that began it.
	fetchTimeout = 30 * time.Second

	// unknownLifetime is taken for a token whose expiry the answer does not
	// tell: short, since a token kept too long costs a refused call.
	unknownLifetime = 5 * time.Minute
	maxLifetime     = 24 * time.Hour
)

// newTokenFunc makes what the transport asks for the bearer.
func newTokenFunc(c *config, store TokenStore, t *transport.Transport) transport.TokenFunc {
	if c.tokenSource != nil {
		source := &askedSource{source: c.tokenSource}
		return func(ctx context.Context, refused string) (string, error) {
			return bearer(source.token(ctx, refused))
		}
	}
	x := &tokenExchange{config: c, transport: t, endpoint: c.tokenEndpoint()}
	key := x.cacheKey()
	return func(ctx context.Context, refused string) (string, error) {
		return bearer(store.Token(ctx, key, refused, x.fetch))
	}
}

// bearer checks what a source or a store gave, which may be the caller's code.
func bearer(token *oauth2.Token, err error) (string, error) {
	var auth *AuthError
	switch {
	case errors.As(err, &auth):
		return "", auth
	case err != nil:
		return "", sourceError(err)
	case token == nil || !headerSafe(token.AccessToken):
		return "", &AuthError{Operation: fetchToken, Reason: "the token source gave no usable token"}
	}
	return token.AccessToken, nil
}

// sourceError converts the error of a foreign source or store. It is not
// wrapped: x/oauth2's RetrieveError prints the answer's body.
func sourceError(err error) error {
	if ctx := contextError(err); ctx != nil {
		return ctx
	}
	e := &AuthError{Operation: fetchToken, Reason: "the token source failed"}
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) && retrieve.Response != nil {
		e.StatusCode = retrieve.Response.StatusCode
	}
	if down := transportError(fetchToken, err, 0); len(down.causes) > 0 {
		e.cause = down
	}
	return e
}

// contextError is the caller's own giving up, which is no failure of the token.
func contextError(err error) error {
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, sentinel) {
			return sentinel
		}
	}
	return nil
}

// tokenExchange turns the credentials into a token, by v1's or v2's way.
type tokenExchange struct {
	config    *config
	transport *transport.Transport
	endpoint  string
}

func (c *config) tokenEndpoint() string {
	switch {
	case c.tokenURL != "":
		return c.tokenURL
	case c.version == V1:
		return strings.TrimRight(c.baseURL, "/") + "/" + tokenPathV1
	default:
		return DefaultTokenURL
	}
}

// cacheKey tells tokens apart that must not be mixed, without giving away of
// what it is made: a store may be another machine.
func (x *tokenExchange) cacheKey() string {
	mac := hmac.New(sha256.New, []byte(x.config.clientSecret))
	for _, part := range []string{x.endpoint, string(x.config.version), x.config.clientID, x.config.scope} {
		mac.Write([]byte(strconv.Itoa(len(part)) + ":" + part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// fetch makes one exchange, with the transport's retries.
func (x *tokenExchange) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var token *oauth2.Token
	call := x.call()
	call.Decode = decoded(func(body []byte) (err error) {
		token, err = parseToken(body, time.Now())
		return err
	})
	if _, err := x.transport.Do(ctx, call); err != nil { //nolint:bodyclose // Decode is set, so it is closed
		return nil, authError(err)
	}
	return token, nil
}

// call is the request of developer.trulioo.com's authenticated-workflow-api
// page for v2, and that of the export API's own page for v1, whose parameters
// stand in the query.
func (x *tokenExchange) call() *transport.Call {
	call := &transport.Call{Operation: fetchToken, URL: x.endpoint, Post: true}
	if x.config.version == V1 {
		call.URL += "?" + url.Values{"clientId": {x.config.clientID}, "clientSecret": {x.config.clientSecret}}.Encode()
		return call
	}
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {x.config.clientID},
		"client_secret": {x.config.clientSecret},
	}
	if x.config.scope != "" {
		form.Set("scope", x.config.scope)
	}
	call.Form = []byte(form.Encode())
	return call
}

// authError says why a fetch failed, in this library's own words.
func authError(err error) error {
	var f *transport.Failure
	if !errors.As(err, &f) {
		return &AuthError{Operation: fetchToken}
	}
	e := &AuthError{Operation: fetchToken, StatusCode: f.StatusCode, Attempts: f.Attempts}
	switch {
	case f.StatusCode == 0:
		e.cause = failure(fetchToken, f)
	case f.StatusCode < 400:
		e.Reason = "the token endpoint redirects, which is not followed"
	case f.StatusCode < 500:
		e.Reason = "refused" + oauthCode(f.Body)
		e.cause = f.Err
	default:
		e.Reason = "the token endpoint failed"
		e.cause = f.Err
	}
	return e
}

// oauthCode is the error code of RFC 6749 that the body names, if it is one.
func oauthCode(body []byte) string {
	var said struct {
		Error string `json:"error"`
	}
	if tidy.Unmarshal(body, &said) != nil {
		return ""
	}
	switch said.Error {
	case "invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope":
		return " (" + said.Error + ")"
	}
	return ""
}

// parseToken reads every form of the answer that the vendor's pages and
// running integrations show: access_token and expires_in, accessToken and
// expires, Token and ExpiresIn, with the number as a number or as a string.
func parseToken(body []byte, now time.Time) (*oauth2.Token, error) {
	var said map[string]json.RawMessage
	if err := decodeJSON(body, &said); err != nil {
		return nil, err
	}
	fields := make(map[string]string, len(said))
	for name, value := range said {
		fields[strings.ReplaceAll(strings.ToLower(name), "_", "")] = scalar(value)
	}
	token := &oauth2.Token{AccessToken: fields["accesstoken"], TokenType: "Bearer"}
	if token.AccessToken == "" {
		token.AccessToken = fields["token"]
	}
	if !headerSafe(token.AccessToken) {
		return nil, &DecodeError{Path: "access_token", Reason: "no usable token"}
	}
	if kind := fields["tokentype"]; kind != "" && !strings.EqualFold(kind, "Bearer") {
		return nil, &DecodeError{Path: "token_type", Reason: "not a bearer token"}
	}
	life := lifetime(fields["expiresin"])
	if life == 0 {
		life = lifetime(fields["expires"])
	}
	if life == 0 {
		life = unknownLifetime
	}
	token.Expiry = now.Add(life)
	return token, nil
}

// lifetime reads seconds. 0 is not known: absent, not a number, not positive,
// or so large that it is a date or a mistake.
func lifetime(text string) time.Duration {
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds > 0) || seconds > 1e9 {
		return 0
	}
	return min(time.Duration(math.Ceil(seconds*1000))*time.Millisecond, maxLifetime)
}

// scalar is the text of a JSON string or number, else "".
func scalar(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return strings.TrimSpace(text)
	}
	var number json.Number
	if json.Unmarshal(value, &number) == nil {
		return number.String()
	}
	return ""
}
