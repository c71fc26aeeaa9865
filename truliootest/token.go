package truliootest

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// tokenPath is the token endpoint of version 2, at the root of the server.
const tokenPath = "/connect/token"

// TokenForm is the form of a token answer.
type TokenForm int

// The forms that the vendor's pages show.
const (
	TokenByEndpoint  TokenForm = iota // TokenStandard for version 2, TokenLegacy for version 1
	TokenStandard                     // {"access_token","expires_in","token_type","scope"}
	TokenCapitalised                  // {"Token","TokenType","ExpiresIn"}
	TokenLegacy                       // {"accessToken","expires"}
)

// Tokens is how the token endpoints answer. The zero value is how the real ones do.
type Tokens struct {
	Form        TokenForm
	Lifetime    time.Duration // default 30 minutes, of version 1 an hour; the answer has whole seconds, the token lives all of it
	Reuse       bool          // an early request gets the same token again, with the rest of its life
	RevokeEvery int           // revoke all tokens after this many authorised requests; 0 means never
	// Body, if set, writes the whole answer instead of Form.
	Body func(token string, seconds int) string
}

// WithTokens sets how the token endpoints answer.
func WithTokens(t Tokens) Option { return func(_ *setup, s *settings) { s.tokens = t } }

// SetTokens changes how the token endpoints answer from now on.
func (s *Server) SetTokens(t Tokens) { s.change(func(to *settings) { to.tokens = t }) }

// Token makes a valid bearer token without a request. It is good for live and test.
func (s *Server) Token() string {
	token, _ := s.tokens.issue(s.settings.Load().tokens, TokenStandard)
	return token
}

// RevokeTokens makes every token given out so far invalid at once: they get 401.
func (s *Server) RevokeTokens() { s.tokens.revoke() }

// tokenTable knows the tokens that were given out.
type tokenTable struct {
	mu      sync.Mutex
	expiry  map[string]time.Time
	newest  string
	granted int // authorised requests
}

func (t *tokenTable) issue(form Tokens, usual TokenForm) (token string, left time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if expiry, ok := t.expiry[t.newest]; ok && form.Reuse && now.Before(expiry) {
		return t.newest, expiry.Sub(now)
	}
	life := form.Lifetime
	if life == 0 {
		life = 30 * time.Minute
		if usual == TokenLegacy {
			life = time.Hour
		}
	}
	for token, expiry := range t.expiry {
		if !now.Before(expiry) {
			delete(t.expiry, token)
		}
	}
	if t.expiry == nil {
		t.expiry = map[string]time.Time{}
	}
	t.newest = "tok." + rand.Text()
	t.expiry[t.newest] = now.Add(life)
	return t.newest, life
}

func (t *tokenTable) revoke() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.expiry)
}

// grant reports whether token is good, and counts it if so.
func (t *tokenTable) grant(token string, revokeEvery int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	expiry, ok := t.expiry[token]
	if !ok || !time.Now().Before(expiry) {
		return false
	}
	t.granted++
	if revokeEvery > 0 && t.granted%revokeEvery == 0 {
		clear(t.expiry)
	}
	return true
}

// authorised checks the bearer token and answers 401 where it is not good.
func (s *Server) authorised(w http.ResponseWriter, r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && s.tokens.grant(token, s.settings.Load().tokens.RevokeEvery) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	s.writeJSON(w, r, http.StatusUnauthorized, []byte(`{"code":401,"message":"Unauthorized"}`))
	return false
}

// serveTokenV2 is POST /connect/token: a form with the credentials in it.
func (s *Server) serveTokenV2(w http.ResponseWriter, r *http.Request) {
	if !s.method(w, r, http.MethodPost) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		s.refuseToken(w, r, "invalid_request")
		return
	}
	form := r.PostForm
	scope := form.Get("scope")
	switch {
	case form.Get("grant_type") != "client_credentials":
		s.refuseToken(w, r, "unsupported_grant_type")
	case form.Get("client_id") != s.ClientID || form.Get("client_secret") != s.ClientSecret:
		s.refuseToken(w, r, "invalid_client")
	case scope != "" && scope != "workflow.studio.api":
		s.refuseToken(w, r, "invalid_scope")
	default:
		s.answerToken(w, r, TokenStandard)
	}
}

// serveTokenV1 is POST {base}/oauth/accessToken: the credentials are query parameters.
func (s *Server) serveTokenV1(w http.ResponseWriter, r *http.Request) {
	if !s.method(w, r, http.MethodPost) {
		return
	}
	query := r.URL.Query()
	if query.Get("clientId") != s.ClientID || query.Get("clientSecret") != s.ClientSecret {
		s.refuseToken(w, r, "invalid_client")
		return
	}
	s.answerToken(w, r, TokenLegacy)
}

func (s *Server) refuseToken(w http.ResponseWriter, r *http.Request, code string) {
	s.writeJSON(w, r, http.StatusBadRequest, []byte(`{"error":"`+code+`"}`))
}

func (s *Server) answerToken(w http.ResponseWriter, r *http.Request, usual TokenForm) {
	how := s.settings.Load().tokens
	token, left := s.tokens.issue(how, usual)
	w.Header().Set("Cache-Control", "no-store")
	s.writeJSON(w, r, http.StatusOK, []byte(tokenBody(how, usual, token, int(left/time.Second))))
}

func tokenBody(how Tokens, usual TokenForm, token string, seconds int) string {
	if how.Body != nil {
		return how.Body(token, seconds)
	}
	if how.Form != TokenByEndpoint {
		usual = how.Form
	}
	life := strconv.Itoa(seconds)
	switch usual {
	case TokenCapitalised:
		return `{"Token":"` + token + `","TokenType":"bearer","ExpiresIn":` + life + `}`
	case TokenLegacy:
		return `{"accessToken":"` + token + `","expires":` + life + `}`
	case TokenByEndpoint, TokenStandard:
	}
	return `{"access_token":"` + token + `","expires_in":` + life +
		`,"token_type":"Bearer","scope":"workflow.studio.api"}`
}
