package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type document struct {
	ID    string           `json:"id"`
	Count int              `json:"count"`
	Small uint8            `json:"small"`
	Score float64          `json:"score"`
	Done  bool             `json:"done"`
	Match *bool            `json:"match"`
	Tags  []string         `json:"tags"`
	Rows  []row            `json:"rows"`
	ByID  map[string]row   `json:"byId"`
	Loose map[string][]int `json:"loose"`
	Raw   json.RawMessage  `json:"raw"`
	Any   any              `json:"any"`
	Own   leaf             `json:"own"`
	Skip  string           `json:"-"`
	Plain string
	Bytes []byte `json:"bytes"`
}

type row struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
	Next *row   `json:"next"`
}

// leaf has an UnmarshalJSON of its own that fails on anything but a string.
type leaf struct{ text string }

func (l *leaf) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, &l.text) }

func TestUnmarshalShapes(t *testing.T) {
	t.Parallel()
	yes := true
	tests := map[string]struct {
		in   string
		want document
	}{
		"fits":                            {`{"id":"a","count":1}`, document{ID: "a", Count: 1}},
		"number for string":               {`{"id":12345678901234567890}`, document{ID: "12345678901234567890"}},
		"decimal for string":              {`{"id":1.50}`, document{ID: "1.50"}},
		"boolean for string":              {`{"id":true}`, document{ID: "true"}},
		"object for string":               {`{"id":{"a":1},"count":2}`, document{Count: 2}},
		"string for integer":              {`{"count":" 42 "}`, document{Count: 42}},
		"1.0 for integer":                 {`{"count":1.0}`, document{Count: 1}},
		"1e3 for integer":                 {`{"count":1e3}`, document{Count: 1000}},
		"1.5 for integer":                 {`{"count":1.5,"id":"a"}`, document{ID: "a"}},
		"1e999 for integer":               {`{"count":1e999,"id":"a"}`, document{ID: "a"}},
		"too big for the integer":         {`{"small":256,"id":"a"}`, document{ID: "a"}},
		"2^63 for integer":                {`{"count":9223372036854775808.0,"id":"a"}`, document{ID: "a"}},
		"-2^63 for integer":               {`{"count":-9223372036854775808.0,"id":"a"}`, document{ID: "a"}},
		"empty string for map":            {`{"byId":"","id":"a"}`, document{ID: "a"}},
		"blank string for slice":          {`{"rows":" ","id":"a"}`, document{ID: "a"}},
		"no array in a string":            {`{"rows":"[","id":"a"}`, document{ID: "a"}},
		"bytes in base64":                 {`{"count":"1","bytes":"aGk="}`, document{Count: 1, Bytes: []byte("hi")}},
		"number for bytes":                {`{"bytes":[1.5],"id":"a"}`, document{ID: "a"}},
		"empty string for integer":        {`{"count":"","id":"a"}`, document{ID: "a"}},
		"words for integer":               {`{"count":"many","id":"a"}`, document{ID: "a"}},
		"string for float":                {`{"score":"0.5"}`, document{Score: 0.5}},
		"string for boolean":              {`{"done":"True"}`, document{Done: true}},
		"1 for boolean":                   {`{"done":1}`, document{Done: true}},
		"0 for a pointer":                 {`{"match":"x","done":1}`, document{Done: true}},
		"string for pointer":              {`{"match":"true"}`, document{Match: &yes}},
		"scalar for slice":                {`{"tags":"a"}`, document{Tags: []string{"a"}}},
		"number for slice":                {`{"tags":7}`, document{Tags: []string{"7"}}},
		"mixed slice":                     {`{"tags":["a",1,null,{"b":2}]}`, document{Tags: []string{"a", "1", "", ""}}},
		"object for slice":                {`{"rows":{"name":"x"}}`, document{Rows: []row{{Name: "x"}}}},
		"scalar for slice of struct":      {`{"rows":"x","id":"a"}`, document{ID: "a"}},
		"array for map":                   {`{"byId":[],"id":"a"}`, document{ID: "a"}},
		"scalar for map":                  {`{"byId":3,"id":"a"}`, document{ID: "a"}},
		"array for struct":                {`{"byId":{"k":[]}}`, document{ByID: map[string]row{"k": {}}}},
		"deep":                            {`{"byId":{"k":{"n":"9","next":{"n":2.0}}}}`, document{ByID: map[string]row{"k": {N: 9, Next: &row{N: 2}}}}},
		"map of slices":                   {`{"loose":{"a":"1","b":[2.0]}}`, document{Loose: map[string][]int{"a": {1}, "b": {2}}}},
		"object in a string":              {`{"byId":"{\"k\":{\"n\":1}}"}`, document{ByID: map[string]row{"k": {N: 1}}}},
		"array in a string":               {`{"rows":"[{\"n\":\"1\"}]"}`, document{Rows: []row{{N: 1}}}},
		"answer like an array":            {`{"tags":"[\"a\"]"}`, document{Tags: []string{`["a"]`}}},
		"own decoder fails":               {`{"own":5,"id":"a"}`, document{ID: "a"}},
		"own decoder":                     {`{"own":"x","count":"1"}`, document{Own: leaf{"x"}, Count: 1}},
		"nulls":                           {`{"id":null,"tags":null,"byId":null,"count":"5"}`, document{Count: 5}},
		"untagged":                        {`{"plain":1}`, document{Plain: "1"}},
		"byte order mark":                 {"\xef\xbb\xbf" + `{"id":"a"}`, document{ID: "a"}},
		"raw stays as it is":              {`{"count":"1","raw":{ "a" : "<&>" , "n":9007199254740993.0 }}`, document{Count: 1, Raw: json.RawMessage(`{ "a" : "<&>" , "n":9007199254740993.0 }`)}},
		"any":                             {`{"count":"1","any":[1]}`, document{Count: 1, Any: []any{1.0}}},
		"exact name, then another case":   {`{"id":"exact","ID":"other"}`, document{ID: "exact"}},
		"another case, then exact name":   {`{"ID":"other","id":"exact"}`, document{ID: "exact"}},
		"exact name between others":       {`{"Id":"a","id":"exact","ID":"b"}`, document{ID: "exact"}},
		"exact name is null":              {`{"ID":"other","id":null}`, document{}},
		"exact name does not fit":         {`{"ID":"other","id":{}}`, document{}},
		"other cases only: the first":     {`{"ID":"first","Id":"second","count":"1"}`, document{ID: "first", Count: 1}},
		"another case alone":              {`{"BYID":{"k":{"N":1}}}`, document{ByID: map[string]row{"k": {N: 1}}}},
		"escaped name is the exact one":   {`{"ID":"other","\u0069d":"exact"}`, document{ID: "exact"}},
		"exact name twice: the last":      {`{"id":"a","id":"b"}`, document{ID: "b"}},
		"exact map twice: not merged":     {`{"byId":{"a":{"n":1}},"byId":{"b":{"n":2}}}`, document{ByID: map[string]row{"b": {N: 2}}}},
		"element twice: not merged":       {`{"byId":{"a":{"n":1},"a":{"name":"x"}}}`, document{ByID: map[string]row{"a": {Name: "x"}}}},
		"exact struct over another case":  {`{"byId":{"k":{"NEXT":{"n":1},"next":{"name":"x"}}}}`, document{ByID: map[string]row{"k": {Next: &row{Name: "x"}}}}},
		"names of elements keep the case": {`{"byId":{"a":{},"A":{"n":1}}}`, document{ByID: map[string]row{"a": {}, "A": {N: 1}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got document
			require.NoError(t, Unmarshal([]byte(test.in), &got))
			assert.Equal(t, test.want, got)
		})
	}
}

// Types that contain themselves end where the document does.
func TestTypesThatContainThemselves(t *testing.T) {
	t.Parallel()
	type tree struct {
		N     int    `json:"n"`
		Nodes []tree `json:"nodes"`
		Next  *tree  `json:"next"`
	}
	for _, level := range []string{`{"nodes":[%]}`, `{"next":%}`} {
		in := "%"
		for range 200 {
			in = strings.Replace(in, "%", level, 1)
		}
		var got tree
		in = `{"n":"7",` + strings.TrimPrefix(strings.Replace(in, "%", "{}", 1), "{")
		require.NoError(t, Unmarshal([]byte(in), &got))
		assert.Equal(t, 7, got.N)
		levels := 0
		for at := &got; at != nil; levels++ {
			if len(at.Nodes) > 0 {
				at = &at.Nodes[0]
			} else {
				at = at.Next
			}
		}
		assert.Equal(t, 201, levels, level)
	}
}

func TestUnmarshalErrors(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		in   string
		want Error
	}{
		"empty":                {``, Error{Reason: reasonCutOff, Err: io.ErrUnexpectedEOF}},
		"white space":          {" \n", Error{Reason: reasonCutOff, Err: io.ErrUnexpectedEOF}},
		"null":                 {` null `, Error{Reason: reasonNull}},
		"scalar":               {`5`, Error{Reason: reasonKind}},
		"array":                {`[]`, Error{Reason: reasonKind}},
		"trailing bytes":       {`{"id":"a"} x`, Error{Reason: reasonInvalid}},
		"two values":           {`{"id":"a"}{}`, Error{Reason: reasonInvalid}},
		"page of HTML":         {`<html>`, Error{Reason: reasonInvalid}},
		"cut in a value":       {`{"byId":{"secret":{"name":"Zo`, Error{"byId.*.name", reasonCutOff, io.ErrUnexpectedEOF}},
		"cut in an array":      {`{"rows":[{},{},{"name":"x`, Error{"rows[2].name", reasonCutOff, io.ErrUnexpectedEOF}},
		"cut after a name":     {`{"rows":[{"n":`, Error{"rows[0].n", reasonCutOff, io.ErrUnexpectedEOF}},
		"cut in a literal":     {`{"rows":[{"n":tr`, Error{"rows[0].n", reasonCutOff, io.ErrUnexpectedEOF}},
		"wrong in a value":     {`{"id":"a","count":+}`, Error{"count", reasonInvalid, nil}},
		"wrong after a value":  {`{"rows":[{"n":1},}]}`, Error{"rows", reasonInvalid, nil}},
		"name is not ours":     {`{"zoe@example.com":{"id":tru}}`, Error{"*.*", reasonInvalid, nil}},
		"below an unknown one": {`{"any":{"id":tru}}`, Error{"any.*", reasonInvalid, nil}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := document{ID: "kept?"}
			var wrong *Error
			require.ErrorAs(t, Unmarshal([]byte(test.in), &got), &wrong)
			assert.Equal(t, test.want, *wrong)
			if test.want.Reason != reasonNull {
				assert.Zero(t, got)
			}
		})
	}
}

