package web_test

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/web"
)

// Nobody gets anything without the cookie, and the first address lets one in.
//
//nolint:paralleltest // open sets a variable
func TestOneBrowserIsLetIn(t *testing.T) {
	p := open(t)
	stranger := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(stranger.CloseIdleConnections)
	id, _ := p.someone(t)
	for _, path := range []string{"/", "/clients", "/clients/" + id, "/clients/" + id + "/files/0", "/clients/" + id + "/bundle", "/callbacks", "/callbacks/1", "/callbacks/1/body", "/exports", "/stream", "/icon.svg", "/style.css", "/script.js", "/none", "/enter/", "/enter/" + strings.Repeat("A", 26)} {
		status, body := get(t, stranger, p.origin+path)
		assert.Equal(t, http.StatusUnauthorized, status, path)
		assert.NotContains(t, body, "<", path)
	}
	for _, path := range []string{"/read", "/callbacks/1/again", "/clients", "/none"} {
		status, body := p.post(t, stranger, path, map[string]string{"Origin": p.origin})
		assert.Equal(t, http.StatusUnauthorized, status, path)
		assert.NotContains(t, body, "<", path)
	}
	client := p.enter(t)
	for _, path := range []string{"/", "/clients", "/clients/" + id, "/clients/" + id + "/files/0", "/callbacks", "/exports", "/style.css", "/script.js"} {
		status, _ := get(t, client, p.origin+path)
		assert.Equal(t, http.StatusOK, status, path)
	}
	status, _ := get(t, client, p.origin+"/none")
	assert.Equal(t, http.StatusNotFound, status)
	status, _ = get(t, stranger, p.first)
	assert.Equal(t, http.StatusUnauthorized, status, "the first address works once")
	status, _ = get(t, client, p.origin+"/")
	assert.Equal(t, http.StatusOK, status)
}

// Traps: a name of the attacker's that is rebound to 127.0.0.1; a page of another
// origin that sends a form or reads; a cookie of another port.
//
//nolint:paralleltest // open sets a variable
func TestOtherPagesAndHostsAreRefused(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	port := p.origin[strings.LastIndex(p.origin, ":")+1:]
	ask := func(method, path, host string, header map[string]string) int {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, p.origin+path, nil)
		require.NoError(t, err)
		request.Host = host
		for name, value := range header {
			request.Header.Set(name, value)
		}
		status, _ := do(t, client, request)
		return status
	}
	for host, want := range map[string]int{
		"":                     http.StatusOK, // the address itself
		"127.0.0.1:" + port:    http.StatusOK,
		"evil.example":         http.StatusMisdirectedRequest,
		"evil.example:" + port: http.StatusMisdirectedRequest,
		"127.0.0.1":            http.StatusMisdirectedRequest,
		"127.0.0.1:1":          http.StatusMisdirectedRequest,
		"[::1]:" + port:        http.StatusMisdirectedRequest,
	} {
		assert.Equal(t, want, ask(http.MethodGet, "/clients", host, nil), host)
	}
	for name, c := range map[string]struct {
		method string
		header map[string]string
		want   int
	}{
		"typed":                     {"GET", map[string]string{"Sec-Fetch-Site": "none"}, 200},
		"a link of this page":       {"GET", map[string]string{"Sec-Fetch-Site": "same-origin"}, 200},
		"a picture on another page": {"GET", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		"another port's page":       {"GET", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"a script of another page":  {"GET", map[string]string{"Origin": "http://evil.example"}, 403},
		"a form of this page":       {"POST", map[string]string{"Origin": p.origin}, 200},
		"a form of another page":    {"POST", map[string]string{"Origin": "http://evil.example"}, 403},
		"a form of another port":    {"POST", map[string]string{"Origin": "http://127.0.0.1:1"}, 403},
		"a form without an origin":  {"POST", nil, 403},
		"a form of a sandbox":       {"POST", map[string]string{"Origin": "null"}, 403},
		"a form over https":         {"POST", map[string]string{"Origin": "https://127.0.0.1:" + port}, 403},
		"an origin and a claim":     {"POST", map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}, 403},
	} {
		path := "/"
		if c.method == http.MethodPost {
			path = "/read"
		}
		assert.Equal(t, c.want, ask(c.method, path, "", c.header), name)
	}
}

//nolint:paralleltest // open sets a variable
func TestEveryAnswerIsSealed(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	id, _ := p.someone(t)
	for _, path := range []string{"/", "/clients?after=nonsense", "/clients/" + id + "?show=1", "/clients/" + id + "/files/0", "/none", "/style.css", "/script.js", "/enter/x"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.origin+path, nil)
		require.NoError(t, err)
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		policy := response.Header.Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", path)
		assert.NotContains(t, policy, "unsafe", path)
		for _, part := range []string{"script-src 'self'", "style-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
			if !strings.HasSuffix(policy, "; sandbox") { // a file of somebody's has less than any page
				assert.Contains(t, policy, part, path)
			}
		}
		assert.Equal(t, "no-store", response.Header.Get("Cache-Control"), path)
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), path)
		assert.Equal(t, "same-origin", response.Header.Get("Cross-Origin-Resource-Policy"), path)
		for _, cookie := range response.Cookies() {
			t.Errorf("%s sets the cookie %s", path, cookie.Name)
		}
	}
}

// The cookie itself: no script reads it, and no other site's request brings it.
//
//nolint:paralleltest // open sets a variable
func TestTheCookie(t *testing.T) {
	p := open(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.first, nil)
	require.NoError(t, err)
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	response, err := client.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Len(t, response.Cookies(), 1)
	cookie := response.Cookies()[0]
	assert.True(t, cookie.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, cookie.SameSite)
	assert.True(t, strings.HasSuffix(cookie.Name, p.origin[strings.LastIndex(p.origin, ":")+1:]), "one for each port")
	assert.NotContains(t, p.first, cookie.Value, "it is not what stands in the address")
}

func TestOnLoopbackOnly(t *testing.T) {
	t.Parallel()
	for address, good := range map[string]bool{"127.0.0.1:0": true, "0.0.0.0:0": false, ":0": false} {
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		require.NoError(t, err)
		t.Cleanup(func() { _ = listener.Close() })
		_, err = web.New(listener, web.Settings{Callbacks: &callback.Log{}})
		assert.Equal(t, good, err == nil, address)
	}
}

// The page has no script and no style but its two files: nothing in it can be
// made to run.
//
//nolint:paralleltest // open sets a variable
func TestNothingInlineAndNothingFromOutside(t *testing.T) {
	p := open(t)
	client := p.enter(t)
	id, _ := p.someone(t)
	for _, path := range []string{"/", "/clients", "/clients?q=example", "/clients/" + id + "?show=1", "/callbacks", "/exports"} {
		_, body := get(t, client, p.origin+path)
		assert.NotContains(t, body, "style=", path)
		assert.Equal(t, 1, strings.Count(body, "<script"), path)
		assert.Equal(t, 1, strings.Count(body, `rel="stylesheet"`), path)
		assert.NotContains(t, body, "https://", path)
		assert.NotRegexp(t, `<[^>]+ on[a-z]+=`, body, path)
	}
	_, script := get(t, client, p.origin+"/script.js")
	assert.Less(t, strings.Count(script, "\n"), 200, "the script can be read in one go")
	assert.NotRegexp(t, `\beval\b|import\(|new Function|https?://`, script)
	_, style := get(t, client, p.origin+"/style.css")
	assert.NotRegexp(t, `@import|url\(|https?://`, style)
}
