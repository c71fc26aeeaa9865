package truredis_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
)

// key makes an encryption key for tests.
func key(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

// requireNowhere looks for a secret in every way that a value can be printed.
func requireNowhere(t *testing.T, secret string, values ...any) {
	t.Helper()
	for _, value := range values {
		var logged bytes.Buffer
		slog.New(slog.NewTextHandler(&logged, nil)).Info("test", "value", value)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			fmt.Fprintf(&logged, verb, value)
		}
		require.NotContains(t, logged.String(), secret)
	}
}

func TestArgumentsAreChecked(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	store := func(c redis.UniversalClient, opts ...truredis.Option) error {
		_, err := truredis.NewTokenStore(c, opts...)
		return err
	}
	deduper := func(c redis.UniversalClient, opts ...truredis.Option) error {
		_, err := truredis.NewDeduper(c, opts...)
		return err
	}
	encrypted := truredis.WithEncryptionKeys(key(1))
	for name, c := range map[string]struct {
		err      error
		argument string
	}{
		"no client":                {store(nil, encrypted), "client"},
		"no client of a deduper":   {deduper(nil), "client"},
		"no key":                   {store(client), "WithEncryptionKeys"},
		"no keys":                  {store(client, truredis.WithEncryptionKeys()), "WithEncryptionKeys"},
		"a nil key":                {store(client, truredis.WithEncryptionKeys(nil)), "WithEncryptionKeys"},
		"a short key":              {store(client, truredis.WithEncryptionKeys(key(1)[:16])), "WithEncryptionKeys"},
		"a short second key":       {store(client, truredis.WithEncryptionKeys(key(1), key(2)[:31])), "WithEncryptionKeys"},
		"plaintext and keys":       {store(client, truredis.WithInsecurePlaintext(), encrypted), "WithInsecurePlaintext"},
		"an empty prefix":          {store(client, encrypted, truredis.WithPrefix("")), "WithPrefix"},
		"a nil logger":             {store(client, encrypted, truredis.WithLogger(nil)), "WithLogger"},
		"a store with a ttl":       {store(client, encrypted, truredis.WithTTL(time.Hour)), "WithTTL"},
		"a deduper with keys":      {deduper(client, encrypted), "WithEncryptionKeys"},
		"a deduper with plaintext": {deduper(client, truredis.WithInsecurePlaintext()), "WithInsecurePlaintext"},
		"a deduper with a logger":  {deduper(client, truredis.WithLogger(slog.Default())), "WithLogger"},
		"a ttl of nothing":         {deduper(client, truredis.WithTTL(0)), "WithTTL"},
	} {
		wrong, ok := errors.AsType[*trulioo.ArgumentError](c.err)
		require.True(t, ok, name)
		assert.Equal(t, c.argument, wrong.Argument, name)
	}
	require.NoError(t, store(client, encrypted))
	require.NoError(t, store(client, nil, truredis.WithInsecurePlaintext()))
	require.NoError(t, deduper(client))
}

func TestNothingSecretIsPrinted(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", Password: "hunter2hunter2"})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	secret := key('S')
	option := truredis.WithEncryptionKeys(secret)
	store, err := truredis.NewTokenStore(client, option)
	require.NoError(t, err)
	deduper, err := truredis.NewDeduper(client)
	require.NoError(t, err)
	for _, text := range []string{string(secret), fmt.Sprintf("%x", secret), "83 83 83", "hunter2hunter2", fmt.Sprintf("%x", "hunter2hunter2")} {
		requireNowhere(t, text, option, store, deduper, *deduper, []any{option, store})
	}
	assert.Equal(t, "truredis.TokenStore[redacted]", fmt.Sprintf("%#v", store))
}

// A caller may wipe its key once it has given it.
func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	wiped := key(1)
	option := truredis.WithEncryptionKeys(wiped)
	clear(wiped)
	one, err := truredis.NewTokenStore(client, option)
	require.NoError(t, err)
	source := &source{}
	first := ask(t, one, source, "")
	require.Equal(t, first, ask(t, newStore(t, client, truredis.WithEncryptionKeys(key(1))), source, ""))
}
