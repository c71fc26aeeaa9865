package truliootest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

func TestTokenForms(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tokens      truliootest.Tokens
		token, life string
		seconds     any
	}{
		"standard":    {token: "access_token", life: "expires_in", seconds: 1800.0},
		"capitalised": {truliootest.Tokens{Form: truliootest.TokenCapitalised, Lifetime: 90 * time.Second}, "Token", "ExpiresIn", 90.0},
		"legacy":      {truliootest.Tokens{Form: truliootest.TokenLegacy}, "accessToken", "expires", 1800.0},
		"own": {truliootest.Tokens{Body: func(token string, _ int) string {
			return `{"access_token":"` + token + `","expires_in":"soon"}`
		}}, "access_token", "expires_in", "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t, truliootest.WithTokens(test.tokens))
			got := tokenV2(t, srv, credentials(srv))
			require.Equal(t, http.StatusOK, got.status)
			var body map[string]any
			require.NoError(t, json.Unmarshal(got.body, &body))
			assert.Equal(t, test.seconds, body[test.life])
			assert.Equal(t, "no-store", got.header.Get("Cache-Control"))
			for _, path := range []string{"/v1", "/test/v2"} {
				page, err := ask(t, srv, http.MethodGet, srv.BaseURL+path+"/query/clients", nil,
					"Authorization", "Bearer "+body[test.token].(string))
				require.NoError(t, err)
				assert.Equal(t, http.StatusOK, page.status, "one token for live and test")
			}
		})
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for _, c := range "#&+%~!=" {
		require.Contains(t, srv.ClientSecret, string(c))
	}
	require.GreaterOrEqual(t, len(srv.ClientSecret), 14)
	for _, test := range []struct{ name, value, want string }{
		{"client_secret", strings.SplitN(srv.ClientSecret, "#", 2)[0], "invalid_client"},
		{"client_id", "", "invalid_client"},
		{"grant_type", "password", "unsupported_grant_type"},
		{"scope", "all", "invalid_scope"},
	} {
		form := credentials(srv)
		form.Set(test.name, test.value)
		got := tokenV2(t, srv, form)
		assert.Equal(t, http.StatusBadRequest, got.status)
		assert.JSONEq(t, `{"error":"`+test.want+`"}`, string(got.body))
	}
	form := credentials(srv)
	form.Del("scope")
	assert.Equal(t, http.StatusOK, tokenV2(t, srv, form).status, "the scope can be left out")

	inQuery, err := ask(t, srv, http.MethodPost, srv.TokenURL+"?"+credentials(srv).Encode(), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, inQuery.status, "version 2 reads the body only")
	byGet, err := ask(t, srv, http.MethodGet, srv.TokenURL, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusMethodNotAllowed, byGet.status)
}

func TestTokenV1(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	address := srv.BaseURL + "/oauth/accessToken"
	good := url.Values{"clientId": {srv.ClientID}, "clientSecret": {srv.ClientSecret}}
	got, err := ask(t, srv, http.MethodPost, address+"?"+good.Encode(), nil)
	require.NoError(t, err)
	var body struct {
		AccessToken string
		Expires     int
	}
	require.NoError(t, json.Unmarshal(got.body, &body))
	assert.Equal(t, 3600, body.Expires)
	assert.NotEmpty(t, body.AccessToken)
	assert.Equal(t, 1, srv.Count(truliootest.FetchToken))

	unescaped, err := ask(t, srv, http.MethodPost, address+"?clientId="+srv.ClientID+"&clientSecret="+srv.ClientSecret, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, unescaped.status)
	inBody, err := ask(t, srv, http.MethodPost, address, strings.NewReader(good.Encode()),
		"Content-Type", "application/x-www-form-urlencoded")
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, inBody.status)
}

func TestUnauthorised(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	token := srv.Token()
	status := func(authorization string) int {
		got, err := ask(t, srv, http.MethodGet, srv.BaseURL+"/v2/query/clients", nil, "Authorization", authorization)
		require.NoError(t, err)
		if got.status == http.StatusUnauthorized {
			assert.True(t, json.Valid(got.body))
			assert.Contains(t, got.header.Get("WWW-Authenticate"), "Bearer")
		}
		return got.status
	}
	for _, bad := range []string{"", "Bearer", "Bearer ", "Basic " + token, "Bearer x" + token, token} {
		assert.Equal(t, http.StatusUnauthorized, status(bad), bad)
	}
	assert.Equal(t, http.StatusOK, status("Bearer "+token))
	assert.NotEqual(t, token, srv.Token())
	assert.Equal(t, http.StatusOK, status("Bearer "+token), "a new token does not end the old one")
	srv.RevokeTokens()
	assert.Equal(t, http.StatusUnauthorized, status("Bearer "+token))
	assert.Equal(t, http.StatusOK, status("Bearer "+srv.Token()))

	srv.SetTokens(truliootest.Tokens{RevokeEvery: 5})
	token = srv.Token()
	served := 0
	for range 50 {
		if status("Bearer "+token) == http.StatusUnauthorized {
			token = srv.Token()
			continue
		}
		served++
	}
	assert.InDelta(t, 42, served, 1, "five of six")
}

func TestTokenReuseAndExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithTokens(truliootest.Tokens{Reuse: true}))
		type body struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
		}
		first := decode[body](t, tokenV2(t, srv, credentials(srv)).body)
		<-time.After(29 * time.Minute)
		again := decode[body](t, tokenV2(t, srv, credentials(srv)).body)
		assert.Equal(t, body{first.AccessToken, 60}, again)
		<-time.After(time.Minute)
		fresh := decode[body](t, tokenV2(t, srv, credentials(srv)).body)
		assert.NotEqual(t, first.AccessToken, fresh.AccessToken)
		assert.Equal(t, 1800, fresh.ExpiresIn)
		srv.RevokeTokens()
		afterwards := decode[body](t, tokenV2(t, srv, credentials(srv)).body)
		assert.NotEqual(t, fresh.AccessToken, afterwards.AccessToken, "a revoked token is not given again")
	})
}
