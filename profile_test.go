package trulioo_test

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

func TestValue(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fields string // of two flows
		want   string
		ok     bool
	}{
		"one":                  {`"a":{"fieldData":{"1":{"role":"dob","value":["x"]}}}`, "x", true},
		"none":                 {`"a":{"fieldData":{"1":{"role":"city","value":["x"]}}}`, "", false},
		"no flow":              {``, "", false},
		"blank only":           {`"a":{"fieldData":{"1":{"role":"dob","value":[""," ",null]}}}`, "", false},
		"agree but for spaces": {`"a":{"fieldData":{"1":{"role":"dob","value":[" x"]}}},"b":{"fieldData":{"2":{"role":"DOB","value":["x ",""]}}}`, "x", true},
		"flows differ":         {`"a":{"fieldData":{"1":{"role":"dob","value":["x"]}}},"b":{"fieldData":{"1":{"role":"dob","value":["y"]}}}`, "", false},
		"fields differ":        {`"a":{"fieldData":{"1":{"role":"dob","value":["x"]},"2":{"role":"dob","value":["X"]}}}`, "", false},
		"values differ":        {`"a":{"fieldData":{"1":{"role":"dob","value":["x","y","x"]}}}`, "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value, ok := decodeProfile(t, []byte(`{"flowData":{`+test.fields+`}}`)).Value(trulioo.RoleDateOfBirth)
			assert.Equal(t, test.want, value)
			assert.Equal(t, test.ok, ok)
		})
	}
}

func TestValuesAreInOrder(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, []byte(`{"flowData":{
		"b":{"fieldData":{"2":{"role":"email","value":["b2"]},"1":{"id":"own","name":"E-mail","role":"email","value":["b1"," b1' "]}}},
		"a":{"fieldData":{"9":{"role":"email","value":["a9"]},"3":{"role":"city","value":["no"]}}}}}`))
	own := trulioo.Field{ID: "own", Name: "E-mail", Role: trulioo.RoleEmail, Value: []string{"b1", " b1' "}}
	assert.Equal(t, []trulioo.Answer{
		{FlowID: "a", Field: trulioo.Field{ID: "9", Role: trulioo.RoleEmail, Value: []string{"a9"}}, Value: "a9"},
		{FlowID: "b", Field: own, Value: "b1"},
		{FlowID: "b", Field: own, Value: " b1' "},
		{FlowID: "b", Field: trulioo.Field{ID: "2", Role: trulioo.RoleEmail, Value: []string{"b2"}}, Value: "b2"},
	}, p.Values(trulioo.RoleEmail))
}

func TestFilesAreInOrderAndOnce(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, []byte(`{"flowData":{
		"b":{"fileData":{"2":"k2","1":"k1","0":""},"enhancedFileData":{"1":["k1","k3"],"0":["k0",""]}},
		"a":{"fileData":{"8":"k8"},"enhancedFileData":{"7":["k2"]}}, "c": {}}}`))
	assert.Equal(t, []trulioo.FileRef{
		{FlowID: "a", Field: "7", Key: "k2"},
		{FlowID: "a", Field: "8", Key: "k8"},
		{FlowID: "b", Field: "0", Key: "k0"},
		{FlowID: "b", Field: "1", Key: "k1"},
		{FlowID: "b", Field: "1", Key: "k3"},
	}, p.Files())
	assert.Empty(t, trulioo.Profile{}.Files())
}

func TestServicesAreInOrder(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, []byte(`{"flowData":{
		"b":{"serviceData":[{"timestamp":20,"nodeId":"1"},{"timestamp":10,"nodeId":"2"},{"timestamp":20,"nodeId":"3"}]},
		"a":{"serviceData":[{"timestamp":20,"nodeId":"4"},{"nodeId":"5"}]}}}`))
	var order []string
	for _, service := range p.Services() {
		order = append(order, service.FlowID+service.NodeID)
	}
	assert.Equal(t, []string{"a5", "b2", "a4", "b1", "b3"}, order)

	p = decodeProfile(t, []byte(`{"flowData":{"a":{"serviceData":[`+strings.TrimSuffix(strings.Repeat(`{},`, 100), ",")+`]}}}`))
	for i := range p.FlowData["a"].ServiceData {
		p.FlowData["a"].ServiceData[i].NodeID = strconv.Itoa(i)
	}
	for i, service := range p.Services() {
		assert.Equal(t, strconv.Itoa(i), service.NodeID, "many at one time stay in the flow's order")
	}

	byHand := trulioo.Profile{FlowData: map[string]trulioo.Flow{"f": {ServiceData: []trulioo.ServiceResult{{}}}}}
	assert.Equal(t, "f", byHand.Services()[0].FlowID)
}

