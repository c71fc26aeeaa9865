package truredis

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// Of all texts that Redis can hold, only one that was sealed for this place opens.
func FuzzOpen(f *testing.F) {
	locked, err := newSeals([][]byte{bytes.Repeat([]byte{1}, keySize)})
	require.NoError(f, err)
	good, err := locked.seal("key", &oauth2.Token{AccessToken: "token", TokenType: "Bearer"})
	require.NoError(f, err)
	for _, seed := range []string{good, good[:20], "", "{}", `{"access_token":"a"}`, `{"access_token":1}`, "null"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token, err := locked.open("key", text)
		if text == good || err == nil { // a fuzzing worker seals its own, and gets this one as a seed
			require.NoError(t, err)
			require.Equal(t, "token", token.AccessToken)
		} else {
			require.ErrorIs(t, err, errSealed)
			require.Nil(t, token)
		}
		if token, err := (seals{}).open("key", text); err == nil {
			require.NotEmpty(t, token.AccessToken)
		}
		_, err = locked.open("other", text)
		require.ErrorIs(t, err, errSealed)
		require.Error(t, failureOf(text))
	})
}
