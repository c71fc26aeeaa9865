package trulioo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// decodedModels are the types that answers are decoded into, without the methods of
// the outermost ones, so that both engines decode all of their fields.
var decodedModels = []reflect.Type{
	reflect.TypeFor[plainWorkflow](), reflect.TypeFor[plainEndClient](), reflect.TypeFor[plainProfile](),
	reflect.TypeFor[Flow](), reflect.TypeFor[Field](), reflect.TypeFor[ServiceResult](), reflect.TypeFor[TransactionInfo](),
	reflect.TypeFor[Note](), reflect.TypeFor[Task](), reflect.TypeFor[ServiceDetails](), reflect.TypeFor[ServiceRecord](),
	reflect.TypeFor[DatasourceResult](), reflect.TypeFor[AppendedField](), reflect.TypeFor[WatchlistHit](), reflect.TypeFor[WatchlistCounts](),
}

// FuzzDecode holds every model against encoding/json: what that decodes without
// complaint, ours decodes to the same; an object is never lost; and what was
// decoded is the same after it was encoded and decoded.
func FuzzDecode(f *testing.F) {
	for i, seed := range [][]byte{
		[]byte(`{"id":"w","name":"n","corporate":true,"published":false,"created":1718011363}`),
		[]byte(`{"id":"c","ownerIds":["a"],"created":1718011363000,"lastModified":"2024-06-10T09:22:43Z","status":"accepted","user":"u"}`),
		[]byte(`{"id":"p","flowData":{"f":{"fieldData":{"a":{"value":["x"],"role":"DOB"}},"fileData":{"a":"k"},"enhancedFileData":{"a":["k"]},` +
			`"serviceData":[{"match":true,"fullServiceDetails":{"a":1},"watchlistResults":{"L":{"watchlistStatus":"No Hit"}}}]}},"notes":[{"text":"t"}],"tasks":[]}`),
		[]byte(`{"id":1,"completed":"true","fieldData":"{}","fileData":null,"serviceData":{}}`),
		[]byte(`{"ID":"x","value":"one","Role":null}`),
		[]byte(`{"timestamp":"1","match":1,"secondaryMatch":"no","transactionInfo":[]}`),
		[]byte(`{"date":"2024-06-10T09:22:43.1+0200","userName":"\ud83d"}`), []byte(`{"created":[2024,6,1,0,0]}`), []byte(`{"resolved":0}`),
		[]byte(`{"Errors":[{"Code":1,"Message":"m"},"text",null],"Record":{"DatasourceResults":[{"FieldGroups":["a"],"AppendedFields":[{"Data":"{}"}]}]}}`),
		[]byte(`{"Rule":{"Note":"n"},"RecordStatus":"MATCH"}`), []byte(`{"DatasourceFields":{"Status":"missing"}}`), []byte(`{"Data":[1.50, "<"]}`),
		[]byte(`{"score":"0.5","URL":"u"}`), []byte(`{"wlHitsNumber":1e3,"amHitsNumber":"2","pepHitsNumber":1.5}`),
	} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, model uint8, data []byte) {
		of := decodedModels[int(model)%len(decodedModels)]
		ours, theirs := reflect.New(of), reflect.New(of)
		err := wire.Unmarshal(slices.Clone(data), ours.Interface())
		body := wire.TrimBOM(data)
		object := json.Valid(body) && bytes.TrimSpace(body)[0] == '{'
		if err != nil {
			require.True(t, ours.Elem().IsZero())
			require.False(t, object && len(data) < 4096, "an object was lost: %v", err)
			return
		}
		if keeper, ok := reflect.TypeAssert[wire.Keeper](ours); ok {
			keeper.Keep(nil) // encoding/json does not know it
		}
		if object && json.Unmarshal(body, theirs.Interface()) == nil && unambiguous(body) {
			if keeper, ok := reflect.TypeAssert[wire.Keeper](theirs); ok {
				keeper.Keep(nil)
			}
			require.Equal(t, theirs.Interface(), ours.Interface())
		}
		encoded, err := wire.Marshal(ours.Interface())
		require.NoError(t, err)
		again := reflect.New(of)
		require.NoError(t, wire.Unmarshal(slices.Clone(encoded), again.Interface()), "%s", encoded)
		if keeper, ok := reflect.TypeAssert[wire.Keeper](again); ok {
			keeper.Keep(nil)
		}
		twice, err := wire.Marshal(again.Interface())
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(twice))
	})
}

