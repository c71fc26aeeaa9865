package trulioo_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

func testdata(tb testing.TB, name string) []byte {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	require.NoError(tb, err)
	return data
}

func decodeProfile(tb testing.TB, data []byte) *trulioo.Profile {
	tb.Helper()
	profile := new(trulioo.Profile)
	require.NoError(tb, json.Unmarshal(data, profile))
	return profile
}

// rowsOf gives the rows of a page.
func rowsOf(tb testing.TB, page []byte) []json.RawMessage {
	tb.Helper()
	var envelope struct{ Data []json.RawMessage }
	require.NoError(tb, json.Unmarshal(page, &envelope))
	require.NotEmpty(tb, envelope.Data)
	return envelope.Data
}

// The vendor's samples say "string" and 0 everywhere, which would hide a
// swapped field. distinct gives each leaf a value of its own; those whose form
// matters keep it.
func distinct(value any, path string, n *int) any {
	*n++
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			value[name] = distinct(member, path+"."+name, n)
		}
	case []any:
		for i, element := range value {
			value[i] = distinct(element, fmt.Sprintf("%s[%d]", path, i), n)
		}
	case string:
		if value == "string" && !strings.HasSuffix(path, ".date") {
			return fmt.Sprintf("text %d of %s", *n, path)
		}
		if strings.HasSuffix(value, "Z") || strings.HasSuffix(path, ".date") {
			return float64(1_600_000_000 + *n)
		}
	case float64:
		return float64(1_700_000_000 + *n)
	}
	return value
}

// Every leaf of the samples, each with a value of its own, is decoded into a
// field: encoding the fields alone gives the same document.
func TestModelsHoldEveryFieldOfTheVendorsSamples(t *testing.T) {
	t.Parallel()
	samples := map[string]struct {
		sample []byte
		fields func([]byte) (any, error) // decoded, without Raw
	}{
		"workflow": {rowsOf(t, testdata(t, "vendor/workflows.json"))[0], func(data []byte) (any, error) {
			var w trulioo.Workflow
			err := json.Unmarshal(data, &w)
			w.Raw = nil
			return w, err
		}},
		"end client": {rowsOf(t, testdata(t, "vendor/clients.json"))[0], func(data []byte) (any, error) {
			var c trulioo.EndClient
			err := json.Unmarshal(data, &c)
			c.Raw = nil
			return c, err
		}},
		"profile": {testdata(t, "vendor/client.json"), func(data []byte) (any, error) {
			var p trulioo.Profile
			err := json.Unmarshal(data, &p)
			p.Raw = nil
			return p, err
		}},
	}
	for name, test := range samples {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tree any
			require.NoError(t, json.Unmarshal(test.sample, &tree))
			n := 0
			tree = distinct(tree, "", &n)
			document, err := json.Marshal(tree)
			require.NoError(t, err)
			for _, boolean := range []string{"true", "false"} {
				document := strings.ReplaceAll(string(document), "true", boolean)
				fields, err := test.fields([]byte(document))
				require.NoError(t, err)
				encoded, err := json.Marshal(fields)
				require.NoError(t, err)
				assert.JSONEq(t, document, string(encoded))
			}
		})
	}
}

