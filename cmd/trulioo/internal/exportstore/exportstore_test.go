package exportstore_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

// awkward are records that a careless format would spoil.
var awkward = []exportstore.Record{
	{Account: "a", ClientID: "1"},
	{
		Account: "a", ClientID: "2", Status: "ACCEPTED", ByHand: true, Created: time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC),
		LastModified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), FullName: `O'Neil "the" Łukasik, Jr.`, City: "a\nb\nc", Hits: 1 << 40, Details: true,
	},
	{Account: "a", ClientID: "3", FirstName: "=HYPERLINK(\"http://evil.example\")", LastName: "+cmd|' /C calc'!A0", Phone: "+1 555 0112", Email: "@x", CompanyName: "'=1", City: "-1-1 x", FilesSaved: true},
	{Account: "a", ClientID: "4", FullName: "日本 🙂 \u202e", Screening: exportstore.ScreeningUnknown, FailedSources: "a; b", Checks: -1},
}

// Every place gives back the records that were put into it.
func TestEveryPlaceGivesBackWhatWasPut(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(place string) (exportstore.Store, error){
		"p":         func(place string) (exportstore.Store, error) { return exportstore.OpenFolder(place, "a", false) },
		"p.db":      func(place string) (exportstore.Store, error) { return exportstore.OpenSQLite(t.Context(), place) },
		"p.csv":     func(place string) (exportstore.Store, error) { return exportstore.OpenCSV(place) },
		"p.parquet": func(place string) (exportstore.Store, error) { return exportstore.OpenParquet(place) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := filepath.Join(t.TempDir(), name)
			store, err := open(place)
			require.NoError(t, err)
			for _, r := range awkward {
				require.NoError(t, store.Put(t.Context(), r, &trulioo.Profile{Raw: json.RawMessage(`{}`)}))
			}
			require.NoError(t, store.Put(t.Context(), awkward[1], &trulioo.Profile{Raw: json.RawMessage(`{}`)}), "again, in its place")
			require.NoError(t, store.Close(t.Context(), true))
			want := map[string]exportstore.Record{}
			for _, r := range awkward {
				r.FilesSaved = r.FilesSaved && name != "p" // a folder knows itself
				want[r.ClientID] = r
			}
			require.Equal(t, want, read(t, place))

			store, err = open(place)
			require.NoError(t, err)
			require.NoError(t, store.Forget(t.Context(), "2"))
			require.NoError(t, store.Close(t.Context(), true))
			delete(want, "2")
			require.Equal(t, want, read(t, place))
		})
	}
}

func read(t *testing.T, place string) map[string]exportstore.Record {
	t.Helper()
	records, end, err := exportstore.Read(t.Context(), place)
	require.NoError(t, err)
	got := map[string]exportstore.Record{}
	for r, err := range records {
		require.NoError(t, err)
		require.NotContains(t, got, r.ClientID)
		got[r.ClientID] = r
	}
	require.NoError(t, end())
	return got
}

// The names of the columns are those of the fields, wherever they are written down.
// A program that reads an export and the one that makes it do not get in each other's way.
func TestSQLiteIsOpenedManyTimesAtOnce(t *testing.T) {
	t.Parallel()
	for range 10 {
		place := filepath.Join(t.TempDir(), "p.db")
		require.NoError(t, os.WriteFile(place, nil, 0o600))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				store, err := exportstore.OpenSQLite(t.Context(), place)
				if assert.NoError(t, err) {
					assert.NoError(t, store.Put(t.Context(), awkward[0], &trulioo.Profile{Raw: json.RawMessage(`{}`)}))
					assert.NoError(t, store.Close(t.Context(), true))
				}
			})
			all.Go(func() {
				_, end, err := exportstore.Read(t.Context(), place)
				if err != nil {
					assert.ErrorContains(t, err, "not made by", "its tables are not there yet")
					return
				}
				assert.NoError(t, end())
			})
		}
		all.Wait()
		assert.Len(t, read(t, place), 1)
	}
}

func TestColumns(t *testing.T) {
	t.Parallel()
	kind := reflect.TypeFor[exportstore.Record]()
	require.Len(t, exportstore.Columns(), kind.NumField())
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "program.md"))
	require.NoError(t, err)
	for i, column := range exportstore.Columns() {
		field := kind.Field(i)
		inJSON, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inParquet, _, _ := strings.Cut(field.Tag.Get("parquet"), ",")
		assert.Equal(t, column, inJSON) //nolint:testifylint // a name of JSON, not JSON
		assert.Equal(t, column, inParquet)
		assert.Contains(t, string(page), "`"+column+"`", "docs/program.md has every column")
	}
}

// A line that a kill has cut off is dropped; one in the middle that is not ours is an error.
func TestACutLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := exportstore.OpenFolder(dir, "a", false)
	require.NoError(t, err)
	for _, r := range awkward {
		require.NoError(t, store.Put(t.Context(), r, nil))
	}
	require.NoError(t, store.Close(t.Context(), false))
	index := filepath.Join(dir, "index.ndjson")
	whole, err := os.ReadFile(index)
	require.NoError(t, err)
	for cut := range whole {
		require.NoError(t, os.WriteFile(index, whole[:cut], 0o600)) //nolint:gosec // a file of the test
		store, err := exportstore.OpenFolder(dir, "a", false)
		require.NoError(t, err)
		require.NoError(t, store.Close(t.Context(), true))
		require.Len(t, read(t, dir), strings.Count(string(whole[:cut]), "\n"))
	}
	require.NoError(t, os.WriteFile(index, append([]byte("{}\n"), whole...), 0o600)) //nolint:gosec // a file of the test
	_, err = exportstore.OpenFolder(dir, "a", false)
	require.Error(t, err)
}

// Trap: ids are the server's, and nobody checks them.
func TestNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "665f1b1c2d3e4f5a6b7c8d9e", exportstore.Name("665f1b1c2d3e4f5a6b7c8d9e"))
	seen := map[string]string{}
	for _, id := range []string{"", ".", "..", "../../etc/passwd", "a/b", `a\b`, "CON", "nul", "A65F1B1C2D3E4F5A6B7C8D9E", "a65f1b1c2d3e4f5a6b7c8d9e", strings.Repeat("a", 65), "é", "a:b", "a\x00b"} {
		name := exportstore.Name(id)
		assert.Regexp(t, `^[0-9a-z-]+$`, name)
		assert.NotContains(t, seen, name, "two ids, two names on any disk")
		seen[name] = id
	}
}

func FuzzCSVAndIndex(f *testing.F) {
	f.Add("Ada", "=1+1", "\n")
	f.Add("'", "''=", "\u2028")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		place := filepath.Join(t.TempDir(), "p.csv")
		store, err := exportstore.OpenCSV(place)
		require.NoError(t, err)
		utf8 := func(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "\r", "") } // encoding/csv reads \r\n as \n
		r := exportstore.Record{Account: "a", ClientID: "1", FullName: utf8(a), Email: utf8(b), City: utf8(c)}
		require.NoError(t, store.Put(t.Context(), r, nil))
		require.NoError(t, store.Close(t.Context(), true))
		require.Equal(t, map[string]exportstore.Record{"1": r}, read(t, place))
	})
}
