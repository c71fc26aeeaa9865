package truredis_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
	"github.com/trulioo-go/trulioo/truliootest"
)

// source gives the tokens token-1, token-2 and so on, an hour each.
type source struct{ fetches atomic.Int32 }

func (s *source) fetch(context.Context) (*oauth2.Token, error) {
	return hour("token-" + strconv.Itoa(int(s.fetches.Add(1)))), nil
}

func hour(token string) *oauth2.Token {
	return &oauth2.Token{AccessToken: token, TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)}
}

// newStore makes the store of another process; key(1) encrypts unless opts say otherwise.
func newStore(t *testing.T, client redis.UniversalClient, opts ...truredis.Option) *truredis.TokenStore {
	t.Helper()
	if len(opts) == 0 {
		opts = []truredis.Option{truredis.WithEncryptionKeys(key(1))}
	}
	s, err := truredis.NewTokenStore(client, opts...)
	require.NoError(t, err)
	s.Wait()
	return s
}

// logging are the options of newStore's default, and a log.
func logging(to io.Writer) []truredis.Option {
	return []truredis.Option{truredis.WithEncryptionKeys(key(1)), truredis.WithLogger(slog.New(slog.NewTextHandler(to, nil)))}
}

// ask asks a store as if its memory had no token, or one that is due.
func ask(t *testing.T, s *truredis.TokenStore, from *source, refused string) string {
	t.Helper()
	token, err := s.Ask(t.Context(), "key", refused, from.fetch)
	require.NoError(t, err)
	require.Equal(t, "Bearer", token.TokenType)
	require.WithinRange(t, token.Expiry, time.Now().Add(30*time.Minute), time.Now().Add(time.Hour))
	return token.AccessToken
}

func TestOneTokenForAll(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) redis.UniversalClient{
		"redis":   func(t *testing.T) redis.UniversalClient { return startRedis(t).Client(t) },
		"cluster": func(t *testing.T) redis.UniversalClient { return startCluster(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, from := start(t), &source{}
			var all sync.WaitGroup
			for range 8 {
				s := newStore(t, client)
				for range 10 {
					all.Go(func() {
						token, err := s.Token(t.Context(), "key", "", from.fetch)
						if assert.NoError(t, err) {
							assert.Equal(t, "token-1", token.AccessToken)
						}
					})
				}
			}
			all.Wait()
			require.EqualValues(t, 1, from.fetches.Load())
		})
	}
}

// One process fetches the successor, ahead of the end; the others find it.
func TestSuccessorIsSharedToo(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	a, b := newStore(t, client), newStore(t, client)
	require.Equal(t, "token-1", ask(t, a, from, ""))
	require.Equal(t, "token-1", ask(t, b, from, ""))
	require.Equal(t, "token-2", ask(t, a, from, ""), "what a process has already is due")
	require.Equal(t, "token-2", ask(t, b, from, ""))
	require.Equal(t, "token-2", ask(t, newStore(t, client), from, ""))
	require.EqualValues(t, 2, from.fetches.Load())
}

// An early request may hand back the same token: nobody asks again before its end.
func TestSameTokenAgainIsNotAskedForByEach(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	a, b := newStore(t, client), newStore(t, client)
	fetches := 0
	same := func(context.Context) (*oauth2.Token, error) {
		fetches++
		return hour("same"), nil
	}
	for i, s := range []*truredis.TokenStore{a, b, a, b, a, b} {
		token, err := s.Ask(t.Context(), "key", "", same)
		require.NoError(t, err, i)
		require.Equal(t, "same", token.AccessToken)
	}
	require.Equal(t, 2, fetches, "the first, and the one that brought no news")
}

func TestTokenEndsInRedisWhenItEnds(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	for name, c := range map[string]struct {
		expiry   time.Time
		min, max time.Duration
	}{
		"known":   {time.Now().Add(20 * time.Minute), 19 * time.Minute, 20 * time.Minute},
		"unknown": {time.Time{}, 4 * time.Minute, 5 * time.Minute},
	} {
		_, err := newStore(t, client).Ask(t.Context(), name, "", func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: "token", Expiry: c.expiry}, nil
		})
		require.NoError(t, err)
		left := client.PTTL(t.Context(), "trulioo:token:{"+name+"}").Val()
		assert.Greater(t, left, c.min, name)
		assert.LessOrEqual(t, left, c.max, name)
	}
}