// The names of the fields are part of the API, so they are spelled out once.
func TestProfileByValue(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, testdata(t, "profile.json"))
	at := func(seconds int64) trulioo.Time { return trulioo.Time{Time: time.Unix(seconds, 0).UTC()} }
	yes := true
	const flowID, fieldID, fileField = "65e000000000000000000aaa", "65e0000000000000000f0001", "65e0000000000000000f0010"
	require.Contains(t, p.FlowData, flowID)
	flow := p.FlowData[flowID]
	require.Len(t, flow.ServiceData, 1)
	service := flow.ServiceData[0]

	assert.Equal(t, "65f0a1b2c3d4e5f601234567", p.ID)
	assert.Equal(t, []string{"65f0a1b2c3d4e5f600000001"}, p.OwnerIDs)
	assert.Equal(t, at(1718011363), p.Created)
	assert.Equal(t, at(1718011999), p.LastModified)
	assert.Equal(t, trulioo.ProfileTypeNormal, p.ProfileType)
	assert.Equal(t, trulioo.StatusAccepted, p.Status)
	assert.False(t, p.StatusManuallyChanged)
	assert.Equal(t, "zoe.quill@example.com", p.User)
	assert.Equal(t, []trulioo.Note{{ID: "n1", Text: "Called back.", CreatedBy: "agent@example.com", Created: at(1718012400)}}, p.Notes)
	assert.Equal(t, []trulioo.Task{{ID: "t1", Text: "Check the passport.", Resolved: true, CreatedBy: "agent@example.com",
		UpdatedBy: "lead@example.com", Created: at(1718012460), Updated: at(1718013600)}}, p.Tasks)
	assert.Equal(t, flowID, flow.ID)
	assert.True(t, flow.Completed)
	assert.Equal(t, trulioo.Field{ID: fieldID, Name: "First name", Value: []string{"Zoë"}, Role: trulioo.RoleFirstName,
		NormalizedName: "first_name"}, flow.FieldData[fieldID])
	assert.Contains(t, flow.FileData, fileField)
	assert.Empty(t, flow.EnhancedFileData)
	assert.NotEmpty(t, service.FullServiceDetails)
	service.FullServiceDetails = nil
	assert.Equal(t, trulioo.ServiceResult{
		Timestamp: at(1718011500), ServiceStatus: trulioo.ServiceStatusCompleted, NodeID: "65e0000000000000000e0001",
		NodeTitle: "Identity check", NodeType: trulioo.NodeTypePersonWatchlist, Match: &yes, FlowID: flowID,
		TransactionInfo: trulioo.TransactionInfo{
			AccountName: "Example Account", AccountIdentifier: "Example_KYC", CountryCode: "CA", Date: at(1718011500),
			ShareableToken: "3f5b2c1e-0000-4000-8000-000000000001", TransactionID: "3f5b2c1e-0000-4000-8000-000000000002",
			TransactionRecordID: "3f5b2c1e-0000-4000-8000-000000000003", UserName: "Example_KYC_API",
		},
		WatchlistResults: trulioo.WatchlistResults{"Advanced Watchlist": {
			WatchlistStatus: "Potential Hit", WatchlistHitDetails: trulioo.WatchlistCounts{Watchlist: 1, Known: true},
			Raw: json.RawMessage(`{"watchlistStatus": "Potential Hit", "watchlistHitDetails": {"wlHitsNumber": 1, "amHitsNumber": 0, "pepHitsNumber": 0}}`),
		}},
	}, service)
}

func TestAwkwardProfile(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, testdata(t, "profile_awkward.json"))
	no := false

	assert.Equal(t, "65001234567890123456789", p.ID)
	assert.Equal(t, []string{"owner-1"}, p.OwnerIDs)
	assert.Equal(t, int64(1718011363706), p.Created.UnixMilli())
	assert.Equal(t, int64(1718011999), p.LastModified.Unix())
	assert.Equal(t, trulioo.ProfileTypeNormal, p.ProfileType)
	assert.Equal(t, trulioo.StatusPendingReview, p.Status)
	assert.True(t, p.StatusManuallyChanged)
	assert.Equal(t, "false", p.User)
	assert.Nil(t, p.Notes)
	assert.Equal(t, []trulioo.Task{{ID: "t1"}}, p.Tasks)
	require.Len(t, p.FlowData, 4)
	assert.Zero(t, p.FlowData["flow-c"])
	assert.Zero(t, p.FlowData["flow-d"])

	flow := p.FlowData["flow-b"]
	assert.True(t, flow.Completed)
	assert.Equal(t, map[string]trulioo.Field{
		"f1": {ID: "f1", Value: []string{"Ann"}, Role: trulioo.RoleFirstName, NormalizedName: "7"},
		"f2": {ID: "f2", Value: []string{"19840229", "", "", "  "}, Role: trulioo.RoleDateOfBirth},
		"f3": {Role: "Shoe_Size"},
		"f4": {},
	}, flow.FieldData)
	assert.Empty(t, flow.FileData)
	assert.Equal(t, map[string][]string{"f9": {"key-9"}, "f8": nil, "f7": {"key-7", "key-9"}}, flow.EnhancedFileData)
	require.Len(t, flow.ServiceData, 3)
	first, last := flow.ServiceData[0], flow.ServiceData[2]
	assert.Equal(t, int64(1718011363), first.Timestamp.Unix())
	assert.Equal(t, trulioo.ServiceStatusCompleted, first.ServiceStatus)
	assert.Equal(t, trulioo.NodeTypeDocumentCheck, first.NodeType)
	assert.Nil(t, first.Match)
	assert.Equal(t, &no, first.SecondaryMatch)
	assert.Equal(t, trulioo.ServiceResult{FlowID: "flow-b"}, flow.ServiceData[1])
	assert.Equal(t, trulioo.NodeType("new_node"), last.NodeType)
	assert.Equal(t, trulioo.ServiceStatus("5"), last.ServiceStatus)
	assert.Equal(t, &no, last.Match)
	assert.JSONEq(t, `{"Big": 9007199254740993, "TransactionID": 42}`, string(last.FullServiceDetails))
	assert.Equal(t, trulioo.WatchlistCounts{Watchlist: 2, AdverseMedia: 3}, last.WatchlistResults["Advanced Watchlist"].WatchlistHitDetails)
	require.Len(t, p.FlowData["flow-a"].ServiceData, 1)
	assert.True(t, p.FlowData["flow-a"].ServiceData[0].Timestamp.IsZero())
}

