package trulioo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// inBubble runs a test on a fake clock with a server in memory.
func inBubble(t *testing.T, test func(t *testing.T, srv *truliootest.Server), opts ...truliootest.Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		test(t, truliootest.NewServer(t, append(opts, truliootest.InMemory())...))
	})
}

// pass lets the fake clock of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// together runs n calls at once and gives their errors.
func together(n int, call func(i int) error) []error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { errs[i] = call(i) })
	}
	wait.Wait()
	return errs
}

// x/oauth2 holds a mutex over the exchange and takes no context, so that
// callers wait as long as the endpoint does.
func TestTrap_token_waiters_keep_their_own_deadlines(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.FetchToken, truliootest.Pass().Delayed(3*time.Second))
		client := srv.Client()
		begun := time.Now()
		for _, err := range together(20, func(int) error {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			_, err := client.Workflows.List(ctx, nil)
			return err
		}) {
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		assert.Equal(t, 200*time.Millisecond, time.Since(begun))
		pass(3 * time.Second)
		assert.Equal(t, 1, srv.Count(truliootest.FetchToken))

		// The fetch was nobody's own, so its token is there now.
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
	})
}

// x/oauth2 makes one exchange for each waiter where the endpoint fails.
func TestTrap_token_errors_are_shared(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.FetchToken, truliootest.Answer(500, "{}").Delayed(time.Second))
		client := srv.Client()
		for _, err := range together(20, func(int) error {
			_, err := client.Workflows.List(t.Context(), nil)
			return err
		}) {
			var auth *trulioo.AuthError
			require.ErrorAs(t, err, &auth)
			assert.Equal(t, 4, auth.Attempts)
			require.ErrorIs(t, err, trulioo.ErrServer)
			require.NotErrorIs(t, err, trulioo.ErrUnauthorized)
			require.ErrorContains(t, err, "the token endpoint failed, status 500")
		}
		assert.Equal(t, 4, srv.Count(truliootest.FetchToken), "one fetch with its retries")
		assert.Zero(t, srv.Count(truliootest.ListWorkflows))
	})
}

// A source that keeps the context of its construction, or of its first caller,
// fails everybody once that ends.
func TestTrap_no_context_is_kept(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.FetchToken, truliootest.Pass().Delayed(time.Second))
		client := srv.Client()
		first, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second/2, cancel)
		callers := []context.Context{first, t.Context()}
		errs := together(len(callers), func(i int) error {
			pass(time.Duration(i) * time.Second / 4)
			_, err := client.Workflows.List(callers[i], nil)
			return err
		})
		require.ErrorIs(t, errs[0], context.Canceled)
		require.NoError(t, errs[1])
		assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
	})
}

func TestToken_cold_client_makes_one_request(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	for _, err := range together(200, func(int) error {
		_, err := client.Workflows.List(t.Context(), nil)
		return err
	}) {
		require.NoError(t, err)
	}
	assert.Equal(t, 1, srv.Count(truliootest.FetchToken))
}

func TestToken_is_refreshed_ahead_without_a_wait(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client := srv.Client()
		list := func() time.Duration {
			begun := time.Now()
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			return time.Since(begun)
		}
		list()
		srv.Fail(truliootest.FetchToken, truliootest.Pass().Delayed(3*time.Second))
		pass(28 * time.Minute)
		assert.Zero(t, list(), "the old token serves while the new one comes")
		assert.Zero(t, list())
		pass(4 * time.Second)
		assert.Equal(t, 2, srv.Count(truliootest.FetchToken))
		pass(10 * time.Minute)
		assert.Zero(t, list(), "past the first token's end")
		assert.Equal(t, 2, srv.Count(truliootest.FetchToken))

		// Nothing runs while nobody calls.
		pass(24 * time.Hour)
		assert.Equal(t, 2, srv.Count(truliootest.FetchToken))
		assert.Equal(t, 3*time.Second, list(), "nothing good in hand: this one waits")
		assert.Equal(t, 3, srv.Count(truliootest.FetchToken))
	})
}

