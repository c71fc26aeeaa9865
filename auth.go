package trulioo

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/token"
	"github.com/trulioo-go/trulioo/internal/transport"
)

// TokenStore shares one token among the users of a key, which may be other
// processes. It is asked for every call, so it must answer most of the time
// from memory.
//
// key is opaque and differs wherever a token must not be shared. refused is ""
// or a token that the API has just answered with 401. Token returns it again only
// where fetch gives it again, or was called because of a refusal a moment ago.
// The 401 is then the call's answer, and the token stays. fetch gets a new token,
// with its own retries and time limit. The store calls it at most once at a time
// for a key, detached from the ctx of the caller that came first. Token returns
// ctx's error when ctx ends while it waits.
type TokenStore interface {
	Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error)
}

// RefreshingTokenSource is a source for WithTokenSource that keeps its token and
// can be asked for another. After a 401 TokenAfter is called in place of Token.
// refused is the access token that the API has not taken. TokenAfter gives a new
// one or, where there is no other, the same, so that the 401 is the call's answer.
// It is called once at a time, and never while Token runs.
type RefreshingTokenSource interface {
	oauth2.TokenSource
	TokenAfter(refused string) (*oauth2.Token, error)
}

// MemoryTokenStore is the TokenStore of one process and the default. A token
// is fetched again in the background when a tenth of its life is left, and
// callers wait only where no good one is left. It can stand in front of a store
// over a network: let the fetch that it is given call that store's Token.
type MemoryTokenStore struct{ store token.Store }

// NewMemoryTokenStore makes an empty store. A zero MemoryTokenStore is one too.
func NewMemoryTokenStore() *MemoryTokenStore { return &MemoryTokenStore{} }

// Token implements TokenStore.
func (s *MemoryTokenStore) Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	got, err := s.store.Token(ctx, key, refused, fetch, credentialsRefused)
	switch {
	case errors.Is(err, token.ErrNone):
		return nil, &AuthError{Operation: OperationFetchToken, Reason: "no token"}
	}
	return got, err
}

// credentialsRefused reports whether the token endpoint refused the credentials. The
// next fetch then waits, since repeated refusals can lock an account.
func credentialsRefused(err error) bool {
	status := 0
	var auth *AuthError
	var retrieve *oauth2.RetrieveError
	switch {
	case errors.As(err, &auth):
		status = auth.StatusCode
		if status < 400 && auth.Is(ErrUnauthorized) {
			status = http.StatusUnauthorized // an error with a status of success
		}
	case errors.As(err, &retrieve) && retrieve.Response != nil:
		status = retrieve.Response.StatusCode
	}
	return status >= 400 && status < 500 && status != http.StatusRequestTimeout
}

// newTokenFunc makes the function that the transport asks for the bearer token.
func newTokenFunc(c *config, store TokenStore, t *transport.Transport) transport.TokenFunc {
	if c.tokenSource != nil {
		source := token.NewSource(c.tokenSource, credentialsRefused)
		return func(ctx context.Context, refused string) (string, error) {
			return c.bearer(source.Token(ctx, refused))
		}
	}
	x := &tokenExchange{config: c, transport: t, endpoint: c.tokenEndpoint()}
	parts := []string{x.endpoint, string(c.version), c.clientID, c.scope}
	if c.audience != "" {
		parts = append(parts, c.audience)
	}
	key := token.Key(c.clientSecret.text(), parts...)
	if own, ok := store.(*MemoryTokenStore); ok {
		return func(ctx context.Context, refused string) (string, error) {
			return c.bearer(own.Token(ctx, key, refused, x.fetch))
		}
	}
	return func(ctx context.Context, refused string) (string, error) {
		// A store of the caller's may ignore ctx.
		return c.bearer(guard.Do(ctx, func() (*oauth2.Token, error) { return store.Token(ctx, key, refused, x.fetch) }, nil))
	}
}

// bearer checks the token of a source or a store, which may be the caller's code.
func (c *config) bearer(got *oauth2.Token, err error) (string, error) {
	var auth *AuthError
	switch {
	case errors.As(err, &auth):
		if auth.Where == "" {
			completed := *auth // a store's own error, or one of another client
			completed.Where = c.askedForToken().where
			auth = &completed
		}
		return "", auth
	case err != nil:
		return "", c.askedForToken().sourceError(err)
	case got == nil || !headerSafe(got.AccessToken):
		return "", &AuthError{Operation: OperationFetchToken, Where: c.askedForToken().where, Reason: "the token source returned no usable token"}
	}
	return got.AccessToken, nil
}

