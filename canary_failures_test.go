package trulioo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
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

// effects are the ways in which a server can fail, with the mark in all its words.
func effects() map[string]truliootest.Effect {
	all := map[string]truliootest.Effect{
		"reset": truliootest.Reset(), "cut": truliootest.Cut(5), "cut chunked": truliootest.CutChunked(5), "reset inside": truliootest.ResetAfter(5),
		"malformed":           truliootest.Answer(200, `{"id":"`+mark+`","`+mark+`":`+mark+`}`),
		"truncated":           truliootest.Answer(200, `{"`+mark+`":"`+mark),
		"not JSON":            truliootest.Answer(200, "<html>"+mark),
		"a string":            truliootest.Answer(200, `"`+mark+`"`),
		"null":                truliootest.Answer(200, "null"),
		"rows that are none":  truliootest.Answer(200, `{"totalElements":"`+mark+`","data":[{"id":"a"},"`+mark+`"]}`),
		"two values":          truliootest.Answer(200, `{} "`+mark+`"`),
		"too large":           truliootest.GzipBomb(8 << 20),
		"not gzip":            truliootest.Answer(200, mark).Header("Content-Encoding", "gzip"),
		"redirect":            truliootest.Redirect(302, "http://localhost:1"+markedPlace),
		"redirect down":       truliootest.Redirect(307, "ftp://localhost:1"+markedPlace),
		"redirect to nowhere": truliootest.Redirect(302, "http://["+mark+"\x01"),
		"redirect, no place":  truliootest.Redirect(302, ""),
		"wait too long":       truliootest.Answer(429, markedMessage).RetryAfter("99999999999999999999"),
		"wait for nonsense":   truliootest.Answer(503, markedMessage).RetryAfter(mark),
		"HTML":                truliootest.Answer(502, "<html><title>"+mark+"</title>"),
		"not found by code":   truliootest.Answer(400, `{"error":{"code":"4100","message":"`+mark+`"}}`),
	}
	for _, status := range []int{400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 501, 502, 503, 504} {
		all["status "+strconv.Itoa(status)] = truliootest.Answer(status, markedMessage)
	}
	return all
}

// Failure: every way to fail, for every call and both token endpoints. The test
// is not parallel, since it takes over the default logger.
func TestCanaryOnFailure(t *testing.T) {
	var stray canaryLog
	log.SetOutput(&stray)
	defer log.SetOutput(log.Default().Writer())
	t.Run("all", func(t *testing.T) {
		for name, effect := range effects() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				failing(t, effect)
			})
		}
	})
	log.SetOutput(io.Discard)
	assertHidden(t, stray.text())
}

func failing(t *testing.T, effect truliootest.Effect) {
	t.Helper()
	var out canaryLog
	srv := markedServer(t)
	client := srv.Client(watched(&out)...)
	for op, calls := range everyCall(t, client) {
		srv.Heal()
		srv.Fail(op, effect)
		for i, call := range calls {
			value, err := call(t.Context())
			if err == nil { // such as a file that holds anything, or a list without data
				if op != truliootest.DownloadFile {
					assertHidden(t, exposed(value), op, i)
				}
				continue
			}
			assertKnown(t, err)
			assertHidden(t, exposedError(err), op, i)
		}
	}
	srv.Heal()
	srv.Fail(truliootest.FetchToken, effect)
	for _, options := range [][]trulioo.Option{srv.Options(), srv.OptionsV1()} {
		cold, err := trulioo.NewClient(append(options, watched(&out)...)...)
		require.NoError(t, err)
		_, err = cold.Clients.Get(t.Context(), markedClient, nil)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		assertHidden(t, exposedError(err), "token")
	}
	assert.NotEmpty(t, out.text())
	assertHidden(t, out.text(), "the log or the observer")
}

// assertKnown demands one of the library's own errors.
func assertKnown(t *testing.T, err error) {
	t.Helper()
	switch err.(type) { //nolint:errorlint // it must be the outermost
	case *trulioo.APIError, *trulioo.AuthError, *trulioo.TransportError, *trulioo.DecodeError, *trulioo.ArgumentError, *trulioo.FileError:
	default:
		assert.Fail(t, "an error of a foreign type", "%T", err)
	}
}

