package trulioo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// fetches gives one token after the other, a second each.
type fetches []string

func (f *fetches) fetch(context.Context) (*oauth2.Token, error) {
	pass(time.Second)
	token := &oauth2.Token{AccessToken: (*f)[0], Expiry: time.Now().Add(time.Hour)}
	*f = (*f)[1:]
	return token, nil
}

// One caller's refusal begins a fetch that brings a token that another has refused
// meanwhile. That fetch began before the other refusal, so neither caller gets a token
// that it has refused.
func TestMemoryTokenStore_never_gives_a_caller_the_token_it_refused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := trulioo.NewMemoryTokenStore()
		coming := &fetches{"second", "third"}
		got := make([]string, 2)
		for i, err := range together(2, func(i int) error {
			pass(time.Duration(i) * time.Millisecond)
			token, err := store.Token(t.Context(), "key", []string{"first", "second"}[i], coming.fetch)
			if err == nil {
				got[i] = token.AccessToken
			}
			return err
		}) {
			require.NoError(t, err, i)
		}
		assert.Equal(t, []string{"second", "third"}, got)
		token, err := store.Token(t.Context(), "key", "", coming.fetch)
		require.NoError(t, err)
		assert.Equal(t, "third", token.AccessToken)
		assert.Empty(t, *coming)
	})
}

func TestMemoryTokenStore_keeps_keys_apart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := trulioo.NewMemoryTokenStore()
		for key, want := range map[string]string{"a": "token of a", "b": "token of b"} {
			token, err := store.Token(t.Context(), key, "", (&fetches{want}).fetch)
			require.NoError(t, err)
			assert.Equal(t, want, token.AccessToken)
		}
	})
}

// Nobody is stopped from writing new(MemoryTokenStore).
func TestMemoryTokenStore_zero_value_is_empty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var store trulioo.MemoryTokenStore
		token, err := store.Token(t.Context(), "key", "", (&fetches{"token"}).fetch)
		require.NoError(t, err)
		assert.Equal(t, "token", token.AccessToken)
	})
}

// The store's own errors and those of its fetch are an *AuthError.
func TestMemoryTokenStore_errors(t *testing.T) {
	t.Parallel()
	foreign := errors.New("of a store behind")
	for name, tt := range map[string]struct {
		token *oauth2.Token
		err   error
		text  string
		is    error
	}{
		"no token":        {nil, nil, "trulioo: fetch token: no token", nil},
		"an empty token":  {&oauth2.Token{}, nil, "trulioo: fetch token: no token", nil},
		"a foreign error": {nil, foreign, "of a store behind", foreign},
	} {
		token, err := trulioo.NewMemoryTokenStore().Token(t.Context(), "key", "refused", func(context.Context) (*oauth2.Token, error) {
			return tt.token, tt.err
		})
		assert.Nil(t, token, name)
		require.EqualError(t, err, tt.text, name)
		var auth *trulioo.AuthError
		assert.Equal(t, tt.err == nil, errors.As(err, &auth), name)
		if tt.is != nil {
			require.ErrorIs(t, err, tt.is, name)
		}
	}
}

// The fetch that a store is given ends by itself, whatever context it gets.
func TestTokenStore_fetch_is_bounded(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.FetchToken, truliootest.Hang())
		client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{AttemptTimeout: time.Hour}), trulioo.WithTokenStore(
			tokenStore(func(ctx context.Context, _, _ string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
				return fetch(context.WithoutCancel(ctx))
			})))
		begun := time.Now()
		_, err := client.Workflows.List(t.Context(), nil)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(begun))
	})
}