// The vendor's names hold ":", and a name is not to be trusted: a trap on disks.
func TestFileNames(t *testing.T) {
	t.Parallel()
	const vendors = "2022-01-03T13_37_18.706295774Z-20959125.jpg"
	long := strings.Repeat("é", 150)
	tests := map[string]struct{ path, want string }{
		"as the vendor's":       {"flow/client/element/2022-01-03T13:37:18.706295774Z-20959125.jpg", vendors},
		"no folder":             {"passport.png", "passport.png"},
		"climbs":                {"../../etc/passwd", "passwd"},
		"climbs with \\":        {`a/..\..\boot.ini`, "boot.ini"},
		"dots":                  {"a/..", "file"},
		"dot":                   {"a/.", "file"},
		"forbidden characters":  {`a/<>:"|?*b.jpg`, "_______b.jpg"},
		"trailing dots, spaces": {"a/b.jpg. . ", "b.jpg"},
		"device":                {"a/NUL", "_NUL"},
		"device in lower case":  {"a/con.jpg", "_con.jpg"},
		"device with two dots":  {"a/COM1.tar.gz", "_COM1.tar.gz"},
		"device and space":      {"a/aux .txt", "_aux .txt"},
		"device, superscript":   {"a/LPT².txt", "_LPT².txt"},
		"no device":             {"a/COM10.txt", "COM10.txt"},
		"turned direction":      {"a/gpj\u202e.exe", "gpj_.exe"},
		"long":                  {"a/" + long + ".jpeg", strings.Repeat("é", 97) + ".jpeg"},
		"long extension":        {"a/x." + long, "x." + strings.Repeat("é", 99)},
		"dots before the cut":   {"a/b" + strings.Repeat(".", 250) + "jpg", "b.jpg"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
				got := trulioo.FileRef{Key: encoding.EncodeToString([]byte(test.path))}.Name()
				assert.Equal(t, test.want, got)
				assertSafeName(t, got)
			}
		})
	}
	p := decodeProfile(t, testdata(t, "profile.json"))
	require.Len(t, p.Files(), 1)
	assert.Equal(t, vendors, p.Files()[0].Name())
}

func TestFileNameOfAKeyThatIsNoPath(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, path := range []string{"a\x00b", "\xff\xfe", "a/b/", "a\nb"} {
		name := trulioo.FileRef{Key: base64.StdEncoding.EncodeToString([]byte(path))}.Name()
		assert.Regexp(t, `^file-[0-9a-f]{16}$`, name)
		seen[name] = true
	}
	for _, key := range []string{"", "%%%", "../../etc/passwd", "a.b"} {
		name := trulioo.FileRef{Key: key}.Name()
		assert.Regexp(t, `^file-[0-9a-f]{16}$`, name)
		seen[name] = true
	}
	assert.Len(t, seen, 8, "each key has a name of its own")
}

// assertSafeName checks the rules for names on disks one by one.
func assertSafeName(t *testing.T, name string) {
	t.Helper()
	assert.NotEmpty(t, name)
	assert.NotContains(t, []string{".", ".."}, name)
	assert.False(t, strings.ContainsAny(name, `<>:"/\|?*`), name)
	assert.False(t, strings.ContainsFunc(name, unicode.IsControl), "%q", name)
	assert.True(t, utf8.ValidString(name))
	assert.LessOrEqual(t, len(name), 200)
	assert.False(t, strings.HasSuffix(name, ".") || strings.HasSuffix(name, " "), name)
	stem, _, _ := strings.Cut(strings.ToUpper(name), ".")
	for _, device := range []string{"CON", "PRN", "AUX", "NUL", "COM1", "COM9", "LPT1", "LPT9"} {
		assert.NotEqual(t, device, strings.TrimRight(stem, " "))
	}
}

func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"a/b.jpg", "../..", "NUL.txt", "a\x00", strings.Repeat(".", 300), strings.Repeat("x", 300) + ".jpg", " . ", "COM¹"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		assertSafeName(t, trulioo.FileRef{Key: path}.Name())
		assertSafeName(t, trulioo.FileRef{Key: base64.StdEncoding.EncodeToString([]byte(path))}.Name())
	})
}

// hitsProfile is a profile with one watchlist check whose WatchlistHitDetails are data.
func hitsProfile(t *testing.T, data string) *trulioo.Profile {
	t.Helper()
	return decodeProfile(t, []byte(`{"flowData":{"f":{"serviceData":[{"nodeId":"n","nodeType":"trulioo_person_wl","fullServiceDetails":
		{"Record":{"DatasourceResults":[{"DatasourceName":"d","AppendedFields":[{"FieldName":"Other","Data":{"WL_results":[{"score":9}]}},
		{"FieldName":"WatchlistHitDetails","Data":`+data+`}]}]}}}]}}}`))
}

