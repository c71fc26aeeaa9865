//go:build unix

package main

import (
	"archive/zip"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// tree gives the files below a folder. It leaves out the parts of the bundle's own three
// files that a kill has left: another process may be at work on them.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	part := regexp.MustCompile(`^\.(profile\.json|index\.html|manifest\.json)\.\w+\.part$`)
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || part.MatchString(entry.Name()) {
			return err
		}
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		data, err := os.ReadFile(path) //nolint:gosec // a folder of the test
		found[name] = string(data)
		return err
	}))
	return found
}

// The files and the bundle of a person: killed at random moments and run again each
// time, all is there in the end, nothing more, and a zip is whole or not there.
func TestFilesAndBundleKilled(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithSeed(2), truliootest.WithLatency(8*time.Millisecond), truliootest.WithFiles(truliootest.Files{Size: 400_000}))
	id := ""
	for _, one := range srv.Live.IDs() {
		if len(srv.Live.FileKeys(one)) > len(srv.Live.FileKeys(id)) {
			id = one
		}
	}
	require.Greater(t, len(srv.Live.FileKeys(id)), 1)
	made := regexp.MustCompile(`made \d.*? UTC|"made": "[^"]*"|"size": \d+,\s+"sha256": "\w+"`) // the page's and the manifest's clock
	for name, args := range map[string][]string{
		"files":        {"files", id, "-o", "out"},
		"bundle":       {"bundle", id, "-o", "out"},
		"bundle (zip)": {"bundle", id, "-o", "out.zip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := func(dir string, after time.Duration) (whole bool) {
				cmd := newCommand(t, srv, args...)
				cmd.Dir = dir
				require.NoError(t, cmd.Start())
				if after > 0 {
					timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
					defer timer.Stop()
				}
				return cmd.Wait() == nil
			}
			clean, dir := t.TempDir(), t.TempDir()
			require.True(t, run(clean, 0))
			kills := 0
			for range 12 {
				if !run(dir, time.Duration(15+rand.IntN(60))*time.Millisecond) {
					kills++
				}
				if archive, err := zip.OpenReader(filepath.Join(dir, "out.zip")); err == nil {
					assert.NotEmpty(t, archive.File)
					require.NoError(t, archive.Close())
				} else {
					require.ErrorIs(t, err, fs.ErrNotExist, "a zip is whole or not there")
				}
			}
			t.Logf("killed %d times", kills)
			require.True(t, run(dir, 0))
			if filepath.Ext(args[3]) == ".zip" {
				archive, err := zip.OpenReader(filepath.Join(dir, "out.zip"))
				require.NoError(t, err)
				want, err := zip.OpenReader(filepath.Join(clean, "out.zip"))
				require.NoError(t, err)
				assert.Len(t, archive.File, len(want.File))
				require.NoError(t, archive.Close())
				require.NoError(t, want.Close())
				left, err := os.ReadDir(dir)
				require.NoError(t, err)
				assert.Len(t, left, 1, "nothing that a killed run has left")
				return
			}
			got, want := tree(t, dir), tree(t, clean)
			for name, content := range want {
				assert.Equal(t, made.ReplaceAllString(content, ""), made.ReplaceAllString(got[name], ""), name)
			}
			assert.Len(t, got, len(want))
		})
	}
}

// Callbacks that listen has acknowledged are kept, whenever it is killed, and a new one
// goes on in the same folder.
func TestListenKilled(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	for n := range 4 {
		cmd := s.command(t, "listen --addr 127.0.0.1:0 --keep received", "")
		said := &synced{}
		cmd.Stderr = said
		require.NoError(t, cmd.Start())
		until(t, func() bool { return strings.Contains(said.String(), "listening on") })
		at := regexp.MustCompile(`http://\S+`).FindString(said.String())
		var senders sync.WaitGroup
		for k := range 4 {
			senders.Go(func() {
				for i := 0; ; i++ {
					client := strconv.Itoa(n) + "-" + strconv.Itoa(k) + "-" + strconv.Itoa(i)
					if sender().SendEvent(t.Context(), at, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: client})) != nil {
						return
					}
					mu.Lock()
					acknowledged[client] = true
					mu.Unlock()
				}
			})
		}
		until(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(acknowledged) > 50*(n+1)
		})
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		senders.Wait()
	}
	folder, err := callback.ReadFolder(filepath.Join(s.dir, "received"), "variables")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, folder.Close()) })
	all, err := folder.All(truliootest.WebhookToken, truliootest.WebhookSecret)
	require.NoError(t, err)
	for _, c := range all {
		assert.True(t, c.Original, "byte for byte")
		delete(acknowledged, c.ClientID)
	}
	assert.Empty(t, acknowledged)
	out, said, code := s.run(t, "replay received --to $HOOK --last 3", "")
	assert.Zero(t, code, said)
	assert.Equal(t, 3, strings.Count(out, "\n"))
}
