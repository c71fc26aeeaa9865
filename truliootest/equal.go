package truliootest

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Equal fails the test where want and got differ, and names the places only. It
// stands in for testify's Equal where profiles, clients or events are real, as
// testify prints both of them whole.
func Equal(t testing.TB, want, got any) bool {
	t.Helper()
	places := Diff(want, got)
	for _, place := range places {
		t.Errorf("not as wanted: %s", place)
	}
	return len(places) == 0
}

// Diff compares two values of any type as reflect.DeepEqual does, with two exceptions:
// times are equal if they are the same instant, and empty lists and maps are equal to
// nil. It returns the place of each difference, such as
// "FlowData{0}.FieldData{2}.Value", and nil where the values are equal.
//
// A place holds no value, and no key of a map, which can be an id or personal: {2}
// is the third key, in order, of both maps together. "." is the value as a whole. A
// word in parentheses names a difference that is not in a value: (type), (length),
// (missing) for a part that only want has, (extra) for one that only got has.
func Diff(want, got any) []string {
	d := &differ{seen: map[[2]uintptr]bool{}}
	d.compare("", reflect.ValueOf(want), reflect.ValueOf(got))
	return d.places
}

type differ struct {
	places []string
	seen   map[[2]uintptr]bool // pairs of pointers that are being compared, or have been
}

func (d *differ) add(place, word string) { d.places = append(d.places, cmp.Or(place, ".")+word) }

func (d *differ) compare(place string, want, got reflect.Value) {
	switch {
	case !want.IsValid() && !got.IsValid():
		return
	case !got.IsValid():
		d.add(place, " (missing)")
		return
	case !want.IsValid():
		d.add(place, " (extra)")
		return
	case want.Type() != got.Type():
		d.add(place, " (type)")
		return
	}
	if same, isTime := sameTime(want, got); isTime {
		if !same {
			d.add(place, "")
		}
		return
	}
	switch want.Kind() {
	case reflect.Pointer:
		d.pointers(place, want, got)
	case reflect.Interface:
		d.compare(place, want.Elem(), got.Elem())
	case reflect.Struct:
		for i := range want.NumField() {
			d.compare(field(place, want.Type().Field(i)), want.Field(i), got.Field(i))
		}
	case reflect.Slice, reflect.Array:
		d.lists(place, want, got)
	case reflect.Map:
		d.maps(place, want, got)
	case reflect.Func:
		if !want.IsNil() || !got.IsNil() {
			d.add(place, "") // nobody can say that two functions are the same
		}
	default:
		if !want.Equal(got) {
			d.add(place, "")
		}
	}
}

// sameTime compares two instants where the type is time.Time and fmt could see it, too.
func sameTime(want, got reflect.Value) (same, isTime bool) {
	if want.Type() != reflect.TypeFor[time.Time]() || !want.CanInterface() || !got.CanInterface() {
		return false, false
	}
	return want.Interface().(time.Time).Equal(got.Interface().(time.Time)), true //nolint:forcetypeassert // just checked
}

// field is a place of a struct. An embedded type gives its fields to the outer one, so
// it is not a place of its own.
func field(place string, f reflect.StructField) string {
	switch {
	case f.Anonymous:
		return place
	case place == "":
		return f.Name
	}
	return place + "." + f.Name
}

func (d *differ) pointers(place string, want, got reflect.Value) {
	pair := [2]uintptr{want.Pointer(), got.Pointer()}
	if pair[0] == pair[1] || d.seen[pair] {
		return
	}
	d.seen[pair] = true
	d.compare(place, want.Elem(), got.Elem())
}

func (d *differ) lists(place string, want, got reflect.Value) {
	if want.Type().Elem().Kind() == reflect.Uint8 && want.Kind() == reflect.Slice {
		if !bytes.Equal(want.Bytes(), got.Bytes()) {
			d.add(place, "")
		}
		return
	}
	if want.Len() != got.Len() {
		d.add(place, " (length)")
		return
	}
	for i := range want.Len() {
		d.compare(place+"["+strconv.Itoa(i)+"]", want.Index(i), got.Index(i))
	}
}

func (d *differ) maps(place string, want, got reflect.Value) {
	keys := want.MapKeys()
	for _, key := range got.MapKeys() {
		if !want.MapIndex(key).IsValid() {
			keys = append(keys, key)
		}
	}
	slices.SortStableFunc(keys, inOrder)
	for i, key := range keys {
		d.compare(place+"{"+strconv.Itoa(i)+"}", want.MapIndex(key), got.MapIndex(key))
	}
}

// inOrder sorts the keys that JSON has; others stay as they come.
func inOrder(a, b reflect.Value) int {
	switch {
	case a.Kind() == reflect.String:
		return cmp.Compare(a.String(), b.String())
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	}
	return 0
}
