package trulioo_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// roundTripper is a foreign transport.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestNewClient_refuses_bad_options_by_name(t *testing.T) {
	t.Parallel()
	credentials := trulioo.WithCredentials("id", "a secret of length")
	tests := []struct {
		name     string
		argument string
		opts     []trulioo.Option
	}{
		{"nothing", "WithCredentials", nil},
		{"empty id", "WithCredentials", []trulioo.Option{trulioo.WithCredentials("", "s")}},
		{"empty secret", "WithCredentials", []trulioo.Option{trulioo.WithCredentials("i", "")}},
		{"both empty", "WithCredentials", []trulioo.Option{trulioo.WithCredentials("", "")}},
		{"nil token source", "WithTokenSource", []trulioo.Option{trulioo.WithTokenSource(nil)}},
		{"source and credentials", "WithTokenSource", []trulioo.Option{credentials, trulioo.WithTokenSource(oauth2.StaticTokenSource(nil))}},
		{"no scheme", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("api.example.com/export")}},
		{"other scheme", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("ftp://api.example.com")}},
		{"no host", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("https:///export")}},
		{"not a URL", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("https://a b\x7f")}},
		{"empty base", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("")}},
		{"user info", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("https://u:p@api.example.com")}},
		{"query", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("https://api.example.com/?x=1")}},
		{"fragment", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("https://api.example.com/#x")}},
		{"plain http", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("http://api.example.com")}},
		{"plain http to a private host", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("http://localhost.example.com")}},
		{"plain http to an address", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("http://192.168.1.1")}},
		{"plain http to an IPv6 address", "WithBaseURL", []trulioo.Option{credentials, trulioo.WithBaseURL("http://[2001:db8::1]/export")}},
		{"plain http token", "WithTokenURL", []trulioo.Option{credentials, trulioo.WithTokenURL("http://auth.example.com")}},
		{"empty token URL", "WithTokenURL", []trulioo.Option{credentials, trulioo.WithTokenURL("")}},
		{"environment", "WithEnvironment", []trulioo.Option{credentials, trulioo.WithEnvironment("staging")}},
		{"empty environment", "WithEnvironment", []trulioo.Option{credentials, trulioo.WithEnvironment("")}},
		{"version", "WithAPIVersion", []trulioo.Option{credentials, trulioo.WithAPIVersion("v3")}},
		{"nil http client", "WithHTTPClient", []trulioo.Option{credentials, trulioo.WithHTTPClient(nil)}},
		{"negative timeout", "WithHTTPClient", []trulioo.Option{credentials, trulioo.WithHTTPClient(&http.Client{Timeout: -1})}},
		{"nil store", "WithTokenStore", []trulioo.Option{credentials, trulioo.WithTokenStore(nil)}},
		{"nil logger", "WithLogger", []trulioo.Option{credentials, trulioo.WithLogger(nil)}},
		{"nil observer", "WithObserver", []trulioo.Option{credentials, trulioo.WithObserver(nil)}},
		{"negative attempts", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: -1})}},
		{"negative first wait", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{MinWait: -1})}},
		{"negative wait", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{MaxWait: -1})}},
		{"negative Retry-After", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{MaxRetryAfter: -1})}},
		{"negative attempt", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{AttemptTimeout: -1})}},
		{"negative silence", "WithRetry", []trulioo.Option{credentials, trulioo.WithRetry(trulioo.RetryPolicy{IdleTimeout: -1})}},
		{"zero rate", "WithRateLimit", []trulioo.Option{credentials, trulioo.WithRateLimit(0, 1)}},
		{"NaN rate", "WithRateLimit", []trulioo.Option{credentials, trulioo.WithRateLimit(math.NaN(), 1)}},
		{"infinite rate", "WithRateLimit", []trulioo.Option{credentials, trulioo.WithRateLimit(math.Inf(1), 1)}},
		{"no burst", "WithRateLimit", []trulioo.Option{credentials, trulioo.WithRateLimit(1, 0)}},
		{"no bytes", "WithMaxResponseBytes", []trulioo.Option{credentials, trulioo.WithMaxResponseBytes(0)}},
		{"no agent", "WithUserAgent", []trulioo.Option{credentials, trulioo.WithUserAgent("")}},
		{"agent with a line break", "WithUserAgent", []trulioo.Option{credentials, trulioo.WithUserAgent("a\r\nb")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client, err := trulioo.NewClient(tt.opts...)
			require.Nil(t, client)
			var argument *trulioo.ArgumentError
			require.ErrorAs(t, err, &argument)
			assert.Equal(t, tt.argument, argument.Argument)
			assert.Contains(t, err.Error(), tt.argument)
		})
	}
}

