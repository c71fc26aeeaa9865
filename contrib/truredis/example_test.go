package truredis_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
)

// serve is the README's block, word for word.
func serve() error {
	rdb := redis.NewClient(&redis.Options{Addr: os.Getenv("REDIS_ADDRESS")})
	key, err := base64.StdEncoding.DecodeString(os.Getenv("TOKEN_KEY")) // openssl rand -base64 32
	if err != nil {
		return err
	}
	store, err := truredis.NewTokenStore(rdb, truredis.WithEncryptionKeys(key), truredis.WithLogger(slog.Default()))
	if err != nil {
		return err
	}
	client, err := trulioo.NewClientFromEnv(trulioo.WithTokenStore(store))
	if err != nil {
		return err
	}
	deduper, err := truredis.NewDeduper(rdb)
	if err != nil {
		return err
	}
	handler, err := trulioo.NewWebhookHandlerFromEnv(func(ctx context.Context, ev *trulioo.Event) error {
		_, err := client.ForEvent(ev).Clients.Get(ctx, ev.ClientID, nil)
		return err
	}, trulioo.WithDeduper(deduper))
	if err != nil {
		return err
	}
	http.Handle("POST /trulioo", handler)
	return nil
}

func TestREADMEBlockIsTheCodeAbove(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	code, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, block, ok := strings.Cut(strings.ReplaceAll(string(readme), "\r\n", "\n"), "```go\n")
	require.True(t, ok)
	block, _, ok = strings.Cut(block, "```")
	require.True(t, ok)
	indented := "\t" + strings.ReplaceAll(strings.TrimSpace(block), "\n", "\n\t")
	require.Contains(t, strings.ReplaceAll(string(code), "\r\n", "\n"), indented)
}

// The code that a reader copies also runs.
func TestREADMEBlockRuns(t *testing.T) { //nolint:paralleltest // it sets the environment
	for name, value := range map[string]string{
		"REDIS_ADDRESS": startRedis(t).Addr, "TOKEN_KEY": base64.StdEncoding.EncodeToString(key(1)),
		"TRULIOO_CLIENT_ID": "id", "TRULIOO_CLIENT_SECRET": "secret", "TRULIOO_WEBHOOK_TOKEN": "token",
	} {
		t.Setenv(name, value)
	}
	mux := http.DefaultServeMux
	http.DefaultServeMux = http.NewServeMux()
	t.Cleanup(func() { http.DefaultServeMux = mux })
	require.NoError(t, serve())
}

func ExampleNewTokenStore() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
	key := []byte("32 random bytes from your vault.")
	store, err := truredis.NewTokenStore(rdb, truredis.WithEncryptionKeys(key))
	if err != nil {
		log.Fatal(err)
	}
	client, err := trulioo.NewClient(trulioo.WithCredentials("id", "secret"), trulioo.WithTokenStore(store))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client) // nothing here prints a key
	// Output: trulioo.Client[redacted]
}

func ExampleNewDeduper() {
	rdb := redis.NewUniversalClient(&redis.UniversalOptions{Addrs: []string{"localhost:6379"}})
	deduper, err := truredis.NewDeduper(rdb, truredis.WithPrefix("billing:"))
	if err != nil {
		log.Fatal(err)
	}
	_, err = trulioo.NewWebhookHandler(func(_ context.Context, ev *trulioo.Event) error {
		fmt.Println(ev.Type)
		return nil
	}, trulioo.WithVerificationToken("token"), trulioo.WithDeduper(deduper))
	fmt.Println(err)
	// Output: <nil>
}
