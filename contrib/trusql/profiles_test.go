//go:build unix

package trusql_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
	"github.com/trulioo-go/trulioo/truliootest"
)

// table is a table of profiles and the account that it is of.
type table struct {
	*trusql.Profiles

	account *truliootest.Account
	srv     *truliootest.Server
	client  *trulioo.Client

	mu      sync.Mutex
	changes map[string]trusql.ChangeKind
}

func newTable(t *testing.T, address string, spec truliootest.AccountSpec) *table {
	t.Helper()
	b := &table{account: truliootest.NewAccount(spec)}
	b.srv = truliootest.NewServer(t, truliootest.WithLive(b.account))
	b.client = b.srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
	var err error
	b.Profiles, err = open(t, address).Profiles("live")
	require.NoError(t, err)
	return b
}

// night is a sync that counts its requests and remembers its changes.
func (b *table) night(t *testing.T) (trusql.SyncReport, error) {
	t.Helper()
	b.srv.ResetCounts()
	b.changes = map[string]trusql.ChangeKind{}
	return b.Sync(t.Context(), b.client, &trusql.SyncOptions{FullServiceDetails: true, OnChange: func(_ context.Context, c trusql.Change) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.changes[c.ClientID] = c.Kind
		if (c.Profile == nil) != (c.Kind == trusql.ChangeGone) || c.Profile != nil && c.Profile.ID != c.ClientID {
			return errors.New("the profile is of somebody else")
		}
		return nil
	}})
}

// equalsAccount demands each client of the account, byte for byte, and no other.
func (b *table) equalsAccount(t *testing.T) {
	t.Helper()
	found := map[string]string{}
	for profile, err := range b.All(t.Context()) {
		require.NoError(t, err)
		found[profile.ID] = string(profile.Raw)
	}
	assert.Equal(t, b.account.Len(), len(found)) //nolint:testifylint // Len prints them all
	for _, id := range b.account.IDs() {
		want, _ := b.account.Profile(id, true)
		assert.Equal(t, string(want), found[id], "byte for byte")
	}
}

func TestNights(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 230, Seed: 3})
		report, err := b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{New: 230}, report)
		b.equalsAccount(t)

		report, err = b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{Unchanged: 230}, report)
		assert.Zero(t, b.srv.Count(truliootest.GetClient), "a quiet night costs the list only")
		assert.Empty(t, b.changes)

		ids, now := b.account.IDs(), time.Now()
		b.account.SetStatus(ids[7], "REJECTED", now)
		b.account.Remove(ids[9])
		added := b.account.Insert(now)
		report, err = b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{New: 1, Modified: 1, Gone: 1, Unchanged: 228}, report)
		assert.Equal(t, map[string]trusql.ChangeKind{ids[7]: trusql.ChangeModified, ids[9]: trusql.ChangeGone, added: trusql.ChangeNew}, b.changes)
		b.equalsAccount(t)
		assert.Equal(t, 2, b.srv.Count(truliootest.GetClient))

		report, err = b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{Unchanged: 230}, report, "what is gone is told once")
	})
}

// A client without a date is fetched each night: nothing says that it is the same.
func TestClientsWithoutADate(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 40, Seed: 3, UndatedEvery: 10})
		_, err := b.night(t)
		require.NoError(t, err)
		report, err := b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{Modified: 4, Unchanged: 36}, report)
		b.equalsAccount(t)
	})
}

// A client that fails comes again in the next run; the others are stored.
func TestFailuresComeAgain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 60, Seed: 3})
		b.srv.Fail(truliootest.GetClient, truliootest.Answer(400, `{"code":4000}`), truliootest.Every(3))
		report, err := b.night(t)
		require.Error(t, err)
		assert.Equal(t, trusql.SyncReport{New: 40, Failed: 20}, report)
		for _, id := range b.account.IDs() {
			assert.NotContains(t, err.Error(), id)
		}
		b.srv.Heal()
		broken := errors.New("of the hook")
		report, err = b.Sync(t.Context(), b.client, &trusql.SyncOptions{FullServiceDetails: true, OnChange: func(context.Context, trusql.Change) error { return broken }})
		require.ErrorIs(t, err, broken)
		assert.Equal(t, trusql.SyncReport{Unchanged: 40, Failed: 20}, report)
		report, err = b.night(t)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{New: 20, Unchanged: 40}, report)
		b.equalsAccount(t)
	})
}

// Nobody is gone because a list could not be read, or is empty all of a sudden.
func TestNobodyIsGoneByMistake(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 120, Seed: 3})
		_, err := b.night(t)
		require.NoError(t, err)

		b.srv.Fail(truliootest.ListClients, truliootest.Answer(403, ""), truliootest.Skip(1))
		report, err := b.night(t)
		require.ErrorIs(t, err, trulioo.ErrForbidden)
		assert.Zero(t, report.Gone)
		b.srv.Heal()

		empty := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{})))
		report, err = b.Sync(t.Context(), empty.Client(), nil)
		require.ErrorIs(t, err, trusql.ErrListEmpty)
		assert.Zero(t, report.Gone)
		b.equalsAccount(t)
	})
}

// The accounts of one table do not see each other.
func TestAccountsAreApart(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 10, Seed: 3})
		_, err := b.night(t)
		require.NoError(t, err)
		store := open(t, address)
		other, err := store.Profiles("test")
		require.NoError(t, err)
		report, err := other.Sync(t.Context(), truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 3, Seed: 8}))).Client(), nil)
		require.NoError(t, err)
		assert.Equal(t, trusql.SyncReport{New: 3}, report)
		b.equalsAccount(t)

		var wrong *trulioo.ArgumentError
		_, err = store.Profiles("")
		require.ErrorAs(t, err, &wrong)
		_, err = other.Sync(t.Context(), nil, nil)
		require.ErrorAs(t, err, &wrong)
		_, err = other.Sync(t.Context(), b.client, &trusql.SyncOptions{Concurrency: -1})
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, "trusql.Change", fmt.Sprintf("%+v", trusql.Change{ClientID: "ada"}))
	})
}

// The process that syncs is killed again and again; the last one finds what they
// have done, and completes it.
func TestASyncIsKilled(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		b := newTable(t, address, truliootest.AccountSpec{Clients: 300, Seed: 3})
		s := settings{Database: address, BaseURL: b.srv.BaseURL, TokenURL: b.srv.TokenURL, ID: b.srv.ClientID, Secret: b.srv.ClientSecret}
		for kill := range 4 {
			b.srv.ResetCounts()
			at := b.srv.Fail(truliootest.GetClient, truliootest.Hang(), truliootest.Skip(40+7*kill))
			p := spawn(t, s)
			require.Eventually(t, func() bool { return at.Hits() > 0 }, time.Minute, time.Millisecond)
			p.kill()
			b.srv.Heal()
		}
		report, err := b.night(t)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, report.Unchanged, 4*30, "what the dead have stored stays")
		assert.Equal(t, 300, report.Unchanged+report.New)
		b.equalsAccount(t)
	})
}
