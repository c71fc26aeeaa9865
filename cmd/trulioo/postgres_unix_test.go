//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/internal/postgrestest"
	"github.com/trulioo-go/trulioo/truliootest"
)

// PostgreSQL: a whole run, one that was killed, two at once, another account, and
// what is found in it.
func TestPostgres(t *testing.T) {
	t.Parallel()
	postgres, err := postgrestest.Start(context.WithoutCancel(t.Context()))
	if errors.Is(err, postgrestest.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, postgres.Stop()) })
	address := postgres.Address("postgres")
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 120, Seed: 3, UndatedEvery: 50})
	srv := truliootest.NewServer(t, truliootest.WithLive(account), truliootest.WithLatency(8*time.Millisecond))
	run := func(args ...string) (string, int) {
		t.Helper()
		cmd := newCommand(t, srv, append(args, "--postgres", address)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}

	killed := 0
	for range 5 {
		cmd := newCommand(t, srv, "export", "--postgres", address, "--concurrency", "2")
		require.NoError(t, cmd.Start())
		timer := time.AfterFunc(300*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if cmd.Wait() != nil {
			killed++
		}
		timer.Stop()
	}
	assert.Positive(t, killed)
	out, code := run("export")
	require.Zero(t, code, out)
	out, code = run("sync")
	require.Zero(t, code, out)
	assert.Regexp(t, `^0 new, 2 changed, 118 unchanged, 0 gone and kept, 0 failed`, out, "those without a date are fetched again")

	records, end, err := exportstore.Read(t.Context(), address)
	require.NoError(t, err)
	n := 0
	for r, err := range records {
		require.NoError(t, err)
		raw, ok := account.Profile(r.ClientID, true)
		require.True(t, ok)
		require.Contains(t, string(raw), r.Status)
		n++
	}
	require.NoError(t, end())
	assert.Equal(t, 120, n)

	account.Remove(account.IDs()[3])
	out, _ = run("sync", "--delete-gone")
	assert.Contains(t, out, "1 gone and deleted")
	out, code = run("export", "--environment", "test")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "another account")

	failing := srv.Fail(truliootest.GetClient, truliootest.Answer(422, `{"message":"Ada Lovelace"}`))
	out, code = run("export") // the two without a date are fetched, and fail
	assert.Equal(t, 3, code)
	assert.NotContains(t, out, "Ada")
	failing.Stop()
	out, code = run("export")
	assert.Zero(t, code, out)

	find := newCommand(t, srv, "find", "--external-id", "--in", address)
	find.Stdin = strings.NewReader("C-000006\n")
	found, err := find.CombinedOutput()
	if err != nil { // the sixth is a business for some seeds
		find = newCommand(t, srv, "find", "--external-id", "--in", address)
		find.Stdin = strings.NewReader("B-000006\n")
		found, err = find.CombinedOutput()
	}
	require.NoError(t, err, string(found))

	srv.Fail(truliootest.GetClient, truliootest.Hang())
	first := newCommand(t, srv, "export", "--postgres", address)
	require.NoError(t, first.Start())
	before := srv.Count(truliootest.GetClient)
	require.Eventually(t, func() bool { return srv.Count(truliootest.GetClient) > before }, time.Minute, time.Millisecond)
	out, code = run("export")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "another trulioo is at work")
	require.NoError(t, first.Process.Kill())
	_ = first.Wait()
}

// A database that is not there, and one that refuses, are said without the address.
func TestPostgresIsAway(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	out, err := newCommand(t, srv, "export", "--postgres", "postgres://somebody@127.0.0.1:1/people").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "the database cannot be reached")
	assert.NotContains(t, string(out), "somebody")
}