// unambiguous reports whether no object has a name twice, in any case: of two
// encoding/json takes the last, and merges.
func unambiguous(data []byte) bool {
	canonical := jsontext.Value(slices.Clone(data))
	utf8 := jsontext.AllowInvalidUTF8(true)
	if canonical.Canonicalize(utf8, jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return false
	}
	folded := bytes.ReplaceAll(bytes.ToLower(canonical), []byte("ſ"), []byte("s"))
	return jsontext.Value(folded).IsValid(utf8)
}

// untidy writes numbers and booleans of a profile as strings: one of them, or all.
func untidy(profile []byte, every bool) []byte {
	if !every {
		return bytes.Replace(profile, []byte(`"completed":true`), []byte(`"completed":"true"`), 1)
	}
	return regexp.MustCompile(`:(true|false|[0-9]+)([,}])`).ReplaceAll(profile, []byte(`:"$1"$2`))
}

// An untidy value is read like a tidy one, be it one of them or every.
func TestUntidyProfilesAreReadLikeTidyOnes(t *testing.T) {
	t.Parallel()
	body := smallProfile(t)
	var want Profile
	require.NoError(t, want.decode(body))
	for _, every := range []bool{false, true} {
		var got Profile
		changed := untidy(body, every)
		require.NotEqual(t, string(body), string(changed))
		require.NoError(t, got.decode(changed))
		got.Raw = want.Raw
		for id, flow := range got.FlowData {
			for i := range flow.ServiceData {
				details, err := flow.ServiceData[i].Details()
				tidy, tidyErr := want.FlowData[id].ServiceData[i].Details()
				assert.Equal(t, tidyErr, err)
				if err == nil {
					details.Raw, tidy.Raw = nil, nil
					for r := range details.Record.DatasourceResults {
						for f := range details.Record.DatasourceResults[r].AppendedFields {
							details.Record.DatasourceResults[r].AppendedFields[f].Data = nil
							tidy.Record.DatasourceResults[r].AppendedFields[f].Data = nil
						}
					}
					assert.Equal(t, tidy, details)
				}
				flow.ServiceData[i].FullServiceDetails = want.FlowData[id].ServiceData[i].FullServiceDetails
				flow.ServiceData[i].WatchlistResults = want.FlowData[id].ServiceData[i].WatchlistResults // has its text
			}
		}
		assert.Equal(t, want, got)
	}
}

// allocatedBy is how many bytes f allocates, given back or not.
func allocatedBy(f func()) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return float64(after.TotalAlloc - before.TotalAlloc)
}

