package wire

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	packed := func(value string, times int) string {
		for range times {
			value = strconv.Quote(value)
		}
		return value
	}
	for in, want := range map[string]string{
		` {"a": 1} `:              `{"a": 1}`,
		packed(`{"a":1}`, 1):      `{"a":1}`,
		packed(` [1] `, 2):        `[1]`,
		packed(`{}`, 4):           `{}`,
		packed(`{}`, 5):           packed(`{}`, 1), // deep enough
		`"words"`:                 `"words"`,
		`"42"`:                    `42`,
		`"{\"a\":"`:               `"{\"a\":"`,
		`"\x"`:                    `"\x"`,
		`""`:                      ``,
		``:                        ``,
		`null`:                    `null`,
		packed(packed("a", 1), 1): `"a"`,
	} {
		assert.Equal(t, want, string(Unpack(json.RawMessage(in))), in)
	}
}

func TestIsEmpty(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]bool{
		``: true, `null`: true, `{}`: true, `[ ]`: true, `{"a":1}`: false, `[0]`: false, `""`: false, `0`: false, `{`: false,
	} {
		assert.Equal(t, want, IsEmpty(json.RawMessage(in)), in)
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		`{"b":[1,2],"a":"[3]","c":4}`:             {"a 3", "b 1", "b 2"},
		`{"a":{"x":"1"},"b":"\"\\\"t\\\"\""}`:     {`a {"x":"1"}`, `b "t"`},
		`[null,{"a":5},"{\"b\":[null,{},6,[]]}"]`: {"a 5", "b 6"},
		`{"z":{"b":1},"y":{"b":2},"x":3}`:         {"b 2", "b 1"},
		`{"z":{"b":1},"a":null}`:                  nil, // the object is the one that was looked for
		`{"A":1}`:                                 nil,
		`[[[{"a":1}]]]`:                           {"a 1"},
		`[[[[{"a":1}]]]]`:                         nil, // deep enough
		`{"x":{"x":{"x":{"a":1}}}}`:               {"a 1"},
		`{"x":{"x":{"x":{"x":{"a":1}}}}}`:         nil,
		`{"a":""}`:                                nil,
		`5`:                                       nil, `"words"`: nil, `[1`: nil, `{"a":1`: nil, `null`: nil, ``: nil,
	} {
		var got []string
		Search(json.RawMessage(in), []string{"a", "b"}, func(name string, value json.RawMessage) {
			got = append(got, name+" "+string(value))
		})
		assert.Equal(t, want, got, in)
	}
}