// The error of missing credentials says what to give. The error of an empty one says that
// it is empty.
func TestNewClient_tells_missing_from_empty(t *testing.T) {
	t.Parallel()
	_, err := trulioo.NewClient()
	require.ErrorContains(t, err, "WithCredentials: is needed, unless WithTokenSource is given")
	_, err = trulioo.NewClient(trulioo.WithCredentials("", ""))
	require.ErrorContains(t, err, "WithCredentials: the client id must not be empty")
}

func TestNewClient_accepts(t *testing.T) {
	t.Parallel()
	credentials := trulioo.WithCredentials("id", "secret")
	for name, opt := range map[string]trulioo.Option{
		"nil option":        nil,
		"loopback name":     trulioo.WithBaseURL("http://localhost:1/x"),
		"loopback v4":       trulioo.WithBaseURL("http://127.8.8.8/"),
		"loopback v6":       trulioo.WithBaseURL("http://[::1]:8080"),
		"the other base":    trulioo.WithBaseURL(trulioo.AlternativeBaseURL),
		"no scope":          trulioo.WithScope(""),
		"empty http client": trulioo.WithHTTPClient(&http.Client{}),
		"one byte":          trulioo.WithMaxResponseBytes(1),
		"printable ASCII":   trulioo.WithUserAgent(" a~"),
	} {
		_, err := trulioo.NewClient(opt, credentials, trulioo.WithTokenURL("http://127.0.0.1/token?tenant=a&b=c"))
		require.NoError(t, err, name)
	}
	_, err := trulioo.NewClient(trulioo.WithInsecureHTTP(), credentials, trulioo.WithBaseURL("http://api.example.com"),
		trulioo.WithTokenURL("http://auth.example.com"))
	require.NoError(t, err, "insecure, given before the URL it allows")
}

func TestNewClientFromEnv(t *testing.T) { //nolint:paralleltest // it sets the environment
	srv := truliootest.NewServer(t)
	set := func(pairs ...string) {
		for _, name := range []string{"CLIENT_ID", "CLIENT_SECRET", "ENVIRONMENT", "API_VERSION", "BASE_URL", "TOKEN_URL"} {
			t.Setenv("TRULIOO_"+name, "")
		}
		for i := 0; i < len(pairs); i += 2 {
			t.Setenv("TRULIOO_"+pairs[i], pairs[i+1])
		}
	}
	argument := func(opts ...trulioo.Option) string {
		_, err := trulioo.NewClientFromEnv(opts...)
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, err, &argument)
		return argument.Argument
	}

	set()
	assert.Equal(t, "TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET", argument())
	set("CLIENT_ID", "only the id")
	assert.Equal(t, "TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET", argument())
	set("CLIENT_ID", "i", "CLIENT_SECRET", "s\n")
	assert.Equal(t, "TRULIOO_CLIENT_SECRET", argument(), "the newline of a file")
	set("CLIENT_ID", "i", "CLIENT_SECRET", "s", "ENVIRONMENT", "prod")
	assert.Equal(t, "TRULIOO_ENVIRONMENT", argument(), "the variable is named, not the option")
	set("CLIENT_ID", "i", "CLIENT_SECRET", "s", "BASE_URL", "example.com")
	assert.Equal(t, "TRULIOO_BASE_URL", argument())

	set("CLIENT_ID", srv.ClientID, "CLIENT_SECRET", srv.ClientSecret, "ENVIRONMENT", "test",
		"BASE_URL", srv.BaseURL, "TOKEN_URL", srv.TokenURL)
	client, err := trulioo.NewClientFromEnv()
	require.NoError(t, err)
	page, err := client.Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, srv.Test.Len(), page.TotalElements)

	live, err := trulioo.NewClientFromEnv(trulioo.WithEnvironment(trulioo.Live))
	require.NoError(t, err)
	page, err = live.Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, srv.Live.Len(), page.TotalElements, "an explicit option wins over a variable")

	set("BASE_URL", srv.BaseURL, "API_VERSION", "v1", "ENVIRONMENT", " broken ")
	_, err = trulioo.NewClientFromEnv(trulioo.WithEnvironment(trulioo.Test), trulioo.WithCredentials(srv.ClientID, srv.ClientSecret))
	require.NoError(t, err, "a variable that an option replaces is not looked at")
}

