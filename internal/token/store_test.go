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
	life    time.Duration // 0 is not told
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
	token, err := s.Token(t.Context(), "key", refused, from.fetch)
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
				_, err := s.Token(t.Context(), "key", "", from.fetch)
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

// What comes ahead may be the token in hand, or one that ends no later.
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

func TestStoreNeverGivesWhatWasRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: time.Hour}
		require.Equal(t, "token-1", ask(t, s, from, ""))
		require.Equal(t, "token-2", ask(t, s, from, "token-1"))
		require.Equal(t, "token-2", ask(t, s, from, "token-1"), "a refusal that comes late says nothing of the token in hand")
		require.Equal(t, 2, from.fetches)

		from.next = &oauth2.Token{AccessToken: "token-2", Expiry: time.Now().Add(time.Hour)}
		for _, refused := range []string{"token-2", ""} {
			_, err := s.Token(t.Context(), "key", refused, from.fetch)
			require.ErrorIs(t, err, ErrRefused)
		}
		require.Equal(t, 4, from.fetches)
		from.next = nil
		require.Equal(t, "token-5", ask(t, s, from, ""))

		// A store that has just begun knows of a refused token by its caller.
		from.next = &oauth2.Token{AccessToken: "token-2"}
		_, err := (&Store{}).Token(t.Context(), "key", "token-2", from.fetch)
		require.ErrorIs(t, err, ErrRefused)
	})
}

// A second refusal makes the store forget the first, whose token is on its way:
// who has refused it waits for another.
func TestStoreFetchesAgainForWhomItBringsTheRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, from := &Store{}, &endpoint{life: time.Hour, takes: time.Second}
		go func() {
			token, err := s.Token(t.Context(), "key", "token-1", from.fetch)
			if assert.NoError(t, err) {
				assert.Equal(t, "token-2", token.AccessToken)
			}
		}()
		synctest.Wait()
		require.Equal(t, "token-1", ask(t, s, from, "another"))
		pass(2 * time.Second)
		require.Equal(t, 2, from.fetches)
	})
}

// It may be good for the one call: the API has the last word.
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
		token, err := (&Store{}).Token(t.Context(), "key", "", func(context.Context) (*oauth2.Token, error) { return empty, nil })
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
				token, err := s.Token(t.Context(), "key", "", from.fetch)
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
		_, err := s.Token(ctx, "key", "", from.fetch)
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
