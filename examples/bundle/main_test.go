package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The program is killed at every request that it makes, and once more while a
// file is on its way; the next call finishes the bundle.
func TestKilledAtEveryRequest(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "bundle.exe")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	srv := truliootest.NewServer(t)
	id, files := "", 0
	for _, client := range srv.Live.IDs() {
		if n := len(srv.Live.FileKeys(client)); n > files {
			id, files = client, n
		}
	}
	require.Greater(t, files, 1)
	dir := filepath.Join(t.TempDir(), "person")
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Env = append(os.Environ(), srv.Environ()...)
		return cmd
	}
	for _, fault := range []truliootest.Effect{truliootest.Hang(), truliootest.Stall(10_000, time.Minute)} {
		for n := range files {
			require.NoError(t, os.RemoveAll(dir))
			at := srv.Fail(truliootest.DownloadFile, fault, truliootest.Nth(n+1))
			cmd := command(id, dir)
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return at.Hits() > 0 }, time.Minute, time.Millisecond)
			require.NoError(t, cmd.Process.Kill())
			require.Error(t, cmd.Wait())
			srv.Heal()
			assert.NoFileExists(t, filepath.Join(dir, bundle.ManifestName), "it is not finished")

			out, err := command(id, dir).CombinedOutput()
			require.NoError(t, err, string(out))
			verify(t, dir, files)
		}
	}
	var exit *exec.ExitError
	for _, wrong := range [][]string{{"only one"}, {"-id", id, dir}, {"-x", dir}} {
		require.ErrorAs(t, command(wrong...).Run(), &exit)
		assert.Equal(t, 2, exit.ExitCode())
	}
	_, err = command("000000000000000000000000", dir).Output()
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.True(t, strings.HasPrefix(string(exit.Stderr), "bundle: "))
}

// verify holds a folder to its manifest.
func verify(t *testing.T, dir string, files int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, bundle.ManifestName))
	require.NoError(t, err)
	var m bundle.Manifest
	require.NoError(t, json.Unmarshal(text, &m))
	assert.True(t, m.Complete)
	assert.Len(t, m.Entries, files+2)
	for _, entry := range m.Entries {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(entry.Name)))
		require.NoError(t, err)
		sum := sha256.Sum256(content)
		assert.Equal(t, entry.SHA256, hex.EncodeToString(sum[:]))
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", ".*.part"))
	require.NoError(t, errors.Join(err))
	assert.Empty(t, left)
}

// The program is 15 lines: those inside main.
func TestProgramIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("main.go")
	require.NoError(t, err)
	_, body, _ := strings.Cut(string(text), "func main() {\n")
	body, _, _ = strings.Cut(body, "\n}\n")
	assert.LessOrEqual(t, strings.Count(body, "\n")+1, 15)
}
