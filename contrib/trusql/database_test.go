//go:build unix

package trusql_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/contrib/trusql"
	"github.com/trulioo-go/trulioo/internal/postgrestest"
)

// workerVariable makes the test binary a worker process; see processes_test.go.
const workerVariable = "TRUSQL_TEST_WORKER"

func TestMain(m *testing.M) {
	if text := os.Getenv(workerVariable); text != "" {
		os.Exit(work(text))
	}
	code := m.Run()
	if err := thePostgres.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		code = 1
	}
	os.Exit(code)
}

// thePostgres is the one server of all tests; each has a database of its own.
var thePostgres struct {
	once      sync.Once
	err       error
	server    *postgrestest.Server
	databases atomic.Int32
}

// onBoth runs a test with the address of an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, address string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		test(t, filepath.Join(t.TempDir(), "a name with ? and #.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		test(t, newPostgres(t))
	})
}

func newPostgres(t *testing.T) (address string) {
	t.Helper()
	p := &thePostgres
	p.once.Do(func() { p.server, p.err = postgrestest.Start(context.WithoutCancel(t.Context())) })
	if errors.Is(p.err, postgrestest.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(p.err)
	}
	require.NoError(t, p.err)
	name := fmt.Sprintf("test%d", p.databases.Add(1))
	admin := connect(t, p.server.Address("postgres"))
	_, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	return p.server.Address(name)
}

func open(t *testing.T, address string) *trusql.Store {
	t.Helper()
	store, err := trusql.Open(t.Context(), address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

// connect is a connection beside the store's.
func connect(t *testing.T, address string) *sql.DB {
	t.Helper()
	open := trusql.OpenFile
	if strings.HasPrefix(address, "postgres://") {
		open = func(address string) (*sql.DB, error) { return sql.Open("pgx", address) }
	}
	db, err := open(address)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}