func TestToken_failed_refresh_ahead_costs_nobody_anything(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.SetTokens(truliootest.Tokens{Lifetime: time.Hour})
		client := srv.Client()
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		outage := srv.Fail(truliootest.FetchToken, truliootest.Answer(400, `{"error":"invalid_client"}`))
		pass(56 * time.Minute)
		for range 100 {
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			pass(time.Second)
		}
		assert.LessOrEqual(t, outage.Hits(), 3, "not one for each call in the window")
	})
}

// The v1 page says that a new token can be requested once the current one expires: an
// early request may bring the same one, call after call.
func TestTrap_early_refresh_with_the_same_token_is_not_repeated(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client, err := trulioo.NewClient(srv.OptionsV1()...)
		require.NoError(t, err)
		for range 3 * 60 {
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			pass(time.Minute)
		}
		fetches := srv.Count(truliootest.FetchToken)
		assert.GreaterOrEqual(t, fetches, 3)
		assert.LessOrEqual(t, fetches, 7, "in each hour one early and one at its end")
	}, truliootest.WithTokens(truliootest.Tokens{Reuse: true}))
}

// Ten goroutines against a token endpoint that refuses them sent 49 requests a
// second, which locks accounts.
func TestTrap_refused_credentials_are_asked_for_slower_and_slower(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]truliootest.Effect{
		"401":                 truliootest.Answer(401, ""),
		"404":                 truliootest.Answer(404, "<html>"),
		"403":                 truliootest.Answer(403, "<html>"),
		"an error with a 200": truliootest.Answer(200, `{"error":"invalid_client"}`),
	} {
		for kind, own := range map[string]bool{"store": false, "foreign store": true} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, srv *truliootest.Server) {
					var options []trulioo.Option
					if own {
						options = append(options, trulioo.WithTokenStore(tokenStore(trulioo.NewMemoryTokenStore().Token)))
					}
					client := srv.Client(options...)
					refused := srv.Fail(truliootest.FetchToken, refusal)
					areRefused(t, client)
					assert.Equal(t, 4, srv.Count(truliootest.FetchToken), "at once, after 1 s, after 3 s and after 7 s")

					// Other credentials are not held.
					other, err := client.With(trulioo.WithAudience("another"))
					require.NoError(t, err)
					refused.Stop()
					_, err = other.Workflows.List(t.Context(), nil)
					require.NoError(t, err)
					pass(time.Minute)
					_, err = client.Workflows.List(t.Context(), nil)
					require.NoError(t, err)
				})
			})
		}
	}
}

// areRefused makes ten goroutines ask for eleven seconds, each of whose calls is refused.
func areRefused(t *testing.T, client *trulioo.Client) {
	t.Helper()
	for _, err := range together(10, func(int) error {
		for range 1100 {
			if _, err := client.Workflows.List(t.Context(), nil); !errors.Is(err, trulioo.ErrUnauthorized) {
				return fmt.Errorf("not refused: %w", err)
			}
			pass(10 * time.Millisecond)
		}
		return nil
	}) {
		require.NoError(t, err)
	}
}

// x/oauth2 goes on with a token that the API refuses until its expiry.
func TestTrap_revoked_token_is_replaced_once(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	t.Cleanup(client.CloseIdleConnections)
	_, err := client.Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	srv.RevokeTokens()
	for _, err := range together(50, func(int) error {
		_, err := client.Workflows.List(t.Context(), nil)
		return err
	}) {
		require.NoError(t, err)
	}
	assert.Equal(t, 2, srv.Count(truliootest.FetchToken))
}

func TestToken_refused_again_is_the_callers_401(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, `{"message":"no"}`))
	_, err := client.Workflows.List(t.Context(), nil)
	var api *trulioo.APIError
	require.ErrorAs(t, err, &api)
	require.ErrorIs(t, err, trulioo.ErrUnauthorized)
	assert.Equal(t, 1, api.Attempts)
	assert.Equal(t, 2, srv.Count(truliootest.ListWorkflows), "replayed once")
	assert.Equal(t, 2, srv.Count(truliootest.FetchToken))
}

