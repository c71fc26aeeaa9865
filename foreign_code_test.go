package trulioo_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"runtime"
	"runtime/debug"
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

// observer is a function of the caller's.
type observer func(trulioo.Step)

func (f observer) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	f(step)
	return ctx, func(trulioo.Outcome) {}
}

// bodyFunc is a body of the caller's transport.
type bodyFunc func() error

func (f bodyFunc) Read([]byte) (int, error) { return 0, f() }
func (f bodyFunc) Close() error             { return nil }

// foreign are the places at which a caller's code can run on a goroutine of the library.
// end panics, ends its goroutine or hangs.
var foreign = map[string]func(srv *truliootest.Server, end func()) []trulioo.Option{
	"token source": func(_ *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{trulioo.WithTokenSource(tokenSource(func() (*oauth2.Token, error) { end(); return nil, nil }))}
	},
	"token store": func(_ *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{trulioo.WithTokenStore(tokenStore(func(context.Context, string, string, func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
			end()
			return nil, nil
		}))}
	},
	"observer of a token": func(_ *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{trulioo.WithObserver(observer(func(s trulioo.Step) {
			if s.Kind == trulioo.StepToken {
				end()
			}
		}))}
	},
	"transport of a token": func(srv *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{through(srv, func(req *http.Request, _ *http.Response) bool { return req.Method == http.MethodPost }, end, false)}
	},
	"transport": func(srv *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{through(srv, func(req *http.Request, _ *http.Response) bool { return req.Method == http.MethodGet }, end, false)}
	},
	"body of a token": func(srv *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{through(srv, func(req *http.Request, _ *http.Response) bool { return req.Method == http.MethodPost }, end, true)}
	},
	"body": func(srv *truliootest.Server, end func()) []trulioo.Option {
		return []trulioo.Option{through(srv, func(req *http.Request, _ *http.Response) bool { return req.Method == http.MethodGet }, end, true)}
	},
}

// through is the server's own transport, but that end is called for some
// requests: in RoundTrip, or where their answer's body is read.
func through(srv *truliootest.Server, which func(*http.Request, *http.Response) bool, end func(), inBody bool) trulioo.Option {
	base := srv.HTTPClient().Transport
	return trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		chosen := which(req, nil)
		if chosen && !inBody {
			end()
		}
		resp, err := base.RoundTrip(req)
		if err == nil && chosen && inBody {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
			resp.Body = bodyFunc(func() error { end(); return io.EOF })
		}
		return resp, err
	})})
}

// clientWith is a client with these options in place of the server's credentials,
// which do not go together with a token source.
func clientWith(t *testing.T, srv *truliootest.Server, options ...trulioo.Option) *trulioo.Client {
	t.Helper()
	client, err := trulioo.NewClient(append([]trulioo.Option{trulioo.WithBaseURL(srv.BaseURL), trulioo.WithHTTPClient(srv.HTTPClient())}, options...)...)
	if err == nil {
		return client
	}
	return srv.Client(options...)
}

// recovered is the value that f panics with.
func recovered(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// A panic of the caller's code killed the process although the caller recovers, and a
// Goexit left the caller waiting for ever.
func TestTrap_foreign_code_that_panics_or_ends_its_goroutine(t *testing.T) {
	t.Parallel()
	for name, options := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := clientWith(t, srv, options(srv, func() { panic("boom") })...)
				assert.Equal(t, "boom", recovered(func() { _, _ = client.Workflows.List(t.Context(), nil) }))
				assert.Equal(t, "boom", recovered(func() {
					for _, err := range client.Workflows.All(t.Context(), nil) {
						_ = err
						break
					}
				}), "in the fetch of a page ahead")
				assert.Equal(t, "boom", recovered(func() {
					for _, err := range client.Clients.Export(t.Context(), nil) {
						_ = err
						break
					}
				}), "in an export")
				client.CloseIdleConnections()
			})
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := clientWith(t, srv, append(options(srv, runtime.Goexit), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))...)
				ended := make(chan error, 1)
				go func() { // since code on the caller's own goroutine ends that
					defer close(ended)
					_, err := client.Workflows.List(t.Context(), nil)
					ended <- err
				}()
				if err, ok := <-ended; ok {
					require.Error(t, err)
				}
				client.CloseIdleConnections()
			})
		})
	}
}

func TestTrap_callbacks_of_an_export_that_panic_or_end_their_goroutine(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]func(end func()) *trulioo.ExportOptions{
		"OnProfile": func(end func()) *trulioo.ExportOptions {
			return &trulioo.ExportOptions{OnProfile: func(context.Context, *trulioo.Client, *trulioo.Profile) error { end(); return nil }}
		},
		"Skip": func(end func()) *trulioo.ExportOptions {
			return &trulioo.ExportOptions{Skip: func(*trulioo.EndClient) bool { end(); return false }}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := srv.Client()
				assert.Equal(t, "boom", recovered(func() {
					for _, err := range client.Clients.Export(t.Context(), options(func() { panic("boom") })) {
						_ = err
					}
				}))
				var last error
				for _, err := range client.Clients.Export(t.Context(), options(runtime.Goexit)) {
					last = err
				}
				require.ErrorContains(t, last, "ended its goroutine")
			})
		})
	}
}

// A deadline ends a call, whatever the caller's code does meanwhile.
func TestTrap_foreign_code_that_hangs_beyond_the_deadline(t *testing.T) {
	t.Parallel()
	for name, options := range foreign {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := clientWith(t, srv, options(srv, func() { pass(time.Hour) })...)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				_, err := client.Workflows.List(ctx, nil)
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(begun))
				pass(24 * time.Hour) // until the last attempt's goroutine has ended
				client.CloseIdleConnections()
			})
		})
	}
}

// net/http's own transport needs no guard, and so no goroutine for each exchange
// and each read of a body, in an export neither. The caller's transport needs it.
func TestOnlyForeignTransportsAreGuarded(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	var mu sync.Mutex
	var guarded, direct int
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GetConn: func(string) { // on the goroutine of RoundTrip
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(string(debug.Stack()), "(*send).exchange.func") {
			guarded++
		} else {
			direct++
		}
	}})
	export := func(client *trulioo.Client) {
		for _, err := range client.Clients.Export(ctx, nil) {
			require.NoError(t, err)
		}
		client.CloseIdleConnections()
	}
	export(srv.Client())
	assert.Zero(t, guarded)
	assert.Positive(t, direct)
	direct = 0
	export(srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(srv.HTTPClient().Transport.RoundTrip)})))
	assert.Positive(t, guarded)
	assert.LessOrEqual(t, direct, 1, "the token's, whose context is no caller's")
}
