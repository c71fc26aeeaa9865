package truredis_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
	"github.com/trulioo-go/trulioo/truliootest"
)

func newDeduper(t *testing.T, client redis.UniversalClient, opts ...truredis.Option) *truredis.Deduper {
	t.Helper()
	d, err := truredis.NewDeduper(client, opts...)
	require.NoError(t, err)
	return d
}

// reserve demands that the event is new.
func reserve(t *testing.T, d trulioo.Deduper, key string, lease time.Duration) (claim string) {
	t.Helper()
	claim, state, err := d.Reserve(t.Context(), key, lease)
	require.NoError(t, err)
	require.Equal(t, trulioo.DedupNew, state)
	require.NotEmpty(t, claim)
	return claim
}

func requireState(t *testing.T, d trulioo.Deduper, key string, want trulioo.DedupState) {
	t.Helper()
	claim, state, err := d.Reserve(t.Context(), key, time.Minute)
	require.NoError(t, err)
	require.Equal(t, want, state)
	require.Empty(t, claim)
}

// reserveOnceEnded waits for the end of another's lease.
func reserveOnceEnded(t *testing.T, d trulioo.Deduper, key string, lease time.Duration) (claim string) {
	t.Helper()
	require.Eventually(t, func() bool {
		c, state, err := d.Reserve(t.Context(), key, lease)
		claim = c
		return err == nil && state == trulioo.DedupNew
	}, 10*time.Second, time.Millisecond)
	return claim
}

// Over Redis, alone and as a cluster, both keep the contracts of the core.
func TestStoresConform(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) redis.UniversalClient{
		"redis":   func(t *testing.T) redis.UniversalClient { return startRedis(t).Client(t) },
		"cluster": func(t *testing.T) redis.UniversalClient { return startCluster(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := start(t)
			truliootest.TestDeduper(t, func(t *testing.T) trulioo.Deduper { return newDeduper(t, client) })
			truliootest.TestTokenStore(t, func(t *testing.T) trulioo.TokenStore { return newStore(t, client) })
		})
	}
}

// Nobody came while the lease was over, so the event's handling counts.
func TestCommitAfterTheLeaseWhereNobodyCame(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	d := newDeduper(t, client)
	claim := reserve(t, d, "slow", time.Millisecond)
	require.Eventually(t, func() bool { // by Redis's clock
		ends, err := client.HGet(t.Context(), "trulioo:event:slow", "ends").Int64()
		now, timeErr := client.Time(t.Context()).Result()
		return err == nil && timeErr == nil && now.UnixMilli() > ends
	}, 10*time.Second, time.Millisecond)
	require.NoError(t, d.Commit(t.Context(), "slow", claim))
	requireState(t, d, "slow", trulioo.DedupDone)
}

func TestClaimLostIsItsOwnError(t *testing.T) {
	t.Parallel()
	d := newDeduper(t, startRedis(t).Client(t))
	require.ErrorIs(t, d.Commit(t.Context(), "event", "claim"), truredis.ErrClaimLost)
	require.ErrorIs(t, d.Release(t.Context(), "event", "claim"), truredis.ErrClaimLost)
}

func TestHandledEventsAreForgottenAfterTheirTime(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	d := newDeduper(t, client, truredis.WithTTL(20*time.Millisecond))
	require.NoError(t, d.Commit(t.Context(), "event", reserve(t, d, "event", time.Minute)))
	reserveOnceEnded(t, d, "event", time.Millisecond)
	require.Eventually(t, func() bool { return client.DBSize(t.Context()).Val() == 0 }, 10*time.Second, time.Millisecond,
		"one whose holder died leaves nothing behind either")
}

