package truliootest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestTheSameSeedGivesTheSameAccount(t *testing.T) {
	t.Parallel()
	one, two, other := account(30), account(30), truliootest.NewAccount(truliootest.AccountSpec{Clients: 30, Seed: 4})
	require.Equal(t, one.IDs(), two.IDs())
	assert.NotEqual(t, one.IDs(), other.IDs())
	for _, id := range one.IDs() {
		assert.Regexp(t, `^[0-9a-f]{24}$`, id)
		for _, full := range []bool{false, true} {
			a, ok := one.Profile(id, full)
			require.True(t, ok)
			b, _ := two.Profile(id, full)
			assert.True(t, bytes.Equal(a, b))
		}
	}
}

// profile has the parts of a profile that the test reads.
type profile struct {
	FlowData map[string]struct {
		FieldData map[string]struct {
			Role  string
			Value []string
		}
		FileData         map[string]string
		EnhancedFileData map[string][]string
		ServiceData      []struct {
			NodeType           string
			Match              *bool
			WatchlistResults   map[string]struct{ WatchlistStatus string }
			FullServiceDetails struct {
				TransactionID string
				Record        struct {
					DatasourceResults []struct {
						AppendedFields []struct {
							FieldName string
							Data      json.RawMessage
						}
						Errors []struct{ Code any }
					}
				}
			}
		}
	}
	Notes, Tasks []struct{ Created time.Time }
}

func TestInventedProfilesHaveSomethingOfEverything(t *testing.T) {
	t.Parallel()
	live := account(200)
	roles, statuses, data := map[string]int{}, map[string]int{}, map[byte]int{}
	matches, codes := map[string]int{}, map[string]int{}
	flows, files, notes, tasks := map[int]int{}, 0, 0, 0
	for _, id := range live.IDs() {
		plain, _ := live.Profile(id, false)
		assert.NotContains(t, string(plain), "fullServiceDetails")
		full, _ := live.Profile(id, true)
		p := decode[profile](t, full)
		short := decode[profile](t, plain)
		flows[len(p.FlowData)]++
		notes, tasks = notes+len(p.Notes), tasks+len(p.Tasks)
		var keys []string
		for flow, f := range p.FlowData {
			for _, field := range f.FieldData {
				roles[field.Role]++
			}
			for element, key := range f.FileData {
				keys = append(keys, key)
				assert.Equal(t, []string{key}, f.EnhancedFileData[element])
			}
			for n, s := range f.ServiceData {
				assert.Equal(t, s.Match, short.FlowData[flow].ServiceData[n].Match, "details change nothing else")
				b, _ := json.Marshal(s.Match)
				matches[string(b)]++
				statuses[s.WatchlistResults["Advanced Watchlist"].WatchlistStatus]++
				assert.Len(t, s.FullServiceDetails.TransactionID, 24)
				for _, r := range s.FullServiceDetails.Record.DatasourceResults {
					for _, a := range r.AppendedFields {
						data[a.Data[0]]++
					}
					for _, e := range r.Errors {
						b, _ := json.Marshal(e.Code)
						codes[string(b)]++
					}
				}
			}
		}
		files += len(keys)
		assert.ElementsMatch(t, live.FileKeys(id), keys)
		for _, key := range keys {
			name, err := base64.StdEncoding.DecodeString(key)
			require.NoError(t, err)
			assert.Regexp(t, `^[0-9a-f]{24}/`+id+`/[^/]+/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z-\d{8}\.jpg$`, string(name))
		}
	}
	assert.Subset(t, slices.Collect(maps.Keys(roles)), []string{"first_name", "dob", "address_city", "city", "address_zip", "postal_code", "social_service_number", "national_id_nr", "", "company_name", "company_address_full"})
	assert.Len(t, flows, 3, "none, one or two")
	assert.Len(t, statuses, 3, "a hit, none, not asked")
	assert.Equal(t, []string{"false", "null", "true"}, slices.Sorted(maps.Keys(matches)))
	assert.Positive(t, data['"'])
	assert.Positive(t, data['{'])
	assert.Positive(t, files)
	assert.Positive(t, notes)
	assert.Positive(t, tasks)
}

func TestDetailsBytes(t *testing.T) {
	t.Parallel()
	live := truliootest.NewAccount(truliootest.AccountSpec{Clients: 50, DetailsBytes: 200_000})
	codes := 0
	for _, id := range live.IDs() {
		plain, _ := live.Profile(id, false)
		full, _ := live.Profile(id, true)
		if bytes.Contains(plain, []byte(`"flowData":null`)) {
			assert.Equal(t, plain, full)
			continue
		}
		assert.Greater(t, len(full), 200_000)
		assert.Less(t, len(full), 240_000)
		assert.Less(t, len(plain), 16_000)
		codes += bytes.Count(full, []byte(`"Code":1001`)) * bytes.Count(full, []byte(`"Code":"1001"`))
	}
	assert.Positive(t, codes, "error codes are strings and numbers")
}