// Every cut of a document but one at the end of it is noticed, and told from
// other damage: the transport asks again after a cut.
func TestUnmarshalNoticesEveryCut(t *testing.T) {
	t.Parallel()
	whole := `{"id":"a\u00e9","count":-1.5e3,"done":true,"rows":[{"name":"ü"},null],"byId":{"k":{"n":1}}}`
	for i := range whole {
		var wrong *Error
		err := Unmarshal([]byte(whole[:i]), new(document))
		require.ErrorAs(t, err, &wrong, "cut at %d", i)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "cut at %d", i)
	}
}

// A list over the bound is an error, packed in a string too: read as absent it would
// hide what is in it.
func TestTooManyElementsAreAnErrorHoweverPacked(t *testing.T) {
	t.Parallel()
	rows := "[" + strings.Repeat("{},", 20_000) + "{}]"
	packed := strconv.Quote(rows)
	var members strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `"%d":{},`, i)
	}
	object := `{` + members.String() + `"z":{}}`
	for name, in := range map[string]string{
		"plain":           `{"rows":` + rows + `}`,
		"packed":          `{"rows":` + packed + `}`,
		"packed, then id": `{"rows":` + packed + `,"id":"a"}`,
		"a map":           `{"byId":` + object + `}`,
		"a packed map":    `{"byId":` + strconv.Quote(object) + `}`,
		"below a map":     `{"byId":{"a":{"rows":` + packed + `}}}`,
	} {
		var got nested
		require.ErrorIs(t, Unmarshal([]byte(in), &got), ErrMany, name)
		assert.Zero(t, got, name)
	}
}