// Below HTTP: the address, the certificate, the wire, the caller's own parts.
func TestCanaryOnTheWay(t *testing.T) {
	t.Parallel()
	quiet := log.New(io.Discard, "", 0)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	untrusted.StartTLS()
	t.Cleanup(untrusted.Close)
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, mark, http.StatusProxyAuthRequired)
	}))
	t.Cleanup(proxy.Close)
	raw := func(answer string) string { return rawServer(t, answer) }
	failing := func(err error) http.RoundTripper {
		return roundTrip(func(*http.Request) (*http.Response, error) { return nil, err })
	}
	proxied := func(address string) http.RoundTripper {
		u, err := url.Parse(address)
		require.NoError(t, err)
		u.User = url.UserPassword(mark, mark)
		return &http.Transport{Proxy: http.ProxyURL(u)}
	}
	nameless := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New(mark) }}
	for name, c := range map[string]struct {
		base      string
		transport http.RoundTripper
	}{
		"refused":                       {base: "http://127.0.0.1:1"},
		"refused over TLS":              {base: "https://127.0.0.1:1"},
		"the name does not resolve":     {base: "https://api.invalid", transport: &http.Transport{DialContext: (&net.Dialer{Resolver: nameless}).DialContext}},
		"not trusted":                   {base: untrusted.URL},
		"no TLS":                        {base: strings.Replace(plain.URL, "http:", "https:", 1)},
		"proxy refuses":                 {base: "https://api.invalid", transport: proxied(proxy.URL)},
		"proxy is not there":            {base: "https://api.invalid", transport: proxied("http://127.0.0.1:1")},
		"garbage":                       {base: raw(mark + " garbage\r\n\r\n")},
		"a malformed header":            {base: raw("HTTP/1.1 200 OK\r\n" + mark + "\r\n\r\n")},
		"a malformed length":            {base: raw("HTTP/1.1 200 OK\r\nContent-Length: " + mark + "\r\n\r\n")},
		"a malformed chunk":             {base: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + mark + "\r\n")},
		"an unknown encoding":           {base: raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + mark + "\r\n\r\n")},
		"a malformed status":            {base: raw("HTTP/1.1 " + mark + "\r\n\r\n")},
		"a reason":                      {base: raw("HTTP/1.1 418 " + mark + "\r\nX-Request-Id: " + strings.Repeat("a", 200) + "\r\nContent-Length: 0\r\n\r\n")},
		"nothing":                       {base: raw("")},
		"the caller's transport":        {base: "https://api.invalid", transport: failing(errors.New(mark))},
		"the caller's URL error":        {base: "https://api.invalid", transport: failing(&url.Error{Op: mark, URL: mark, Err: io.ErrUnexpectedEOF})},
		"the caller's operation error":  {base: "https://api.invalid", transport: failing(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New(mark)})},
		"the caller's resolution error": {base: "https://api.invalid", transport: failing(fmt.Errorf("%s: %w", mark, context.DeadlineExceeded))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transport := c.transport
			if transport == nil {
				transport = &http.Transport{}
			}
			for _, credentials := range [][]trulioo.Option{
				{trulioo.WithCredentials(markedID, markedSecret), trulioo.WithAPIVersion(trulioo.V1)},
				{trulioo.WithCredentials(markedID, markedSecret), trulioo.WithTokenURL(c.base + "/token")},
				{trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: markedToken}))},
			} {
				var out canaryLog
				client, err := trulioo.NewClient(append(watched(&out), append(credentials,
					trulioo.WithBaseURL(c.base+"/export"), trulioo.WithHTTPClient(&http.Client{Transport: transport}))...)...)
				require.NoError(t, err)
				for op, calls := range everyCall(t, client) {
					for _, call := range calls {
						_, err := call(t.Context())
						assertKnown(t, err)
						assertHidden(t, exposedError(err), op)
					}
				}
				assertHidden(t, out.text(), "the log or the observer")
				client.CloseIdleConnections()
			}
		})
	}
}

// rawServer answers every connection with these bytes once the request is there.
func rawServer(t *testing.T, answer string) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 64<<10))
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String()
}

// The caller's own token source and store can say anything.
type saying struct {
	token string
	err   error
}

func (s saying) Token() (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: s.token}, s.err
}

type sayingStore struct{ saying }

func (s sayingStore) Token(context.Context, string, string, func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	return s.saying.Token()
}

