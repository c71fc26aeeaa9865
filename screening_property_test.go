package trulioo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// hitProfiles are profiles each of whose lists has a hit.
func hitProfiles(t testing.TB) []string {
	t.Helper()
	around := func(services ...string) string {
		return `{"id":"c","flowData":{"f":{"id":"f","fieldData":{"a":{"role":"dob","value":["x"]}},"serviceData":[` + strings.Join(services, ",") + `]}},"notes":[]}`
	}
	older := source("International Watchlist", `{"FieldName":"WatchlistState","Data":"Hit"},{"FieldName":"WatchlistData","Data":"List A|http://a.example"}`)
	newer := source("Advanced Watchlist", potential+","+oneAnnounce+","+oneHit)
	const record = `{"nodeType":"trulioo_eidv","match":true,"fullServiceDetails":{"Record":{"RecordStatus":"match","Rule":{"RuleName":"1+1"},"DatasourceResults":[`
	return []string{
		string(testdata(t, "live/watchlist-potential-hit.json")),
		around(advanced("false", potential+","+oneAnnounce+","+oneHit, results(`{"Advanced Watchlist":`+hitList+`}`))),
		around(personWL("false", older+","+newer, results(`{"Advanced Watchlist":`+hitList+`,"International Watchlist":{"watchlistStatus":"Hit"}}`))),
		around(`{"nodeType":"trulioo_business_wl","match":false,` + results(hitList) + `}`),
		around(`{"nodeType":"trulioo_person_wl","match":false,"fullServiceDetails":` + packed(2, `{"Record":{"RecordStatus":"nomatch","DatasourceResults":[`+newer+`]}}`) + `}`),
		around(record+older+`]}}}`, record+source("Citizen 2", ``)+`]}}}`),
		around(personWL("false", source("Advanced Watchlist", ``, `"Errors":[{"Code":"1002"}]`))),
		around(`{"nodeType":"a_wl","watchlistResults":{"A":{"wlHitsNumber":1,"amHitsNumber":0,"pepHitsNumber":0}}}`), // nothing but one of what says it
		around(advanced("null", oneAnnounce)),
		around(advanced("null", potential)),
		around(advanced("null", oneHit)),
	}
}

// value is a JSON value whose members keep their order and may share a name.
type value struct {
	scalar  string // JSON; "" for an object or array
	bracket byte
	kids    []*value
	name    string
}

func readValue(t testing.TB, dec *json.Decoder) *value {
	t.Helper()
	token, err := dec.Token()
	require.NoError(t, err)
	bracket, ok := token.(json.Delim)
	if !ok {
		scalar, err := json.Marshal(token)
		require.NoError(t, err)
		return &value{scalar: string(scalar)}
	}
	v := &value{bracket: byte(bracket)} //nolint:gosec // one of four, all ASCII
	for dec.More() {
		name := ""
		if v.bracket == '{' {
			token, err := dec.Token()
			require.NoError(t, err)
			name, _ = token.(string)
		}
		kid := readValue(t, dec)
		kid.name = name
		v.kids = append(v.kids, kid)
	}
	_, err = dec.Token()
	require.NoError(t, err)
	return v
}

func parseValue(t testing.TB, text string) *value {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	return readValue(t, dec)
}

func (v *value) String() string {
	if v.bracket == 0 {
		return v.scalar
	}
	parts := make([]string, len(v.kids))
	for i, kid := range v.kids {
		parts[i] = kid.String()
		if v.bracket == '{' {
			parts[i] = packed(1, kid.name) + ":" + parts[i]
		}
	}
	return string(v.bracket) + strings.Join(parts, ",") + string(v.bracket+2)
}

// below lists a value's descendants with their parents.
func (v *value) below() (all []*value, parents []*value) {
	for _, kid := range v.kids {
		all, parents = append(all, kid), append(parents, v)
		more, theirs := kid.below()
		all, parents = append(all, more...), append(parents, theirs...)
	}
	return all, parents
}

