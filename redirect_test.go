package trulioo_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The rows of "Redirects and addresses" in the list of traps, a test each. A second
// host is localhost:port2 beside 127.0.0.1:port1.

// stranger is a host that the API redirects to. It notes the requests.
type stranger struct {
	*httptest.Server
	mu       sync.Mutex
	requests []*http.Request
	bodies   []string
}

func newStranger(t *testing.T, answer http.HandlerFunc) *stranger {
	t.Helper()
	s := unstarted(answer)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func unstarted(answer http.HandlerFunc) *stranger {
	s := &stranger{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.requests, s.bodies = append(s.requests, r), append(s.bodies, string(body))
		s.mu.Unlock()
		answer(w, r)
	}))
	return s
}

func (s *stranger) got() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// localhost is the server's address by another name of the same machine, which
// makes another origin of it.
func (s *stranger) localhost(path string) string {
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	scheme, _, _ := strings.Cut(s.URL, ":")
	return scheme + "://localhost:" + port + path
}

func sends(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// Trap: any RoundTripper that always sets the header sends the bearer to a
// redirect's host, and object stores refuse a second auth mechanism.
// Trap: Referer carries the address before, with the file's key in it.
func TestFileRedirectToAnotherHost(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		store := newStranger(t, sends("the file"))
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.DownloadFile, truliootest.Redirect(status, store.localhost("/object?X-Signature=abc")))
		var saved bytes.Buffer
		_, err := clientOf(srv).Files.Save(t.Context(), "k", &saved)
		require.NoError(t, err)
		assert.Equal(t, "the file", saved.String())
		require.Len(t, store.got(), 1)
		assertNoSecrets(t, store.got()[0])
		assert.Equal(t, "/object?X-Signature=abc", store.got()[0].RequestURI)
	}
	t.Run("the sandbox's object store", func(t *testing.T) {
		t.Parallel()
		srv := filesServer(t, truliootest.Files{Redirect: true})
		key := fileKey(t, srv)
		var saved bytes.Buffer
		_, err := clientOf(srv).Files.Save(t.Context(), key, &saved)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
		require.Len(t, srv.StoreRequests(), 1)
		assert.Empty(t, srv.StoreRequests()[0].Header["Authorization"])
		assert.Empty(t, srv.StoreRequests()[0].Header["Referer"])
	})
}

// Trap: net/http's own rule keeps the header on the same host with another
// port, and on subdomains.
func TestFileRedirectToAnotherPortOfTheSameHost(t *testing.T) {
	t.Parallel()
	store := newStranger(t, sends("the file"))
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.DownloadFile, truliootest.Redirect(302, store.URL+"/object"))
	file, err := clientOf(srv).Files.Download(t.Context(), "k")
	require.NoError(t, err)
	content, err := io.ReadAll(file.Body)
	require.NoError(t, err)
	require.NoError(t, file.Body.Close())
	assert.Equal(t, "the file", string(content))
	require.Len(t, store.got(), 1)
	assertNoSecrets(t, store.got()[0])
}

func assertNoSecrets(t *testing.T, r *http.Request) {
	t.Helper()
	for _, name := range []string{"Authorization", "Referer", "Cookie", "Proxy-Authorization"} {
		assert.Empty(t, r.Header[name], name)
	}
}

func TestFileRedirectThatNamesAUserGetsNoAuthorizationEither(t *testing.T) {
	t.Parallel()
	store := newStranger(t, sends("the file"))
	srv := truliootest.NewServer(t)
	address := strings.Replace(store.localhost("/o"), "://", "://user:password@", 1)
	srv.Fail(truliootest.DownloadFile, truliootest.Redirect(302, address))
	_, err := clientOf(srv).Files.Save(t.Context(), "k", io.Discard)
	require.NoError(t, err)
	require.Len(t, store.got(), 1)
	assertNoSecrets(t, store.got()[0])
}

// The stranger sends the client back to the API, which gets the bearer again,
// and no Referer with the stranger's signed address.
func TestFileRedirectBackToTheAPI(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{})
	key := fileKey(t, srv)
	home := srv.BaseURL + "/v2/query/file?" + url.Values{"key": {key}}.Encode()
	store := newStranger(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, home, http.StatusFound) })
	srv.Fail(truliootest.DownloadFile, truliootest.Redirect(302, store.localhost("/signed")), truliootest.Times(1))
	saved, err := clientOf(srv).Files.Save(t.Context(), key, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, int64(fileSize), saved.Size)
	assertNoSecrets(t, store.got()[0])
	requests := downloads(srv)
	require.Len(t, requests, 2)
	assert.NotEmpty(t, requests[1].Header.Get("Authorization"))
	assert.Empty(t, requests[1].Header["Referer"])
}

