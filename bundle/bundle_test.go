package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/bundle"
	"github.com/trulioo-go/trulioo/truliootest"
)

// withFiles is the id of a client who has at least this many files.
func withFiles(t *testing.T, a *truliootest.Account, files int) string {
	t.Helper()
	for _, id := range a.IDs() {
		if len(a.FileKeys(id)) >= files {
			return id
		}
	}
	require.Fail(t, "nobody has files")
	return ""
}

func read(t *testing.T, folder fs.FS, name string) []byte {
	t.Helper()
	content, err := fs.ReadFile(folder, name)
	require.NoError(t, err)
	return content
}

// verified is the manifest of a bundle whose every file is as the manifest says.
func verified(t *testing.T, folder fs.FS) bundle.Manifest {
	t.Helper()
	var m bundle.Manifest
	require.NoError(t, json.Unmarshal(read(t, folder, bundle.ManifestName), &m))
	listed := map[string]bool{bundle.ManifestName: true}
	for _, entry := range m.Entries {
		content := read(t, folder, entry.Name)
		sum := sha256.Sum256(content)
		assert.Equal(t, hex.EncodeToString(sum[:]), entry.SHA256, entry.Name)
		assert.Len(t, content, int(entry.Size), entry.Name)
		listed[entry.Name] = true
	}
	require.NoError(t, fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		assert.True(t, entry.IsDir() || listed[path], "%s is not in the manifest", path)
		return err
	}))
	return m
}

func TestABundleHasEverything(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := withFiles(t, srv.Live, 2)
	dir := filepath.Join(t.TempDir(), "ada")
	require.NoError(t, bundle.Save(t.Context(), srv.Client(), id, dir))
	folder := os.DirFS(dir)
	m := verified(t, folder)
	assert.Equal(t, id, m.ClientID)
	assert.True(t, m.Complete)
	assert.Empty(t, m.Missing)

	want, _ := srv.Live.Profile(id, true)
	assert.Equal(t, string(want), string(read(t, folder, bundle.ProfileName)), "byte for byte")
	for _, key := range srv.Live.FileKeys(id) {
		content, err := io.ReadAll(srv.FileContent(key))
		require.NoError(t, err)
		name := bundle.FilesName + "/" + trulioo.FileRef{Key: key}.UniqueName()
		assert.True(t, bytes.Equal(content, read(t, folder, name)), "a file as it is stored")
	}

	profile := new(trulioo.Profile)
	require.NoError(t, json.Unmarshal(want, profile))
	page := text(string(read(t, folder, bundle.PageName)))
	for _, flow := range profile.FlowData {
		for _, field := range flow.FieldData {
			for _, value := range field.Value {
				assert.Contains(t, page, strings.TrimSpace(value), "what was entered")
			}
		}
	}
	for _, s := range profile.Screenings() {
		assert.Contains(t, page, s.Outcome.String())
		assert.Contains(t, page, s.Why)
		for _, hit := range s.Hits {
			assert.Contains(t, page, hit.SubjectMatched)
		}
	}
	for _, service := range profile.Services() {
		assert.Contains(t, page, service.NodeTitle)
		details, err := service.Details()
		if err != nil {
			continue
		}
		for _, source := range details.Record.DatasourceResults {
			assert.Contains(t, page, source.DatasourceName)
		}
	}
	for _, note := range profile.Notes {
		assert.Contains(t, page, note.Text)
	}
	for _, task := range profile.Tasks {
		assert.Contains(t, page, task.Text)
	}
	if runtime.GOOS != "windows" {
		require.NoError(t, fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
			info, infoErr := entry.Info()
			require.NoError(t, infoErr)
			assert.Zero(t, info.Mode().Perm()&0o077, "%s is nobody else's", path)
			return err
		}))
	}
}

// text is the text of a page, without its markup.
func text(page string) string {
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&", "&#39;", "'", "&#34;", `"`, "&#43;", "+").Replace(page)
}

func TestAZipIsTheSame(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := withFiles(t, srv.Live, 1)
	var out bytes.Buffer
	require.NoError(t, bundle.Write(t.Context(), srv.Client(), id, &out))
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	m := verified(t, archive)
	assert.True(t, m.Complete)
	assert.GreaterOrEqual(t, len(m.Entries), 3)
}

// One photo that is gone does not prevent the rest of the bundle.
func TestAMissingFileIsSaid(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(t *testing.T, client *trulioo.Client, id string) (fs.FS, error){
		"folder": func(t *testing.T, client *trulioo.Client, id string) (fs.FS, error) {
			dir := t.TempDir()
			return os.DirFS(dir), bundle.Save(t.Context(), client, id, dir)
		},
		"zip": func(t *testing.T, client *trulioo.Client, id string) (fs.FS, error) {
			var out bytes.Buffer
			failed := bundle.Write(t.Context(), client, id, &out)
			archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
			require.NoError(t, err)
			return archive, failed
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			id := withFiles(t, srv.Live, 2)
			srv.Fail(truliootest.DownloadFile, truliootest.Answer(404, `{"code":404,"message":"of a person"}`), truliootest.Nth(1))
			folder, err := write(t, srv.Client(), id)
			var file *trulioo.FileError
			require.ErrorAs(t, err, &file)
			require.ErrorIs(t, err, trulioo.ErrNotFound)
			m := verified(t, folder)
			assert.False(t, m.Complete)
			require.Len(t, m.Missing, 1)
			assert.Equal(t, file.Ref.FlowID, m.Missing[0].FlowID)
			assert.Contains(t, m.Missing[0].Reason, "404")
			assert.NotContains(t, m.Missing[0].Reason, "of a person")
			assert.Contains(t, string(read(t, folder, bundle.PageName)), "is missing: "+m.Missing[0].Reason)
			assert.Len(t, m.Entries, len(srv.Live.FileKeys(id))-1+2)
		})
	}
}

