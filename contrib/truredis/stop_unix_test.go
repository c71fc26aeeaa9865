//go:build unix

package truredis_test

import (
	"bytes"
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
)

// A Redis that takes connections and does not answer, and a client that would
// wait for it for a minute, whatever the context says.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, ReadTimeout: time.Minute})
	t.Cleanup(func() { _ = client.Close() })
	require.NoError(t, client.Ping(t.Context()).Err())
	require.NoError(t, server.process.Process.Signal(syscall.SIGSTOP))

	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var log bytes.Buffer
	store, err := truredis.NewTokenStore(client, logging(&log)...) // with the time limit of its users
	require.NoError(t, err)
	token, err := store.Token(ctx, "key", "", (&source{}).fetch)
	require.NoError(t, err)
	require.Equal(t, "token-1", token.AccessToken)
	require.Contains(t, log.String(), "Redis did not answer in time")

	claim, state, err := newDeduper(t, client).Reserve(ctx, "event", time.Minute)
	require.EqualError(t, err, "truredis: reserve: Redis did not answer in time")
	require.Empty(t, claim)
	require.Equal(t, trulioo.DedupNew, state)
	require.NotErrorIs(t, err, truredis.ErrClaimLost)
}