// One resource that answered 401 ended every later call of the client, where the
// token endpoint gives the token that it gave before.
func TestTrap_a_401_for_one_resource_is_that_calls_answer(t *testing.T) {
	t.Parallel()
	for name, same := range map[string]bool{"the same token again": true, "a new token each time": false} {
		for kind, options := range map[string]func(srv *truliootest.Server) []trulioo.Option{
			"store": func(*truliootest.Server) []trulioo.Option { return nil },
			"foreign store": func(*truliootest.Server) []trulioo.Option {
				memory := trulioo.NewMemoryTokenStore()
				return []trulioo.Option{trulioo.WithTokenStore(tokenStore(memory.Token))}
			},
		} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, srv *truliootest.Server) {
					client := srv.Client(options(srv)...)
					ids := srv.Live.IDs()
					srv.Fail(truliootest.GetClient, truliootest.Answer(401, `{"message":"not for you"}`), truliootest.Path(ids[1]))
					for range 100 {
						_, err := client.Clients.Get(t.Context(), ids[0], nil)
						require.NoError(t, err)
						_, err = client.Clients.Get(t.Context(), ids[1], nil)
						var api *trulioo.APIError
						require.ErrorAs(t, err, &api)
						assert.Equal(t, 401, api.StatusCode)
						assert.Equal(t, "not for you", api.Message)
						pass(10 * time.Millisecond)
					}
					assert.LessOrEqual(t, srv.Count(truliootest.FetchToken), 5, "two are free, then a second is long")
				}, truliootest.WithTokens(truliootest.Tokens{Reuse: same}))
			})
		}
	}
}

// A token can be refused for a while after it was issued: the clocks of two nodes
// differ, or they learn of it late. Throwing each away for its first 401 would
// never come to an end.
func TestTrap_a_token_that_is_good_only_later(t *testing.T) {
	t.Parallel()
	for _, late := range []time.Duration{500 * time.Millisecond, time.Second, 3 * time.Second, 10 * time.Second} {
		for _, same := range []bool{true, false} {
			for kind, client := range map[string]func(srv *truliootest.Server) *trulioo.Client{
				"store": func(srv *truliootest.Server) *trulioo.Client { return srv.Client() },
				"foreign store": func(srv *truliootest.Server) *trulioo.Client {
					return srv.Client(trulioo.WithTokenStore(tokenStore(trulioo.NewMemoryTokenStore().Token)))
				},
				"source": func(srv *truliootest.Server) *trulioo.Client {
					return clientWith(t, srv, trulioo.WithTokenSource(&keeping{server: srv, token: srv.Token()}))
				},
			} {
				inBubble(t, func(t *testing.T, srv *truliootest.Server) {
					issued := map[string]time.Time{}
					srv.Fail(truliootest.ListWorkflows, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
						token := r.Header.Get("Authorization")
						if _, known := issued[token]; !known {
							issued[token] = time.Now()
						}
						if time.Since(issued[token]) < late {
							w.WriteHeader(http.StatusUnauthorized)
							return
						}
						next.ServeHTTP(w, r)
					}))
					client, begun := client(srv), time.Now()
					for time.Since(begun) < 6*late+2*time.Second {
						_, err := client.Workflows.List(t.Context(), nil)
						if err != nil {
							require.ErrorIs(t, err, trulioo.ErrUnauthorized)
						}
						if time.Since(begun) > 4*late+time.Second {
							require.NoError(t, err, "%s, good after %v, the same token %v: after %v", kind, late, same, time.Since(begun))
						}
						pass(200 * time.Millisecond)
					}
					assert.LessOrEqual(t, len(issued), 8, "%s, %v, %v", kind, late, same)
				}, truliootest.WithTokens(truliootest.Tokens{Reuse: same}))
			}
		}
	}
}