func TestWatchlistHitsHoweverPacked(t *testing.T) {
	t.Parallel()
	quoted := func(s string) string {
		encoded, err := json.Marshal(s)
		require.NoError(t, err)
		return string(encoded)
	}
	const object = `{"PEP_results":[{"score":"0.5","subjectMatched":"C"}],"WL_results":[{"score":0.97,"subjectMatched":"A","sourceListType":"l",` +
		`"sourceRegion":"r","sourceAgencyName":"g","URL":"u","more":9007199254740993}],"AM_results":[{"score":1,"subjectMatched":"B"}]}`
	tests := map[string]string{
		"object":                   object,
		"JSON in a string":         quoted(object),
		"JSON in a string, twice":  quoted(quoted(object)),
		"in an array":              `[` + object + `]`,
		"in a member":              `{"WatchlistHitDetails":` + object + `}`,
		"strings in an array":      `[` + quoted(object) + `]`,
		"string in a member":       quoted(`{"Details":` + quoted(object) + `}`),
		"lists and hits as JSON":   `{"WL_results":` + quoted(`[{"score":0.97,"subjectMatched":"A","sourceListType":"l","sourceRegion":"r","sourceAgencyName":"g","URL":"u","more":9007199254740993}]`) + `,"AM_results":{"score":1,"subjectMatched":"B"},"PEP_results":[` + quoted(`{"score":0.5,"subjectMatched":"C"}`) + `]}`,
		"with nulls in the lists":  `[null,` + object + `,{}]`,
		"lists split over objects": `[{"WL_results":[{"score":0.97,"subjectMatched":"A","sourceListType":"l","sourceRegion":"r","sourceAgencyName":"g","URL":"u","more":9007199254740993}]},{"AM_results":[{"score":1,"subjectMatched":"B"}],"PEP_results":null},{"PEP_results":[{"score":0.5,"subjectMatched":"C"}]}]`,
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hits, err := hitsProfile(t, data).WatchlistHits()
			require.NoError(t, err)
			require.Len(t, hits, 3)
			assert.Contains(t, string(hits[0].Raw), "9007199254740993")
			for i := range hits {
				assert.Equal(t, byte('{'), hits[i].Raw[0])
				hits[i].Raw = nil
			}
			assert.Equal(t, []trulioo.WatchlistHit{
				{Kind: trulioo.WatchlistKindWatchlist, FlowID: "f", NodeID: "n", Datasource: "d", Score: 0.97, SubjectMatched: "A",
					SourceListType: "l", SourceRegion: "r", SourceAgencyName: "g", URL: "u"},
				{Kind: trulioo.WatchlistKindAdverseMedia, FlowID: "f", NodeID: "n", Datasource: "d", Score: 1, SubjectMatched: "B"},
				{Kind: trulioo.WatchlistKindPEP, FlowID: "f", NodeID: "n", Datasource: "d", Score: 0.5, SubjectMatched: "C"},
			}, hits)
		})
	}
	for _, data := range []string{`null`, `""`, `"none"`, `[]`, `{}`, `5`, `{"WL_results":[]}`, `{"WL_results":[5,"x",[]]}`} {
		hits, err := hitsProfile(t, data).WatchlistHits()
		require.NoError(t, err, data)
		assert.Empty(t, hits, data)
	}
}

// No hits and no way to know are told apart: the counts in watchlistResults
// are not hits, and a check without its record says nothing.
func TestWatchlistHitsSayWhereTheyCannotKnow(t *testing.T) {
	t.Parallel()
	const record = `"fullServiceDetails":{"Record":{}}`
	tests := map[string]struct {
		services string
		noErr    bool
	}{
		"no check":                        {``, true},
		"record without hits":             {`{"nodeType":"trulioo_person_wl",` + record + `}`, true},
		"no record":                       {`{"nodeType":"other"}`, false},
		"no record beside one":            {`{"nodeType":"other"},{` + record + `}`, true},
		"watchlist without its record":    {`{"nodeType":"trulioo_business_wl","fullServiceDetails":{}},{` + record + `}`, false},
		"counts without a record":         {`{"watchlistResults":{"Advanced Watchlist":{"watchlistHitDetails":{"wlHitsNumber":1}}}},{` + record + `}`, false},
		"record that is not an object":    {`{"fullServiceDetails":[1]},{` + record + `}`, false},
		"record that is words in a quote": {`{"fullServiceDetails":"n/a"},{` + record + `}`, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hits, err := decodeProfile(t, []byte(`{"flowData":{"f":{"serviceData":[`+test.services+`]}}}`)).WatchlistHits()
			assert.Empty(t, hits)
			if test.noErr {
				require.NoError(t, err)
				return
			}
			var decodeErr *trulioo.DecodeError
			if strings.HasPrefix(name, "record that") {
				require.ErrorAs(t, err, &decodeErr)
				assert.Equal(t, "fullServiceDetails", decodeErr.Path)
			} else {
				require.ErrorIs(t, err, trulioo.ErrNoDetails)
			}
		})
	}

	p := hitsProfile(t, `{"WL_results":[{"score":1}]}`)
	p.FlowData["g"] = trulioo.Flow{ServiceData: []trulioo.ServiceResult{{NodeType: trulioo.NodeTypePersonWatchlist}}}
	hits, err := p.WatchlistHits()
	require.ErrorIs(t, err, trulioo.ErrNoDetails)
	require.Len(t, hits, 1, "what was found is there beside the error")
	assert.InDelta(t, 1, hits[0].Score, math.SmallestNonzeroFloat64)
}
