package trulioo_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// keyOf is a file key with this name as its last part.
func keyOf(name string) string {
	return base64.StdEncoding.EncodeToString([]byte("flow/client/element/" + name))
}

// profileWithFiles puts a client with files of these names into the account.
func profileWithFiles(t testing.TB, srv *truliootest.Server, names ...string) *trulioo.Profile {
	t.Helper()
	files := map[string]string{}
	for i, name := range names {
		files[fmt.Sprintf("field%02d", i)] = keyOf(name)
	}
	raw, err := json.Marshal(map[string]any{"id": "c1", "flowData": map[string]any{"f": map[string]any{"fileData": files}}})
	require.NoError(t, err)
	_, err = srv.Live.Put(raw)
	require.NoError(t, err)
	profile := new(trulioo.Profile)
	require.NoError(t, json.Unmarshal(raw, profile))
	require.Len(t, profile.Files(), len(names))
	return profile
}

// inFolder reads every file of a folder, hidden ones too.
func inFolder(t testing.TB, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	found := map[string]string{}
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		require.NoError(t, err)
		found[entry.Name()] = string(content)
	}
	return found
}

// wholeFiles are the files of a profile's folder after a complete run.
func wholeFiles(t testing.TB, srv *truliootest.Server, profile *trulioo.Profile) map[string]string {
	t.Helper()
	want := map[string]string{}
	for _, ref := range profile.Files() {
		want[ref.UniqueName()] = string(wholeFile(t, srv, ref.Key))
	}
	return want
}

func TestSaveAll(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "passport.jpg", "utility bill.pdf", "../../evil.sh", "CON")
	dir := filepath.Join(t.TempDir(), "made", "for it")
	saved, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
	want := wholeFiles(t, srv, profile)
	assert.Equal(t, want, inFolder(t, dir))
	require.Len(t, saved, 4)
	for i, file := range saved {
		assert.Equal(t, profile.Files()[i], file.Ref)
		assert.Equal(t, file.Ref.UniqueName(), file.Name)
		assert.Equal(t, int64(len(want[file.Name])), file.Size)
		assert.False(t, file.Found)
		info, err := os.Stat(filepath.Join(dir, file.Name))
		require.NoError(t, err)
		if runtime.GOOS != "windows" {
			assert.Equal(t, fs.FileMode(0o600), info.Mode())
		}
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(dir)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
	}

	srv.ResetCounts()
	again, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
	assert.Zero(t, srv.Count(truliootest.DownloadFile), "what is whole is not downloaded again")
	for i, file := range again {
		assert.True(t, file.Found)
		assert.Equal(t, saved[i].Size, file.Size)
	}
	assert.Equal(t, want, inFolder(t, dir))
}

// Trap: two files of one name, as some file system compares names, overwrite each other.
func TestUniqueNames(t *testing.T) {
	t.Parallel()
	alike := [][]string{
		{"photo.jpg", "photo.jpg ", "./photo.jpg", "x/photo.jpg"}, // the same after cleaning
		{"photo.jpg", "PHOTO.JPG", "Photo.Jpg"},                   // by case
		{"\u00e9.jpg", "e\u0301.jpg", "\u00c9.jpg"},               // by normal form
		{"straße.jpg", "STRASSE.jpg", "strasse.jpg", "STRAẞE.jpg"},
		{"Σίσυφος.jpg", "ΣΊΣΥΦΟΣ.jpg", "σίσυφοσ.jpg"}, // the final sigma
		{"ﬁle.jpg", "file.jpg", "\u212ang.jpg", "kng.jpg", "ıd.jpg", "Id.jpg", "id.jpg", "İd.jpg"},
		{"a:b.jpg", "a?b.jpg", "a_b.jpg", "a*b.jpg"}, // by cleaning
		{"CON", "_CON", "con.", ".jpg", "file", ""},
	}
	tail := func(name string) string { // the digest and the extension, which fold to themselves
		return name[strings.LastIndexByte(name, '-')+1:]
	}
	for _, names := range alike {
		seen := map[string]string{}
		for i, name := range names {
			// The folder before the name differs, as keys do.
			key := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "flow/client/element%d/%s", i, name))
			unique := trulioo.FileRef{Key: key}.UniqueName()
			digits, _, _ := strings.Cut(tail(unique), ".")
			assert.Regexp(t, `^[0-9a-f]{16}$`, digits, unique)
			assert.Empty(t, seen[digits], "%s is like %s", unique, seen[digits])
			seen[digits] = unique
			assert.Equal(t, filepath.Ext(trulioo.FileRef{Key: key}.Name()), filepath.Ext(unique))
			assert.LessOrEqual(t, len(unique), 220)
			assert.NotEqual(t, byte('-'), unique[0])
		}
	}
	long := keyOf(strings.Repeat("ü", 300) + ".jpeg")
	assert.LessOrEqual(t, len(trulioo.FileRef{Key: long}.UniqueName()), 220)
	assert.Regexp(t, `^file-[0-9a-f]{16}$`, trulioo.FileRef{Key: "not base64 of text"}.UniqueName())

	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "photo.jpg", "PHOTO.jpg", "\u00e9.jpg", "e\u0301.jpg", "x/photo.jpg")
	dir := t.TempDir()
	_, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
	assert.Equal(t, wholeFiles(t, srv, profile), inFolder(t, dir))
}