func (v *value) become(text string) { v.scalar, v.bracket, v.kids = text, 0, nil }

// spoilings remove, empty, fail, rename or repack one part of a profile. None
// puts in a word of the vendor's that says that there is no hit.
var spoilings = []struct {
	name  string
	spoil func(v, parent *value)
}{
	{"remove", func(v, parent *value) {
		parent.kids = slices.DeleteFunc(parent.kids, func(kid *value) bool { return kid == v })
	}},
	{"null", func(v, _ *value) { v.become("null") }},
	{"empty text", func(v, _ *value) { v.become(`""`) }},
	{"empty list", func(v, _ *value) { v.become(`[]`) }},
	{"empty object", func(v, _ *value) { v.become(`{}`) }},
	{"words", func(v, _ *value) { v.become(`"3 hits"`) }},
	{"negative", func(v, _ *value) { v.become(`-1`) }},
	{"rename", func(v, _ *value) { v.name += "X" }},
	{"lower case", func(v, _ *value) { v.name = strings.ToLower(v.name) }},
	{"upper case", func(v, _ *value) { v.name = strings.ToUpper(v.name) }},
	{"pack", func(v, _ *value) { v.become(packed(1, v.String())) }},
	{"pack five times", func(v, _ *value) { v.become(packed(5, v.String())) }},
	{"cut off", func(v, _ *value) { text := v.String(); v.become(packed(1, text[:len(text)/2])) }},
	{"into a list", func(v, _ *value) {
		inner := *v
		*v = value{bracket: '[', kids: []*value{&inner}, name: v.name}
	}},
	{"into an object", func(v, _ *value) {
		inner := *v
		inner.name = "value"
		*v = value{bracket: '{', kids: []*value{&inner}, name: v.name}
	}},
	{"out of its brackets", func(v, _ *value) {
		if len(v.kids) == 1 {
			inner := *v.kids[0]
			inner.name = v.name
			*v = inner
		}
	}},
	{"by index", func(v, _ *value) {
		if v.bracket == '[' {
			v.bracket = '{'
			for i, kid := range v.kids {
				kid.name = fmt.Sprint(i)
			}
		}
	}},
	{"twice, emptied", func(v, parent *value) {
		parent.kids = append(parent.kids, &value{scalar: "null", name: v.name})
	}},
	{"fail", func(v, _ *value) {
		if v.bracket == '{' {
			v.kids = append(v.kids, &value{bracket: '[', name: "Errors", kids: []*value{{scalar: `"1002"`}}})
		}
	}},
	{"not completed", func(v, _ *value) {
		if v.bracket == '{' {
			v.kids = append(v.kids, &value{scalar: `"FAILED"`, name: "serviceStatus"})
		}
	}},
}

// spoil spoils one part of a profile, and says which.
func spoil(root *value, part, how int) string {
	all, parents := root.below()
	if len(all) == 0 {
		return "nothing left"
	}
	part %= len(all)
	s := spoilings[how%len(spoilings)]
	text := s.name + " " + all[part].name
	s.spoil(all[part], parents[part])
	return text
}

// assertNotClear asks a spoiled profile.
func assertNotClear(t testing.TB, profile string, done ...string) {
	t.Helper()
	assertNoneClear(t, trulioo.Profile{Raw: json.RawMessage(profile)}, profile, done)
}

// assertNotClearDecoded asks a spoiled profile after it was decoded.
func assertNotClearDecoded(t testing.TB, profile string, done ...string) {
	t.Helper()
	var decoded trulioo.Profile
	if json.Unmarshal([]byte(profile), &decoded) == nil {
		decoded.Raw = nil
		assertNoneClear(t, decoded, profile, done)
	}
}