// A retry around the token call, or an authentication style that is tried out,
// turns one wrong secret into many POSTs; RetrieveError prints the answer.
func TestTrap_wrong_secret_is_one_post_and_no_word_of_the_answer(t *testing.T) {
	t.Parallel()
	for version, opts := range map[string]func(*truliootest.Server) []trulioo.Option{
		"v2": (*truliootest.Server).Options, "v1": (*truliootest.Server).OptionsV1,
	} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			client, err := trulioo.NewClient(append(opts(srv), trulioo.WithCredentials(srv.ClientID, "MARK wrong # secret"))...)
			require.NoError(t, err)
			for range 3 {
				_, err = client.Workflows.List(t.Context(), nil)
				var auth *trulioo.AuthError
				require.ErrorAs(t, err, &auth)
				assert.Equal(t, http.StatusBadRequest, auth.StatusCode)
				assert.Equal(t, 1, auth.Attempts)
				require.ErrorIs(t, err, trulioo.ErrUnauthorized)
				assert.Contains(t, err.Error(), "invalid_client")
				for _, verb := range []string{"%v", "%+v", "%#v"} {
					assert.NotContains(t, fmt.Sprintf(verb, err), "MARK")
					assert.NotContains(t, fmt.Sprintf(verb, err), srv.BaseURL)
				}
				assert.Equal(t, 1, srv.Count(truliootest.FetchToken), "not again within a second")
			}
		})
	}
}

// net/http does not repeat a POST whose kept-alive connection turns out dead.
func TestTrap_token_post_survives_a_dead_connection(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]truliootest.Effect{
		"reset": truliootest.Reset(), "cut": truliootest.Cut(10), "truncated": truliootest.Truncate(10),
		"503": truliootest.Answer(503, "<html>"), "429": truliootest.Answer(429, "").RetryAfter("1"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := srv.Client()
				_, err := client.Workflows.List(t.Context(), nil)
				require.NoError(t, err)
				srv.RevokeTokens()
				srv.Fail(truliootest.FetchToken, effect, truliootest.Times(1))
				_, err = client.Workflows.List(t.Context(), nil)
				require.NoError(t, err)
				assert.Equal(t, 3, srv.Count(truliootest.FetchToken))
			})
		})
	}
}

func TestToken_both_ways_and_all_forms(t *testing.T) {
	t.Parallel()
	for _, form := range []truliootest.TokenForm{truliootest.TokenStandard, truliootest.TokenCapitalised, truliootest.TokenLegacy} {
		for version, opts := range map[string]func(*truliootest.Server) []trulioo.Option{
			"v2": (*truliootest.Server).Options, "v1": (*truliootest.Server).OptionsV1,
		} {
			srv := truliootest.NewServer(t, truliootest.WithTokens(truliootest.Tokens{Form: form}))
			client, err := trulioo.NewClient(opts(srv)...)
			require.NoError(t, err)
			_, err = client.Workflows.List(t.Context(), nil)
			require.NoError(t, err, "%s, form %d: the awkward characters of the secret arrive", version, form)
			client.CloseIdleConnections()
		}
	}
}

func TestToken_scope_can_be_left_out(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	_, err := srv.Client(trulioo.WithScope("")).Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	_, err = srv.Client(trulioo.WithScope("something.else")).Workflows.List(t.Context(), nil)
	require.ErrorIs(t, err, trulioo.ErrUnauthorized)
	assert.Contains(t, err.Error(), "invalid_scope")
}

// tokenSource is a caller's source.
type tokenSource func() (*oauth2.Token, error)

func (f tokenSource) Token() (*oauth2.Token, error) { return f() }

// keeping is a source that keeps its token, and can be asked for another.
type keeping struct {
	server  *truliootest.Server
	mu      sync.Mutex
	token   string
	renewed int
}

var _ trulioo.RefreshingTokenSource = (*keeping)(nil)

func (k *keeping) Token() (*oauth2.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return &oauth2.Token{AccessToken: k.token}, nil
}

func (k *keeping) TokenAfter(refused string) (*oauth2.Token, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.token == refused {
		k.renewed++
		k.token = k.server.Token()
	}
	return &oauth2.Token{AccessToken: k.token}, nil
}

