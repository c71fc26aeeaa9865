package token

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// endpoint gives token-1, token-2 and so on, and fails where it is told to.
type endpoint struct {
	life    time.Duration // 0 means that the answer does not tell it
	takes   time.Duration
	fetches int
	fails   error
	next    *oauth2.Token // in place of its own
	ctx     context.Context
}

func (e *endpoint) fetch(ctx context.Context) (*oauth2.Token, error) {
	e.fetches++
	e.ctx = ctx
	pass(e.takes)
	switch {
	case e.fails != nil:
		return &oauth2.Token{AccessToken: "not to be used"}, e.fails
	case e.next != nil:
		return e.next, nil
	}
	token := &oauth2.Token{AccessToken: "token-" + strconv.Itoa(e.fetches)}
	if e.life != 0 {
		token.Expiry = time.Now().Add(e.life)
	}
	return token, nil
}

// pass lets the fake clock of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// ask asks the store for a token and lets what it has begun come to its end.
func ask(t *testing.T, s *Store, from *endpoint, refused string) string {
	t.Helper()
	token, err := s.Token(t.Context(), "key", refused, from.fetch, never)
	require.NoError(t, err)
	synctest.Wait()
	return token.AccessToken
}

func TestStoreFetchesAheadAndAtTheEnd(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ life, ahead, usable time.Duration }{
		"a day":      {24 * time.Hour, 24*time.Hour - 5*time.Minute - 10*time.Second, 24*time.Hour - 10*time.Second},
		"an hour":    {time.Hour, 54*time.Minute + 50*time.Second, 59*time.Minute + 50*time.Second},
		"40 minutes": {40 * time.Minute, 35*time.Minute + 50*time.Second, 39*time.Minute + 50*time.Second},
		"a minute":   {time.Minute, 44 * time.Second, 50 * time.Second},
		"20 seconds": {20 * time.Second, 13 * time.Second, 15 * time.Second},
		"not told":   {0, 4*time.Minute + 20*time.Second, 4*time.Minute + 50*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, from := &Store{}, &endpoint{life: c.life}
				require.Equal(t, "token-1", ask(t, s, from, ""))
				pass(c.ahead - 1)
				require.Equal(t, "token-1", ask(t, s, from, ""))
				require.Equal(t, 1, from.fetches)
				pass(1)
				require.Equal(t, "token-1", ask(t, s, from, ""))
				require.Equal(t, 2, from.fetches, "ahead")
				require.Equal(t, "token-2", ask(t, s, from, ""))
				require.Equal(t, 2, from.fetches)
			})
			synctest.Test(t, func(t *testing.T) {
				s, from := &Store{}, &endpoint{life: c.life}
				require.Equal(t, "token-1", ask(t, s, from, ""))
				from.fails = errors.New("down")
				pass(c.usable - 1)
				require.Equal(t, "token-1", ask(t, s, from, ""))
				pass(1)
				_, err := s.Token(t.Context(), "key", "", from.fetch, never)
				require.ErrorIs(t, err, from.fails)
			})
		})
	}
}

// The next try after one that failed is half way to the end, and so on.
func TestStoreTriesAheadLessAndLess(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: time.Hour}
		require.Equal(t, "token-1", ask(t, s, from, ""))
		from.fails = errors.New("down")
		pass(54*time.Minute + 50*time.Second)
		for i, wait := range []time.Duration{5 * time.Minute / 2, 5 * time.Minute / 4, 5 * time.Minute / 8} {
			require.Equal(t, "token-1", ask(t, s, from, ""))
			require.Equal(t, i+2, from.fetches)
			pass(wait - 1)
			require.Equal(t, "token-1", ask(t, s, from, ""))
			require.Equal(t, i+2, from.fetches)
			pass(1)
		}
	})
}

