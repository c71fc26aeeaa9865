package token

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// slow is a source that takes a second for each token.
type slow struct{ asked int }

func (s *slow) Token() (*oauth2.Token, error) {
	s.asked++
	token := &oauth2.Token{AccessToken: "token-" + strconv.Itoa(s.asked)}
	pass(time.Second)
	return token, nil
}

// same is a source that gives the same after a second.
type same struct {
	token *oauth2.Token
	err   error
}

func (s same) Token() (*oauth2.Token, error) {
	pass(time.Second)
	return s.token, s.err
}

func TestSourceIsAskedOnceForAllWhoWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &slow{}
		s := NewSource(from, never)
		require.Zero(t, from.asked)
		for round := range 2 {
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() {
					token, err := s.Token(t.Context(), "")
					if assert.NoError(t, err) {
						assert.Equal(t, "token-"+strconv.Itoa(round+1), token.AccessToken)
					}
				})
			}
			all.Wait()
			require.Equal(t, round+1, from.asked)
		}
	})
}

// A caller whose token was replaced meanwhile gets the newer one: the source is
// asked once for all of those who had the old one, whenever their refusals come.
func TestSourceIsNotAskedForATokenThatWasReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &slow{}
		s := NewSource(from, never)
		for _, refused := range []string{"", "token-1", "token-1", "token-1"} {
			token, err := s.Token(t.Context(), refused)
			require.NoError(t, err)
			if refused != "" {
				assert.Equal(t, "token-2", token.AccessToken)
			}
			pass(time.Hour) // no brake is on
		}
		assert.Equal(t, 2, from.asked)
	})
}

// An answer that was on its way before the refusal may be the refused token.
func TestSourceIsAskedAgainAfterARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &slow{}
		s := NewSource(from, never)
		go func() { _, _ = s.Token(t.Context(), "") }()
		synctest.Wait()
		token, err := s.Token(t.Context(), "token-1")
		require.NoError(t, err)
		assert.Equal(t, "token-2", token.AccessToken)

		go func() { _, _ = s.Token(t.Context(), "") }()
		synctest.Wait()
		token, err = s.Token(t.Context(), "token-1")
		require.NoError(t, err)
		assert.Equal(t, "token-3", token.AccessToken, "not what was refused")
		assert.Equal(t, 3, from.asked)
	})
}

// The caller decides whether a token can be used. A token that was asked for after the
// refusal is the source's last word.
func TestSourceGivesWhatItGets(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]same{
		"no token":          {},
		"an error":          {nil, errors.New("down")},
		"the refused token": {&oauth2.Token{AccessToken: "refused"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := NewSource(from, never)
				var all sync.WaitGroup
				for range 2 {
					all.Go(func() {
						token, err := s.Token(t.Context(), "refused")
						assert.Equal(t, from.token, token)
						assert.Equal(t, from.err, err)
					})
				}
				all.Wait()
			})
		})
	}
}

func TestSourceHoldsNoCallerBeyondItsDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &slow{}
		s := NewSource(from, never)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		begun := time.Now()
		_, err := s.Token(ctx, "")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Millisecond, time.Since(begun))
		token, err := s.Token(t.Context(), "")
		require.NoError(t, err)
		assert.Equal(t, "token-1", token.AccessToken, "the answer serves who comes next")
	})
}

func never(error) bool { return false }