func TestWithTokenSource(t *testing.T) {
	t.Parallel()
	sourced := func(t *testing.T, srv *truliootest.Server, source oauth2.TokenSource) *trulioo.Client {
		t.Helper()
		client, err := trulioo.NewClient(trulioo.WithTokenSource(source), trulioo.WithBaseURL(srv.BaseURL), trulioo.WithHTTPClient(srv.HTTPClient()))
		require.NoError(t, err)
		return client
	}

	t.Run("another token after a 401 is used", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		var asked atomic.Int32
		client := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) {
			if asked.Add(1) == 1 {
				return &oauth2.Token{AccessToken: "revoked"}, nil
			}
			return &oauth2.Token{AccessToken: srv.Token()}, nil
		}))
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, int32(2), asked.Load())
	})

	t.Run("the same token after a 401 is no replay", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		var asked atomic.Int32
		client := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) {
			asked.Add(1)
			return &oauth2.Token{AccessToken: "revoked"}, nil
		}))
		_, err := client.Workflows.List(t.Context(), nil)
		var api *trulioo.APIError
		require.ErrorAs(t, err, &api)
		assert.Equal(t, http.StatusUnauthorized, api.StatusCode)
		assert.Equal(t, int32(2), asked.Load())
		assert.Equal(t, 1, srv.Count(truliootest.ListWorkflows))
	})

	t.Run("one that keeps a revoked token gives it until its end", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		revoked := &oauth2.Token{AccessToken: "revoked", Expiry: time.Now().Add(time.Hour)}
		client := sourced(t, srv, oauth2.ReuseTokenSource(revoked, tokenSource(func() (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: srv.Token()}, nil
		})))
		for range 3 {
			_, err := client.Workflows.List(t.Context(), nil)
			var api *trulioo.APIError
			require.ErrorAs(t, err, &api)
			require.ErrorIs(t, err, trulioo.ErrUnauthorized)
		}
		assert.Equal(t, 3, srv.Count(truliootest.ListWorkflows), "the same token is not sent again")
	})

	t.Run("one that can be asked for another recovers", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		source := &keeping{server: srv, token: srv.Token()}
		client := sourced(t, srv, source)
		for range 2 {
			for _, err := range together(50, func(int) error {
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			}) {
				require.NoError(t, err)
			}
			srv.RevokeTokens()
		}
		assert.Equal(t, 1, source.renewed, "once for all 50")
		client.CloseIdleConnections()
	})

	t.Run("a lasting 401 and refused credentials ask it slower and slower", func(t *testing.T) {
		t.Parallel()
		for _, refused := range []bool{true, false} {
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, ""))
				source := &keeping{server: srv, token: srv.Token()}
				asked := 0
				client := sourced(t, srv, source)
				if refused {
					client = sourced(t, srv, tokenSource(func() (*oauth2.Token, error) {
						asked++
						return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: 401}}
					}))
				}
				areRefused(t, client)
				if refused {
					assert.Equal(t, 4, asked, "at once, after 1 s, after 3 s and after 7 s")
				} else {
					assert.LessOrEqual(t, source.renewed, 6, "two at once, and four as above")
					assert.GreaterOrEqual(t, source.renewed, 3)
				}
			})
		}
	})

	t.Run("its error is converted", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		client := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) {
			return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: 403}, Body: []byte("MARK")}
		}))
		_, err := client.Workflows.List(t.Context(), nil)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		assert.Equal(t, 403, auth.StatusCode)
		var retrieve *oauth2.RetrieveError
		require.NotErrorAs(t, err, &retrieve)
		assert.NotContains(t, fmt.Sprintf("%+v", err), "MARK")
	})

	t.Run("the causes of its error are kept where they are known", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		for _, tt := range []struct {
			err    error
			cause  bool
			prints string
		}{
			{&url.Error{Op: "Post", URL: "https://MARK", Err: syscall.ECONNREFUSED}, true, "trulioo: fetch token (live, v2): the token source failed: connection refused"},
			{errors.New("MARK"), false, "trulioo: fetch token (live, v2): the token source failed"},
		} {
			_, err := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) { return nil, tt.err })).Workflows.List(t.Context(), nil)
			assert.Equal(t, tt.cause, errors.Is(err, syscall.ECONNREFUSED))
			require.EqualError(t, err, tt.prints)
		}
	})

	t.Run("an unusable token is an error", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		for _, token := range []*oauth2.Token{nil, {}, {AccessToken: "a\r\nb: c"}} {
			_, err := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) { return token, nil })).Workflows.List(t.Context(), nil)
			var auth *trulioo.AuthError
			require.ErrorAs(t, err, &auth)
		}
		assert.Zero(t, srv.Count(truliootest.ListWorkflows))
	})

	t.Run("one that hangs holds nobody past their deadline", func(t *testing.T) {
		t.Parallel()
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			client := sourced(t, srv, tokenSource(func() (*oauth2.Token, error) {
				pass(time.Hour)
				return nil, errors.New("late")
			}))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			_, err := client.Workflows.List(ctx, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, time.Second, time.Since(begun))
			pass(time.Hour)
		})
	})
}

