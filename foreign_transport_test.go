package trulioo_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
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

// withTransport is a client over a transport of the caller's.
func withTransport(t *testing.T, base http.RoundTripper, options ...trulioo.Option) *trulioo.Client {
	t.Helper()
	client, err := trulioo.NewClient(append([]trulioo.Option{
		trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})),
		trulioo.WithHTTPClient(&http.Client{Transport: base}),
		trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: 1, MaxWait: 1}),
	}, options...)...)
	require.NoError(t, err)
	return client
}

// A RoundTripper may return odd answers that net/http accepts. They once caused a nil
// dereference, which in the token's goroutine ended the process.
func TestTrap_transports_that_nethttp_accepts(t *testing.T) {
	t.Parallel()
	recorded := func(status int, body string) *http.Response {
		w := httptest.NewRecorder()
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return w.Result()
	}
	for name, tt := range map[string]struct {
		answer func() (*http.Response, error)
		status int // 0 for a success
	}{
		"a recorder's result": {func() (*http.Response, error) { return recorded(200, `{"data":[],"totalElements":0}`), nil }, 0},
		"a recorder's error":  {func() (*http.Response, error) { return recorded(503, "{}"), nil }, 503},
		"a recorder's 401":    {func() (*http.Response, error) { return recorded(401, "{}"), nil }, 401},
		"no body":             {func() (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, -1},
		"no body of an error": {func() (*http.Response, error) { return &http.Response{StatusCode: 500}, nil }, 500},
		"no body, a redirect": {func() (*http.Response, error) { return &http.Response{StatusCode: 302}, nil }, -1},
		"a request without a URL": {func() (*http.Response, error) {
			return &http.Response{StatusCode: 429, Request: new(http.Request)}, nil
		}, 429},
		"a body longer than it said": {func() (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: 29, Body: io.NopCloser(strings.NewReader(`{"data":[],"totalElements":0}x`))}, nil
		}, -1},
		"a body shorter than it said": {func() (*http.Response, error) {
			return &http.Response{StatusCode: 200, ContentLength: 30, Body: io.NopCloser(strings.NewReader(`{"data":[],"totalElements":0}`))}, nil
		}, -1},
		"nothing": {func() (*http.Response, error) { return nil, nil }, -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := roundTripper(func(*http.Request) (*http.Response, error) { return tt.answer() })
			client := withTransport(t, base)
			_, err := client.Workflows.List(t.Context(), nil)
			var api *trulioo.APIError
			switch {
			case tt.status == 0:
				require.NoError(t, err)
			case tt.status > 0:
				require.ErrorAs(t, err, &api)
				assert.Equal(t, tt.status, api.StatusCode)
			default:
				require.Error(t, err)
			}
			_, err = client.Files.Download(t.Context(), "key")
			if tt.status > 0 {
				require.Error(t, err)
			}
			byCredentials, err := trulioo.NewClient(trulioo.WithCredentials("id", "secret of 14 bytes"), trulioo.WithHTTPClient(&http.Client{Transport: base}),
				trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
			require.NoError(t, err)
			_, err = byCredentials.Workflows.List(t.Context(), nil)
			require.Error(t, err)
		})
	}
}

// The largest number means no limit, not a sum that overflows.
func TestTrap_unlimited_written_as_the_largest_number(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]truliootest.Option{"chunked": nil, "gzip": truliootest.WithGzip()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var options []truliootest.Option
			if option != nil {
				options = append(options, option)
			}
			srv := truliootest.NewServer(t, options...)
			const most = time.Duration(math.MaxInt64)
			client := srv.Client(trulioo.WithMaxResponseBytes(math.MaxInt64), trulioo.WithRateLimit(math.MaxFloat64, math.MaxInt), trulioo.WithRetry(trulioo.RetryPolicy{
				MaxAttempts: math.MaxInt, MinWait: 1, MaxWait: most, MaxRetryAfter: most, AttemptTimeout: most, IdleTimeout: most,
			}))
			flushed := srv.Fail(truliootest.ListClients, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				_ = http.NewResponseController(w).Flush() // no Content-Length
				next.ServeHTTP(w, r)
			}), truliootest.Times(1))
			if option != nil {
				flushed.Stop() // compressed bodies have no length anyway
			}
			for range 2 {
				page, err := client.Clients.List(t.Context(), nil)
				require.NoError(t, err)
				assert.NotEmpty(t, page.Data)
			}
			file, err := client.Files.Download(t.Context(), srv.Live.FileKeys(srv.Live.IDs()[0])[0])
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, file.Body)
			require.NoError(t, err)
			require.NoError(t, file.Body.Close())
			items := 0
			for _, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: 2}) {
				require.NoError(t, err)
				items++
			}
			assert.Positive(t, items)
		})
	}
}

