package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// build makes the program once for a test.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "export")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}

// command is the program against a server.
func command(ctx context.Context, program string, srv *truliootest.Server, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), srv.Environ()...)
	return cmd
}

// contents reads a folder, and checks who may read it. The cursor is left out:
// it names the ranges of time that were asked for, which begin at the time of the run.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := entry.Info()
		require.NoError(t, err)
		if entry.IsDir() {
			require.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), path)
			return nil
		}
		require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
		data, err := os.ReadFile(path) //nolint:gosec // a folder of the test
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		if name == lockName {
			return nil
		}
		if name == cursor {
			require.True(t, json.Valid(data))
			return nil
		}
		found[name] = string(data)
		return nil
	}))
	return found
}

// same compares without printing megabytes.
func same(t *testing.T, want, got map[string]string) {
	t.Helper()
	require.Len(t, got, len(want))
	for name, data := range want {
		if data != got[name] {
			require.Failf(t, "another file", "%s differs: %d bytes, want %d", name, len(got[name]), len(data))
		}
	}
}

// After 50 kills at random moments, with a run after each, the result equals that of one
// clean run byte for byte.
func TestKilledFiftyTimes(t *testing.T) {
	t.Parallel()
	program := build(t)
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 230, Seed: 3, Ties: 3, UndatedEvery: 50})
	srv := truliootest.NewServer(t, truliootest.WithLive(account), truliootest.WithLatency(8*time.Millisecond),
		truliootest.WithFiles(truliootest.Files{Size: 150_000}))
	clean := filepath.Join(t.TempDir(), "clean")
	out, err := command(t.Context(), program, srv, "-out", clean, "-files", "-full", "-concurrency", "4").CombinedOutput()
	require.NoError(t, err, string(out))
	want := contents(t, clean)
	require.Equal(t, account.Len(), strings.Count(want[profiles], "\n"))
	require.Greater(t, len(want), 200, "files of clients")

	rng := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))
	kills, runs := 0, 0
	for kills < 50 {
		dir := filepath.Join(t.TempDir(), "killed")
		for whole := false; !whole; {
			runs++
			cmd := command(t.Context(), program, srv, "-out", dir, "-files", "-full", "-concurrency", "4")
			require.NoError(t, cmd.Start())
			timer := time.AfterFunc(time.Duration(20+rng.IntN(130))*time.Millisecond, func() { _ = cmd.Process.Kill() })
			if kills >= 50 {
				timer.Stop() // and now to the end
			}
			err := cmd.Wait()
			timer.Stop()
			whole = err == nil
			if !whole {
				status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
				require.True(t, ok && status.Signal() == syscall.SIGKILL, "%v", err)
				kills++
			}
		}
		same(t, want, contents(t, dir))
	}
	t.Logf("%d runs, %d of them killed", runs, kills)
}

// runAgainst is the program in this process.
func runAgainst(t *testing.T, srv *truliootest.Server, args ...string) (string, error) {
	t.Helper()
	for _, variable := range srv.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	var out bytes.Buffer
	err := run(t.Context(), args, &out, &out)
	return out.String(), err
}

//nolint:paralleltest // it sets variables
func TestHalfALineAndHalfAFileAreMended(t *testing.T) {
	srv := truliootest.NewServer(t)
	dir := filepath.Join(t.TempDir(), "out")
	out, err := runAgainst(t, srv, "-out", dir, "-files")
	require.NoError(t, err)
	assert.Contains(t, out, "25 of 25 clients")
	assert.Contains(t, out, "25 profiles, 0 failed")
	want := contents(t, dir)
	for line := range strings.SplitSeq(strings.TrimSpace(want[profiles]), "\n") {
		var p trulioo.Profile
		require.NoError(t, json.Unmarshal([]byte(line), &p))
		served, _ := srv.Live.Profile(p.ID, false)
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, served))
		require.Equal(t, compact.String(), line)
	}

	lines := want[profiles]
	for _, cut := range []int{1, len(lines) / 2, len(lines) - 1, len(lines)} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, profiles), []byte(lines[:cut]), 0o600))
		require.NoError(t, os.Remove(filepath.Join(dir, cursor)))
		require.NoError(t, os.Mkdir(filepath.Join(dir, unfinished), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, unfinished, "half"), []byte("x"), 0o600))
		_, err = runAgainst(t, srv, "-out", dir, "-files")
		require.NoError(t, err)
		same(t, want, contents(t, dir))
	}

	_, err = runAgainst(t, srv, "-out", dir)
	require.ErrorContains(t, err, "other flags")
	_, err = runAgainst(t, srv, "-out", dir, "-files", "-status", "accepted")
	require.ErrorContains(t, err, "other flags")
}

//nolint:paralleltest // it sets variables
func TestThoseThatFailedAreTriedAgain(t *testing.T) {
	srv := truliootest.NewServer(t)
	ids := srv.Live.IDs()
	fault := srv.Fail(truliootest.GetClient, truliootest.Answer(422, "{}"), truliootest.Path(ids[4]))
	dir := filepath.Join(t.TempDir(), "out")
	for range 2 {
		out, err := runAgainst(t, srv, "-out", dir)
		require.ErrorIs(t, err, errSome)
		assert.Contains(t, out, "24 profiles, 1 failed")
		assert.JSONEq(t, `{"clientId":"`+ids[4]+`","error":"trulioo: export: get client (live, v2, 127.0.0.1): status 422 Unprocessable Entity"}`, contents(t, dir)[failed])
	}
	fault.Stop()
	out, err := runAgainst(t, srv, "-out", dir)
	require.NoError(t, err)
	assert.Contains(t, out, "25 profiles, 0 failed")
	assert.Empty(t, contents(t, dir)[failed])
	assert.Equal(t, 25+2, srv.Count(truliootest.GetClient), "nobody is fetched twice")
}