func TestRedirectsThatNeverEndAreGivenUp(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.Any, truliootest.Redirect(302, srv.BaseURL+"/v2/query/clients"), truliootest.Path("/query/"))
	client := clientOf(srv)
	_, err := client.Clients.List(t.Context(), nil)
	assertRefused(t, err, 302)
	_, err = client.Files.Download(t.Context(), "k")
	assertRefused(t, err, 302)
	assert.Less(t, srv.Count(truliootest.Any), 20)
}

// Five redirects are followed, the sixth is not.
func TestRedirectsAreCounted(t *testing.T) {
	t.Parallel()
	host := newStranger(t, func(w http.ResponseWriter, r *http.Request) {
		left := len(r.URL.Path) - len("/")
		if left == 0 {
			_, _ = io.WriteString(w, "file")
			return
		}
		w.Header().Set("Location", "/"+strings.Repeat("x", left-1))
		w.WriteHeader(http.StatusFound)
	})
	srv := truliootest.NewServer(t)
	for path, want := range map[string]string{"/xxxx": "file", "/xxxxx": ""} { // after the first, from the API
		fault := srv.Fail(truliootest.DownloadFile, truliootest.Redirect(http.StatusFound, host.localhost(path)))
		var got bytes.Buffer
		_, err := srv.Client().Files.Save(t.Context(), "key", &got)
		fault.Stop()
		assert.Equal(t, want, got.String(), path)
		if want == "" {
			assertRefused(t, err, http.StatusFound)
			continue
		}
		require.NoError(t, err, path)
	}
}

func TestFileRedirectToAnotherSchemeIsRefused(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.DownloadFile, truliootest.Redirect(302, "ftp://127.0.0.1/x"))
	_, err := clientOf(srv).Files.Download(t.Context(), "k")
	assertRefused(t, err, 302)
	assert.Equal(t, 1, srv.Count(truliootest.DownloadFile))
}

// assertRefused demands that the redirect itself is the answer.
func assertRefused(t *testing.T, err error, status int) {
	t.Helper()
	var refused *trulioo.APIError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, status, refused.StatusCode)
	assert.Equal(t, 1, refused.Attempts)
}

// tlsAPI is an API over TLS, and a client of it with a token of its own.
func tlsAPI(t *testing.T, answer http.HandlerFunc) (*stranger, *trulioo.Client) {
	t.Helper()
	api := unstarted(answer)
	api.StartTLS()
	t.Cleanup(api.Close)
	client, err := trulioo.NewClient(
		trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "bearer-of-tls"})),
		trulioo.WithBaseURL(api.URL+"/export"),
		trulioo.WithHTTPClient(api.Client()),
	)
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	return api, client
}

// Trap: net/http keeps the header on https -> http, and CheckRedirect is never
// called where it is set on retryablehttp's StandardClient.
func TestRedirectFromTLSToPlainHTTP(t *testing.T) {
	t.Parallel()
	plain := newStranger(t, sends("{}"))
	for _, target := range []string{plain.URL, plain.localhost(""), strings.Replace(plain.URL, "http", "HTTP", 1)} {
		api, client := tlsAPI(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", target+"/x")
			w.WriteHeader(http.StatusFound)
		})
		_, err := client.Files.Download(t.Context(), "k")
		assertRefused(t, err, 302)
		_, err = client.Files.Save(t.Context(), "k", io.Discard)
		assertRefused(t, err, 302)
		_, err = client.Clients.Get(t.Context(), "id", nil)
		assertRefused(t, err, 302)
		assert.Len(t, api.got(), 3)
	}
	assert.Empty(t, plain.got())
}

// The way down may also lead over a host of TLS.
func TestRedirectFromTLSToPlainHTTPByWayOfAStranger(t *testing.T) {
	t.Parallel()
	plain := newStranger(t, sends("{}"))
	var store *stranger
	_, client := tlsAPI(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, store.URL+"/object", http.StatusFound)
	})
	store = unstarted(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	store.StartTLS()
	t.Cleanup(store.Close)
	_, err := client.Files.Download(t.Context(), "k")
	assertRefused(t, err, 302)
	require.Len(t, store.got(), 1)
	assertNoSecrets(t, store.got()[0])
	assert.Empty(t, plain.got())
}