func TestCanaryOfTokens(t *testing.T) {
	t.Parallel()
	for name, said := range map[string]saying{
		"good":             {token: markedToken},
		"not printable":    {token: mark + "\r\n"},
		"none":             {},
		"an error":         {err: errors.New(mark)},
		"x/oauth2's error": {err: &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400}, Body: []byte(mark), ErrorDescription: mark, ErrorURI: mark}},
		"a URL's error":    {err: &url.Error{Op: "Post", URL: mark, Err: io.EOF}},
		"the end of time":  {err: fmt.Errorf("%s: %w", mark, context.DeadlineExceeded)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := markedServer(t)
			var out canaryLog
			store := sayingStore{said}
			for _, option := range [][]trulioo.Option{
				{trulioo.WithTokenSource(said), trulioo.WithBaseURL(srv.BaseURL)},
				append(srv.Options(), trulioo.WithTokenStore(store)),
			} {
				client, err := trulioo.NewClient(append(option, watched(&out)...)...)
				require.NoError(t, err)
				t.Cleanup(client.CloseIdleConnections)
				for _, calls := range everyCall(t, client) {
					for _, call := range calls {
						_, err := call(t.Context()) // the server knows no such token
						assertKnown(t, err)
						assertHidden(t, exposedError(err))
					}
				}
			}
			assertHidden(t, out.text(), "the log or the observer")
		})
	}
}

func TestCanaryWhereTheContextEnds(t *testing.T) {
	t.Parallel()
	srv := markedServer(t)
	var out canaryLog
	client := srv.Client(watched(&out)...)
	canceled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New(mark))
	late, end := context.WithDeadlineCause(t.Context(), time.Unix(1, 0), errors.New(mark))
	defer end()
	for _, ctx := range []context.Context{canceled, late} {
		for _, calls := range everyCall(t, client) {
			for _, call := range calls {
				_, err := call(ctx)
				require.ErrorIs(t, err, ctx.Err())
				assertKnown(t, err)
				assertHidden(t, exposedError(err))
			}
		}
	}
	// An answer and the end together, and the API's own limit.
	srv.Fail(truliootest.GetClient, truliootest.Answer(429, markedMessage).RetryAfter("30"))
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	patient := srv.Client(append(watched(&out), trulioo.WithRetry(trulioo.RetryPolicy{}))...)
	for range 2 {
		_, err := patient.Clients.Get(ctx, markedClient, nil)
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		assertHidden(t, exposedError(err))
	}
	limited := srv.Client(append(watched(&out), trulioo.WithRateLimit(1e-9, 1))...)
	_, _ = limited.Clients.List(ctx, nil)
	_, err := limited.Clients.List(ctx, nil)
	require.ErrorIs(t, err, trulioo.ErrRateLimited)
	assertHidden(t, exposedError(err))
	assertHidden(t, out.text(), "the log or the observer")
}