// Different credentials, hosts or scopes have different keys.
func TestKeysDoNotShare(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	s := newStore(t, client)
	one, err := s.Token(t.Context(), "one", "", from.fetch)
	require.NoError(t, err)
	other, err := s.Token(t.Context(), "other", "", from.fetch)
	require.NoError(t, err)
	require.NotEqual(t, one.AccessToken, other.AccessToken)
}

func TestTokensAreEncryptedAtRest(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	sealed := newStore(t, client)
	require.Equal(t, "token-1", ask(t, sealed, from, ""))
	require.Equal(t, "token-2", ask(t, sealed, from, "token-1"), "its refusal is in Redis too")
	require.NotContains(t, everything(t, client), "token-")

	require.Equal(t, "token-3", ask(t, newStore(t, client, truredis.WithInsecurePlaintext(), truredis.WithPrefix("plain:")), from, ""))
	require.Contains(t, everything(t, client), "token-3", "so this test would see one")
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	keys := truredis.WithEncryptionKeys
	require.Equal(t, "token-1", ask(t, newStore(t, client, keys(key(1))), from, ""))
	require.Equal(t, "token-1", ask(t, newStore(t, client, keys(key(1), key(2))), from, ""), "the new one is known to all")
	next := newStore(t, client, keys(key(2), key(1)))
	require.Equal(t, "token-1", ask(t, next, from, ""), "the old one still opens")
	require.Equal(t, "token-2", ask(t, next, from, ""), "and the new one seals")
	require.Equal(t, "token-2", ask(t, newStore(t, client, keys(key(2))), from, ""), "so the old one can go")
	require.EqualValues(t, 2, from.fetches.Load())
}

// A token that no key decrypts is not an outage, whether it was encrypted with another
// key, tampered with or copied: the process fetches its own token and logs that it does.
func TestUnreadableTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, client *redis.Client){
		"another key": func(t *testing.T, client *redis.Client) {
			t.Helper()
			_, err := newStore(t, client, truredis.WithEncryptionKeys(key(9))).Ask(t.Context(), "key", "", (&source{}).fetch)
			require.NoError(t, err)
		},
		"plaintext": func(t *testing.T, client *redis.Client) {
			t.Helper()
			_, err := newStore(t, client, truredis.WithInsecurePlaintext()).Ask(t.Context(), "key", "", (&source{}).fetch)
			require.NoError(t, err)
		},
		"another place": func(t *testing.T, client *redis.Client) {
			t.Helper()
			_, err := newStore(t, client).Ask(t.Context(), "other", "", (&source{}).fetch)
			require.NoError(t, err)
			require.NoError(t, client.Rename(t.Context(), "trulioo:token:{other}", "trulioo:token:{key}").Err())
		},
		"tampered with": func(t *testing.T, client *redis.Client) {
			t.Helper()
			_, err := newStore(t, client).Ask(t.Context(), "key", "", (&source{}).fetch)
			require.NoError(t, err)
			sealed := []byte(client.HGet(t.Context(), "trulioo:token:{key}", "sealed").Val())
			sealed[len(sealed)/2] ^= 1
			require.NoError(t, client.HSet(t.Context(), "trulioo:token:{key}", "sealed", sealed).Err())
		},
		"cut off": func(t *testing.T, client *redis.Client) {
			t.Helper()
			require.NoError(t, client.HSet(t.Context(), "trulioo:token:{key}", "sealed", "x", "digest", "y").Err())
			require.NoError(t, client.Expire(t.Context(), "trulioo:token:{key}", time.Hour).Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := startRedis(t).Client(t)
			spoil(t, client)
			var log bytes.Buffer
			s := newStore(t, client, logging(&log)...)
			token, err := s.Token(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) { return hour("own"), nil })
			require.NoError(t, err)
			require.Equal(t, "own", token.AccessToken)
			require.Contains(t, log.String(), "level=WARN")
			require.Contains(t, log.String(), "none of the keys decrypts the token in Redis")
		})
	}
}