// Trap: the Referer carries the v1 secret from the query string.
// Trap: a 307 from the token endpoint re-sends the secret and accepts a
// stranger's token.
func TestTokenEndpointRedirects(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for version, options := range map[trulioo.APIVersion]func(*truliootest.Server) []trulioo.Option{
			trulioo.V1: (*truliootest.Server).OptionsV1, trulioo.V2: (*truliootest.Server).Options,
		} {
			target := newStranger(t, sends(`{"access_token":"stranger","accessToken":"stranger","expires_in":3600}`))
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.FetchToken, truliootest.Redirect(status, target.localhost("/token")))
			client, err := trulioo.NewClient(options(srv)...)
			require.NoError(t, err)
			_, err = client.Clients.List(t.Context(), nil)
			var auth *trulioo.AuthError
			require.ErrorAs(t, err, &auth)
			assert.Equal(t, status, auth.StatusCode)
			assert.Empty(t, target.got(), "%s %d", version, status)
			assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
			assert.Zero(t, srv.Count(truliootest.ListClients))
		}
	}
}

// No other server may send profiles.
func TestJSONRedirectToAnotherOriginIsRefused(t *testing.T) {
	t.Parallel()
	other := newStranger(t, sends(`{"id":"stranger","totalElements":1,"data":[{"id":"stranger"}]}`))
	srv := truliootest.NewServer(t)
	client := clientOf(srv)
	for _, target := range []string{other.localhost("/x"), other.URL + "/x", "//" + other.Listener.Addr().String() + "/x"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			srv.Heal()
			srv.Fail(truliootest.Any, truliootest.Redirect(status, target), truliootest.Path("/query/"))
			for name, call := range jsonCalls(client) {
				err := call(t.Context())
				assertRefused(t, err, status)
				assert.NotContains(t, err.Error(), other.Listener.Addr().String(), name)
			}
		}
	}
	assert.Empty(t, other.got())
}

func TestJSONRedirectWithinTheOriginKeepsTheBearer(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := srv.Live.IDs()[0]
	for _, target := range []string{srv.BaseURL + "/v2/query/client/" + id, "/export/v2/query/client/" + id, id} {
		srv.Heal()
		srv.ResetCounts()
		srv.Fail(truliootest.GetClient, truliootest.Redirect(307, target), truliootest.Times(1))
		profile, err := clientOf(srv).Clients.Get(t.Context(), id, nil)
		require.NoError(t, err, target)
		assert.Equal(t, id, profile.ID)
		var got []truliootest.Request
		for _, r := range srv.Requests() {
			if r.Operation == truliootest.GetClient {
				got = append(got, r)
			}
		}
		require.Len(t, got, 2)
		assert.NotEmpty(t, got[1].Header.Get("Authorization"))
		assert.Equal(t, got[0].Header.Get("Authorization"), got[1].Header.Get("Authorization"))
		assert.Empty(t, got[1].Header["Referer"])
	}
}

// Origins are compared as such, not as strings.
func TestOriginIsSchemeHostAndPort(t *testing.T) {
	t.Parallel()
	for location, authorization := range map[string]string{
		"https://api.EXAMPLE.com:443/export/end":       "Bearer t",
		"https://files.example.com/export/end":         "",
		"https://api.example.com.evil.test/end":        "",
		"https://api.example.com:8443/export/end":      "",
		"https://api.example.com@evil.test/end":        "",
		"https://user:word@api.example.com/export/end": "Bearer t",
	} {
		var last *http.Request
		base := roundTrip(func(req *http.Request) (*http.Response, error) {
			last = req
			answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}
			if !strings.Contains(req.URL.Path, "/end") {
				answer.StatusCode = http.StatusFound
				answer.Header.Set("Location", location)
			}
			return answer, nil
		})
		client, err := trulioo.NewClient(
			trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})),
			trulioo.WithBaseURL("https://api.example.com/export"),
			trulioo.WithHTTPClient(&http.Client{Transport: base}),
		)
		require.NoError(t, err)
		_, err = client.Files.Download(t.Context(), "k")
		require.NoError(t, err, location)
		assert.Contains(t, last.URL.Path, "/end", location)
		assert.Equal(t, authorization, last.Header.Get("Authorization"), location)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// Trap: ids "..", ".", "a/b" and "x?y#z" rewrite the path, and url.PathEscape("..") is still "..".