// tokenStore is a caller's store.
type tokenStore func(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error)

func (f tokenStore) Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	return f(ctx, key, refused, fetch)
}

func TestWithTokenStore(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	type asked struct{ key, refused string }
	var seen []asked
	store := tokenStore(func(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
		seen = append(seen, asked{key, refused})
		if refused == "" {
			return &oauth2.Token{AccessToken: "stale"}, nil
		}
		return fetch(ctx)
	})
	client := srv.Client(trulioo.WithTokenStore(store))
	_, err := client.Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	require.Len(t, seen, 2)
	assert.Equal(t, "stale", seen[1].refused)
	assert.Equal(t, seen[0].key, seen[1].key)
	assert.Regexp(t, "^[0-9a-f]{64}$", seen[0].key)

	v1, err := client.With(trulioo.WithAPIVersion(trulioo.V1))
	require.NoError(t, err)
	_, err = v1.Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	assert.NotEqual(t, seen[0].key, seen[2].key, "v1 and v2 tokens are not mixed")

	failing := srv.Client(trulioo.WithTokenStore(tokenStore(func(context.Context, string, string, func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
		return nil, errors.New("redis://MARK@host is down")
	})))
	_, err = failing.Workflows.List(t.Context(), nil)
	var auth *trulioo.AuthError
	require.ErrorAs(t, err, &auth)
	assert.NotContains(t, fmt.Sprintf("%+v", err), "MARK")
}

// Processes of two versions of this library share a store, so a key is for ever.
func TestWithTokenStore_key(t *testing.T) {
	t.Parallel()
	var key string
	client, err := trulioo.NewClient(trulioo.WithCredentials("the client id", "the client secret"), trulioo.WithTokenStore(
		tokenStore(func(_ context.Context, asked, _ string, _ func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
			key = asked
			return nil, context.Canceled
		})))
	require.NoError(t, err)
	_, err = client.Workflows.List(t.Context(), nil)
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, "af26d5d26b6c3c27ae010b5524229cbd29fac81b773c8be14248ea24d26f5632", key)
}

