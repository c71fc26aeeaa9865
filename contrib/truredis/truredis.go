// Package truredis lets many processes that use package trulioo share two
// things over Redis: the API's token, so that one of them fetches it for all,
// and the memory of handled webhook events, so that an event that is delivered to
// two processes is handled by one.
//
//	rdb := redis.NewClient(&redis.Options{Addr: "localhost:6379"})
//	store, err := truredis.NewTokenStore(rdb, truredis.WithEncryptionKeys(key))
//	client, err := trulioo.NewClientFromEnv(trulioo.WithTokenStore(store))
//	deduper, err := truredis.NewDeduper(rdb)
//	handler, err := trulioo.NewWebhookHandlerFromEnv(handle, trulioo.WithDeduper(deduper))
//
// Redis has to be version 5 or newer, alone, with Sentinel or as a cluster: every
// script stays within one slot. Without Redis nothing stops: each process fetches its
// own token, and a webhook handler runs its events anyway.
package truredis

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/trulioo-go/trulioo"
)

const (
	defaultPrefix = "trulioo:"
	defaultTTL    = 24 * time.Hour
)

// Option sets one thing of a TokenStore or of a Deduper. The order does not
// matter; the last one of a kind counts. The constructor checks all of them, and
// refuses an option that is not for it with a *trulioo.ArgumentError.
type Option func(*config)

// Format prints the type's name only: an option can hold a key.
func (Option) Format(s fmt.State, _ rune) { redacted(s, "truredis.Option") }

type config struct {
	prefix   string
	keys     [][]byte
	insecure bool
	logger   *slog.Logger
	ttl      time.Duration

	given map[string]bool
}

func option(name string, set func(*config)) Option {
	return func(c *config) {
		c.given[name] = true
		set(c)
	}
}

// WithPrefix begins every name in Redis, for a TokenStore and for a Deduper.
// The default is "trulioo:".
func WithPrefix(prefix string) Option {
	return option("WithPrefix", func(c *config) { c.prefix = prefix })
}

// WithEncryptionKeys encrypts tokens in Redis with AES-256-GCM, each bound to
// its place. A key is 32 random bytes, the same in all processes. The first one
// encrypts and all decrypt: to rotate, give all processes the new key as the
// second, then as the first, then drop the old one. It is for a TokenStore only.
func WithEncryptionKeys(keys ...[]byte) Option {
	copied := make([][]byte, len(keys))
	for i, key := range keys {
		copied[i] = slices.Clone(key)
	}
	return option("WithEncryptionKeys", func(c *config) { c.keys = copied })
}

// WithInsecurePlaintext keeps tokens readable in Redis. Anybody who can read Redis, its
// backups or its traffic can then read your clients' data for as long as a token
// lives. It is for a TokenStore only.
func WithInsecurePlaintext() Option {
	return option("WithInsecurePlaintext", func(c *config) { c.insecure = true })
}

// WithLogger takes a warning each time that a process has to do without Redis.
// It holds a constant reason and no address, name, token or key. The default is
// silence. It is for a TokenStore only; a Deduper's errors go to
// trulioo.WithErrorHook.
func WithLogger(logger *slog.Logger) Option {
	return option("WithLogger", func(c *config) { c.logger = logger })
}

// WithTTL sets for how long a handled event is remembered. It should outlast
// the sender's retries. The default is 24 hours. It is for a Deduper only.
func WithTTL(ttl time.Duration) Option {
	return option("WithTTL", func(c *config) { c.ttl = ttl })
}

// newConfig reads the options. foreign are those of the other constructor.
func newConfig(client redis.UniversalClient, opts []Option, foreign ...string) (*config, error) {
	c := &config{prefix: defaultPrefix, ttl: defaultTTL, logger: slog.New(slog.DiscardHandler), given: map[string]bool{}}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	switch {
	case client == nil:
		return nil, argument("client", "must not be nil")
	case c.prefix == "":
		return nil, argument("WithPrefix", "must not be empty")
	case c.logger == nil:
		return nil, argument("WithLogger", "must not be nil")
	case c.ttl < time.Millisecond:
		return nil, argument("WithTTL", "must be a millisecond or more")
	}
	for _, name := range foreign {
		if c.given[name] {
			return nil, argument(name, "has no meaning here")
		}
	}
	return c, nil
}

func argument(name, reason string) error {
	return &trulioo.ArgumentError{Argument: name, Reason: reason}
}

func redacted(s fmt.State, name string) { _, _ = io.WriteString(s, name+"[redacted]") }
