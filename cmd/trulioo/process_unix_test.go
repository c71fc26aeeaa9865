//go:build unix

package main

import (
	"context"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/truliootest"
)

// newCommand is the program as a process, with an account of the server and a home of its own.
func newCommand(t *testing.T, srv *truliootest.Server, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath("trulioo") // which testscript.Main has put there
	require.NoError(t, err)
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	home := t.TempDir()
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TEST_KEYRING="+filepath.Join(home, "keyring"))
	if srv != nil {
		cmd.Env = append(cmd.Env, "TRULIOO_CLIENT_ID="+srv.ClientID, "TRULIOO_CLIENT_SECRET="+srv.ClientSecret,
			"TRULIOO_BASE_URL="+srv.BaseURL, "TRULIOO_TOKEN_URL="+srv.TokenURL)
	}
	return cmd
}

// kept gives the contents of a place, and of a folder all its files.
func kept(t *testing.T, place string) map[string]any {
	t.Helper()
	found := map[string]any{}
	records, end, err := exportstore.Read(t.Context(), place)
	require.NoError(t, err)
	for r, err := range records {
		require.NoError(t, err)
		require.NotContains(t, found, r.ClientID, "each client once")
		found[r.ClientID] = r
	}
	require.NoError(t, end())
	info, err := os.Stat(place)
	require.NoError(t, err)
	if !info.IsDir() {
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		return found
	}
	require.NoError(t, filepath.WalkDir(place, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "others may not read it")
		name, err := filepath.Rel(place, path)
		if err != nil || entry.IsDir() || name == "index.ndjson" || strings.HasPrefix(name, ".") {
			return err
		}
		data, err := os.ReadFile(path) //nolint:gosec // a folder of the test
		found[name] = string(data)
		return err
	}))
	return found
}

// Killed at random moments and run again each time, every place ends up as after
// one clean run.
func TestKilledAndRunAgain(t *testing.T) {
	t.Parallel()
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 160, Seed: 3, Ties: 3, UndatedEvery: 50})
	srv := truliootest.NewServer(t, truliootest.WithLive(account), truliootest.WithLatency(8*time.Millisecond), truliootest.WithFiles(truliootest.Files{Size: 60_000}))
	for name, flags := range map[string][]string{
		"folder":       {"-o", "people", "--files"},
		"sqlite":       {"--sqlite", "people.db"},
		"csv":          {"--csv", "people.csv"},
		"parquet":      {"--parquet", "people.parquet"},
		"sync, folder": {"-o", "people"},
		"sync, sqlite": {"--sqlite", "people.db"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := "export"
			if strings.HasPrefix(name, "sync") {
				command = "sync"
			}
			args := append([]string{command, "--concurrency", "4"}, flags...)
			clean := t.TempDir()
			cmd := newCommand(t, srv, args...)
			cmd.Dir = clean
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			want := kept(t, filepath.Join(clean, flags[1]))
			require.GreaterOrEqual(t, len(want), 160)

			rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
			dir, kills := t.TempDir(), 0
			for whole := false; !whole; {
				cmd := newCommand(t, srv, args...)
				cmd.Dir = dir
				require.NoError(t, cmd.Start())
				timer := time.AfterFunc(time.Duration(40+rng.IntN(400))*time.Millisecond, func() { _ = cmd.Process.Kill() })
				if kills == 12 {
					timer.Stop() // and now to the end
				}
				whole = cmd.Wait() == nil
				timer.Stop()
				if !whole {
					require.Equal(t, -1, cmd.ProcessState.ExitCode(), "killed, and not failed")
					kills++
				}
			}
			got := kept(t, filepath.Join(dir, flags[1]))
			require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got)))
			for key := range want {
				require.Equal(t, want[key], got[key], key)
			}
			left, err := filepath.Glob(filepath.Join(dir, ".*"))
			require.NoError(t, err)
			assert.Empty(t, left, "nothing unfinished is left")
			t.Logf("killed %d times", kills)
		})
	}
}

// Two at once: the second one says so and touches nothing.
func TestTwoAtOnce(t *testing.T) {
	t.Parallel()
	for name, flags := range map[string][]string{
		"folder": {"-o", "people"}, "csv": {"--csv", "people.csv"}, "parquet": {"--parquet", "people.parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.GetClient, truliootest.Hang())
			dir := t.TempDir()
			first := newCommand(t, srv, append([]string{"export"}, flags...)...)
			first.Dir = dir
			require.NoError(t, first.Start())
			require.Eventually(t, func() bool { return srv.Count(truliootest.GetClient) > 0 }, time.Minute, time.Millisecond)
			second := newCommand(t, srv, append([]string{"export"}, flags...)...)
			second.Dir = dir
			out, err := second.CombinedOutput()
			require.Error(t, err)
			assert.Equal(t, 1, second.ProcessState.ExitCode())
			assert.Contains(t, string(out), "another trulioo is at work")
			require.NoError(t, first.Process.Kill())
			_ = first.Wait()
		})
	}
}

// The variables and the four commands that the sandbox prints can be pasted into a
// shell, and the commands answer as the sandbox says.
func TestTheSandboxsCommandsCanBePasted(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("there is no curl on this machine")
	}
	cmd := newCommand(t, nil, "sandbox", "--addr", "127.0.0.1:0", "--quiet", "--clients", "30")
	out := &synced{}
	cmd.Stdout = out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool { return strings.HasSuffix(out.String(), "photo.jpg\n\n") }, time.Minute, time.Millisecond)
	shell := exec.CommandContext(t.Context(), "sh", "-e")
	shell.Dir = t.TempDir()
	shell.Env = append(os.Environ(), "PATH="+filepath.Dir(curl)+string(os.PathListSeparator)+os.Getenv("PATH"))
	shell.Stdin = strings.NewReader(out.String())
	answers, err := shell.CombinedOutput()
	require.NoError(t, err, string(answers))
	assert.Contains(t, string(answers), `"name":"Personal onboarding 1"`)
	assert.Contains(t, string(answers), `"totalElements":30`)
	assert.Contains(t, string(answers), `"flowData"`)
	photo, err := os.ReadFile(filepath.Join(shell.Dir, "photo.jpg"))
	require.NoError(t, err)
	assert.Equal(t, "image/jpeg", http.DetectContentType(photo))
}

// The program uses only the library's exported API.
func TestOnThePublicAPIOnly(t *testing.T) {
	t.Parallel()
	require.NoError(t, filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path) //nolint:gosec // a file of this module
		require.NoError(t, err)
		require.NotContains(t, string(code), `"github.com/trulioo-go/trulioo/internal/`, path)
		return nil
	}))
}
