//go:build unix

package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// The program is killed while it reads the list and while it fetches, again and
// again; the night that follows finds everyone, and no line is lost or damaged.
func TestNightsThatAreKilled(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 150, Seed: 4, UndatedEvery: 30})
	srv := truliootest.NewServer(t, truliootest.WithLive(account))
	dir := t.TempDir()
	program := filepath.Join(t.TempDir(), "sync")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	night := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), srv.Environ()...)
		return cmd
	}
	for _, at := range []struct {
		operation truliootest.Operation
		nth       int
	}{
		{truliootest.ListClients, 1}, {truliootest.GetClient, 1}, {truliootest.GetClient, 13},
		{truliootest.GetClient, 20}, {truliootest.ListClients, 2}, {truliootest.GetClient, 5},
	} {
		cmd, started := night(), make(chan struct{})
		var killed atomic.Bool
		kill := srv.Fail(at.operation, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			<-started
			killed.Store(true)
			_ = cmd.Process.Kill()
			next.ServeHTTP(w, r)
		}), truliootest.Nth(at.nth))
		require.NoError(t, cmd.Start())
		close(started)
		err := cmd.Wait()
		kill.Stop()
		require.True(t, killed.Load())
		require.Error(t, err)
	}
	wrong := night()
	wrong.Args = append(wrong.Args, "-out", "x")
	require.Error(t, wrong.Run())
	assert.Equal(t, 2, wrong.ProcessState.ExitCode())
	out, err = night().CombinedOutput()
	require.NoError(t, err, string(out))
	s, err := openStore(filepath.Join(dir, "sync-out"))
	require.NoError(t, err)
	defer func() { _ = s.file.Close() }()
	for _, id := range account.IDs() {
		_, kept := s.modified[id]
		assert.True(t, kept)
	}
	assert.Len(t, s.modified, 150)
}