func TestRefusedTokenIsNeverGivenOutAgain(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	a, b := newStore(t, client), newStore(t, client)
	require.Equal(t, "token-1", ask(t, a, from, ""))
	require.Equal(t, "token-1", ask(t, b, from, ""))
	require.Equal(t, "token-2", ask(t, a, from, "token-1"))
	require.Equal(t, "token-2", ask(t, b, from, "token-1"))
	require.EqualValues(t, 2, from.fetches.Load())
	require.Equal(t, "token-2", ask(t, newStore(t, client), from, "token-1"))

	// Nor while its successor is still to come, to one that has never seen it.
	_, err := b.Ask(t.Context(), "key", "token-2", func(context.Context) (*oauth2.Token, error) {
		return nil, &trulioo.AuthError{Operation: "fetch token"}
	})
	require.Error(t, err)
	require.Equal(t, "token-3", ask(t, newStore(t, client), from, ""))
	require.Equal(t, "token-3", ask(t, a, from, ""))

	// The endpoint gives the refused token again: it has no other, so the token stays in
	// use, in new processes too, and a refusal does not last for a day.
	again := func(context.Context) (*oauth2.Token, error) { return hour("token-3"), nil }
	moveBrake(t, client, "refusals", 0)
	got, err := a.Token(t.Context(), "key", "token-3", again)
	require.NoError(t, err)
	require.Equal(t, "token-3", got.AccessToken)
	require.Equal(t, "token-3", ask(t, newStore(t, client), from, ""))
	moveBrake(t, client, "refusals", time.Hour)
	require.Equal(t, "token-3", ask(t, newStore(t, client), from, "token-3"), "the endpoint was asked a moment ago")
}

// moveBrake lets the brake of the only key end some time from now, and gives the
// pause that it last made, so that no test waits for a minute.
func moveBrake(t *testing.T, client *redis.Client, brake string, in time.Duration) (pause time.Duration) {
	t.Helper()
	names := client.Keys(t.Context(), "*:brakes").Val()
	require.Len(t, names, 1)
	require.Positive(t, client.PTTL(t.Context(), names[0]).Val(), "it is forgotten by itself")
	milliseconds, err := client.HGet(t.Context(), names[0], brake+" pause").Int64()
	require.NoError(t, err)
	require.NoError(t, client.HSet(t.Context(), names[0], brake+" until", time.Now().Add(in).UnixMilli()).Err())
	return time.Duration(milliseconds) * time.Millisecond
}

// fleet makes n calls at once with each of eight new processes, and gives the errors.
func fleet(t *testing.T, client *redis.Client, srv *truliootest.Server, n int, opts ...trulioo.Option) []error {
	t.Helper()
	var all sync.WaitGroup
	errs := make([]error, 8*n)
	for i := range 8 {
		c := srv.Client(append([]trulioo.Option{trulioo.WithTokenStore(newStore(t, client))}, opts...)...)
		t.Cleanup(c.CloseIdleConnections)
		for j := range n {
			all.Go(func() { _, errs[n*i+j] = c.Workflows.List(t.Context(), nil) })
		}
	}
	all.Wait()
	return errs
}

// Wrong credentials cost one request of the token endpoint for all processes
// together, a second later one more, and then fewer and fewer: an account that is
// asked for each process can be locked.
func TestRefusedCredentialsHaveABrakeForAll(t *testing.T) {
	t.Parallel()
	for name, refusal := range map[string]truliootest.Effect{
		"401":                  truliootest.Answer(401, ""),
		"404":                  truliootest.Answer(404, "<html>"),
		"400":                  truliootest.Answer(400, `{"error":"invalid_client"}`),
		"an error with a 200":  truliootest.Answer(200, `{"error":"invalid_client"}`),
		"a 403 of a firewall":  truliootest.Answer(403, "<html>"),
		"423, locked for good": truliootest.Answer(423, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, srv := startRedis(t).Client(t), truliootest.NewServer(t)
			refused := srv.Fail(truliootest.FetchToken, refusal)
			once := func() {
				c := srv.Client(trulioo.WithTokenStore(newStore(t, client)))
				defer c.CloseIdleConnections()
				_, err := c.Workflows.List(t.Context(), nil)
				require.ErrorIs(t, err, trulioo.ErrUnauthorized)
			}
			for i, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60} {
				once()
				require.Equal(t, i+1, srv.Count(truliootest.FetchToken))
				assert.Equal(t, pause*time.Second, moveBrake(t, client, "failures", 0))
			}
			once()
			moveBrake(t, client, "failures", time.Hour)
			posts := srv.Count(truliootest.FetchToken)
			refused.Stop()
			for _, err := range fleet(t, client, srv, 10) {
				var auth *trulioo.AuthError
				require.ErrorAs(t, err, &auth)
				require.ErrorIs(t, err, trulioo.ErrUnauthorized, "as the one that asked was told")
				require.NotEmpty(t, auth.Reason)
			}
			require.Equal(t, posts, srv.Count(truliootest.FetchToken))

			// Other credentials, and so another key, have no brake.
			require.NoError(t, errors.Join(fleet(t, client, srv, 1, trulioo.WithAudience("another"))...))
			require.Equal(t, posts+1, srv.Count(truliootest.FetchToken))

			moveBrake(t, client, "failures", 0)
			require.NoError(t, errors.Join(fleet(t, client, srv, 10)...))
			require.Equal(t, posts+2, srv.Count(truliootest.FetchToken))
			for _, name := range client.Keys(t.Context(), "*:brakes").Val() {
				require.NotContains(t, client.HKeys(t.Context(), name).Val(), "failures pause", "a success lets go of it")
			}
		})
	}
}

