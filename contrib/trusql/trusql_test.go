//go:build unix

package trusql_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestDeduperConforms(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		store := open(t, address)
		truliootest.TestDeduper(t, func(*testing.T) trulioo.Deduper { return store.Deduper(0) })
	})
}

func TestHandledEventsAreForgotten(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		d, db := open(t, address).Deduper(time.Millisecond), connect(t, address)
		for range 250 {
			claim, state, err := d.Reserve(t.Context(), "event", time.Minute)
			require.NoError(t, err)
			if state == trulioo.DedupNew {
				require.NoError(t, d.Commit(t.Context(), "event", claim))
			}
			key := time.Now().String()
			claim, _, err = d.Reserve(t.Context(), key, time.Millisecond)
			require.NoError(t, err)
			require.NoError(t, d.Commit(t.Context(), key, claim))
		}
		var left int
		require.NoError(t, db.QueryRowContext(t.Context(), "SELECT count(*) FROM trulioo_claims").Scan(&left))
		assert.Less(t, left, 200, "what is forgotten is deleted by the way")
		_, _, err := d.Reserve(t.Context(), "another", time.Minute)
		require.NoError(t, err)
	})
}

func TestClaimLostIsItsOwnError(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		d := open(t, address).Deduper(0)
		require.ErrorIs(t, d.Commit(t.Context(), "event", "claim"), trusql.ErrClaimLost)
		require.ErrorIs(t, d.Release(t.Context(), "event", "claim"), trusql.ErrClaimLost)
	})
}

// Several processes start at once, and again later.
func TestOpenManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 5 {
					store, err := trusql.Open(t.Context(), address)
					if assert.NoError(t, err) {
						assert.NoError(t, store.Close())
					}
				}
			})
		}
		all.Wait()
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	var wrong *trulioo.ArgumentError
	_, err := trusql.Open(t.Context(), "")
	require.ErrorAs(t, err, &wrong)
	_, err = trusql.New(t.Context(), nil, trusql.SQLite)
	require.ErrorAs(t, err, &wrong)
	_, err = trusql.New(t.Context(), connect(t, filepath.Join(t.TempDir(), "a.db")), 0)
	require.ErrorAs(t, err, &wrong)
	_, err = trusql.Open(t.Context(), filepath.Join(t.TempDir(), "no folder", "a.db"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = trusql.Open(t.Context(), "postgres://nobody:the-password@127.0.0.1:1/none")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "the-password")
}

func TestTheFileIsNobodyElses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "personal.db")
	open(t, path)
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
}

// Time, Cursor and Slice through database/sql to both databases, and through pgx
// itself.
func TestValuesOfTheCore(t *testing.T) {
	t.Parallel()
	client := truliootest.NewServer(t).Client()
	slices, err := client.Clients.Slices(t.Context(), trulioo.ClientFilter{}, 10)
	require.NoError(t, err)
	var cursor trulioo.Cursor
	for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{SummariesOnly: true}) {
		require.NoError(t, err)
		cursor = item.Cursor
	}
	at := trulioo.Time{Time: time.Date(2024, 6, 10, 9, 22, 43, 123456000, time.UTC)}
	type values struct {
		at     trulioo.Time
		cursor trulioo.Cursor
		slice  trulioo.Slice
	}
	full, empty := values{at, cursor, slices[0]}, values{}
	insert := func(column string) string {
		return "INSERT INTO vals_" + column + " (n, at, cursor, slice) VALUES ($1, $2, $3, $4)"
	}
	query := func(column string) string {
		return "SELECT at, cursor, slice, at IS NULL AND cursor IS NULL AND slice IS NULL FROM vals_" + column + " WHERE n = $1"
	}

	same := func(t *testing.T, want, got values, null bool) {
		t.Helper()
		assert.True(t, want.at.Equal(got.at.Time), "%v %v", want.at, got.at)
		for _, pair := range [][2]any{{want.cursor, got.cursor}, {want.slice, got.slice}} {
			a, err := json.Marshal(pair[0])
			require.NoError(t, err)
			b, err := json.Marshal(pair[1])
			require.NoError(t, err)
			assert.JSONEq(t, string(a), string(b))
		}
		assert.Equal(t, want == empty, null, "zero is NULL")
	}
	onBoth(t, func(t *testing.T, address string) {
		db := connect(t, address)
		for _, column := range []string{"jsonb", "json", "text"} {
			_, err := db.ExecContext(t.Context(), "CREATE TABLE vals_"+column+" (n integer, at timestamp, cursor "+column+", slice "+column+")")
			require.NoError(t, err)
			for n, want := range []values{full, empty} {
				_, err := db.ExecContext(t.Context(), insert(column), n, want.at, want.cursor, want.slice)
				require.NoError(t, err, column)
				got, null := full, false // what was there before goes
				require.NoError(t, db.QueryRowContext(t.Context(), query(column), n).Scan(&got.at, &got.cursor, &got.slice, &null))
				same(t, want, got, null)
			}
		}
	})
	t.Run("pgx", func(t *testing.T) {
		t.Parallel()
		conn, err := pgx.Connect(t.Context(), newPostgres(t))
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(t.Context())) }()
		for _, column := range []string{"jsonb", "json", "text"} {
			_, err = conn.Exec(t.Context(), "CREATE TABLE vals_"+column+" (n integer, at timestamptz, cursor "+column+", slice "+column+")")
			require.NoError(t, err)
			for n, want := range []values{full, empty} {
				_, err := conn.Exec(t.Context(), insert(column), n, want.at, want.cursor, want.slice)
				require.NoError(t, err, column)
				got, null := full, false
				require.NoError(t, conn.QueryRow(t.Context(), query(column), n).Scan(&got.at, &got.cursor, &got.slice, &null))
				same(t, want, got, null)
			}
		}
	})
}
