//go:build unix

package trusql_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
)

const theToken = "the-verification-token"

// quick are options of tests that do not wait.
func quick(change func(*trusql.InboxOptions)) *trusql.InboxOptions {
	o := &trusql.InboxOptions{MinWait: time.Millisecond, MaxWait: 2 * time.Millisecond, Poll: 10 * time.Millisecond}
	if change != nil {
		change(o)
	}
	return o
}

func newInbox(t *testing.T, address string, options *trusql.InboxOptions) *trusql.Inbox {
	t.Helper()
	inbox, err := open(t, address).Inbox(options)
	require.NoError(t, err)
	return inbox
}

// deliver brings an event to a handler as the vendor does, and gives its status.
func deliver(t *testing.T, inbox *trusql.Inbox, client string, retry int) int {
	t.Helper()
	handler, err := trulioo.NewWebhookHandler(inbox.Receive, trulioo.WithVerificationToken(theToken))
	require.NoError(t, err)
	body := fmt.Sprintf(`{"id":%q,"token":%q,"type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":1718011363},"retry":%d,"big":12345678901234567890}`, client, theToken, retry)
	status, _, _ := handler.Handle(t.Context(), http.Header{"Content-Type": {"application/json"}}, []byte(body))
	return status
}

// running runs the inbox until stop, which waits for its end.
func running(t *testing.T, inbox *trusql.Inbox, fn func(context.Context, *trulioo.Event) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- inbox.Run(ctx, fn) }()
	return func() {
		cancel()
		require.NoError(t, <-ended)
	}
}

func status(t *testing.T, inbox *trusql.Inbox) trusql.InboxStatus {
	t.Helper()
	s, err := inbox.Status(t.Context())
	require.NoError(t, err)
	return s
}

func becomes(t *testing.T, inbox *trusql.Inbox, done, dead int) {
	t.Helper()
	require.Eventually(t, func() bool {
		s, err := inbox.Status(t.Context())
		return err == nil && s.Waiting == 0 && s.Done == done && s.Dead == dead
	}, 30*time.Second, 2*time.Millisecond, "none waiting, done %d, dead %d", done, dead)
}

// seen counts how often each client's event was handled.
type seen struct {
	mu    sync.Mutex
	times map[string]int
}

func (s *seen) handle(_ context.Context, ev *trulioo.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.times == nil {
		s.times = map[string]int{}
	}
	s.times[ev.ClientID]++
	return nil
}

func (s *seen) of(client string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.times[client]
}

func TestAnEventIsStoredThenHandledOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		inbox, db := newInbox(t, address, quick(nil)), connect(t, address)
		require.Equal(t, http.StatusOK, deliver(t, inbox, "ada", 0))
		require.Equal(t, http.StatusOK, deliver(t, inbox, "ada", 1))
		s := status(t, inbox)
		assert.Equal(t, 1, s.Waiting)
		assert.WithinDuration(t, time.Now(), s.Oldest, time.Hour)

		var stored []byte
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT event FROM trulioo_inbox").Scan(&stored))
		assert.NotContains(t, string(stored), theToken, "the token is a credential")
		assert.Contains(t, string(stored), "12345678901234567890", "the rest is as it came")

		var got *trulioo.Event
		handled := &seen{}
		stop := running(t, inbox, func(ctx context.Context, ev *trulioo.Event) error {
			got = ev
			return handled.handle(ctx, ev)
		})
		becomes(t, inbox, 1, 0)
		require.Equal(t, http.StatusOK, deliver(t, inbox, "ada", 2), "a late delivery is acknowledged and does nothing")
		require.Equal(t, http.StatusOK, deliver(t, inbox, "bob", 0))
		becomes(t, inbox, 2, 0)
		stop()
		assert.Equal(t, 1, handled.of("ada"))
		assert.Equal(t, trulioo.EventFlowEnd, got.Type)
		assert.True(t, status(t, inbox).Oldest.IsZero())
	})
}

