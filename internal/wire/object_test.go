package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func digestOf(canonical string) string {
	sum := sha256.Sum256([]byte(canonical))
	return hex.EncodeToString(sum[:])
}

// Digest is that of all members.
func Digest(object []byte) string {
	digest, _ := UniqueMembers(object, all)
	return digest
}

func all(_, _, _ []byte) bool { return true }

// Unique is UniqueMembers as Members is.
func Unique(data []byte, member func(quoted, name, value []byte)) error {
	_, err := UniqueMembers(data, func(quoted, name, value []byte) bool { member(quoted, name, value); return true })
	return err
}

func TestDigestIsThatOfTheCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"names sorted, space dropped", " {\"b\" : 1,\n\"a\":[ 2 , 3 ]} ", `{"a":[2,3],"b":1}`},
		{"numbers verbatim", `{"n":[1,1.0,1e0,-0,12345678901234567890]}`, `{"n":[1,1.0,1e0,-0,12345678901234567890]}`},
		{"strings with the fewest escapes", `{"s":"\u0041\/\n\u0022\\\u00e9"}`, `{"s":"A/\n\"\\é"}`},
		{"every short escape", `{"s":"\b\f\n\r\t\/\"\\\u001f\u007f"}`, `{"s":"\b\f\n\r\t/\"\\\u001f` + "\x7f" + `"}`},
		{"a surrogate pair, hex digits of either case", `{"s":"\ud83d\uDE00\u00C9\u00eF"}`, `{"s":"😀Éï"}`},
		{"half a surrogate pair", `{"s":["\ud83d","\ud83dx","\ude00\ud83d"]}`, `{"s":["�","�x","��"]}`},
		{"bytes that are not UTF-8", "{\"s\":\"a\xffb\"}", `{"s":"a�b"}`},
		{"escaped names sort by what they mean", `{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
		{"names sort by UTF-16", `{"ﬀ":1,"😀":2}`, `{"😀":2,"ﬀ":1}`},
		{"nested", `{"z":{"y":{"b":1,"a":null}},"x":{}}`, `{"x":{},"z":{"y":{"a":null,"b":1}}}`},
	} {
		assert.Equal(t, digestOf(tc.want), Digest([]byte(tc.in)), tc.name)
	}
}

// Objects that are too large to be moved at once are in order too, whatever they hold and
// wherever the left-out members are.
func TestDigestOfLargeObjects(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var object func(depth int) string
	object = func(depth int) string {
		members := make([]string, 1+random.IntN(6))
		for i, n := range random.Perm(len(members)) {
			value := fmt.Sprintf(`"%s\u0041"`, strings.Repeat("x", random.IntN(little)))
			switch {
			case depth > 0 && i%3 == 0:
				value = object(depth - 1)
			case depth > 0 && i%3 == 1:
				value = `[ 1, ` + object(depth-1) + `,` + object(depth-1) + `]`
			}
			members[i] = fmt.Sprintf(`"\u006e%d" : %s`, n, value)
		}
		return `{` + strings.Join(members, ", ") + `}`
	}
	for range 30 {
		in := []byte(object(3))
		want := slow(t, in)
		require.Equal(t, digestOf(want), Digest(in))
		left := fmt.Sprintf("n%d", random.IntN(6))
		digest, err := UniqueMembers(in, func(_, name, _ []byte) bool { return string(name) != left })
		require.NoError(t, err)
		require.Equal(t, Digest([]byte(without(t, want, left))), digest)
	}
}

// without is a canonical object without a member.
func without(t *testing.T, canonical, left string) string {
	t.Helper()
	var members []string
	require.NoError(t, Members([]byte(canonical), func(quoted, name, value []byte) {
		if string(name) != left {
			members = append(members, string(quoted)+":"+string(value))
		}
	}))
	return "{" + strings.Join(members, ",") + "}"
}

func TestMembers(t *testing.T) {
	t.Parallel()
	read := func(data string, of func([]byte, func(quoted, name, value []byte)) error) (string, error) {
		var b strings.Builder
		err := of([]byte(data), func(quoted, name, value []byte) { fmt.Fprintf(&b, "%s=%s=%s;", quoted, name, value) })
		return b.String(), err
	}
	for in, want := range map[string]string{
		"\ufeff {\"b\": 1.0 , \"\\u0074oken\":\"x\",\"a\":{\"a\": [1]}} ": `"b"=b=1.0;"\u0074oken"=token="x";"a"=a={"a": [1]};`,
		`{}`:            ``,
		`{"a":1,"A":2}`: `"a"=a=1;"A"=A=2;`,
	} {
		for _, of := range []func([]byte, func(quoted, name, value []byte)) error{Members, Unique} {
			got, err := read(in, of)
			require.NoError(t, err, in)
			assert.Equal(t, want, got)
		}
	}
	for _, in := range []string{`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"b":[{"a":{},"c":0,"a":1}]}`} {
		_, err := read(in, Members)
		require.NoError(t, err, in)
		_, err = read(in, Unique)
		require.EqualError(t, err, reasonTwice, in)
	}
	for in, want := range map[string]string{
		`[1]`: reasonObject, `null`: reasonObject, `"x"`: reasonObject, ``: reasonCutOff, `[1`: reasonCutOff, `{"a":`: reasonCutOff,
		`{"a":1,}`: reasonInvalid, `{} {}`: reasonInvalid, `{"a":1}x`: reasonInvalid, `<html>`: reasonInvalid,
	} {
		_, err := read(in, Members)
		require.EqualError(t, err, want, in)
		_, err = read(in, Unique)
		require.EqualError(t, err, want, in)
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		path []string
		want string
	}{
		{nil, `{"a":[{"b":"x"},7],"A":0,"c":1,"c":2}`},
		{[]string{"a", "0", "b"}, `"x"`},
		{[]string{"a", "1"}, `7`},
		{[]string{"A"}, `0`},
		{[]string{"c"}, `2`},
		{[]string{"a", "2"}, ``},
		{[]string{"a", "+1"}, ``},
		{[]string{"a", "-1"}, ``},
		{[]string{"a", "1", "x"}, ``},
		{[]string{"C"}, ``},
	} {
		raw, ok := []byte(`{"a":[{"b":"x"},7],"A":0,"c":1,"c":2}`), true
		for _, step := range tc.path {
			if raw, ok = At(raw, step); !ok {
				break
			}
		}
		assert.Equal(t, tc.want != "", ok, "%q", tc.path)
		if ok {
			assert.Equal(t, tc.want, string(raw))
		}
	}
}

// Every cut of an object is refused, whatever it cuts through, and nothing
// beyond the cut is read.
func TestMembersRefuseEveryCut(t *testing.T) {
	t.Parallel()
	const whole = `{"a":["é\n\u00e9\ud83d\ude00",-1.5e+3,0,true,false,null,{},[]],"b":{"c":""}}`
	nothing := func(_, _, _ []byte) {}
	require.NoError(t, Unique([]byte(whole), nothing))
	for end := range len(whole) {
		err := Unique(slices.Clip([]byte(whole)[:end]), nothing)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", whole[:end])
	}
	for _, word := range []string{"tru", "nul", "falsy", `"a`, `"\`, `"\u00e`, `"\u00eg"`, "-", "1.", "1e", "01", "1 2"} {
		require.Error(t, Unique([]byte(`{"a":`+word+`}`), nothing), "%q", word)
	}
}