// nested has rows that take much more than their text.
type nested struct {
	ID   string            `json:"id"`
	Rows []wide            `json:"rows"`
	ByID map[string]nested `json:"byId"`
}

type wide struct{ A, B, C, D, E, F, G, H string }

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`"a\u00e9\n"`: "aé\n", `"é"`: "é", "\"a\xffb\"": "a\ufffdb", ` 1.50 `: "1.50", `false`: "false",
		`null`: "", `{}`: "", `["a"]`: "", ``: "", `"`: "", `"a`: "", `"\x"`: "",
	} {
		assert.Equal(t, want, Text([]byte(in)), in)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.NoError(t, Check([]byte("\xef\xbb\xbf [1] ")))
	for _, in := range []string{"", "null", "[1", "[1] 2", "{]"} {
		require.ErrorAs(t, Check([]byte(in)), new(*Error), in)
	}
}

// UnmarshalJSON on nested types scans a document again at each level: a trap
// that turned 23 ms into 10.9 s. The walk is beside the type, so depth where
// the type has none costs one scan, in what is skipped and in what is shaped.
//
//nolint:paralleltest // AllocsPerRun counts what all tests allocate.
func TestDeepDocumentsCostLittle(t *testing.T) {
	deep := strings.Repeat(`{"next":`, 5000) + "1" + strings.Repeat("}", 5000)
	for name, in := range map[string]string{
		"unknown":   `{"count":"1","x":` + deep + `}`,
		"raw":       `{"count":"1","raw":` + deep + `}`,
		"recursive": `{"count":"1","rows":[` + deep + `]}`,
	} {
		allocations := testing.AllocsPerRun(1, func() {
			var got document
			require.NoError(t, Unmarshal([]byte(in), &got))
			assert.Equal(t, 1, got.Count)
		})
		assert.Less(t, allocations, 12_000.0, name)
	}
	var wrong *Error
	require.ErrorAs(t, Unmarshal([]byte(strings.Repeat(`[`, 1_000_000)), new(document)), &wrong)
	assert.LessOrEqual(t, len(wrong.Path), 100)
}