// The longest duration means for ever, not a sum that overflows into the past.
func TestDurationsWithoutABound(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	const most = time.Duration(math.MaxInt64)
	d := newDeduper(t, client, truredis.WithTTL(most))
	claim := reserve(t, d, "key", most)
	requireState(t, d, "key", trulioo.DedupInFlight)
	require.NoError(t, d.Commit(t.Context(), "key", claim))
	requireState(t, d, "key", trulioo.DedupDone)
	require.NoError(t, d.Release(t.Context(), "other", reserve(t, d, "other", most)))
	require.Greater(t, client.PTTL(t.Context(), "trulioo:event:key").Val(), 50*365*24*time.Hour)

	s := newStore(t, client)
	for _, expiry := range []time.Time{time.Unix(1<<40, 0), time.Now().Add(most)} {
		token, err := s.Ask(t.Context(), expiry.String(), "", func(context.Context) (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: "token", Expiry: expiry}, nil
		})
		require.NoError(t, err)
		require.Equal(t, "token", token.AccessToken)
		token, err = newStore(t, client).Ask(t.Context(), expiry.String(), "", (&source{}).fetch)
		require.NoError(t, err)
		require.Equal(t, "token", token.AccessToken, "it is kept")
		require.Greater(t, time.Until(token.Expiry), 50*365*24*time.Hour)
	}
}

func TestPrefixesKeepApplicationsApart(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	one, other := newDeduper(t, client, truredis.WithPrefix("one:")), newDeduper(t, client, truredis.WithPrefix("other:"))
	reserve(t, one, "event", time.Minute)
	requireState(t, one, "event", trulioo.DedupInFlight)
	reserve(t, other, "event", time.Minute)
	assert.Contains(t, everything(t, client), "one:event:event")
}

// twice runs every command a second time, as go-redis does when the answer to
// the first is lost on the way.
type twice struct{}

func (twice) DialHook(next redis.DialHook) redis.DialHook { return next }

func (twice) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		_ = next(ctx, cmd)
		return next(ctx, cmd)
	}
}

func (twice) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// An answer that is lost must not lock a process out of its own event.
func TestReserveAndCommitCanBeRepeated(t *testing.T) {
	t.Parallel()
	client := startRedis(t).Client(t)
	client.AddHook(twice{})
	d := newDeduper(t, client)
	claim := reserve(t, d, "event", time.Minute)
	requireState(t, d, "event", trulioo.DedupInFlight)
	require.NoError(t, d.Commit(t.Context(), "event", claim))
	requireState(t, d, "event", trulioo.DedupDone)
}

// A handler whose Redis is gone runs its events, and says so to the error hook.
func TestEventsRunWithoutRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	handled := 0
	var reported []error
	handler, err := trulioo.NewWebhookHandler(func(context.Context, *trulioo.Event) error {
		handled++
		return nil
	}, trulioo.WithVerificationToken("token"), trulioo.WithDeduper(newDeduper(t, client)),
		trulioo.WithErrorHook(func(_ context.Context, err error) { reported = append(reported, err) }))
	require.NoError(t, err)
	header := http.Header{"Content-Type": {"application/json"}}
	deliver := func(n int) int {
		body := fmt.Sprintf(`{"id":"c","token":"token","type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":%d}}`, n)
		status, _, _ := handler.Handle(t.Context(), header, []byte(body))
		return status
	}
	require.Equal(t, http.StatusOK, deliver(1))
	require.Equal(t, http.StatusOK, deliver(1))
	require.Equal(t, 1, handled, "the second was a duplicate")
	require.Empty(t, reported)

	server.Kill(t)
	require.Equal(t, http.StatusOK, deliver(2))
	require.Equal(t, 2, handled)
	require.Len(t, reported, 1)
	var webhook *trulioo.WebhookError
	require.ErrorAs(t, reported[0], &webhook)
	require.Equal(t, "reserve", webhook.Step)
	require.Equal(t, "truredis: reserve: no connection to Redis", webhook.Unwrap().Error())
	requireNowhere(t, server.Addr, webhook.Unwrap())
	require.Error(t, errors.Unwrap(webhook.Unwrap()), "the cause is there for errors.As")

	server.Start(t)
	require.Equal(t, http.StatusOK, deliver(3))
	require.Equal(t, http.StatusOK, deliver(3))
	require.Equal(t, 3, handled)
	require.Len(t, reported, 1)
}