// any loses integers above 2^53: a trap. Raw keeps every byte, and encoding
// emits it, so decode, encode, decode loses nothing.
func TestRawKeepsTheDocument(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"profile.json", "profile_awkward.json", "vendor/client.json"} {
		data := testdata(t, name)
		p := decodeProfile(t, data)
		assert.Equal(t, strings.TrimSpace(string(data)), string(p.Raw), name)
		encoded, err := json.Marshal(p)
		require.NoError(t, err)
		assert.Contains(t, string(encoded), `"id":`)
		again := decodeProfile(t, encoded)
		assert.JSONEq(t, string(p.Raw), string(again.Raw))
		if name == "profile_awkward.json" {
			assert.Contains(t, string(encoded), `"deep":9007199254740993`)
			assert.Contains(t, string(encoded), `"balance":123456789012345678901234567890`)
		}
		p.Raw, again.Raw = nil, nil
		assertSameServices(t, p, again)
		assert.Equal(t, p, again, name)
	}
}

// assertSameServices compares the vendor's records as JSON and clears them:
// encoding takes out their white space.
func assertSameServices(t *testing.T, a, b *trulioo.Profile) {
	t.Helper()
	for id, flow := range a.FlowData {
		other := b.FlowData[id].ServiceData
		require.Len(t, other, len(flow.ServiceData))
		for i := range flow.ServiceData {
			one, two := &flow.ServiceData[i].FullServiceDetails, &other[i].FullServiceDetails
			if len(*one) > 0 {
				assert.JSONEq(t, string(*one), string(*two))
			}
			*one, *two = nil, nil
			for name, summary := range flow.ServiceData[i].WatchlistResults {
				assert.JSONEq(t, string(summary.Raw), string(other[i].WatchlistResults[name].Raw))
				summary.Raw = other[i].WatchlistResults[name].Raw
				flow.ServiceData[i].WatchlistResults[name] = summary
			}
		}
	}
}