func TestClient_With(t *testing.T) {
	t.Parallel()

	t.Run("shares connections and tokens", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		live := srv.Client()
		test, err := live.With(trulioo.WithEnvironment(trulioo.Test))
		require.NoError(t, err)
		for _, c := range []*trulioo.Client{live, test, live} {
			_, err := c.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
		}
		assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
		assert.Equal(t, 1, srv.Connections(), "the calls came one after the other")
	})

	t.Run("a version change drops an inherited token URL", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		v1, err := srv.Client().With(trulioo.WithAPIVersion(trulioo.V1))
		require.NoError(t, err)
		_, err = v1.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		tokens := requestsOf(srv, truliootest.FetchToken)
		require.Len(t, tokens, 1)
		assert.Equal(t, "/export/oauth/accessToken", tokens[0].Path)
	})

	t.Run("another secret gets another token", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		client := srv.Client()
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		other, err := client.With(trulioo.WithCredentials(srv.ClientID, "a wrong secret"))
		require.NoError(t, err)
		_, err = other.Workflows.List(t.Context(), nil)
		require.ErrorIs(t, err, trulioo.ErrUnauthorized)
	})

	t.Run("a token source replaces inherited credentials, and the reverse", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		sourced, err := srv.Client().With(trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: srv.Token()})))
		require.NoError(t, err)
		_, err = sourced.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		child, err := sourced.With(trulioo.WithEnvironment(trulioo.Test))
		require.NoError(t, err)
		_, err = child.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Zero(t, srv.Count(truliootest.FetchToken), "the source is inherited, as all else is")
		back, err := sourced.With(trulioo.WithCredentials(srv.ClientID, srv.ClientSecret))
		require.NoError(t, err)
		_, err = back.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
	})

	t.Run("refuses what NewClient refuses", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		_, err := srv.Client().With(trulioo.WithEnvironment("nowhere"))
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, err, &argument)
		assert.Equal(t, "WithEnvironment", argument.Argument)
	})
}

func requestsOf(srv *truliootest.Server, op truliootest.Operation) []truliootest.Request {
	var of []truliootest.Request
	for _, r := range srv.Requests() {
		if r.Operation == op {
			of = append(of, r)
		}
	}
	return of
}

func TestClient_ForEvent(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	live := srv.Client()
	for _, tt := range []struct {
		name  string
		event *trulioo.Event
		want  int
	}{
		{"live", &trulioo.Event{}, srv.Live.Len()},
		{"test", &trulioo.Event{Test: true}, srv.Test.Len()},
		{"nil", nil, srv.Live.Len()},
	} {
		page, err := live.ForEvent(tt.event).Clients.List(t.Context(), nil)
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.want, page.TotalElements, tt.name)
	}
	assert.Same(t, live, live.ForEvent(&trulioo.Event{}))
	assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
}

func TestClient_GetJSON(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	raw, err := client.GetJSON(t.Context(), "query/clients", url.Values{"limit": {"3"}})
	require.NoError(t, err)
	assert.Contains(t, string(raw), `"totalElements"`)
	requests := srv.Count(truliootest.Any)

	for _, path := range []string{"", "/query/clients", "../oauth/accessToken", "query/../../x", "query/%2e%2e/x", "./query", "query//x",
		"query/clients?limit=3", "query/clients#x", "http://127.0.0.1/x", "//127.0.0.1/x", "query\\clients", "%zz", "mailto:x"} {
		_, err := client.GetJSON(t.Context(), path, nil)
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, err, &argument, path)
	}
	assert.Equal(t, requests, srv.Count(truliootest.Any), "nothing refused was sent")
}