// The fetch ahead of time may return the current token, or one that ends no later.
func TestStoreAsksForNoNewsOnlyOnce(t *testing.T) {
	t.Parallel()
	const ahead, usable = 54*time.Minute + 50*time.Second, 59*time.Minute + 50*time.Second
	for name, c := range map[string]struct {
		token string
		life  time.Duration // from the start
		again time.Duration // when the store asks once more
	}{
		"the same token":               {"token-1", time.Hour, usable},
		"the same, which lives longer": {"token-1", 2 * time.Hour, 2*time.Hour - 10*time.Second},
		"another that ends with it":    {"other", time.Hour, usable},
		"another that ends after it":   {"other", time.Hour + 1, usable + 1 - (time.Hour+1-ahead)/10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				s, from := &Store{}, &endpoint{life: time.Hour}
				require.Equal(t, "token-1", ask(t, s, from, ""))
				from.next = &oauth2.Token{AccessToken: c.token, Expiry: begun.Add(c.life)}
				pass(ahead)
				require.Equal(t, "token-1", ask(t, s, from, ""))
				require.Equal(t, 2, from.fetches)
				pass(time.Until(begun.Add(c.again)) - 1)
				require.Equal(t, c.token, ask(t, s, from, ""))
				require.Equal(t, 2, from.fetches)
				pass(1)
				require.Equal(t, c.token, ask(t, s, from, ""))
				require.Equal(t, 3, from.fetches)
			})
		})
	}
}

func TestStoreReplacesWhatWasRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: time.Hour}
		require.Equal(t, "token-1", ask(t, s, from, ""))
		require.Equal(t, "token-2", ask(t, s, from, "token-1"))
		require.Equal(t, "token-2", ask(t, s, from, "token-1"), "a refusal that comes late says nothing of the token in hand")
		require.Equal(t, 2, from.fetches)
	})
}

// A 401 need not mean that the token is dead: where the endpoint gives it again,
// it stays, and the endpoint is asked ever more rarely.
func TestTrap_a_token_that_the_endpoint_gives_again_stays(t *testing.T) {
	t.Parallel()
	for name, takes := range map[string]time.Duration{"at once": 0, "in three seconds": 3 * time.Second} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, from := &Store{}, &endpoint{life: 24 * time.Hour, takes: takes, next: &oauth2.Token{AccessToken: "same", Expiry: time.Now().Add(24 * time.Hour)}}
				require.Equal(t, "same", ask(t, s, from, "same"), "also in a store that has just begun")
				require.Equal(t, "same", ask(t, s, from, "same"))
				require.Equal(t, 1, from.fetches, "the endpoint has no other, and is not asked again at once")
				begun := time.Now()
				for time.Since(begun) < time.Hour {
					require.Equal(t, "same", ask(t, s, from, "same"))
					require.Equal(t, "same", ask(t, s, from, ""))
					pass(100 * time.Millisecond)
				}
				require.Greater(t, from.fetches, 30)
				require.Less(t, from.fetches, 80, "about one a minute")
				// A dead one is replaced all the same, once the brake lets go.
				pass(time.Minute)
				from.next = nil
				require.NotEqual(t, "same", ask(t, s, from, "same"))
			})
		})
	}
}

// A 401 for a right that is missing: each token that comes is refused.
func TestTrap_a_lasting_401_has_a_brake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: 24 * time.Hour}
		for range 100 {
			token := ask(t, s, from, "")
			ask(t, s, from, token)
			pass(10 * time.Millisecond)
		}
		require.Equal(t, 1+2+1, from.fetches, "the first, two successors at once, and one more, after which it is a second")
	})
}

var errFinal = errors.New("refused")

// Ten callers at once sent 49 requests a second with credentials that were wrong.
func TestTrap_refused_credentials_have_a_brake(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(fetch func() (*oauth2.Token, error)) func(context.Context) error{
		"store": func(fetch func() (*oauth2.Token, error)) func(context.Context) error {
			s := &Store{}
			return func(ctx context.Context) error {
				_, err := s.Token(ctx, "key", "", func(context.Context) (*oauth2.Token, error) { return fetch() }, func(err error) bool { return errors.Is(err, errFinal) })
				return err
			}
		},
		"source": func(fetch func() (*oauth2.Token, error)) func(context.Context) error {
			s := NewSource(tokenFunc(fetch), func(err error) bool { return errors.Is(err, errFinal) })
			return func(ctx context.Context) error {
				_, err := s.Token(ctx, "")
				return err
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fetches, answer := 0, errFinal
				token := make(func() (*oauth2.Token, error) {
					fetches++
					if answer == nil {
						return &oauth2.Token{AccessToken: "token", Expiry: time.Now().Add(time.Hour)}, nil
					}
					return nil, answer
				})
				begun := time.Now()
				for time.Since(begun) < time.Minute {
					require.ErrorIs(t, token(t.Context()), errFinal)
					pass(20 * time.Millisecond)
				}
				require.Equal(t, 6, fetches, "at 0, 1, 3, 7, 15 and 31 s")
				pass(time.Minute)
				answer = nil
				require.NoError(t, token(t.Context()))
				if name == "store" {
					return
				}
				answer = errors.New("down")
				before := fetches
				for range 3 {
					require.ErrorIs(t, token(t.Context()), answer)
				}
				require.Equal(t, before+3, fetches, "what may pass has no brake")
			})
		})
	}
}

