package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

func TestEveryNight(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 300, Seed: 2})
	srv := truliootest.NewServer(t, truliootest.WithLive(account))
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	assert.Equal(t, 300, srv.Count(truliootest.GetClient))

	srv.ResetCounts()
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	assert.Zero(t, srv.Count(truliootest.GetClient), "a quiet night")

	ids := account.IDs()
	account.Update(ids[7], time.Now())
	account.Insert(time.Now())
	account.Remove(ids[9])
	refused := srv.Fail(truliootest.GetClient, truliootest.Answer(422, "{}"), truliootest.Path(ids[7]))
	require.Error(t, sync(t.Context(), srv.Client(), dir))
	refused.Stop()
	srv.ResetCounts()
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	assert.Equal(t, 1, srv.Count(truliootest.GetClient), "the one that failed")

	s, err := openStore(dir)
	require.NoError(t, err)
	assert.Len(t, s.modified, 301, "one more, and who is gone is told and stays")
}

// A quiet night of 3,000 clients reads the list and no profile.
func TestAQuietNightOf3000(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 3000, Seed: 2})))
	dir := filepath.Join(t.TempDir(), "out")
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	srv.ResetCounts()
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	assert.Zero(t, srv.Count(truliootest.GetClient))
	lists := srv.Count(truliootest.ListClients)
	assert.LessOrEqual(t, lists, 158, "2.5 for 50 clients, and 8 more")
	t.Log(lists, "requests for the list")
}

// Stopped at any moment, with a line cut off, it goes on and nobody is missing.
func TestNightsThatAreCutShort(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 200, Seed: 4, UndatedEvery: 30})
	srv := truliootest.NewServer(t, truliootest.WithLive(account))
	dir := filepath.Join(t.TempDir(), "out")
	file := filepath.Join(dir, "profiles.ndjson")
	for n := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		stop := srv.Fail(truliootest.GetClient, truliootest.Pass().Delayed(time.Millisecond), truliootest.Skip(20+n))
		go func() {
			for seen < 5 && ctx.Err() == nil {
				seen = stop.Hits()
			}
			cancel()
		}()
		_ = sync(ctx, srv.Client(), dir)
		cancel()
		stop.Stop()
		if text, err := os.ReadFile(file); err == nil && len(text) > 10 {
			require.NoError(t, os.WriteFile(file, text[:len(text)-7], 0o600)) //nolint:gosec // a file of this test
		}
	}
	require.NoError(t, sync(t.Context(), srv.Client(), dir))
	s, err := openStore(dir)
	require.NoError(t, err)
	for _, id := range account.IDs() {
		_, kept := s.modified[id]
		assert.True(t, kept)
	}
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	body := string(text)[strings.Index(string(text), "func main()"):]
	assert.Less(t, strings.Count(body, "\n"), 60, "lines of the program")
}