// One file that fails does not cost the others, and its error says which it was
// without printing it.
func TestSaveAllGoesOn(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
	refs := profile.Files()
	srv.Fail(truliootest.DownloadFile, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("key") == refs[1].Key {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"code":404,"message":"File not found"}`)
			return
		}
		next.ServeHTTP(w, r)
	}))
	dir := t.TempDir()
	// A folder where a file is to be.
	require.NoError(t, os.MkdirAll(filepath.Join(dir, refs[2].UniqueName(), "full"), 0o700))
	saved, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
	require.Len(t, saved, 2)
	assert.Equal(t, []trulioo.FileRef{refs[0], refs[3]}, []trulioo.FileRef{saved[0].Ref, saved[1].Ref})
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok)
	require.Len(t, joined.Unwrap(), 2)
	for i, one := range joined.Unwrap() {
		var failed *trulioo.FileError
		require.ErrorAs(t, one, &failed)
		assert.Equal(t, refs[i+1], failed.Ref)
		text := fmt.Sprintf("%v %+v %#v %s %v %+v", one, one, one, one, *failed, *failed)
		for _, secret := range []string{failed.Ref.Key, failed.Ref.UniqueName(), "b-", "c-", dir} {
			assert.NotContains(t, text, secret)
		}
	}
	require.ErrorIs(t, joined.Unwrap()[0], trulioo.ErrNotFound)
	var errno syscall.Errno
	require.ErrorAs(t, joined.Unwrap()[1], &errno)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 3, "nothing half written is left")
}

func TestSaveAllRefuses(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "a.jpg")
	files := clientOf(srv).Files
	for argument, call := range map[string]func() error{
		"ctx":     func() error { _, err := files.SaveAll(nil, t.TempDir(), profile); return err }, //nolint:staticcheck // the mistake under test
		"dir":     func() error { _, err := files.SaveAll(t.Context(), "", profile); return err },
		"profile": func() error { _, err := files.SaveAll(t.Context(), t.TempDir(), nil); return err },
	} {
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, call(), &wrong)
		assert.Equal(t, argument, wrong.Argument)
	}
	occupied := filepath.Join(t.TempDir(), "personal name")
	require.NoError(t, os.WriteFile(occupied, nil, 0o600))
	_, err := files.SaveAll(t.Context(), occupied, profile)
	var failed *trulioo.FileError
	require.ErrorAs(t, err, &failed)
	assert.Zero(t, failed.Ref)
	assert.NotContains(t, err.Error(), "personal name")

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = files.SaveAll(ended, t.TempDir(), profile)
	require.ErrorIs(t, err, context.Canceled)
	assert.Zero(t, srv.Count(truliootest.Any))

	none, err := files.SaveAll(t.Context(), t.TempDir(), &trulioo.Profile{})
	require.NoError(t, err)
	assert.Empty(t, none)
}

// A link that somebody put in the folder is replaced, not followed.
func TestSaveAllFollowsNoLink(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "a.jpg")
	outside := filepath.Join(t.TempDir(), "precious")
	require.NoError(t, os.WriteFile(outside, []byte("precious"), 0o600))
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, profile.Files()[0].UniqueName())); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	_, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
	content, err := os.ReadFile(outside)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(content))
	info, err := os.Lstat(filepath.Join(dir, profile.Files()[0].UniqueName()))
	require.NoError(t, err)
	assert.True(t, info.Mode().IsRegular())
}

// Where a transfer breaks and cannot be resumed, the file is begun again, and
// never more than a few times.
func TestSaveAllBeginsAgain(t *testing.T) {
	t.Parallel()
	for times, want := range map[int]bool{1: true, 2: true, 3: false} {
		srv := filesServer(t, truliootest.Files{ETag: truliootest.NoETag})
		profile := profileWithFiles(t, srv, "a.jpg")
		srv.Fail(truliootest.DownloadFile, truliootest.Cut(100_000), truliootest.Times(times))
		dir := t.TempDir()
		_, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
		if want {
			require.NoError(t, err)
			assert.Equal(t, wholeFiles(t, srv, profile), inFolder(t, dir))
			continue
		}
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.Empty(t, inFolder(t, dir))
		assert.Equal(t, 3, srv.Count(truliootest.DownloadFile))
	}
}

// Several at once over one folder, as two jobs that overlap: each is told the
// truth and the folder holds whole files only.
func TestSaveAllAtOnce(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile := profileWithFiles(t, srv, "a.jpg", "b.jpg", "c.jpg")
	dir := t.TempDir()
	client := clientOf(srv)
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			saved, err := client.Files.SaveAll(t.Context(), dir, profile)
			if assert.NoError(t, err) {
				assert.Len(t, saved, 3)
			}
		})
	}
	all.Wait()
	_, err := client.Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
	assert.Equal(t, wholeFiles(t, srv, profile), inFolder(t, dir))
}

const saveAllChild = "TRULIOO_TEST_SAVE_ALL"

// TestSaveAllIsKilled kills a process that saves, at every stage of its files: a file that
// has its name is whole, and the next run completes the folder and leaves nothing else in
// it.
func TestSaveAllIsKilled(t *testing.T) {
	if where := os.Getenv(saveAllChild); where != "" {
		saveAllInChild(t, where)
		return
	}
	t.Parallel()
	const size = 300_000
	srv := truliootest.NewServer(t, truliootest.WithFiles(truliootest.Files{Size: size}))
	profile := profileWithFiles(t, srv, "a.jpg", "b.jpg", "c.jpg")
	want := wholeFiles(t, srv, profile)
	for file := range 3 {
		for _, after := range []int64{0, 1, 150_000, size - 1, size} {
			dir := t.TempDir()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSaveAllIsKilled$") //nolint:gosec // itself
			child.Env = append(append(os.Environ(), srv.Environ()...), saveAllChild+"="+dir)
			var killed atomic.Bool
			started := make(chan struct{})
			fault := srv.Fail(truliootest.DownloadFile, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				kill := &killWriter{ResponseWriter: w, left: after, kill: func() {
					killed.Store(true)
					<-started
					_ = child.Process.Kill() // it may have ended, where it has all bytes of the last file
				}}
				next.ServeHTTP(kill, r)
				kill.ended()
			}), truliootest.Nth(file+1))
			require.NoError(t, child.Start())
			close(started)
			err := child.Wait()
			fault.Stop()
			require.True(t, killed.Load(), "file %d was asked for", file)
			if after < size {
				require.Error(t, err)
			}
			whole := 0
			for name, content := range inFolder(t, dir) {
				if !strings.HasPrefix(name, ".") {
					assert.True(t, content == want[name], "a file has its name and is not whole") //nolint:testifylint // a difference would fill the screen
					whole++
				}
			}
			assert.GreaterOrEqual(t, whole, file)

			_, err = clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
			require.NoError(t, err)
			found := inFolder(t, dir)
			assert.Equal(t, len(want), len(found), "what the killed process has left is gone") //nolint:testifylint // as above
			for name, content := range want {
				assert.True(t, found[name] == content, "whole after the next run") //nolint:testifylint // as above
			}
		}
	}
}

// saveAllInChild is the process that is killed.
func saveAllInChild(t *testing.T, dir string) {
	client, err := trulioo.NewClientFromEnv()
	require.NoError(t, err)
	defer client.CloseIdleConnections()
	profile, err := client.Clients.Get(t.Context(), "c1", nil)
	require.NoError(t, err)
	_, err = client.Files.SaveAll(t.Context(), dir, profile)
	require.NoError(t, err)
}

// killWriter kills the client once a number of bytes are on their way to it.
type killWriter struct {
	http.ResponseWriter
	left int64
	kill func()
}

func (w *killWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *killWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if err == nil && n < len(p) {
		w.ended()
		err = errors.New("killed")
	}
	return n, err
}

func (w *killWriter) ended() {
	if w.kill == nil {
		return
	}
	_ = http.NewResponseController(w.ResponseWriter).Flush()
	w.kill()
	w.kill = nil
}