// A bundle that was cut off has no manifest; the next call finishes it, and
// downloads no file twice.
func TestACutOffBundleIsFinishedByTheNextCall(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := withFiles(t, srv.Live, 2)
	files := len(srv.Live.FileKeys(id))
	dir := t.TempDir()
	require.NoError(t, bundle.Save(t.Context(), srv.Client(), id, dir))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, bundle.FilesName)))

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	srv.ResetCounts()
	hang := srv.Fail(truliootest.DownloadFile, truliootest.Hang(), truliootest.Nth(2))
	ended := make(chan error, 1)
	go func() { ended <- bundle.Save(ctx, srv.Client(), id, dir) }()
	require.Eventually(t, func() bool { return hang.Hits() > 0 }, time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	srv.Heal()
	require.NoError(t, bundle.Save(t.Context(), srv.Client(), id, dir))
	assert.Equal(t, files+1, srv.Count(truliootest.DownloadFile), "the one that was cut off came again")
	m := verified(t, os.DirFS(dir))
	assert.True(t, m.Complete)
}

const hostile = `<script>alert(1)</script>`

// own is a profile with everything in it that a page must not trust.
func own(t *testing.T, srv *truliootest.Server) string {
	t.Helper()
	id, err := srv.Live.Put([]byte(fmt.Sprintf(`{"id":"own","ownerIds":[%[1]q],"created":1718011363,"lastModified":1718011400,"profileType":%[1]q,"status":%[1]q,
	"flowData":{
	 "f1":{"id":"f1","fieldData":{"a":{"id":"a","name":%[1]q,"role":"last_name","value":["Brown"]},"b":{"id":"b","name":"Suburb","normalizedName":"Suburb","value":["\"><img src=x onerror=alert(1)>"]}},
	  "serviceData":[{"timestamp":1718011370,"nodeType":"trulioo_person_wl","nodeTitle":%[1]q,"match":false,"fullServiceDetails":{"Record":{"RecordStatus":"nomatch","DatasourceResults":[{"DatasourceName":"Advanced Watchlist","AppendedFields":[
	   {"FieldName":"WatchlistState","Data":"Potential Hit"},{"FieldName":"WatchlistData","Data":{"num_WL_hits":0,"num_AM_hits":1,"num_PEP_hits":0}},
	   {"FieldName":"WatchlistHitDetails","Data":{"AM_results":[{"score":1,"subjectMatched":%[1]q,"text":%[1]q,"URL":"javascript:alert(1)"}]}}]}]}}}]},
	 "f2":{"id":"f2","fieldData":{"a":{"id":"a","name":"Last name","role":"last_name","value":["Browne"]}}}},
	"notes":[{"text":%[1]q,"createdBy":%[1]q,"created":"2024-06-10T10:00:00Z"}],"tasks":[{"text":%[1]q,"resolved":true,"created":"2024-06-10T10:00:00Z","updated":"2024-06-10T11:00:00Z"}]}`, hostile)))
	require.NoError(t, err)
	return id
}

func TestThePageBelievesNothing(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	dir := t.TempDir()
	require.NoError(t, bundle.Save(t.Context(), srv.Client(), own(t, srv), dir))
	page := string(read(t, os.DirFS(dir), bundle.PageName))
	assert.NotContains(t, strings.ToLower(page), "<script")
	assert.NotContains(t, page, "<img src=x")
	assert.Regexp(t, `(?s)answers differ.*Brown.*f1.*Browne.*f2`, page, "a conflict is shown, with where each answer is from")
	assert.Contains(t, text(page), hostile, "and what was entered can be read")
	assert.Contains(t, page, "watchlists: potential hit")
	assert.Contains(t, page, "javascript:alert(1)</p>", "an address of a hit is text")
	for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1) {
		for _, found := range regexp.MustCompile(`(?i)\b(src|href|action|srcset|data)\s*=\s*"?([^"\s>]+)`).FindAllStringSubmatch(tag, -1) {
			assert.Regexp(t, `^(files/|data:image/)`, found[2], "nothing comes from outside")
		}
	}
	assert.NotContains(t, page, "@import")
	assert.NotContains(t, page, "url(")
	assert.Contains(t, page, "default-src 'none'")
	assert.NotContains(t, page, "<no value>")
	assert.NotContains(t, page, "ZgotmplZ")
}

