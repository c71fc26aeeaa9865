package truliootest_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestDiff(t *testing.T) {
	t.Parallel()
	now := time.Now()
	type node struct {
		Name string
		Next *node
	}
	ring := func(name string) *node {
		first := &node{Name: name}
		first.Next = &node{"second", first}
		return first
	}
	yes := true
	for _, c := range []struct {
		want, got any
		places    []string
	}{
		{nil, nil, nil},
		{nil, 1, []string{". (extra)"}},
		{1, nil, []string{". (missing)"}},
		{1, "1", []string{". (type)"}},
		{"a", "b", []string{"."}},
		{"a", "a", nil},
		{1.5, 1.25, []string{"."}},
		{uint8(1), uint8(2), []string{"."}},
		{&trulioo.Profile{ID: "a"}, &trulioo.Profile{ID: "b"}, []string{"ID"}},
		{trulioo.Profile{ID: "a"}, &trulioo.Profile{ID: "a"}, []string{". (type)"}},
		{(*trulioo.Profile)(nil), &trulioo.Profile{}, []string{". (extra)"}},
		{[]trulioo.Note{{Text: "a"}}, []trulioo.Note{{Text: "b"}}, []string{"[0].Text"}},
		{[]trulioo.Note{{}}, []trulioo.Note{}, []string{" (length)"}},
		{[]trulioo.Note{}, []trulioo.Note(nil), nil},
		{[2]int{1, 2}, [2]int{1, 3}, []string{"[1]"}},
		{map[string]int{"b": 1, "c": 2}, map[string]int{"a": 0, "b": 2}, []string{"{0} (extra)", "{1}", "{2} (missing)"}},
		{map[int]int{-1: 1, 5: 2}, map[int]int{-1: 1, 5: 3}, []string{"{1}"}},
		{map[uint]any{7: "x"}, map[uint]any{7: 5}, []string{"{0} (type)"}},
		{trulioo.ServiceResult{Match: &yes}, trulioo.ServiceResult{}, []string{"Match (missing)"}},
		{trulioo.Time{Time: now}, trulioo.Time{Time: now.UTC()}, nil},
		{trulioo.EndClient{Created: trulioo.Time{Time: now}}, trulioo.EndClient{Created: trulioo.Time{Time: now.Add(1)}}, []string{"Created"}},
		{[]byte("a"), []byte("b"), []string{"."}},
		{ring("a"), ring("a"), nil},
		{ring("a"), ring("b"), []string{"Name"}},
		{errors.New("a"), errors.New("b"), []string{"s"}},
		{struct{ F func() }{}, struct{ F func() }{func() {}}, []string{"F"}},
		{struct{ F func() }{}, struct{ F func() }{}, nil},
	} {
		places := truliootest.Diff(c.want, c.got)
		for i, place := range c.places {
			if strings.HasPrefix(place, " ") {
				c.places[i] = "." + place
			}
		}
		assert.Equal(t, c.places, places, "%T %T", c.want, c.got)
	}
}

// Each change of a profile, wherever it is, shows as one place, and neither the
// old value nor the new one does, nor the key of a map.
func TestDiffShowsEachPlaceAndNoValue(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.InMemory())
	client := srv.Client()
	const mark = "MARK-Ada-Lovelace"
	changes := 0
	for _, id := range srv.Live.IDs()[:6] {
		get := func() *trulioo.Profile {
			profile, err := client.Clients.Get(t.Context(), id, &trulioo.GetOptions{FullServiceDetails: true})
			require.NoError(t, err)
			return profile
		}
		want, got := get(), get()
		require.Empty(t, truliootest.Diff(want, got))
		leaves(reflect.ValueOf(got).Elem(), func(leaf reflect.Value, put func()) {
			before := reflect.New(leaf.Type()).Elem()
			before.Set(leaf)
			switch leaf.Kind() {
			case reflect.String:
				leaf.SetString(leaf.String() + mark)
			case reflect.Slice:
				leaf.SetBytes([]byte(`"` + mark + `"`))
			case reflect.Bool:
				leaf.SetBool(!leaf.Bool())
			case reflect.Int, reflect.Int64:
				leaf.SetInt(leaf.Int() + 1)
			case reflect.Float64:
				leaf.SetFloat(leaf.Float() + 1)
			default:
				require.Fail(t, "a kind that the test does not change", leaf.Kind())
			}
			put()
			for _, places := range [][]string{truliootest.Diff(want, got), truliootest.Diff(got, want)} {
				if assert.Len(t, places, 1) {
					assert.NotContains(t, places[0], "MARK")
					assert.NotContains(t, places[0], id)
				}
			}
			leaf.Set(before)
			put()
			changes++
		})
		require.Empty(t, truliootest.Diff(want, got))

		other := want.FlowData
		got.FlowData = map[string]trulioo.Flow{mark: {}}
		for flow := range other {
			assert.NotContains(t, fmt.Sprint(truliootest.Diff(want, got)), flow)
		}
		assert.NotContains(t, fmt.Sprint(truliootest.Diff(want, got)), "MARK")
	}
	assert.Greater(t, changes, 100, "the test is blind")
}

// leaves calls visit for each string, number, truth and document in v that can be set.
func leaves(v reflect.Value, visit func(leaf reflect.Value, put func())) {
	leavesOf(v, func() {}, visit)
}

// leavesOf calls put after a change, as an element of a map is a copy.
func leavesOf(v reflect.Value, put func(), visit func(leaf reflect.Value, put func())) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() && v.Field(i).Type() != reflect.TypeFor[time.Time]() {
				leavesOf(v.Field(i), put, visit)
			}
		}
	case reflect.Pointer:
		if !v.IsNil() {
			leavesOf(v.Elem(), put, visit)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			visit(v, put)
			return
		}
		for i := range v.Len() {
			leavesOf(v.Index(i), put, visit)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			element := reflect.New(v.Type().Elem()).Elem()
			element.Set(v.MapIndex(key))
			leavesOf(element, func() { v.SetMapIndex(key, element); put() }, visit)
		}
	default:
		visit(v, put)
	}
}

func TestEqualNamesPlacesOnly(t *testing.T) {
	t.Parallel()
	told := &teller{TB: t}
	assert.True(t, truliootest.Equal(told, trulioo.EndClient{ID: "MARK"}, trulioo.EndClient{ID: "MARK"}))
	assert.Empty(t, told.said)
	assert.False(t, truliootest.Equal(told, trulioo.EndClient{ID: "MARK", Status: "MARK"}, trulioo.EndClient{}))
	assert.Equal(t, "not as wanted: ID\nnot as wanted: Status\n", told.said)
}

// teller keeps the messages of a test.
type teller struct {
	testing.TB
	said string
}

func (*teller) Helper() {}

func (t *teller) Errorf(format string, args ...any) { t.said += fmt.Sprintf(format+"\n", args...) }