// A token endpoint that is down refuses nothing: the callers that waited get the error,
// and a second later it is asked again, without a pause that grows.
func TestTokenEndpointThatIsDownHasNoGrowingBrake(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	for range 3 {
		_, err := newStore(t, client).Ask(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) {
			return nil, &trulioo.AuthError{Operation: "fetch token", StatusCode: 503}
		})
		require.ErrorIs(t, err, trulioo.ErrServer)
		assert.Zero(t, moveBrake(t, client, "failures", 0))
	}
	from := &source{}
	require.Equal(t, "token-1", ask(t, newStore(t, client), from, ""))
}

// The API answers 401 to whatever token. All processes together fetch two more for
// nothing, a second later another, and then fewer and fewer; the 401 is each call's
// answer, and the last token stays.
func TestLastingRefusalHasABrakeForAll(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reuse  bool
		pauses []time.Duration
	}{
		"another token each time": {false, []time.Duration{0, 0, 1, 2, 4, 8, 16, 32, 60, 60}},
		"the same token":          {true, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, srv := startRedis(t).Client(t), truliootest.NewServer(t, truliootest.WithTokens(truliootest.Tokens{Reuse: c.reuse}))
			refused := srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, `{"message":"no"}`))
			once := func() {
				c := srv.Client(trulioo.WithTokenStore(newStore(t, client)))
				defer c.CloseIdleConnections()
				_, err := c.Workflows.List(t.Context(), nil)
				var api *trulioo.APIError
				require.ErrorAs(t, err, &api)
				require.Equal(t, 401, api.StatusCode)
			}
			for i, pause := range c.pauses {
				once()
				require.Equal(t, i+2, srv.Count(truliootest.FetchToken))
				assert.Equal(t, pause*time.Second, moveBrake(t, client, "refusals", 0))
			}
			once()
			moveBrake(t, client, "refusals", time.Hour)
			posts := srv.Count(truliootest.FetchToken)
			for _, err := range fleet(t, client, srv, 10) {
				var api *trulioo.APIError
				require.ErrorAs(t, err, &api)
				require.Equal(t, "no", api.Message)
			}
			require.Equal(t, posts, srv.Count(truliootest.FetchToken))
			refused.Stop()
			require.NoError(t, errors.Join(fleet(t, client, srv, 10)...), "the last token serves")
			require.Equal(t, posts, srv.Count(truliootest.FetchToken))
		})
	}
}

// A process that holds the lock and dies or hangs is replaced when its lease ends.
// A token that it stores later does not replace its successor's.
func TestHolderOfTheLockHangs(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	hangs, wakes, woken := make(chan struct{}), make(chan struct{}), make(chan string)
	slow := newStore(t, client)
	slow.Hurry(50*time.Millisecond, time.Minute)
	go func() {
		token, err := slow.Ask(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) {
			close(hangs)
			<-wakes
			return hour("late"), nil
		})
		if assert.NoError(t, err) {
			woken <- token.AccessToken
		}
		close(woken)
	}()
	<-hangs
	require.Equal(t, "token-1", ask(t, newStore(t, client), from, ""))
	close(wakes)
	require.Equal(t, "late", <-woken, "good enough for its own process")
	require.Equal(t, "token-1", ask(t, newStore(t, client), from, ""))
	require.EqualValues(t, 1, from.fetches.Load())
}