// The grammar is that of encoding/json, depth included.
func TestMembersDepth(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{1, 5_000, 9_999, 10_000, 10_001, 1_000_000} {
		for _, in := range []string{
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth),
			`{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`,
		} {
			err := Unique([]byte(in), func(_, _, _ []byte) {})
			assert.Equal(t, json.Valid([]byte(in)), err == nil, "depth %d", depth)
		}
	}
}

// FuzzDigest holds the reading of objects and their canonical form against
// encoding/json and a slow and plain writer.
func FuzzDigest(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ` {"b":[1,-0.5e+7,"\u00e9\ud83d\ude00\n"],"a":{"x":true,"y":false}} `, `{"x":1,"x":2}`,
		`{"a":1,}`, `{"a":[1 2]}`, `{"a":01}`, `{"a":"\x"}`, "{\"a\":\"\xff\"}", "{\"\n\":0}", `{"\u0062":1,"a":2}`, "\ufeff{}", `{"\ud800\u0041":"😀"}`, `{"a" 1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		body := TrimBOM(in)
		err := Unique(in, func(_, _, _ []byte) {})
		isObject := json.Valid(body) && bytes.TrimSpace(body)[0] == '{'
		if err != nil {
			if isObject && err.Error() != reasonTwice && err.Error() != reasonMany {
				t.Fatalf("an object was refused: %v", err)
			}
			return
		}
		require.True(t, isObject)
		want := slow(t, body)
		require.Equal(t, digestOf(want), Digest(body))
		require.Equal(t, digestOf(want), Digest([]byte(want)))
	})
}

// slow writes the canonical form by way of json.Decoder's tokens.
func slow(t *testing.T, in []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(in))
	dec.UseNumber()
	out := slowValue(t, dec)
	_, err := dec.Token()
	require.ErrorIs(t, err, io.EOF)
	return out
}

func slowValue(t *testing.T, dec *json.Decoder) string {
	t.Helper()
	token, err := dec.Token()
	require.NoError(t, err)
	switch token := token.(type) {
	case json.Delim:
		type member struct{ name, text string }
		var parts []member
		for dec.More() {
			var m member
			if token == '{' {
				name, err := dec.Token()
				require.NoError(t, err)
				m = member{name.(string), slowText(name.(string)) + ":"}
			}
			m.text += slowValue(t, dec)
			parts = append(parts, m)
		}
		end, err := dec.Token()
		require.NoError(t, err)
		if token == '{' {
			slices.SortStableFunc(parts, func(a, b member) int {
				return slices.Compare(utf16.Encode([]rune(a.name)), utf16.Encode([]rune(b.name)))
			})
		}
		texts := make([]string, len(parts))
		for i, p := range parts {
			texts[i] = p.text
		}
		return token.String() + strings.Join(texts, ",") + end.(json.Delim).String()
	case string:
		return slowText(token)
	case nil:
		return "null"
	default:
		return fmt.Sprint(token)
	}
}

func slowText(s string) string {
	short := map[rune]string{'"': `\"`, '\\': `\\`, '\b': `\b`, '\f': `\f`, '\n': `\n`, '\r': `\r`, '\t': `\t`}
	var b strings.Builder
	for _, r := range s {
		switch {
		case short[r] != "":
			b.WriteString(short[r])
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}