// An answer of 101 was read from a connection that no context closes: the call
// returned when the server hung up, which this one does after ten seconds.
func TestTrap_switching_protocols_is_an_answer_at_once(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 8) // more than one for each call
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if !assert.NoError(t, err) {
			return
		}
		assert.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		_, err = io.Copy(io.Discard, conn) // until the client hangs up
		_ = conn.Close()
		ended <- err
	}))
	t.Cleanup(srv.Close)
	client := withTransport(t, http.DefaultTransport, trulioo.WithBaseURL(srv.URL))
	t.Cleanup(client.CloseIdleConnections)
	for name, call := range map[string]func() error{
		"get":      func() error { _, err := client.Clients.Get(t.Context(), "x", nil); return err },
		"list":     func() error { _, err := client.Workflows.List(t.Context(), nil); return err },
		"download": func() error { _, err := client.Files.Download(t.Context(), "key"); return err },
		"save":     func() error { _, err := client.Files.Save(t.Context(), "key", io.Discard); return err },
		"export": func() (last error) {
			for _, err := range client.Clients.Export(t.Context(), nil) {
				last = err
			}
			return last
		},
	} {
		var api *trulioo.APIError
		require.ErrorAs(t, call(), &api, name)
		assert.Equal(t, http.StatusSwitchingProtocols, api.StatusCode, name)
		require.NotErrorIs(t, <-ended, os.ErrDeadlineExceeded, "%s: the server hung up", name)
	}
}

// The body of an error or a redirect on a file call was read for as long as it
// dripped. Only a file's own bytes have the idle clock alone.
func TestTrap_bodies_of_errors_and_redirects_that_drip(t *testing.T) {
	t.Parallel()
	drip := func(status int) truliootest.Effect {
		return truliootest.Handle(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
			w.Header().Set("Location", r.URL.String())
			w.WriteHeader(status)
			for range 10_000 {
				if _, err := w.Write([]byte("x")); err != nil {
					return
				}
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
	}
	for _, status := range []int{http.StatusFound, http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable} {
		for name, op := range map[string]truliootest.Operation{"file": truliootest.DownloadFile, "profile": truliootest.GetClient} {
			t.Run(name+" "+http.StatusText(status), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, srv *truliootest.Server) {
					client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{AttemptTimeout: 5 * time.Second, MaxAttempts: 1}))
					call := func(ctx context.Context) error {
						if op == truliootest.DownloadFile {
							_, err := client.Files.Download(ctx, "key")
							return err
						}
						_, err := client.Clients.Get(ctx, "x", nil)
						return err
					}
					srv.Fail(op, drip(status))
					begun := time.Now()
					require.Error(t, call(t.Context()))
					assert.LessOrEqual(t, time.Since(begun), 31*time.Second, "each exchange ends with the attempt's timeout")

					ctx, cancel := context.WithTimeout(t.Context(), time.Second)
					defer cancel()
					begun = time.Now()
					require.Error(t, call(ctx))
					assert.Equal(t, time.Second, time.Since(begun))
				})
			})
		}
	}
}

// frames counts the RST_STREAM frames of a connection's client.
type frames struct {
	net.Conn
	seen   bytes.Buffer
	resets *atomic.Int32
}

func (f *frames) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	f.seen.Write(p[:n])
	preface := len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if bytes.HasPrefix(f.seen.Bytes(), []byte("PRI")) && f.seen.Len() >= preface {
		f.seen.Next(preface)
	}
	for f.seen.Len() >= 9 {
		header := f.seen.Bytes()[:9]
		size := int(binary.BigEndian.Uint32(append([]byte{0}, header[:3]...)))
		if f.seen.Len() < 9+size {
			break
		}
		if header[3] == 3 {
			f.resets.Add(1)
		}
		f.seen.Next(9 + size)
	}
	return n, err
}

type framesListener struct {
	net.Listener
	resets atomic.Int32
}

func (l *framesListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &frames{Conn: conn, resets: &l.resets}, nil
}

// HTTP/2 tells the end of a body in a frame of its own. A body read to exactly
// its Content-Length was closed before it: every call was reset.
func TestTrap_http2_bodies_are_read_to_their_end(t *testing.T) {
	t.Parallel()
	const body = `{"data":[],"totalElements":0}`
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") != "1" { // with a length and without one
			w.Header().Set("Content-Length", "29")
		}
		if r.URL.Query().Get("page") == "2" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, body)
		w.(http.Flusher).Flush()
		select { // the end comes later, unless the client resets
		case <-r.Context().Done():
		case <-time.After(10 * time.Millisecond):
		}
	}))
	listener := &framesListener{Listener: srv.Listener}
	srv.Listener = listener
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Start()
	t.Cleanup(srv.Close)
	base := &http.Transport{Protocols: new(http.Protocols)}
	base.Protocols.SetUnencryptedHTTP2(true)
	client := withTransport(t, base, trulioo.WithBaseURL(srv.URL))
	t.Cleanup(client.CloseIdleConnections)
	for range 5 {
		for page := range 3 {
			_, err := client.Workflows.List(t.Context(), &trulioo.ListOptions{Page: page})
			assert.Equal(t, page == 2, err != nil, err)
		}
	}
	assert.Zero(t, listener.resets.Load())
}

// A 503 or a 403 that says for how long pauses all clients, as a 429 does. An object
// store does not speak for the API.
func TestTrap_who_asks_for_quiet_gets_it(t *testing.T) {
	t.Parallel()
	for _, status := range []int{403, 429, 503} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			client := srv.Client()
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			srv.Fail(truliootest.ListClients, truliootest.Answer(status, "{}").RetryAfter("20"), truliootest.Times(1))
			begun := time.Now()
			for i, err := range together(20, func(i int) error {
				pass(time.Duration(i) * time.Millisecond)
				if i == 0 {
					_, err := client.Clients.List(t.Context(), nil)
					return err
				}
				_, err := client.Workflows.List(t.Context(), nil)
				assert.GreaterOrEqual(t, time.Since(begun), 20*time.Second)
				return err
			}) {
				require.NoError(t, err, i)
			}
			assert.Equal(t, 2, srv.Count(truliootest.ListClients))
		})
	}
}