func TestWithHTTPClient(t *testing.T) {
	t.Parallel()

	t.Run("an http.Transport is cloned, with its settings, and never changed", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		var dialed int
		own := &http.Transport{
			MaxIdleConnsPerHost: 3,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed++
				return (&net.Dialer{}).DialContext(ctx, network, address)
			},
		}
		mine := &http.Client{Transport: own, Timeout: time.Minute}
		client := srv.Client(trulioo.WithHTTPClient(mine))
		t.Cleanup(client.CloseIdleConnections)
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, dialed)
		assert.Equal(t, 3, own.MaxIdleConnsPerHost)
		assert.Nil(t, own.HTTP2)
		assert.Same(t, own, mine.Transport)
		assert.Nil(t, mine.CheckRedirect)
	})

	// A client that took its tokens past the caller's transport would fail behind a proxy.
	t.Run("trap: the token call uses the caller's transport too", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		var paths []string
		spy := roundTripper(func(req *http.Request) (*http.Response, error) {
			paths = append(paths, req.URL.Path)
			return http.DefaultTransport.RoundTrip(req)
		})
		_, err := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: spy})).Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []string{"/connect/token", "/export/v2/query/workflows"}, paths)
	})
}

// A child's option replaces the part that it would share; the parent keeps its own.
func TestClient_With_replaces_what_is_shared(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	parent := srv.Client()
	list := func(ctx context.Context, client *trulioo.Client) error {
		_, err := client.Workflows.List(ctx, nil)
		return err
	}

	t.Run("the transport", func(t *testing.T) {
		t.Parallel()
		var spied atomic.Int64
		spy := roundTripper(func(req *http.Request) (*http.Response, error) {
			spied.Add(1)
			return http.DefaultTransport.RoundTrip(req)
		})
		child, err := parent.With(trulioo.WithHTTPClient(&http.Client{Transport: spy}))
		require.NoError(t, err)
		require.NoError(t, list(t.Context(), parent))
		assert.Zero(t, spied.Load())
		require.NoError(t, list(t.Context(), child))
		assert.Positive(t, spied.Load())
	})

	t.Run("the token store", func(t *testing.T) {
		t.Parallel()
		var asked countingStore
		child, err := parent.With(trulioo.WithTokenStore(&asked))
		require.NoError(t, err)
		require.NoError(t, list(t.Context(), parent))
		assert.Zero(t, asked.Load())
		require.NoError(t, list(t.Context(), child))
		assert.Positive(t, asked.Load())
	})

	t.Run("the rate limit", func(t *testing.T) {
		t.Parallel()
		child, err := parent.With(trulioo.WithRateLimit(0.001, 1))
		require.NoError(t, err)
		require.NoError(t, list(t.Context(), child))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // less than the limit's 1000 s
		defer cancel()
		require.ErrorIs(t, list(ctx, child), trulioo.ErrRateLimited)
		require.NoError(t, list(ctx, parent))
	})
}

// countingStore fetches whenever it is asked.
type countingStore struct{ atomic.Int64 }

func (s *countingStore) Token(ctx context.Context, _, _ string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	s.Add(1)
	return fetch(ctx)
}

func TestClient_nil_context_is_an_argument_error(t *testing.T) {
	t.Parallel()
	client := truliootest.NewServer(t).Client()
	var none context.Context
	var argument *trulioo.ArgumentError
	_, err := client.Workflows.List(none, nil)
	require.ErrorAs(t, err, &argument)
	_, err = client.Files.Download(none, "key")
	require.ErrorAs(t, err, &argument)
	for _, err := range client.Clients.All(none, nil) {
		require.ErrorAs(t, err, &argument)
	}
}

func TestClient_and_options_print_no_secret(t *testing.T) {
	t.Parallel()
	const secret = "MARK-secret-MARK"
	opts := []trulioo.Option{trulioo.WithCredentials("MARK-id", secret), trulioo.WithBaseURL("https://MARK.example.com")}
	client, err := trulioo.NewClient(opts...)
	require.NoError(t, err)
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, v := range []any{client, *client, opts, opts[0], client.Clients, struct{ C *trulioo.Client }{client}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
			assert.NotContains(t, fmt.Sprintf(verb, v), "MARK")
			assert.NotContains(t, fmt.Sprintf(verb, v), fmt.Sprintf("%x", secret))
		}
		logger.Info("x", "v", v)
	}
	assert.NotContains(t, log.String(), "MARK")
}