func TestRawIsACopyAndClearingItEncodesTheFields(t *testing.T) {
	t.Parallel()
	data := []byte(`{"id":"a","status":"accepted","more":1}`)
	var c trulioo.EndClient
	require.NoError(t, json.Unmarshal(data, &c))
	clear(data)
	assert.JSONEq(t, `{"id":"a","status":"accepted","more":1}`, string(c.Raw))

	c.ID, c.Raw = "b", nil
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"b","ownerIds":null,"created":null,"lastModified":null,"profileType":"","status":"ACCEPTED",
		"statusManuallyChanged":false,"user":""}`, string(encoded))
}

// A second document decoded into the same variable leaves nothing of the
// first: encoding/json merges maps, which is a trap.
func TestDecodingReplaces(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, testdata(t, "profile.json"))
	require.NoError(t, json.Unmarshal([]byte(`{"id":"b","flowData":{"x":{}}}`), p))
	assert.Equal(t, &trulioo.Profile{ID: "b", FlowData: map[string]trulioo.Flow{"x": {}}, Raw: p.Raw}, p)
}

func TestDecodeErrorsNameThePlace(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in, path string
		cut      bool
	}{
		"cut": {`{"id":"a","flowData":{"zoe-canary":{"fieldData":{"f":{"value":["Zoe-Canary`, "flowData.*.fieldData.*.value[0]", true},
		"bad": {`{"id":"zoe-canary","created":+1}`, "created", false},
		"row": {`["zoe-canary"]`, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := new(trulioo.Profile).UnmarshalJSON([]byte(test.in))
			var decodeErr *trulioo.DecodeError
			require.ErrorAs(t, err, &decodeErr)
			assert.Equal(t, test.path, decodeErr.Path)
			assert.Equal(t, test.cut, errors.Is(err, io.ErrUnexpectedEOF))
			assert.NotContains(t, strings.ToLower(fmt.Sprintf("%v %+v %#v %q", err, err, err, err)), "canary")
		})
	}
}

func TestOpenSets(t *testing.T) {
	t.Parallel()
	tests := []struct {
		in   string
		want trulioo.Status
	}{
		{`"ACCEPTED"`, trulioo.StatusAccepted},
		{`"accepted"`, trulioo.StatusAccepted},
		{`"Pending_Review"`, trulioo.StatusPendingReview},
		{`"\u0041CCEPTED"`, trulioo.StatusAccepted},
		{`"rejected"`, trulioo.StatusRejected},
		{`"pending"`, trulioo.StatusPending},
		{`"abandoned"`, trulioo.StatusAbandoned},
		{`"completed"`, trulioo.StatusCompleted},
		{`"failed"`, trulioo.StatusFailed},
		{`"Some New One"`, "Some New One"},
		{`""`, ""},
		{`null`, ""},
		{`7`, "7"},
		{`true`, "true"},
		{`{}`, ""},
		{`[]`, ""},
	}
	for _, test := range tests {
		var c trulioo.EndClient
		require.NoError(t, json.Unmarshal([]byte(`{"status":`+test.in+`}`), &c), test.in)
		assert.Equal(t, test.want, c.Status, test.in)
	}
	var f trulioo.Field
	require.NoError(t, json.Unmarshal([]byte(`{"role":"Company_Address_Full"}`), &f))
	assert.Equal(t, trulioo.RoleCompanyFullAddress, f.Role)
}

// encoding/json matches names without regard to case: a trap. A tolerant reader wants that
// where there is one name. Where a document has both, the last one counts, unless it also
// has an untidy value: then the exact one does.
func TestNamesInAnyCase(t *testing.T) {
	t.Parallel()
	var c trulioo.EndClient
	require.NoError(t, json.Unmarshal([]byte(`{"ID":"a","STATUS":"accepted"}`), &c))
	assert.Equal(t, "a", c.ID)
	assert.Equal(t, trulioo.StatusAccepted, c.Status)
	require.NoError(t, json.Unmarshal([]byte(`{"id":"a","Id":"b","user":1}`), &c))
	assert.Equal(t, "a", c.ID)
}

// UnmarshalJSON on nested types scans again at each level: 468 KB of depth
// 4000 took 10.9 s instead of 23 ms, a trap. Ours are at the root and on leaves.
func TestDeepProfileIsDecoded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":[`, 2500) + strings.Repeat(`]}`, 2500)
	for _, in := range []string{
		`{"id":"a","x":` + deep + `}`,
		`{"id":1,"flowData":{"f":{"serviceData":[{"fullServiceDetails":` + deep + `}]}}}`,
	} {
		p := decodeProfile(t, []byte(in))
		assert.NotEmpty(t, p.ID)
		assert.Len(t, p.Raw, len(in))
	}
}

func FuzzProfile(f *testing.F) {
	for _, name := range []string{"profile.json", "profile_awkward.json", "vendor/client.json"} {
		f.Add(testdata(f, name))
	}
	f.Add([]byte(`{"flowData":{"f":{"serviceData":[{"fullServiceDetails":"{\"Record\":{\"DatasourceResults\":[{\"AppendedFields\":[{\"FieldName\":\"WatchlistHitDetails\",\"Data\":\"{\\\"WL_results\\\":[{}]}\"}]}]}}"}]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p := new(trulioo.Profile)
		if json.Unmarshal(data, p) != nil || len(p.Raw) == 0 {
			return
		}
		encoded, err := json.Marshal(p)
		require.NoError(t, err)
		again := decodeProfile(t, encoded)
		assert.Len(t, again.Services(), len(p.Services()))
		assert.Equal(t, p.Values(trulioo.RoleFirstName), again.Values(trulioo.RoleFirstName))
		for _, file := range p.Files() {
			assertSafeName(t, file.Name())
		}
		for _, service := range p.Services() {
			if details, err := service.Details(); err == nil {
				details.DatasourceErrors()
			}
		}
		hits, _ := p.WatchlistHits()
		for _, hit := range hits {
			require.True(t, json.Valid(hit.Raw))
		}
		assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", p, *p, p.FlowData, hits), "Quill")
	})
}