// A disk that cannot keep a file ends the export: no other client would fare better.
//
//nolint:paralleltest // it sets variables
func TestADiskThatFailsEndsTheExport(t *testing.T) {
	srv := truliootest.NewServer(t)
	dir := filepath.Join(t.TempDir(), "out")
	_, err := runAgainst(t, srv, "-out", dir, "-files", "-concurrency", "1")
	require.NoError(t, err)
	want := contents(t, dir)

	for path := range want { // a folder stands where a file belongs
		if strings.HasPrefix(path, filesDir) {
			require.NoError(t, os.Remove(filepath.Join(dir, path)))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, path, "full"), 0o700))
		}
	}
	require.NoError(t, os.Truncate(filepath.Join(dir, profiles), 0))
	_, err = runAgainst(t, srv, "-out", dir, "-files", "-concurrency", "1")
	require.ErrorContains(t, err, "save a file: ")
	var errno syscall.Errno
	require.ErrorAs(t, err, &errno)
	assert.NotContains(t, err.Error(), dir)
	assert.Empty(t, contents(t, dir)[failed])

	// A file that the API refuses is one client's failure.
	require.NoError(t, os.RemoveAll(filepath.Join(dir, filesDir)))
	srv.Fail(truliootest.DownloadFile, truliootest.Answer(422, "{}"), truliootest.Times(1))
	_, err = runAgainst(t, srv, "-out", dir, "-files", "-concurrency", "1")
	require.ErrorIs(t, err, errSome)
}

func TestCtrlCSavesTheCursor(t *testing.T) {
	t.Parallel()
	program := build(t)
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 400})), truliootest.WithLatency(50*time.Millisecond))
	dir := filepath.Join(t.TempDir(), "out")
	cmd := command(t.Context(), program, srv, "-out", dir, "-concurrency", "2")
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool {
		lines, err := os.ReadFile(filepath.Join(dir, profiles))
		return err == nil && bytes.Count(lines, []byte("\n")) > 20
	}, time.Minute, 5*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 130, cmd.ProcessState.ExitCode())
	data, err := os.ReadFile(filepath.Join(dir, cursor))
	require.NoError(t, err)
	var was state
	require.NoError(t, json.Unmarshal(data, &was))
	assert.False(t, was.Cursor.IsZero())
	assert.Less(t, strings.Count(contents(t, dir)[profiles], "\n"), 400)
}

// Ids are not checked by anybody.
func TestNamesOnDisk(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "6664091b254bd86cd7000000", dirName("6664091b254bd86cd7000000"))
	for _, id := range []string{"", "..", "../../etc", "a/b", "NUL", "con", strings.Repeat("a", 300), "6664091B254BD86CD7000000"} {
		assert.Regexp(t, `^client-[0-9a-f]{32}$`, dirName(id))
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	s, err := parse([]string{"-out", "x", "-concurrency", "3", "-full", "-after", "2024-06-01", "-before", "2024-06-02T10:00:00Z", "-status", "accepted, REJECTED", "-flow", "f"})
	require.NoError(t, err)
	assert.Equal(t, &settings{out: "x", concurrency: 3, full: true, filter: trulioo.ClientFilter{
		After:    time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC),
		Before:   time.Date(2024, 6, 2, 10, 0, 0, 0, time.UTC),
		Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusRejected},
		FlowID:   "f",
	}}, s)
	for _, wrong := range [][]string{{"-after", "yesterday"}, {"-concurrency", "0"}, {"x"}, {"-nope"}} {
		_, err := parse(wrong)
		require.Error(t, err, wrong)
	}
}

func TestMeterWritesLinesWhereThereIsNoTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	m := newMeter(&out)
	m.show(trulioo.ExportProgress{Done: 10, Failed: 1, Total: 111, Rate: 10, Fallback: true})
	m.end()
	assert.Equal(t, "the list cannot be cut by time: reading it page by page, several times\n11 of 111 clients, 1 failed, 10/s, 10s left\n", out.String())
}

// A folder is one account's, one process's, and of what its lines say.
//
//nolint:paralleltest // it sets variables
func TestAFolderIsOneAccounts(t *testing.T) {
	srv := truliootest.NewServer(t)
	dir := filepath.Join(t.TempDir(), "out")
	out, err := runAgainst(t, srv, "-out", dir)
	require.NoError(t, err)
	assert.Contains(t, out, "proven to be complete; ")
	want := contents(t, dir)

	other := truliootest.NewServer(t)
	_, err = runAgainst(t, other, "-out", dir)
	require.ErrorContains(t, err, "belongs to another account")
	_, err = runAgainst(t, srv, "-out", dir, "-sandbox")
	require.ErrorContains(t, err, "belongs to another account")
	assert.Zero(t, other.Count(truliootest.Any))

	// Lines that are lost come again, however far the cursor is.
	require.NoError(t, os.Truncate(filepath.Join(dir, profiles), 0))
	_, err = runAgainst(t, srv, "-out", dir)
	require.NoError(t, err)
	same(t, want, contents(t, dir))

	held, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0o600)
	require.NoError(t, err)
	require.True(t, lock(held))
	_, err = runAgainst(t, srv, "-out", dir)
	require.ErrorContains(t, err, "another export is writing")
	require.NoError(t, held.Close())

	for _, name := range []string{"TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET"} {
		t.Setenv(name, "")
	}
	missing := filepath.Join(t.TempDir(), "none")
	err = run(t.Context(), []string{"-out", missing}, io.Discard, io.Discard)
	require.ErrorContains(t, err, "TRULIOO_CLIENT_ID")
	assert.NoDirExists(t, missing)
}