// A token in hand that the API refuses is kept while the endpoint refuses the
// credentials, and the endpoint is asked as seldom as without a token.
func TestTrap_refused_credentials_have_a_brake_beside_a_token(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: 24 * time.Hour}
		token := ask(t, s, from, "")
		from.fails = errFinal
		for begun := time.Now(); time.Since(begun) < 11*time.Second; pass(10 * time.Millisecond) {
			got, err := s.Token(t.Context(), "key", token, from.fetch, final)
			if err != nil {
				require.ErrorIs(t, err, errFinal)
				continue
			}
			require.Equal(t, token, got.AccessToken)
		}
		require.Equal(t, 1+4, from.fetches, "at 0, 1, 3 and 7 s")
		pass(4 * time.Second) // the end of the last pause
		from.fails = nil
		require.NotEqual(t, token, ask(t, s, from, token))
	})
}

func final(err error) bool { return errors.Is(err, errFinal) }

// A success lets the brake on refused credentials begin anew.
func TestTrap_refusals_before_a_success_are_forgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: 4 * time.Second}
		refused := func(during time.Duration) (fetches int) {
			from.fails = errFinal
			before := from.fetches
			for begun := time.Now(); time.Since(begun) < during; pass(10 * time.Millisecond) {
				_, err := s.Token(t.Context(), "key", "", from.fetch, final)
				require.ErrorIs(t, err, errFinal)
			}
			return from.fetches - before
		}
		require.Equal(t, 3, refused(7*time.Second), "at 0, 1 and 3 s")
		from.fails = nil
		ask(t, s, from, "")
		pass(4 * time.Second) // its end
		require.Equal(t, 3, refused(4*time.Second), "at 0, 1 and 3 s again")
	})
}

type tokenFunc func() (*oauth2.Token, error)

func (f tokenFunc) Token() (*oauth2.Token, error) { return f() }

// Such a token may be good for the one call: the API has the last word.
func TestStoreGivesATokenThatHasEndedToWhoWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: -time.Hour}
		require.Equal(t, "token-1", ask(t, s, from, ""))
		require.Equal(t, "token-2", ask(t, s, from, ""))
	})
}

func TestStoreTakesNoEmptyToken(t *testing.T) {
	t.Parallel()
	for _, empty := range []*oauth2.Token{nil, {}} {
		token, err := (&Store{}).Token(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) { return empty, nil }, never)
		require.ErrorIs(t, err, ErrNone)
		assert.Nil(t, token)
	}
}

// An error is that of all who wait, and the end of its fetch.
func TestStoreForgetsAFailedFetch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{takes: time.Second, fails: errors.New("down")}
		for range 3 {
			go func() {
				token, err := s.Token(t.Context(), "key", "", from.fetch, never)
				assert.Nil(t, token)
				assert.ErrorIs(t, err, from.fails)
			}()
		}
		pass(2 * time.Second)
		assert.Equal(t, 1, from.fetches)
		from.fails = nil
		assert.Equal(t, "token-2", ask(t, s, from, ""))
	})
}

// A fetch is nobody's own: it ends by itself, whoever leaves.
func TestStoreFetchOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type name struct{}
		s, from := &Store{}, &endpoint{takes: time.Minute}
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), name{}, "trace"), time.Second)
		defer cancel()
		begun := time.Now()
		_, err := s.Token(ctx, "key", "", from.fetch, never)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begun))
		synctest.Wait()
		require.NoError(t, from.ctx.Err())
		assert.Equal(t, "trace", from.ctx.Value(name{}), "its values are those of the caller")
		deadline, ok := from.ctx.Deadline()
		require.True(t, ok)
		assert.Equal(t, FetchTimeout, deadline.Sub(begun))

		assert.Equal(t, "token-1", ask(t, s, from, ""))
		assert.Equal(t, 1, from.fetches)
		require.Error(t, from.ctx.Err(), "let go")
	})
}