func TestCanaryInArgumentsAndPages(t *testing.T) {
	t.Parallel()
	srv := markedServer(t)
	var out canaryLog
	client := srv.Client(watched(&out)...)
	check := func(err error) {
		t.Helper()
		require.Error(t, err)
		assertKnown(t, err)
		assertHidden(t, exposedError(err))
	}
	for _, path := range []string{"https://host/" + mark, "/" + mark, "../" + mark, mark + "?" + mark, mark + "#", mark + "%zz", `\` + mark} {
		_, err := client.GetJSON(t.Context(), path, nil)
		check(err)
	}
	_, err := client.Clients.List(t.Context(), &trulioo.ClientListOptions{Statuses: []trulioo.Status{mark + ","}})
	check(err)
	_, err = client.With(trulioo.WithBaseURL("ftp://" + mark))
	check(err)
	srv.Fail(truliootest.ListClients, truliootest.Answer(http.StatusOK, envelope(99, 9, 0, false, mark, mark+"2")))
	_, err = collect(client.Clients.All(t.Context(), nil))
	require.ErrorIs(t, err, trulioo.ErrPaging)
	check(err)
	assertHidden(t, out.text(), "the log or the observer")
}

// brokenDeduper fails and panics with marked values.
type brokenDeduper struct{ panics bool }

func (d brokenDeduper) fail() error {
	if d.panics {
		panic(mark)
	}
	return errors.New(mark)
}

func (d brokenDeduper) Reserve(context.Context, string, time.Duration) (string, trulioo.DedupState, error) {
	return "", 0, d.fail()
}
func (d brokenDeduper) Commit(context.Context, string, string) error  { return d.fail() }
func (d brokenDeduper) Release(context.Context, string, string) error { return d.fail() }

func TestCanaryOfWebhooks(t *testing.T) {
	t.Parallel()
	type kind = func(context.Context, *trulioo.Event) error
	functions := map[string]kind{
		"works":  func(context.Context, *trulioo.Event) error { return nil },
		"fails":  func(context.Context, *trulioo.Event) error { return errors.New(mark) },
		"panics": func(context.Context, *trulioo.Event) error { panic(errors.New(mark)) },
	}
	signature := func(body, secret string) string { return sign([]byte(body), secret) }
	requests := map[string]struct{ body, signature, contentType string }{
		"good":              {markedEvent, signature(markedEvent, markedWebhook), "application/json"},
		"wrong token":       {strings.Replace(markedEvent, markedWebhook, mark+"?", 1), "", "application/json"},
		"wrong signature":   {markedEvent, signature(markedEvent, mark), "application/json"},
		"odd signature":     {markedEvent, mark, "application/json"},
		"odd type":          {markedEvent, "", mark},
		"malformed":         {`{"` + mark + `":` + mark, "", "application/json"},
		"no object":         {`"` + mark + `"`, "", "application/json"},
		"too large":         {`"` + strings.Repeat(mark, 1000) + `"`, "", "application/json"},
		"handshake refused": {`{"type":"url_verification","token":"` + mark + `?","challenge":"` + mark + `"}`, "", "application/json"},
	}
	for verb, fn := range functions {
		for name, r := range requests {
			for _, deduper := range []trulioo.Deduper{trulioo.NewMemoryDeduper(10, time.Hour), brokenDeduper{}, brokenDeduper{panics: true}} {
				body := r.body
				var out canaryLog
				options := []trulioo.WebhookOption{
					trulioo.WithVerificationToken(markedWebhook), trulioo.WithSigningSecret(markedWebhook), trulioo.WithDeduper(deduper),
					trulioo.WithMaxBodyBytes(5000), trulioo.WithWebhookLogger(out.logger()), trulioo.WithWebhookObserver(&out),
					trulioo.WithErrorHook(func(_ context.Context, err error) { _, _ = io.WriteString(&out, exposedError(err)) }),
				}
				handler, err := trulioo.NewWebhookHandler(fn, options...)
				require.NoError(t, err)
				assertHidden(t, exposed(handler)+exposed(*handler))
				signed := r.signature
				if signed == "" {
					signed = signature(body, markedWebhook)
				}
				for range 2 { // the second is a duplicate
					req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/"+mark, strings.NewReader(body))
					req.Header.Set("Content-Type", r.contentType)
					req.Header.Set("X-Trulioo-Signature", signed)
					answer := httptest.NewRecorder()
					handler.ServeHTTP(answer, req)
					assertHidden(t, answer.Body.String(), verb, name)
					handler.Handle(t.Context(), req.Header, []byte(body))
				}
				assert.NotEmpty(t, out.text())
				assertHidden(t, out.text(), verb, name)
			}
		}
	}
	for _, err := range []error{
		trulioo.VerifySignature([]byte(mark), mark, markedWebhook), trulioo.VerifySignature([]byte(mark), signature(mark, "x"), mark),
		trulioo.VerifySignature([]byte(mark), mark, ""),
	} {
		require.Error(t, err)
		assertHidden(t, exposedError(err))
	}
	for _, body := range []string{mark, `"` + mark + `"`, `{"` + mark + `":`, ``, `{"a":"` + mark + `"} ` + mark} {
		_, err := trulioo.ParseEvent([]byte(body))
		require.Error(t, err, body)
		assertHidden(t, exposedError(err))
	}
	for _, options := range [][]trulioo.WebhookOption{
		{trulioo.WithVerificationToken(mark, "")}, {trulioo.WithSigningSecret(mark, "")}, {trulioo.WithSigningSecret(mark), trulioo.WithInsecureNoVerification()}, {},
	} {
		_, err := trulioo.NewWebhookHandler(functions["works"], options...)
		require.Error(t, err)
		assertHidden(t, exposedError(err))
	}
}
