//go:build unix

package truriver_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/contrib/truriver"
	"github.com/trulioo-go/trulioo/internal/postgrestest"
)

// workerVariable makes the test binary a worker process; see processes_unix_test.go.
const workerVariable = "TRURIVER_TEST_WORKER"

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
var thePostgres postgres

type postgres struct {
	once      sync.Once
	err       error
	server    *postgrestest.Server
	databases atomic.Int32
}

// newDatabase gives the connection string of an empty database.
func newDatabase(t *testing.T) string {
	t.Helper()
	thePostgres.once.Do(func() {
		thePostgres.server, thePostgres.err = postgrestest.Start(context.WithoutCancel(t.Context()))
	})
	err := thePostgres.err
	if errors.Is(err, postgrestest.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	name := fmt.Sprintf("test%d", thePostgres.databases.Add(1))
	admin, err := pgx.Connect(t.Context(), thePostgres.server.Address("postgres"))
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))
	return thePostgres.server.Address(name)
}

// newPool is a pool of a database with all tables.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), newDatabase(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, truriver.Migrate(t.Context(), pool))
	return pool
}