// Nobody waits for ever for a lock that does not end.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	require.NoError(t, client.Set(t.Context(), "trulioo:token:{key}:lock", "somebody", 0).Err())
	var log bytes.Buffer
	s := newStore(t, client, logging(&log)...)
	s.Hurry(time.Minute, 50*time.Millisecond)
	require.Equal(t, "token-1", ask(t, s, from, ""))
	require.Contains(t, log.String(), "the process that fetches the token takes too long")
}

// A caller whose context ends leaves, whoever fetches meanwhile.
func TestCallersLeave(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	require.NoError(t, client.Set(t.Context(), "trulioo:token:{key}:lock", "somebody", 0).Err())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	s := newStore(t, client)
	s.Hurry(time.Minute, time.Second)
	_, err := s.Token(ctx, "key", "", from.fetch)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = s.Ask(ctx, "key", "", from.fetch)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// Eight processes with a wrong secret ask the token endpoint once, not eight times.
func TestRefusalOfTheTokenEndpointIsShared(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	srv := truliootest.NewServer(t)
	for _, err := range fleet(t, client, srv, 1, trulioo.WithCredentials(srv.ClientID, "not the secret")) {
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		require.ErrorIs(t, err, trulioo.ErrUnauthorized)
		assert.Equal(t, http.StatusBadRequest, auth.StatusCode)
		assert.Equal(t, "refused (invalid_client)", auth.Reason)
		assert.Equal(t, "invalid_client", auth.Code)
	}
	require.Equal(t, 1, srv.Count(truliootest.FetchToken))
	require.NoError(t, errors.Join(fleet(t, client, srv, 1)...), "the right one is not held")
}

// One process's failure on its way to the endpoint does not concern the others.
func TestTroubleOnTheWayIsNotShared(t *testing.T) {
	t.Parallel()
	client, from := startRedis(t).Client(t), &source{}
	for _, status := range []int{0, http.StatusProxyAuthRequired} {
		_, err := newStore(t, client).Ask(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) {
			return nil, &trulioo.AuthError{Operation: "fetch token", StatusCode: status}
		})
		require.Error(t, err)
	}
	require.Equal(t, "token-1", ask(t, newStore(t, client), from, ""))
}

// Redis may be away, locked up, or full: each process is then on its own, and
// says why in words that hold no address.
func TestWithoutRedisEachIsOnItsOwn(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		args   []string
		killed bool
	}{
		"no connection to Redis":   {killed: true},
		"Redis answered WRONGPASS": {args: []string{"--requirepass", "secret"}},
		"Redis answered OOM":       {args: []string{"--requirepass", "not it", "--maxmemory", "1"}},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			server := startRedis(t, c.args...)
			client := redis.NewClient(&redis.Options{Addr: server.Addr, Password: "not it", MaxRetries: -1, DialerRetries: 1})
			t.Cleanup(func() { _ = client.Close() })
			if c.killed {
				server.Kill(t)
			}
			srv := truliootest.NewServer(t)
			for range 2 {
				var log bytes.Buffer
				s := newStore(t, client, logging(&log)...)
				for range 5 {
					_, err := srv.Client(trulioo.WithTokenStore(s)).Workflows.List(t.Context(), nil)
					require.NoError(t, err)
				}
				assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
				assert.Contains(t, log.String(), reason)
				assert.NotContains(t, log.String(), server.Addr)
			}
			require.Equal(t, 2, srv.Count(truliootest.FetchToken))
		})
	}
}

// Redis goes away while a token is being fetched for all: it is good all the same.
func TestRedisDiesUnderTheHolder(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := server.Client(t)
	for _, failed := range []error{nil, &trulioo.AuthError{Operation: "fetch token", StatusCode: 503}} {
		token, err := newStore(t, client).Token(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) {
			server.Kill(t)
			return hour("token"), failed
		})
		if failed == nil {
			require.NoError(t, err)
			require.Equal(t, "token", token.AccessToken)
		} else {
			require.ErrorIs(t, err, trulioo.ErrServer)
		}
		server.Start(t)
	}
}
