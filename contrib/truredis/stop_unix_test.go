//go:build unix

package truredis_test

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
)

// A Redis that takes connections and does not answer: go-redis by itself waits
// 3 s for each of four attempts, whatever the context says.
func TestRedisHangs(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := server.Client(t)
	require.NoError(t, client.Ping(t.Context()).Err())
	require.NoError(t, server.process.Process.Signal(syscall.SIGSTOP))

	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	token, err := newStore(t, client).Token(ctx, "key", "", (&source{}).fetch)
	require.NoError(t, err)
	require.Equal(t, "token-1", token.AccessToken)

	claim, state, err := newDeduper(t, client).Reserve(ctx, "event", time.Minute)
	require.EqualError(t, err, "truredis: reserve: Redis did not answer in time")
	require.Empty(t, claim)
	require.Equal(t, trulioo.DedupNew, state)
	require.NotErrorIs(t, err, truredis.ErrClaimLost)
}
