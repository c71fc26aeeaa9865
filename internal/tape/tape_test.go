package tape

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCanonicalForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"names sorted, space dropped", " {\"b\" : 1,\n\"a\":[ 2 , 3 ]} ", `{"a":[2,3],"b":1}`},
		{"numbers verbatim", `[1,1.0,1e0,-0,12345678901234567890]`, `[1,1.0,1e0,-0,12345678901234567890]`},
		{"strings with the fewest escapes", `["\u0041\/\n\u0022\\\u00e9"]`, "[\"A/\\u000a\\\"\\\\é\"]"},
		{"a surrogate pair", `["\ud83d\ude00"]`, `["😀"]`},
		{"every short escape", `["\b\f\n\r\t\/\"\\"]`, `["\u0008\u000c\u000a\u000d\u0009/\"\\"]`},
		{"hex digits of either case", `["\u00C9\u00eF\uD83D\uDE00"]`, `["Éï😀"]`},
		{"one string", `"é"`, `"é"`},
		{"the first byte beyond ASCII, alone", "[\"\x80\"]", `["�"]`},
		{"names with escapes that stay", `{"b":1,"a\n":2}`, `{"a\u000a":2,"b":1}`},
		{"half a surrogate pair", `["\ud83d","\ud83dx","\ude00\ud83d"]`, `["�","�x","��"]`},
		{"bytes that are not UTF-8", "[\"a\xffb\"]", `["a�b"]`},
		{"escaped names sort by what they mean", `{"b":1,"\u0061":2}`, `{"a":2,"b":1}`},
		{"names twice stay in their order", `{"b":2,"a":3,"b":1}`, `{"a":3,"b":2,"b":1}`},
		{"nested", `{"z":{"y":{"b":1,"a":null}},"x":{}}`, `{"x":{},"z":{"y":{"a":null,"b":1}}}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, err := Read(slices.Clip([]byte(tc.in))) // nothing beyond it is read
			require.NoError(t, err)
			defer d.Free()
			assert.Equal(t, tc.want, string(d.Root().AppendCanonical(nil)))
		})
	}
}

func TestAppendCanonicalOmitsAtTheTopOnly(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(`{"retry":1,"\u0074oken":"x","a":{"retry":1},"Token":2}`))
	require.NoError(t, err)
	defer d.Free()
	assert.Equal(t, `{"Token":2,"a":{"retry":1}}`, string(d.Root().AppendCanonical(nil, "retry", "token"))) //nolint:testifylint // the very bytes
}

func TestDigestIsThatOfTheCanonicalForm(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(`{ "retry":1, "b":2, "a":1.0 }`))
	require.NoError(t, err)
	defer d.Free()
	sum := sha256.Sum256([]byte(`{"a":1.0,"b":2}`))
	for range 2 {
		assert.Equal(t, hex.EncodeToString(sum[:]), d.Root().Digest("retry", "token"))
	}
}

func TestAppendWithout(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(`{"b": 1.0 , "\u0074oken":"x","a":{"token": 1}}`))
	require.NoError(t, err)
	defer d.Free()
	assert.Equal(t, `{"b":1.0,"a":{"token": 1}}`, string(d.Root().AppendWithout(nil, "token"))) //nolint:testifylint // the very bytes
}

func TestAt(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(`{"a":[{"b":"x"},7],"A":0,"c":1,"c":2}`))
	require.NoError(t, err)
	defer d.Free()
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
		v, ok := d.Root(), true
		for _, step := range tc.path {
			if v, ok = v.At(step); !ok {
				break
			}
		}
		assert.Equal(t, tc.want != "", ok, "%q", tc.path)
		if ok {
			assert.Equal(t, tc.want, string(v.Raw()))
		}
	}
}

func TestRepeats(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		`{"a":1,"b":2}`: false, `{"a":1,"b":2,"a":3}`: true, `{"a":1,"\u0061":2}`: true,
		`{"a":{"b":1,"b":2}}`: false, `[1,1]`: false, `{}`: false, `{"a":1,"A":2}`: false,
	} {
		d, err := Read([]byte(in))
		require.NoError(t, err)
		assert.Equal(t, want, d.Root().Repeats(), in)
		d.Free()
	}
}

// Every cut of a document is refused, whatever it cuts through, and nothing
// beyond the cut is read.
func TestReadRefusesEveryCut(t *testing.T) {
	t.Parallel()
	const whole = `{"a":["é\n\u00e9\ud83d\ude00",-1.5e+3,0,true,false,null,{},[]],"b":{"c":""}}`
	d, err := Read([]byte(whole))
	require.NoError(t, err)
	d.Free()
	for end := range len(whole) {
		_, err := Read(slices.Clip([]byte(whole)[:end]))
		require.ErrorIs(t, err, ErrSyntax, "%q", whole[:end])
	}
	for _, word := range []string{"tru", "nul", "falsy", `"a`, `"\`, `"\u00e`, `"\u00eg"`, "-", "1.", "1e", "01", "1 2"} {
		_, err := Read([]byte(word))
		require.ErrorIs(t, err, ErrSyntax, "%q", word)
	}
}

func TestDepth(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{1, 5_000, maxDepth, maxDepth + 1, maxDepth + 2, 1_000_000} {
		for _, in := range []string{
			strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"b":0,"a":`, depth) + "1" + strings.Repeat("}", depth),
		} {
			d, err := Read([]byte(in))
			assert.Equal(t, json.Valid([]byte(in)), err == nil, "depth %d", depth)
			if err == nil {
				assert.NotEmpty(t, d.Root().AppendCanonical(nil))
				d.Free()
			}
		}
	}
}

// FuzzCanonical holds the tape against encoding/json: the same documents are
// valid, and the canonical form is that of a slow and plain writer.
func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, ` {"b":[1,-0.5e+7,"\u00e9\ud83d\ude00\n"],"a":{"x":true,"x":false}} `,
		`{"a":1,}`, `[1 2]`, `01`, `1.`, `-`, `"\x"`, "\"\xff\"", "\"\n\"", `{"\u0062":1,"a":2}`, `[nul]`, "\ufeff{}", `"\ud800\u0041"`, `{"a" 1}`, `""""`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := Read(in)
		require.Equal(t, json.Valid(in), err == nil)
		if err != nil {
			return
		}
		defer d.Free()
		got := d.Root().AppendCanonical(nil)
		require.Equal(t, slow(t, in), string(got))
		again, err := Read(got)
		require.NoError(t, err)
		defer again.Free()
		require.Equal(t, string(got), string(again.Root().AppendCanonical(nil)))
		require.Empty(t, d.order)
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
		slices.SortStableFunc(parts, func(a, b member) int { return strings.Compare(a.name, b.name) })
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
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + b.String() + `"`
}

func BenchmarkReadAndCanonical(b *testing.B) {
	in := []byte(`{"id":"x","event":{"type":"FLOW_END","ts":1718011363},"form":{` + strings.Repeat(`"zName":"some value of it","aName":12345,`, 45) + `"last":[1,2,3]}}`)
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		d, err := Read(in)
		require.NoError(b, err)
		dst = d.Root().AppendCanonical(dst[:0])
		d.Free()
	}
}