func TestIDsThatWouldRewriteThePath(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := clientOf(srv)
	for _, id := range []string{"", ".", ".."} {
		_, err := client.Clients.Get(t.Context(), id, nil)
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, "clientID", wrong.Argument)
	}
	assert.Zero(t, srv.Count(truliootest.Any))
	for id, path := range map[string]string{
		"a/b":                      "a%2Fb",
		"x?y#z":                    "x%3Fy%23z",
		"../workflows":             "..%2Fworkflows",
		"%2e%2e":                   "%252e%252e",
		"..\\..":                   "..%5C..",
		"a b+c;d=e&f@g:h":          "a%20b+c%3Bd=e&f@g:h",
		"\r\nX: y\x00é":            "%0D%0AX:%20y%00%C3%A9",
		"...":                      "...",
		"{clientId}":               "%7BclientId%7D",
		"5f3c9d0e8b7a6c5d4e3f2a1b": "5f3c9d0e8b7a6c5d4e3f2a1b",
	} {
		srv.ResetCounts()
		_, err := client.Clients.Get(t.Context(), id, &trulioo.GetOptions{FullServiceDetails: true})
		require.ErrorIs(t, err, trulioo.ErrNotFound, id)
		requests := srv.Requests()
		last := requests[len(requests)-1]
		assert.Equal(t, truliootest.GetClient, last.Operation, id)
		assert.Equal(t, "/export/v2/query/client/"+path, last.Path)
		assert.Equal(t, "includeFullServiceDetails=true", last.RawQuery)
		var said *trulioo.APIError
		require.ErrorAs(t, err, &said)
		assert.NotContains(t, err.Error(), path, "the error names the id")
	}
}

// A 429 of the object store says nothing about the API, which others are asking.
func TestPauseIsNotForAnotherHosts429(t *testing.T) {
	t.Parallel()
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "50")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	t.Cleanup(store.Close)
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.DownloadFile, truliootest.Redirect(http.StatusFound, store.URL))
	client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
	_, err := client.Files.Download(t.Context(), "key")
	require.ErrorIs(t, err, trulioo.ErrRateLimited)
	// A pause of 50 s would be refused at once, as it outlasts this deadline.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = client.Workflows.List(ctx, nil)
	require.NoError(t, err)
}

// Its Retry-After is for that file alone: the call waits, and nobody else does.
func TestAnObjectStoresRetryAfterIsForThatFileAlone(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 429, 503} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			asked := 0
			store := roundTripper(func(req *http.Request) (*http.Response, error) {
				if req.URL.Host != "store.example" {
					return srv.HTTPClient().Transport.RoundTrip(req)
				}
				w := httptest.NewRecorder()
				if asked++; asked == 1 {
					w.Header().Set("Retry-After", "20")
					w.WriteHeader(status)
				} else {
					w.Header().Set("Content-Length", "8")
					_, _ = io.WriteString(w, "the file")
				}
				return w.Result(), nil
			})
			srv.Fail(truliootest.DownloadFile, truliootest.Redirect(http.StatusFound, "http://store.example/object"))
			client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: store}))
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			begun := time.Now()
			for _, err := range together(20, func(i int) error {
				if i == 0 {
					var saved bytes.Buffer
					_, err := client.Files.Save(t.Context(), "key", &saved)
					assert.Equal(t, "the file", saved.String())
					assert.Equal(t, 20*time.Second, time.Since(begun))
					return err
				}
				pass(time.Duration(i) * time.Millisecond)
				_, err := client.Workflows.List(t.Context(), nil)
				assert.Equal(t, time.Duration(i)*time.Millisecond, time.Since(begun))
				return err
			}) {
				require.NoError(t, err)
			}
		})
	}
}

// The limit on requests and the pause are the API's: a file's request to an object store
// neither waits for them nor takes a turn.
func TestAnObjectStoreIsOutsideOfTheLimits(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		store := roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host != "store.example" {
				return srv.HTTPClient().Transport.RoundTrip(req)
			}
			pass(time.Millisecond)
			w := httptest.NewRecorder()
			w.Header().Set("Content-Length", "8")
			_, _ = io.WriteString(w, "the file")
			return w.Result(), nil
		})
		srv.Fail(truliootest.DownloadFile, truliootest.Redirect(http.StatusFound, "http://store.example/object"))
		client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: store}), trulioo.WithRateLimit(1, 1))
		begun := time.Now()
		for i := range 5 {
			_, err := client.Files.Save(t.Context(), "key", io.Discard)
			require.NoError(t, err)
			assert.Equal(t, time.Duration(i)*time.Second+time.Millisecond, time.Since(begun))
		}
	})
}