// sourceError converts the error of a foreign source or store. It is not
// wrapped: x/oauth2's RetrieveError prints the answer's body.
func (a asked) sourceError(err error) error {
	for _, sentinel := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, sentinel) {
			return sentinel // the caller gave up; the token did not fail
		}
	}
	e := &AuthError{Operation: a.operation, Where: a.where, Reason: "the token source failed"}
	var retrieve *oauth2.RetrieveError
	if errors.As(err, &retrieve) && retrieve.Response != nil {
		e.StatusCode = retrieve.Response.StatusCode
	}
	if down := a.transportError(err, 0); len(down.causes) > 0 {
		e.cause = down
	}
	return e
}

// tokenExchange turns the credentials into a token, as v1 or v2 does it.
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

// fetch makes one exchange, with the transport's retries.
func (x *tokenExchange) fetch(ctx context.Context) (*oauth2.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, token.FetchTimeout)
	defer cancel()
	call := &transport.Call{Operation: OperationFetchToken, URL: x.endpoint, Post: true}
	if x.config.version == V1 {
		call.URL += separator(call.URL) + token.Query(x.config.clientID, x.config.clientSecret.text())
	} else {
		call.Form = token.Form(x.config.clientID, x.config.clientSecret.text(), x.config.scope, x.config.audience)
	}
	var fetched *oauth2.Token
	call.Decode = decoded(func(body []byte) (err error) {
		fetched, err = token.Parse(body, time.Now(), headerSafe)
		if wrong, ok := errors.AsType[*DecodeError](decodeError(err)); ok {
			if wrong.Path == "access_token" {
				return saidOr(body, wrong) // an error with a status of success
			}
			return wrong
		}
		return err
	})
	if _, err := x.transport.Do(ctx, call); err != nil { //nolint:bodyclose // Decode is set, so it is closed
		return nil, x.config.askedForToken().authError(err)
	}
	return fetched, nil
}

// separator is the character between an address and a further part of its query.
func separator(address string) string {
	if strings.Contains(address, "?") {
		return "&"
	}
	return "?"
}

// askedForToken is a fetch of a token, which goes to another host than the API's.
func (c *config) askedForToken() asked {
	if c.tokenSource != nil {
		return asked{OperationFetchToken, c.whereAt("")}
	}
	return asked{OperationFetchToken, c.whereAt(c.tokenEndpoint())}
}

// authError says why a fetch failed, in this library's own words.
func (a asked) authError(err error) error {
	var f *transport.Failure
	if !errors.As(err, &f) {
		return &AuthError{Operation: a.operation, Where: a.where}
	}
	if f.StatusCode == 0 {
		return a.noToken(f)
	}
	code := transport.ReadErrorBody(f.Body).Code
	e := &AuthError{
		Operation: a.operation, Where: a.where, StatusCode: f.StatusCode, Attempts: f.Attempts,
		Code: code, body: f.Body, cause: f.Err,
	}
	switch {
	case f.StatusCode < 400:
		e.Reason = "the token endpoint redirects, which is not followed"
	case f.StatusCode == http.StatusProxyAuthRequired:
		e.Reason = "the proxy requires a user name and a password"
	case f.StatusCode == http.StatusNotFound:
		e.Reason = "the token endpoint was not found: check the token URL"
	case f.StatusCode < 500:
		e.Reason = "refused"
	default:
		e.Reason = "the token endpoint failed"
	}
	if known := token.KnownCode(code); known != "" {
		e.Reason += " (" + known + ")"
	}
	if page := transport.PageReason(f.Body); page != "" {
		e.Reason += ", " + page
	}
	return e
}

// noToken is the error of a fetch without an answer, or with an answer that holds
// no token.
func (a asked) noToken(f *transport.Failure) *AuthError {
	e := &AuthError{Operation: a.operation, Where: a.where, Attempts: f.Attempts, cause: a.failure(f)}
	if said, ok := errors.AsType[*APIError](e.cause); ok {
		e.StatusCode, e.Code, e.body, e.cause = said.StatusCode, said.Code, said.body, nil
		e.Reason = "an error instead of a token"
		if known := token.KnownCode(e.Code); known != "" {
			e.Reason += " (" + known + ")"
		}
	} else if _, ok := errors.AsType[*DecodeError](e.cause); ok {
		e.Reason = "the answer of the token endpoint is not a token"
	}
	return e
}