func assertNoneClear(t testing.TB, p trulioo.Profile, profile string, done []string) {
	t.Helper()
	for _, s := range p.Screenings() {
		if s.Outcome == trulioo.ScreeningClear {
			require.Fail(t, "clear", "%v: %s", done, profile)
		}
	}
}

// clone copies a value, so that it can be spoiled.
func (v *value) clone() *value {
	copied := *v
	copied.kids = make([]*value, len(v.kids))
	for i, kid := range v.kids {
		copied.kids[i] = kid.clone()
	}
	return &copied
}

// No part of a hit's profile can be taken away, emptied, renamed or packed, and
// no pair of parts, so that the person becomes clear.
func TestNoSpoiledHitIsEverClear(t *testing.T) {
	t.Parallel()
	for i, profile := range hitProfiles(t) {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			assertNotClear(t, profile)
			whole := parseValue(t, profile)
			all, _ := whole.below()
			if len(profile) > 4000 {
				all = nil // the live sample is the second profile with more of everything around it: drawn only
			}
			for part := range all {
				for how := range spoilings {
					root := whole.clone()
					done := spoil(root, part, how)
					assertNotClear(t, root.String(), done)
				}
			}
			rng := rand.New(rand.NewPCG(9, uint64(i))) //nolint:gosec // repeatable, and an index is not negative
			for range 300 {
				root, done := whole.clone(), []string(nil)
				for range 2 + rng.IntN(6) {
					done = append(done, spoil(root, rng.IntN(1<<16), rng.IntN(1<<16)))
				}
				assertNotClear(t, root.String(), done...)
				assertNotClearDecoded(t, root.String(), done...)
			}
		})
	}
}

// FuzzSpoiledHit lets the fuzzer choose what is spoiled: a profile, then pairs of
// a part and a way.
func FuzzSpoiledHit(f *testing.F) {
	profiles := hitProfiles(f)
	for i := range profiles {
		f.Add([]byte{byte(i), 3, 0, 5, 1, 9, 12})
	}
	f.Fuzz(func(t *testing.T, how []byte) {
		if len(how) == 0 || len(how) > 64 {
			return
		}
		root, done := parseValue(t, profiles[int(how[0])%len(profiles)]), []string(nil)
		for pair := range slices.Chunk(how[1:], 3) {
			if len(pair) == 3 && len(root.String()) < 1<<16 { // packed in strings again and again it is gigabytes
				done = append(done, spoil(root, int(pair[0])<<8|int(pair[1]), int(pair[2])))
			}
		}
		if text := root.String(); len(text) < 1<<20 {
			assertNotClear(t, text, done...)
			assertNotClearDecoded(t, text, done...)
		}
	})
}

// FuzzScreenings checks for any bytes that the rules hold that callers rely on.
func FuzzScreenings(f *testing.F) {
	for _, profile := range hitProfiles(f) {
		f.Add([]byte(profile))
	}
	for _, name := range []string{"profile.json", "profile_awkward.json", "vendor/client.json", "live/watchlist-clear.json", "live/test-environment.json"} {
		f.Add(testdata(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := trulioo.Profile{Raw: bytes.Clone(data)}
		complete, hits := true, 0
		for _, s := range p.Screenings() {
			hits += len(s.Hits)
			complete = complete && s.Complete
			assert.Equal(t, s.Complete, s.Outcome != trulioo.ScreeningUnknown && s.Why == "")
			if s.Outcome == trulioo.ScreeningClear {
				assert.True(t, s.Complete)
				assert.Empty(t, s.Hits)
				assert.Zero(t, s.Announced.Watchlist+s.Announced.AdverseMedia+s.Announced.PEP)
			}
			for _, hit := range s.Hits {
				require.True(t, json.Valid(hit.Raw))
				_ = hit.Text()
			}
		}
		listed, err := p.WatchlistHits()
		assert.Len(t, listed, hits)
		assert.Equal(t, complete, err == nil, "this profile has no decoded checks that could lack details")
	})
}
