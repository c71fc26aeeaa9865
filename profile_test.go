package trulioo_test

import (
	"encoding/base64"
	"fmt"
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

// Forms spell one role in several ways; either constant finds each, and answers
// that differ are still told apart.
func TestValueFindsEverySpelling(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string]string{
		`"1":{"role":"city","value":["x"]}`:                                            "x",
		`"1":{"role":"address_city","value":["x"]}`:                                    "x",
		`"1":{"role":"Address_City","value":["x"]},"2":{"role":"city","value":[" x"]}`: "x",
		`"1":{"role":"address_city","value":["x"]},"2":{"role":"city","value":["y"]}`:  "",
		`"1":{"role":"company_city","value":["x"]},"2":{"role":"city2","value":["y"]}`: "",
	} {
		p := decodeProfile(t, []byte(`{"flowData":{"a":{"fieldData":{`+fields+`}}}}`))
		for _, role := range []trulioo.Role{trulioo.RoleCity, trulioo.RoleAddressCity} {
			got, ok := p.Value(role)
			assert.Equal(t, want, got, fields)
			assert.Equal(t, want != "", ok, fields)
		}
	}
	p := decodeProfile(t, []byte(`{"flowData":{"a":{"fieldData":{"1":{"role":"postal_code","value":["1"]},"2":{"role":"national_id_nr","value":["7"]}}},
		"b":{"fieldData":{"1":{"role":"address_zip","value":["1"]},"2":{"role":"social_service_number","value":["7"]},"3":{"role":"dob","value":["d"]}}}}}`))
	assert.Len(t, p.Values(trulioo.RoleAddressZIP), 2)
	assert.Equal(t, trulioo.RoleAddressZIP, p.Values(trulioo.RolePostalCode)[1].Field.Role, "in its own spelling")
	either, ok := p.Value(trulioo.RoleNationalID, trulioo.RoleSocialServiceNumber)
	assert.True(t, ok)
	assert.Equal(t, "7", either)
	_, ok = p.Value(trulioo.RoleNationalID, trulioo.RoleSocialServiceNumber, trulioo.RoleDateOfBirth)
	assert.False(t, ok, "they do not agree")
	assert.Len(t, p.Values(trulioo.RoleNationalID), 1)
}

// Some fields have no role: a normalized name, or no more than a label.
func TestValueNamed(t *testing.T) {
	t.Parallel()
	p := decodeProfile(t, []byte(`{"flowData":{"a":{"fieldData":{
		"1":{"name":"Second given name","normalizedName":"MiddleName","value":["m"]},
		"2":{"name":"Passport-Number ","value":["p"]},
		"3":{"name":"City","role":"address_city","value":["c"]},
		"4":{"name":"Middle Name","normalizedName":"VoterID","value":["v"]},
		"5":{"name":"!","value":["b"]}, "6":{"name":"Suburb","value":["s"]}, "7":{"normalizedName":"suburb","value":["S"]}}}}}`))
	for name, want := range map[string]string{
		"MiddleName": "m", "middle name": "m", "PassportNumber": "p", "voterid": "v",
		"City": "", "Second given name": "", "": "", " - ": "", "Suburb": "",
	} {
		got, ok := p.ValueNamed(name)
		assert.Equal(t, want, got, name)
		assert.Equal(t, want != "", ok, name)
	}
	assert.Len(t, p.ValuesNamed("Suburb"), 2, "they do not agree")
	assert.Empty(t, p.ValuesNamed("-"))
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

// Which checks are watchlist checks has one answer, whatever the checks have in
// common: the page of a bundle and Text are made of it.
func TestChecks(t *testing.T) {
	t.Parallel()
	const list = `"nodeType":"trulioo_person_wl","match":true`
	const hit = `"watchlistResults":{"L":{"watchlistStatus":"Hit"}}`
	for name, tt := range map[string]struct {
		flows string
		want  []string // step, title and transaction, with the outcome of a watchlist check
	}{
		"no check": {`{"f":{}}`, nil},
		"each of its kind": {
			`{"f":{"serviceData":[{"nodeId":"1","timestamp":1718011363,"match":true},{"nodeId":"2","timestamp":1718011364,` + list + `}]}}`,
			[]string{"1", "2: clear"},
		},
		"one step, two titles": {
			`{"f":{"serviceData":[{"nodeId":"1","nodeTitle":"id"},{"nodeId":"1","nodeTitle":"list",` + hit + `}]}}`,
			[]string{"1 id", "1 list: confirmed hit"},
		},
		"one step twice": {
			`{"f":{"serviceData":[{"nodeId":"1","timestamp":1718011363,"match":true},{"nodeId":"1","timestamp":1718011364,"match":true,` + hit + `}]}}`,
			[]string{"1", "1: confirmed hit"},
		},
		"one step and moment, two transactions": {
			`{"f":{"serviceData":[{"nodeId":"1","transactionInfo":{"transactionId":"a"},"nodeType":"x","watchlistResults":{"L":{"watchlistStatus":"Potential Hit"}}},` +
				`{"nodeId":"1","transactionInfo":{"transactionId":"b"},"nodeType":"x","match":true}]}}`,
			[]string{"1 a: potential hit", "1 b"},
		},
		"one step in two flows": {
			`{"f":{"serviceData":[{"nodeId":"1","nodeType":"x","match":true}]},"g":{"serviceData":[{"nodeId":"1","nodeType":"x","watchlistResults":{"L":{"watchlistStatus":"Hit"}}}]}}`,
			[]string{"1", "1: confirmed hit"},
		},
		"nothing to tell them apart": {
			`{"f":{"serviceData":[{"match":true},{"match":true,"watchlistResults":{"L":{"watchlistStatus":"Hit"}}}]}}`,
			[]string{": confirmed hit", ": confirmed hit"},
		},
		"two watchlist checks, nothing to tell them apart": {
			`{"f":{"serviceData":[{"watchlistResults":{"L":{"watchlistStatus":"Potential Hit"}}},{"watchlistResults":{"L":{"watchlistStatus":"Hit"}}}]}}`,
			[]string{": potential hit", ": confirmed hit"},
		},
		"a part that could hide a check": {`{"f":{"serviceData":[{"match":true}],"x":"watchlist"}}`, []string{""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := profileOf(t, `{"id":"c","flowData":`+tt.flows+`}`)
			var got, plain []string
			for _, check := range p.Checks() {
				s := check.Service
				words := strings.Join(strings.Fields(s.NodeID+" "+s.NodeTitle+" "+s.TransactionInfo.TransactionID), " ")
				if check.Screening != nil {
					assert.Equal(t, s.FlowID, check.Screening.Service.FlowID)
					words += ": " + check.Screening.Outcome.String()
				} else {
					plain = append(plain, words)
				}
				got = append(got, words)
				assert.Equal(t, "trulioo.Check[redacted]", fmt.Sprintf("%+v", check))
			}
			assert.Equal(t, tt.want, got)
			_, listed, _ := strings.Cut(p.Text(nil), "\nChecks\n")
			assert.Equal(t, len(plain), strings.Count(listed, "match ")+strings.Count(listed, "no outcome "), p.Text(nil))
		})
	}
}

// What could hide a check, since nothing of the profile can be read, is no check.
func TestChecksOfAnUnreadableProfile(t *testing.T) {
	t.Parallel()
	p := trulioo.Profile{Raw: []byte("7"), FlowData: map[string]trulioo.Flow{"": {ServiceData: []trulioo.ServiceResult{{}}}}}
	require.Len(t, p.Screenings(), 1)
	require.Len(t, p.Checks(), 1)
	assert.Nil(t, p.Checks()[0].Screening)
}