func TestToken_answers_without_a_token(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"access_token":"a\nb"}`:                  "no usable token at access_token",
		`{"expires_in":3600}`:                      "no usable token at access_token",
		`{"access_token":"t","token_type":"MARK"}`: "not a bearer token at token_type",
		`<html>MARK`:                               "an HTML page instead of JSON (4 attempts)",
		`{"MARK":[`:                                "cut-off JSON at * (4 attempts)",
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			_, err := srv.Client().Workflows.List(t.Context(), nil)
			var auth *trulioo.AuthError
			require.ErrorAs(t, err, &auth, body)
			var decode *trulioo.DecodeError
			require.ErrorAs(t, err, &decode, body)
			assert.Equal(t, "trulioo: fetch token (live, v2, 127.0.0.1): "+want, decode.Error(), body)
			assert.Equal(t, decode.Attempts == 4, errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, trulioo.ErrUnexpectedAnswer), body)
			assert.Equal(t, decode.Attempts, srv.Count(truliootest.FetchToken), body)
		}, truliootest.WithTokens(truliootest.Tokens{Body: func(string, int) string { return body }}))
	}
}

// Under GODEBUG=fips140=only hmac.New panics for short keys, so the
// constructor refuses them. The setting is read at start-up: the test runs itself.
func TestTrap_FIPS_short_secret_is_refused(t *testing.T) {
	t.Parallel()
	if os.Getenv("TRULIOO_FIPS_CHILD") != "" {
		_, err := trulioo.NewClient(trulioo.WithCredentials("id", "thirteen char"))
		var argument *trulioo.ArgumentError
		require.ErrorAs(t, err, &argument)
		assert.Equal(t, "WithCredentials", argument.Argument)
		_, err = trulioo.NewClient(trulioo.WithCredentials("id", "fourteen chars"))
		require.NoError(t, err)
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this very binary
	child.Env = append(os.Environ(), "GODEBUG=fips140=only", "TRULIOO_FIPS_CHILD=1")
	out, err := child.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "--- PASS")
	assert.NotContains(t, string(out), "panic")
}

// A refused token call has the same sentinels as any other call.
func TestAuthErrorIsWhatItsStatusSays(t *testing.T) {
	t.Parallel()
	sentinels := []error{trulioo.ErrUnauthorized, trulioo.ErrRateLimited, trulioo.ErrServer, trulioo.ErrNotFound}
	for status, want := range map[int][]error{
		0:   nil,
		399: nil,
		400: {trulioo.ErrUnauthorized},
		401: {trulioo.ErrUnauthorized},
		429: {trulioo.ErrUnauthorized, trulioo.ErrRateLimited},
		499: {trulioo.ErrUnauthorized},
		500: {trulioo.ErrServer},
		503: {trulioo.ErrServer},
	} {
		var is []error
		for _, sentinel := range sentinels {
			if errors.Is(&trulioo.AuthError{StatusCode: status}, sentinel) {
				is = append(is, sentinel)
			}
		}
		assert.Equal(t, want, is, "status %d", status)
	}
}

// The error says in the library's words why there is no token, and has the endpoint's
// code and body.
func TestAuthErrorSaysWhy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status int
		body   string

		reason, code string
		attempts     int
		unauthorized bool
	}{
		{401, `{"error":"invalid_client","error_description":"MARK"}`, "refused (invalid_client), status 401", "invalid_client", 1, true},
		{400, `{"Error":{"Code":"MARK"}}`, "refused, status 400", "MARK", 1, true},
		{400, `[{"code":4100}]`, "refused, status 400", "4100", 1, true},
		{403, firewallPage, "refused, an HTML page instead of JSON, status 403", "", 1, true},
		{404, firewallPage, "the token endpoint was not found: check the token URL, an HTML page instead of JSON, status 404", "", 1, true},
		{404, `{}`, "the token endpoint was not found: check the token URL, status 404", "", 1, true},
		{503, `{"code":"x"}`, "the token endpoint failed, status 503 (4 attempts)", "x", 4, false},
		{200, `{"error":"invalid_client"}`, "an error instead of a token (invalid_client), status 200", "invalid_client", 1, true},
		{200, `{"error":"MARK"}`, "an error instead of a token, status 200", "MARK", 1, false},
		{200, `{"message":"MARK"}`, "an error instead of a token, status 200 (4 attempts)", "", 4, false},
		{200, firewallPage, "the answer of the token endpoint is not a token (4 attempts): an HTML page instead of JSON", "", 4, false},
		{200, `{"access_token":"MARK","token_type":"mac"}`, "the answer of the token endpoint is not a token: not a bearer token at token_type", "", 1, false},
		{200, `{"expires_in":3600}`, "the answer of the token endpoint is not a token: no usable token at access_token", "", 1, false},
		{204, ``, "the answer of the token endpoint is not a token: the answer has no content: status 204", "", 1, false},
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			srv.Fail(truliootest.FetchToken, truliootest.Answer(c.status, c.body))
			_, err := srv.Client().Workflows.List(t.Context(), nil)
			var auth *trulioo.AuthError
			require.ErrorAs(t, err, &auth, c.body)
			assert.Equal(t, "trulioo: fetch token (live, v2, 127.0.0.1): "+c.reason, err.Error(), c.body)
			assert.Equal(t, c.code, auth.Code, c.body)
			assert.Equal(t, c.attempts, auth.Attempts, c.body)
			assert.Equal(t, c.attempts, srv.Count(truliootest.FetchToken), c.body)
			assert.Equal(t, c.unauthorized, errors.Is(err, trulioo.ErrUnauthorized), c.body)
			if auth.StatusCode != 0 {
				assert.Equal(t, c.body, string(auth.Body()), c.body)
			}
			encoded, err := json.Marshal(auth)
			require.NoError(t, err)
			assert.NotContains(t, string(encoded)+fmt.Sprintf("%+v %#v", *auth, *auth), "MARK")
		})
	}
}

// A server of one's own has its own token endpoint: the vendor's must not get
// the credentials for it.
func TestLocalBaseURLNeedsATokenURL(t *testing.T) { //nolint:paralleltest // it sets variables
	for base, refused := range map[string]bool{
		"http://127.0.0.1:8076/export": true, "https://localhost/export": true, "http://[::1]": true, "http://sandbox:8076/export": true,
		trulioo.DefaultBaseURL: false, trulioo.AlternativeBaseURL: false, "https://gateway.example.com": false,
	} {
		t.Setenv("TRULIOO_CLIENT_ID", "id")
		t.Setenv("TRULIOO_CLIENT_SECRET", "a client secret")
		t.Setenv("TRULIOO_BASE_URL", base)
		t.Setenv("TRULIOO_INSECURE_HTTP", "true")
		t.Setenv("TRULIOO_TOKEN_URL", "")
		_, err := trulioo.NewClientFromEnv()
		_, given := trulioo.NewClient(trulioo.WithCredentials("id", "a client secret"), trulioo.WithBaseURL(base), trulioo.WithInsecureHTTP())
		if refused {
			require.ErrorContains(t, err, "TRULIOO_TOKEN_URL", base)
			require.ErrorContains(t, given, "WithTokenURL", base)
		} else {
			require.NoError(t, errors.Join(err, given), base)
		}
		t.Setenv("TRULIOO_TOKEN_URL", "http://sandbox:8076/connect/token?tenant=a")
		_, err = trulioo.NewClientFromEnv()
		require.NoError(t, err, base)
		_, err = trulioo.NewClientFromEnv(trulioo.WithAPIVersion(trulioo.V1))
		require.NoError(t, err, base)
	}
	for value, wrong := range map[string]string{"": "TRULIOO_BASE_URL", "false": "TRULIOO_BASE_URL", "0": "TRULIOO_BASE_URL", "yes": "TRULIOO_INSECURE_HTTP", "1": ""} {
		t.Setenv("TRULIOO_BASE_URL", "http://sandbox:8076/export")
		t.Setenv("TRULIOO_INSECURE_HTTP", value)
		_, err := trulioo.NewClientFromEnv()
		if wrong == "" {
			require.NoError(t, err, value)
		} else {
			require.ErrorContains(t, err, wrong, value)
		}
	}
}

// The query of a token URL is kept, and an audience is part of what a token is for.
func TestTokenURLWithAQueryAndAnAudience(t *testing.T) {
	t.Parallel()
	for _, version := range []trulioo.APIVersion{trulioo.V1, trulioo.V2} {
		var query, form url.Values
		options := []trulioo.Option{
			trulioo.WithAPIVersion(version), trulioo.WithTokenURL("https://auth.example/token?tenant=a%20b"), trulioo.WithCredentials("the id", "a client secret"),
			trulioo.WithApplication("importer", "1.2"), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}),
			trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				form, _ = url.ParseQuery(string(body))
				query = req.URL.Query()
				assert.Equal(t, "importer/1.2 trulioo-go", req.Header.Get("User-Agent"))
				return nil, errors.Join(err, errors.New("enough seen"))
			})}),
		}
		if version == trulioo.V2 {
			options = append(options, trulioo.WithAudience("https://api?x"))
		}
		client, err := trulioo.NewClient(options...)
		require.NoError(t, err)
		_, err = client.Workflows.List(t.Context(), nil)
		require.Error(t, err)
		assert.Equal(t, "a b", query.Get("tenant"))
		if version == trulioo.V1 {
			assert.Equal(t, "the id", query.Get("clientId"))
		} else {
			assert.Equal(t, "https://api?x", form.Get("audience"))
		}
	}
	_, err := trulioo.NewClient(trulioo.WithCredentials("id", "a client secret"), trulioo.WithAPIVersion(trulioo.V1), trulioo.WithAudience("a"))
	require.ErrorContains(t, err, "WithAudience")
}