func FuzzUnmarshal(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"count":"2","rows":[{"name":"x","n":"1e3"}],"byId":{"k":[]},"tags":"t"}`,
		`{"rows":"[{}]","byId":"{}","match":"0","any":{},"own":{},"raw":"<"}`, `null`, `{"id":"`, "\xef\xbb\xbf{}", `{"ID":"\ud800","Id":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var got, plain document
		err := Unmarshal(data, &got)
		body := TrimBOM(data)
		trimmed := bytes.TrimSpace(body)
		if object := json.Valid(body) && trimmed[0] == '{'; object && err != nil && !errors.Is(err, ErrMany) {
			t.Fatalf("an object was lost: %v", err)
		} else if !json.Valid(body) && err == nil {
			t.Fatal("no JSON, and no error")
		}
		if json.Unmarshal(body, &plain) == nil && string(trimmed) != "null" && err == nil && unambiguous(body) {
			assert.Equal(t, plain, got)
		}
		if err == nil {
			return
		}
		var wrong *Error
		require.ErrorAs(t, err, &wrong)
		names := strings.NewReplacer("id", "", "count", "", "small", "", "score", "", "done", "", "match", "", "tags", "",
			"rows", "", "byId", "", "loose", "", "raw", "", "any", "", "own", "", "Plain", "", "name", "", "next", "", "n", "")
		assert.Empty(t, strings.Trim(names.Replace(wrong.Path), ".*[]0123456789"), wrong.Path)
	})
}

// unambiguous reports whether no object has a name twice, in any case: of two
// encoding/json takes the last, and merges.
func unambiguous(data []byte) bool {
	canonical := jsontext.Value(slices.Clone(data))
	if canonical.Canonicalize(jsontext.AllowInvalidUTF8(true), jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)) != nil {
		return false
	}
	folded := bytes.ReplaceAll(bytes.ToLower(canonical), []byte("ſ"), []byte("s"))
	return jsontext.Value(folded).IsValid(jsontext.AllowInvalidUTF8(true))
}