// The bytes decide whether a file is a photo, and not the server: a page in place of one
// is a file like any other.
func TestOnlyPhotosAreShown(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := withFiles(t, srv.Live, 1)
	dir := t.TempDir()
	require.NoError(t, bundle.Save(t.Context(), srv.Client(), id, dir))
	saved, err := filepath.Glob(filepath.Join(dir, bundle.FilesName, "*"))
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		content string
		shown   bool
	}{
		"a photo":            {"\xff\xd8\xff\xe0\x00\x10JFIF", true},
		"a PNG":              {"\x89PNG\x0d\x0a\x1a\x0a", true},
		"a drawing":          {`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`, false},
		"a page":             {"<!DOCTYPE html><script>alert(1)</script>", false},
		"a document":         {"%PDF-1.7", false},
		"nothing":            {"", false},
		"a photo too large":  {"\xff\xd8\xff\xe0" + strings.Repeat("x", 8<<20), false},
		"as large as can be": {"\xff\xd8\xff\xe0" + strings.Repeat("x", 8<<20-4), true},
	} {
		require.NoError(t, os.WriteFile(saved[0], []byte(tt.content), 0o600))
		require.NoError(t, bundle.Save(t.Context(), srv.Client(), id, dir), name)
		page := string(read(t, os.DirFS(dir), bundle.PageName))
		start := strings.Index(page, `href="files/`+filepath.Base(saved[0]))
		require.Positive(t, start, name)
		figure := page[strings.LastIndex(page[:start], "<figure"):start]
		assert.Equal(t, tt.shown, strings.Contains(figure, `<img src="data:image/`), name)
		verified(t, os.DirFS(dir))
	}
}

// The sections of a page of somebody else's: the same words, masked or not, with
// the addresses of the caller, and nothing that a strict policy refuses.
func TestSections(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	profile, err := srv.Client().Clients.Get(t.Context(), own(t, srv), &trulioo.GetOptions{FullServiceDetails: true})
	require.NoError(t, err)
	profile.FlowData["f1"] = withPhotos(profile.FlowData["f1"])
	show := func(mask func(string) string, image string) string {
		var out strings.Builder
		require.NoError(t, bundle.Sections(&out, profile, bundle.View{Mask: mask, File: func(ref trulioo.FileRef) (string, string) { return "/live/" + ref.Key, image }}))
		return out.String()
	}
	shown, masked := show(nil, "/photo"), show(func(string) string { return "MASK" }, "")
	assert.Equal(t, 2, strings.Count(shown, `<img src="/photo"`))
	assert.Contains(t, shown, `<a href="/live/one">`)
	assert.Contains(t, shown, "javascript:alert(1)</p>")
	for _, value := range []string{"Brown", "Browne", "onerror", "javascript:"} {
		assert.Contains(t, shown, value)
		assert.NotContains(t, masked, value)
	}
	assert.NotContains(t, masked, "<img")
	assert.Equal(t, 2, strings.Count(masked, "hidden"))
	assert.Equal(t, 10, strings.Count(masked, "MASK"), "three answers, a hit, two files, a note with who wrote it, and a task when it was made and when it changed")
	for _, page := range []string{shown, masked, show(nil, "javascript:alert(2)"), show(nil, "data:text/html,x")} {
		for _, tag := range regexp.MustCompile(`<[^>]*>`).FindAllString(page, -1) {
			assert.NotRegexp(t, `(?i)<script|<style|\sstyle=|\son\w+=|"javascript:|="data:`, tag)
		}
	}
	var wrong *trulioo.ArgumentError
	require.ErrorAs(t, bundle.Sections(io.Discard, nil, bundle.View{}), &wrong)
	require.ErrorAs(t, bundle.Sections(io.Discard, profile, bundle.View{}), &wrong)
	require.Error(t, bundle.Sections(broken{}, profile, bundle.View{File: func(trulioo.FileRef) (string, string) { return "", "" }}))
}

func withPhotos(flow trulioo.Flow) trulioo.Flow {
	flow.FileData = map[string]string{"a": "one", "b": "two"}
	return flow
}

// broken is a writer that takes nothing.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestABundleOfNobody(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	dir := filepath.Join(t.TempDir(), "new")
	require.ErrorIs(t, bundle.Save(t.Context(), srv.Client(), "000000000000000000000000", dir), trulioo.ErrNotFound)
	assert.NoDirExists(t, dir)
	var out bytes.Buffer
	require.ErrorIs(t, bundle.Write(t.Context(), srv.Client(), "000000000000000000000000", &out), trulioo.ErrNotFound)
	assert.Zero(t, out.Len())

	var wrong *trulioo.ArgumentError
	require.ErrorAs(t, bundle.Save(t.Context(), nil, "id", dir), &wrong)
	require.ErrorAs(t, bundle.Save(t.Context(), srv.Client(), "id", ""), &wrong)
	require.ErrorAs(t, bundle.Save(t.Context(), srv.Client(), "..", dir), &wrong)
	require.ErrorAs(t, bundle.Write(t.Context(), srv.Client(), "id", nil), &wrong)
	assert.Equal(t, "bundle.Manifest", fmt.Sprintf("%+v", bundle.Manifest{ClientID: "ada"}))
}