func TestOwnClients(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(account(3)))
	plain := []byte(`{"user": "me","id":"a/b c","created": "1718011363.5", "status":"Odd","extra":[1.0],` +
		`"flowData":{"f1":{"fileData":{"x":"my+key/=="},"enhancedFileData":{"x":["my+key/==","second"]}}}}`)
	full := []byte(`{"id":"a/b c","full":true}`)
	id, err := srv.Live.PutFull(plain, full)
	require.NoError(t, err)
	require.Equal(t, "a/b c", id)
	assert.Equal(t, plain, get(t, srv, "/v2/query/client/a%2Fb%20c").body)
	assert.Equal(t, full, get(t, srv, "/v2/query/client/a%2Fb%20c?includeFullServiceDetails=true").body)
	lists := get(t, srv, "/v2/query/clients?flowId=f1&statuses=odd&after=1718011362")
	assert.Contains(t, string(lists.body), `"data":[{"id":"a/b c","created":"1718011363.5","status":"Odd","user":"me"}]}`)
	assert.Equal(t, []string{"my+key/==", "second"}, srv.Live.FileKeys(id))
	assert.Equal(t, http.StatusOK, get(t, srv, "/v2"+filePath("my+key/==")).status)
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/test/v2"+filePath("my+key/==")).status)
	assert.False(t, srv.Live.Update(id, time.Now()), "its bytes are the caller's")

	_, err = srv.Live.Put([]byte(`{"id":"a/b c"}`))
	require.NoError(t, err)
	assert.Equal(t, 4, srv.Live.Len())
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/v2/query/file?key=second").status)
	require.True(t, srv.Live.Remove(id))
	assert.False(t, srv.Live.Remove(id))
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/v2/query/client/a%2Fb%20c").status)

	known := srv.Live.IDs()[1]
	_, err = srv.Live.Put([]byte(`{"id":"` + known + `","created":1}`))
	require.NoError(t, err)
	assert.Equal(t, 3, srv.Live.Len(), "it took the place of an invented one")
	assert.JSONEq(t, `{"id":"`+known+`","created":1}`, string(get(t, srv, "/v2/query/client/"+known).body))
	require.True(t, srv.Live.Remove(known))
	assert.Equal(t, 2, clients(t, srv, "").TotalElements)

	for _, bad := range []string{"", "[]", "{}", `{"id":""}`, `{"id":1}`, `{"id":"x"} x`} {
		_, err := srv.Live.Put([]byte(bad))
		assert.Error(t, err, bad)
	}
}

func TestRemovedAndInsertedClients(t *testing.T) {
	t.Parallel()
	live := account(3)
	ids := live.IDs()
	require.True(t, live.Remove(ids[1]))
	_, ok := live.Profile(ids[1], false)
	assert.False(t, ok)
	assert.Nil(t, live.FileKeys(ids[1]))
	id := live.Insert(time.Unix(1_800_000_000, 0))
	assert.Equal(t, []string{ids[0], ids[2], id}, live.IDs())
	got, _ := live.Profile(id, false)
	assert.Contains(t, string(got), `"created":1800000000,"lastModified":1800000000`)
	require.True(t, live.SetStatus(id, "REJECTED", time.Unix(1_800_000_005, 0)))
	got, _ = live.Profile(id, false)
	assert.Contains(t, string(got), `"lastModified":1800000005`)
	assert.Contains(t, string(got), `"status":"REJECTED","statusManuallyChanged":true`)
	assert.False(t, live.Update("nobody", time.Now()))
}

func TestSampleAccountIsServedByteForByte(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithTest(truliootest.SampleAccount()))
	for path, file := range map[string]string{
		"workflows": "workflows.json", "clients?page=3": "clients.json", "client/string": "client.json",
		"client/string?includeFullServiceDetails=true": "client.json",
	} {
		want, err := os.ReadFile(filepath.Join("sample", file))
		require.NoError(t, err)
		assert.Equal(t, want, get(t, srv, "/test/v1/query/"+path).body)
	}
	assert.Equal(t, http.StatusOK, get(t, srv, "/test/v1/query/file?key=string").status)
}

func TestAFiftyThousandClientAccountIsSmall(t *testing.T) { //nolint:paralleltest // it measures the heap
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	live := account(50_000)
	srv := truliootest.NewServer(t, truliootest.WithLive(live))
	seen := map[string]bool{}
	for _, page := range []string{"0", "500", "999"} {
		for _, id := range clients(t, srv, "limit=50&page="+page).ids() {
			seen[id] = true
		}
	}
	assert.Len(t, seen, 150)
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapAlloc, before.HeapAlloc+8<<20)
	runtime.KeepAlive(live)
}

// A business's owners are people of the account, who can be asked for.
func TestOwnersAreEndClients(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: 4})))
	client := srv.Client()
	owned := 0
	for row, err := range client.Clients.All(t.Context(), nil) {
		require.NoError(t, err)
		profile, err := client.Clients.Get(t.Context(), row.ID, nil)
		require.NoError(t, err)
		assert.Equal(t, row.OwnerIDs, profile.OwnerIDs)
		for _, id := range profile.OwnerIDs {
			owned++
			owner, err := client.Clients.Get(t.Context(), id, nil)
			require.NoError(t, err)
			assert.NotEqual(t, row.ID, id)
			assert.Empty(t, owner.OwnerIDs, "a person")
			assert.Empty(t, owner.Values(trulioo.RoleCompanyName))
		}
		if len(profile.OwnerIDs) > 0 && len(profile.FlowData) > 0 {
			assert.NotEmpty(t, profile.Values(trulioo.RoleCompanyName), "only businesses have owners")
		}
	}
	assert.Greater(t, owned, 5)
}