// A small answer can unpack to many elements: 8 KB of gzip took 2.3 GiB. Whatever
// is within the cap on bytes takes at most ten times its bytes.
//
//nolint:paralleltest // what all tests allocate is counted
func TestAnswersTakeTenTimesTheirSizeAtMost(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget a part of what it holds, which is then allocated anew and counted; CI runs this test without it, too")
	}
	const size = 1 << 18
	page := `{"totalElements":1,"totalPages":1,"data":[%s0]}`
	profile, pages := func(b []byte) error { return new(Profile).decode(b) }, func(b []byte) error {
		_, err := decodePage(b, endClientOf)
		return err
	}
	workflows := func(b []byte) error { _, err := decodePage(b, workflowOf); return err }
	details := func(b []byte) error {
		_, err := ServiceResult{FullServiceDetails: b}.Details()
		return err
	}
	for place, decode := range map[string]func([]byte) error{
		`{"flowData":{"f":{"serviceData":[%s0]}}}`:                          profile,
		`{"flowData":{"f":{"serviceData":[{"watchlistResults":[%s0]}]}}}`:   profile,
		`{"flowData":{"f":{"serviceData":[{"fullServiceDetails":[%s0]}]}}}`: profile,
		`{"flowData":{"f":{"fieldData":{"a":{"value":[%s0]}}}}}`:            profile,
		`{"flowData":{"f":{"enhancedFileData":{"a":[%s0]}}}}`:               profile,
		`{"notes":[%s0]}`: profile, `{"tasks":[%s0]}`: profile, `{"ownerIds":[%s0]}`: profile, `{"x":[%s0]}`: profile,
		page: pages, page + " ": workflows, `{"totalElements":1,"data":[{"ownerIds":[%s0]}]}`: pages,
		`{"Errors":[%s0]}`: details, `{"InputFields":[%s0]}`: details, `{"Record":{"SupplementaryRules":[%s0]}}`: details,
		`{"Record":{"DatasourceResults":[%s0]}}`: details, `{"Record":{"DatasourceResults":[{"AppendedFields":[%s0]}]}}`: details,
		`{"Record":{"DatasourceResults":[{"DatasourceFields":[%s0]}]}}`: details, `{"Record":{"DatasourceResults":[{"FieldGroups":[%s0]}]}}`: details,
	} {
		for _, element := range []string{`0,`, `{},`, `null,`, `"a",`, `[],`, `"{}",`, `{"id":"a"},`, `{"serviceData":[{}]},`, `{"Errors":[{}]},`, `"nine char",`} {
			body := fmt.Appendf(nil, place, strings.Repeat(element, size/len(element)))
			taken := allocatedBy(func() { _ = decode(body) })
			assert.Less(t, taken/float64(len(body)), 10.0, "%s of %s", place, element)
		}
	}
	for _, place := range []string{
		`{"flowData":{%s"z":0}}`, `{"flowData":{"f":{"fieldData":{%s"z":0}}}}`, `{"flowData":{"f":{"fileData":{%s"z":0}}}}`,
		`{"flowData":{"f":{"enhancedFileData":{%s"z":0}}}}`, `{"flowData":{"f":{"serviceData":[{"watchlistResults":{%s"z":0}}]}}}`, `{%s"z":0}`,
	} {
		for _, value := range []string{`0`, `{}`, `"a"`, `[]`, `["a"]`, `{"fieldData":{"a":{}}}`} {
			var members strings.Builder
			for i := 0; members.Len() < size; i++ {
				fmt.Fprintf(&members, `"%x":%s,`, i, value)
			}
			body := fmt.Appendf(nil, place, members.String())
			taken := allocatedBy(func() { _ = profile(body) })
			assert.Less(t, taken/float64(len(body)), 10.0, "%s of %s", place, value)
		}
	}
}

// The API's answers are far from the bound: decoded, they take about as much memory
// as they are long.
func TestTidyAnswersAreFarFromTheBound(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"profile.json", "profile_awkward.json", "vendor/client.json"} {
		body, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err)
		require.NoError(t, new(Profile).decode(body), name)
		if name == "profile_awkward.json" {
			continue
		}
		var p struct {
			FlowData map[string]json.RawMessage `json:"flowData"`
		}
		require.NoError(t, wire.Unmarshal(body, &p))
		var large strings.Builder // the flows of 300 in one, beyond what is allowed to every answer
		for i := range 300 {
			for id, flow := range p.FlowData {
				fmt.Fprintf(&large, `"%d%s":%s,`, i, id, flow)
			}
		}
		whole := `{"flowData":{` + strings.TrimSuffix(large.String(), ",") + `}}`
		require.NoError(t, new(Profile).decode([]byte(whole)), name)
		require.NoError(t, new(Profile).decode(untidy([]byte(whole), true)), name)
	}
}

// A row that is kept holds no more than its own bytes, and not its page.
func TestARowDoesNotHoldItsPage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{30, 200, 257, 769, 1153, 5000} {
		row := `{"id":"a","user":"` + strings.Repeat("x", size-21) + `"}`
		body := []byte(`{"totalElements":2,"data":[ ` + row + ` , ` + row + `]}`)
		page, err := decodePage(body, endClientOf)
		require.NoError(t, err)
		for _, c := range page.Data {
			assert.Equal(t, row, string(c.Raw))
			assert.LessOrEqual(t, cap(c.Raw), len(row)*11/10)
		}
		clear(body)
		assert.Equal(t, row, string(page.Data[1].Raw), "a copy")
		var stored EndClient
		require.NoError(t, json.Unmarshal([]byte(row), &stored))
		assert.Equal(t, len(row), cap(stored.Raw))
	}
}