func TestAFailureIsTriedAgainAndThenDead(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		var reported []error
		var mu sync.Mutex
		inbox := newInbox(t, address, quick(func(o *trusql.InboxOptions) {
			o.MaxAttempts = 3
			o.OnError = func(_ context.Context, err error) {
				mu.Lock()
				defer mu.Unlock()
				reported = append(reported, err)
				panic("a hook's panic costs nothing")
			}
		}))
		broken := errors.New("the warehouse is closed: \x00 ada")
		var heal atomic.Bool
		handled := &seen{}
		stop := running(t, inbox, func(ctx context.Context, ev *trulioo.Event) error {
			_ = handled.handle(ctx, ev)
			switch {
			case heal.Load() || ev.ClientID == "fine":
				return nil
			case ev.ClientID == "panics":
				panic("ada's date of birth")
			case ev.ClientID == "goexits":
				runtime.Goexit()
			}
			return broken
		})
		for _, client := range []string{"fails", "panics", "goexits", "fine"} {
			require.Equal(t, http.StatusOK, deliver(t, inbox, client, 0))
		}
		becomes(t, inbox, 1, 3)
		for _, client := range []string{"fails", "panics", "goexits"} {
			assert.Equal(t, 3, handled.of(client), client)
		}
		dead, err := inbox.Dead(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, dead, 3)
		for _, l := range dead {
			assert.Equal(t, 3, l.Attempts)
			assert.NotEmpty(t, l.Error)
			assert.NotContains(t, l.Error, "date of birth", "a panic's value is not kept")
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", l, l, l), l.ClientID)
		}
		require.Eventually(t, func() bool { // the inbox notes an outcome before it reports it
			mu.Lock()
			defer mu.Unlock()
			return len(reported) >= 9
		}, 10*time.Second, 5*time.Millisecond)
		mu.Lock()
		assert.Len(t, reported, 9)
		for _, err := range reported {
			var failure *trusql.HandleError
			require.ErrorAs(t, err, &failure)
			assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, *failure), "ada", "what is printed is this library's own")
			assert.Equal(t, failure.Attempt == 3, failure.Dead)
		}
		mu.Unlock()

		heal.Store(true)
		n, err := inbox.Replay(t.Context(), dead[0].Key, "unknown")
		require.NoError(t, err)
		assert.Equal(t, 1, n)
		becomes(t, inbox, 2, 2)
		n, err = inbox.ReplayDead(t.Context())
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		becomes(t, inbox, 4, 0)
		n, err = inbox.ReplayReceived(t.Context(), time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, 4, n)
		becomes(t, inbox, 4, 0)
		assert.Equal(t, 2, handled.of("fine"), "replayed by time")
		n, err = inbox.ReplayReceived(t.Context(), time.Now().Add(time.Hour), time.Now().Add(2*time.Hour))
		require.NoError(t, err)
		assert.Zero(t, n)
		stop()
	})
}

func TestPurgeKeepsWhatWaits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		inbox := newInbox(t, address, quick(func(o *trusql.InboxOptions) { o.MaxAttempts = 1 }))
		deliver(t, inbox, "dead", 0)
		deliver(t, inbox, "done", 0)
		stop := running(t, inbox, func(_ context.Context, ev *trulioo.Event) error {
			if ev.ClientID == "dead" {
				return errors.New("no")
			}
			return nil
		})
		becomes(t, inbox, 1, 1)
		stop()
		deliver(t, inbox, "waits", 0)
		n, err := inbox.Purge(t.Context(), time.Now().Add(-time.Hour))
		require.NoError(t, err)
		assert.Zero(t, n, "too young")
		n, err = inbox.Purge(t.Context(), time.Now().Add(time.Hour))
		require.NoError(t, err)
		assert.Equal(t, 2, n)
		assert.Equal(t, 1, status(t, inbox).Waiting)
	})
}

// The end of Run ends the functions' contexts. An event that they did not finish has not
// lost an attempt.
func TestStoppingLosesNoAttempt(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		inbox := newInbox(t, address, quick(func(o *trusql.InboxOptions) { o.MaxAttempts = 2 }))
		deliver(t, inbox, "ada", 0)
		for range 4 {
			begun := make(chan struct{})
			stop := running(t, inbox, func(ctx context.Context, _ *trulioo.Event) error {
				close(begun)
				<-ctx.Done()
				return ctx.Err()
			})
			select {
			case <-begun:
			case <-time.After(30 * time.Second):
				require.Fail(t, "the event does not come again")
			}
			stop()
		}
		handled := &seen{}
		stop := running(t, inbox, handled.handle)
		becomes(t, inbox, 1, 0)
		stop()
	})
}

func TestConcurrencyIsBounded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		inbox := newInbox(t, address, quick(func(o *trusql.InboxOptions) { o.Concurrency = 3 }))
		for i := range 20 {
			deliver(t, inbox, fmt.Sprint(i), 0)
		}
		var now, most atomic.Int32
		three, open := make(chan struct{}), sync.Once{}
		stop := running(t, inbox, func(ctx context.Context, _ *trulioo.Event) error {
			n := now.Add(1)
			defer now.Add(-1)
			if n >= 3 {
				open.Do(func() { close(three) })
			}
			for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
			}
			select {
			case <-three: // once three were under way, the rest runs through
			case <-ctx.Done():
			}
			return nil
		})
		becomes(t, inbox, 20, 0)
		stop()
		assert.Equal(t, int32(3), most.Load())
	})
}

func TestInboxRefuses(t *testing.T) {
	t.Parallel()
	store := open(t, t.TempDir()+"/a.db")
	var wrong *trulioo.ArgumentError
	_, err := store.Inbox(&trusql.InboxOptions{MaxAttempts: -1})
	require.ErrorAs(t, err, &wrong)
	inbox, err := store.Inbox(nil)
	require.NoError(t, err)
	require.ErrorAs(t, inbox.Run(t.Context(), nil), &wrong)
	require.ErrorAs(t, inbox.Receive(t.Context(), nil), &wrong)
	_, err = inbox.Dead(t.Context(), 0)
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "trusql.Store", fmt.Sprintf("%v", store))
}

// Without its database an event is not acknowledged.
func TestNoDatabaseNoAcknowledgement(t *testing.T) {
	t.Parallel()
	store, err := trusql.Open(t.Context(), t.TempDir()+"/a.db")
	require.NoError(t, err)
	inbox, err := store.Inbox(nil)
	require.NoError(t, err)
	require.NoError(t, store.Close())
	assert.Equal(t, http.StatusInternalServerError, deliver(t, inbox, "ada", 0))
}
