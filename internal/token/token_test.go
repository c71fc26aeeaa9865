package token

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQueryAndFormCarryAnySecret(t *testing.T) {
	t.Parallel()
	const id, secret = "the id", "a+b&c=d e#%é"
	query, err := url.ParseQuery(Query(id, secret))
	require.NoError(t, err)
	assert.Equal(t, url.Values{"clientId": {id}, "clientSecret": {secret}}, query)

	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {secret}}
	said, err := url.ParseQuery(string(Form(id, secret, "", "")))
	require.NoError(t, err)
	assert.Equal(t, form, said)
	form.Set("scope", "a b")
	form.Set("audience", "https://api")
	said, err = url.ParseQuery(string(Form(id, secret, "a b", "https://api")))
	require.NoError(t, err)
	assert.Equal(t, form, said)
}

func TestKey(t *testing.T) {
	t.Parallel()
	// Processes of two versions of this library share a store: a key is for ever.
	assert.Equal(t, "af26d5d26b6c3c27ae010b5524229cbd29fac81b773c8be14248ea24d26f5632",
		Key("the client secret", "https://auth-api.trulioo.com/connect/token", "v2", "the client id", "workflow.studio.api"))
	seen := map[string]bool{}
	for _, parts := range [][]string{{"secret one", "ab", "c"}, {"secret one", "a", "bc"}, {"secret one", "abc", ""}, {"secret two", "ab", "c"}, {"secret one"}} {
		seen[Key(parts[0], parts[1:]...)] = true
	}
	assert.Len(t, seen, 5, "no two are alike")
}
