package wire

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// value is what is tolerated. On the left is what the Go type wants; null, and
// whatever is not named, is absent: the zero value, which costs the document nothing else.
//
//	string            a number or boolean by its literal
//	integer           "42", 1.0 and 1e3
//	float             "0.5"
//	boolean           "true" and "1", in any case, 0 and 1
//	list              a single value is a list of one; a list as JSON in a string,
//	                  unless it is a list of strings; an element that does not fit is zero
//	map, struct       an object as JSON in a string
//	pointer           nil where the value does not fit
//	json.RawMessage   anything, null too
//	own UnmarshalJSON as it says; where it fails, absent
//
// A time and the open sets are leaves with an UnmarshalJSON of their own.
func (d *decoder) value(dec *jsontext.Decoder, v any) error {
	switch v := v.(type) {
	case *string:
		return d.text(dec, v)
	case *bool:
		return d.boolean(dec, v)
	case *int:
		return integer(d, dec, v)
	case *int64:
		return integer(d, dec, v)
	case *float64:
		return d.float(dec, v)
	case *stdjson.RawMessage:
		return d.raw(dec, v)
	case Keeper:
		return d.kept(dec, v)
	case stdjson.Unmarshaler:
		return d.own(dec, v)
	case *[]byte:
		return d.other(dec, reflect.ValueOf(v).Elem())
	}
	to := reflect.ValueOf(v).Elem()
	switch to.Kind() {
	case reflect.Struct:
		return d.object(dec, to)
	case reflect.Map:
		return d.dict(dec, to)
	case reflect.Slice:
		return d.list(dec, to)
	case reflect.Pointer:
		return d.pointer(dec, to)
	}
	return d.other(dec, to)
}

// leaf reads a value that has nothing below it; nil where there is no such value.
func (d *decoder) leaf(dec *jsontext.Decoder) (jsontext.Value, error) {
	raw, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	switch raw[0] {
	case '{', '[', 'n':
		d.misfit = true
		return nil, nil
	}
	d.misfit = false
	return raw, nil
}

func (d *decoder) text(dec *jsontext.Decoder, v *string) error {
	raw, err := d.leaf(dec)
	*v = Text(raw)
	return err
}

func (d *decoder) boolean(dec *jsontext.Decoder, v *bool) error {
	raw, err := d.leaf(dec)
	switch string(raw) {
	case "true", "1":
		*v = true
		return err
	case "false", "0":
		*v = false
		return err
	}
	switch strings.ToLower(strings.TrimSpace(Text(raw))) {
	case "true", "1":
		*v = true
	case "false", "0":
		*v = false
	default:
		*v, d.misfit = false, true
	}
	return err
}

func integer[T int | int64](d *decoder, dec *jsontext.Decoder, v *T) error {
	raw, err := d.leaf(dec)
	n, ok := whole(raw)
	*v = T(n)
	if !ok || int64(*v) != n {
		*v, d.misfit = 0, true
	}
	return err
}

// whole reads an integer as the API may write it.
func whole(raw []byte) (int64, bool) {
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	text := strings.TrimSpace(Text(raw))
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && isNumber(text) {
		return n, true
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !isNumber(text) || f != math.Trunc(f) || f >= 1<<63 || f <= -1<<63 {
		return 0, false
	}
	return int64(f), true
}

// isNumber reports whether text is a number of JSON's: Go knows more of them.
func isNumber(text string) bool {
	value := jsontext.Value(text)
	return value.Kind() == '0' && value.IsValid()
}

func (d *decoder) float(dec *jsontext.Decoder, v *float64) error {
	raw, err := d.leaf(dec)
	f, wrong := strconv.ParseFloat(string(raw), 64)
	if wrong != nil {
		text := strings.TrimSpace(Text(raw))
		if f, wrong = strconv.ParseFloat(text, 64); wrong != nil || !isNumber(text) {
			f, d.misfit = 0, true
		}
	}
	*v = f
	return err
}

// raw keeps any value, as a part of the document.
func (d *decoder) raw(dec *jsontext.Decoder, v *stdjson.RawMessage) error {
	read, err := dec.ReadValue()
	if err != nil {
		return err
	}
	end := int(dec.InputOffset())
	*v, d.misfit = d.data[end-len(read):end:end], false
	return nil
}

// kept decodes an object that keeps its own text.
func (d *decoder) kept(dec *jsontext.Decoder, v Keeper) error {
	before := dec.InputOffset()
	if err := d.object(dec, reflect.ValueOf(v).Elem()); err != nil || d.misfit {
		return err
	}
	text := bytes.TrimLeft(d.data[before:dec.InputOffset()], ":, \t\r\n")
	if len(text) > 0 && text[0] == '{' { // and not one in a string, which keeps what the string holds
		v.Keep(text)
	}
	return nil
}

// roomPerValue is what an own UnmarshalJSON of a map may take for each value in it.
const roomPerValue = 150

// values is about how many there are in raw, in strings too.
func values(raw []byte) int {
	return bytes.Count(raw, []byte{','}) + bytes.Count(raw, []byte{'{'}) + bytes.Count(raw, []byte{'['})
}

func (d *decoder) own(dec *jsontext.Decoder, v stdjson.Unmarshaler) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if reflect.TypeOf(v).Elem().Kind() == reflect.Map {
		if err := d.take(roomPerValue * values(raw)); err != nil {
			return err
		}
	}
	d.misfit = v.UnmarshalJSON(raw) != nil
	if d.misfit {
		reflect.ValueOf(v).Elem().SetZero()
	}
	return nil
}

// other decodes types that the API does not use as the library decodes them.
func (d *decoder) other(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	d.misfit = raw.Kind() == 'n' || json.Unmarshal(raw, to.Addr().Interface(), lenient) != nil
	if d.misfit {
		to.SetZero()
	}
	return nil
}

func (d *decoder) pointer(dec *jsontext.Decoder, to reflect.Value) error {
	if dec.PeekKind() == 'n' {
		return d.absent(dec, to)
	}
	element := reflect.New(to.Type().Elem())
	if err := d.take(int(to.Type().Elem().Size())); err != nil {
		return err
	}
	err := d.value(dec, element.Interface())
	if d.misfit {
		to.SetZero()
		return err
	}
	to.Set(element)
	return err
}

// absent passes a value over.
func (d *decoder) absent(dec *jsontext.Decoder, to reflect.Value) error {
	to.SetZero()
	d.misfit = true
	_, err := dec.ReadValue()
	return err
}

func (d *decoder) object(dec *jsontext.Decoder, to reflect.Value) error {
	switch dec.PeekKind() {
	case '{':
	case '"':
		return d.packed(dec, to)
	default:
		return d.absent(dec, to)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	names := namesOf(to.Type())
	var seen uint64
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		i, exact := names.find(name)
		if i < 0 || !exact && seen&(1<<i) != 0 {
			if _, err := dec.ReadValue(); err != nil {
				return err
			}
			continue
		}
		field := to.Field(names[i].index)
		if seen&(1<<i) != 0 {
			field.SetZero()
		}
		seen |= 1 << i
		if err := d.value(dec, field.Addr().Interface()); err != nil {
			return err
		}
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

func (d *decoder) dict(dec *jsontext.Decoder, to reflect.Value) error {
	switch dec.PeekKind() {
	case '{':
	case '"':
		return d.packed(dec, to)
	default:
		return d.absent(dec, to)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	t := to.Type()
	to.Set(reflect.MakeMap(t))
	name, element := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
	slot := int(t.Key().Size() + t.Elem().Size())
	for n := 0; dec.PeekKind() != '}'; n++ {
		if err := d.take(mapCost(n, slot)); err != nil {
			return err
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name.SetString(Text(raw))
		element.SetZero()
		if err := d.value(dec, element.Addr().Interface()); err != nil {
			return err
		}
		to.SetMapIndex(name, element)
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

// mapCost is what Go's maps take for one more element: eight slots at first,
// and from then on twice as many each time they are full.
func mapCost(n, slot int) int {
	switch {
	case n == 0:
		return 64 + 8*slot
	case n < 8:
		return 0
	}
	return 4 * slot
}

func (d *decoder) list(dec *jsontext.Decoder, to reflect.Value) error {
	kind, element := dec.PeekKind(), to.Type().Elem()
	switch {
	case kind == 'n':
		return d.absent(dec, to)
	case kind == '"' && element.Kind() != reflect.String: // a string that looks like a list can be an answer
		return d.packed(dec, to)
	case kind != '[':
		return d.single(to, func(first any) error { return d.value(dec, first) })
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	to.Set(reflect.MakeSlice(to.Type(), 0, 0))
	for n := 0; dec.PeekKind() != ']'; n++ {
		if err := d.grow(to, n); err != nil {
			return err
		}
		if err := d.value(dec, to.Index(n).Addr().Interface()); err != nil {
			return err
		}
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

// grow makes a list one longer.
func (d *decoder) grow(to reflect.Value, n int) error {
	if n == to.Cap() {
		if err := d.take(max(n, 1) * int(to.Type().Elem().Size())); err != nil {
			return err
		}
		to.Grow(max(n, 1))
	}
	to.SetLen(n + 1)
	return nil
}

// single makes a list of one value, or of none where it does not fit.
func (d *decoder) single(to reflect.Value, decode func(any) error) error {
	if err := d.grow(to, 0); err != nil {
		return err
	}
	err := decode(to.Index(0).Addr().Interface())
	if d.misfit {
		to.SetZero()
	}
	return err
}

// packed takes the object or list that a string holds as JSON. A string that
// holds none is a list's one element, and no object.
func (d *decoder) packed(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	text := bytes.TrimSpace([]byte(Text(raw)))
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		err := d.inner(text, to.Addr().Interface())
		if err == nil || errors.Is(err, ErrMany) {
			return err
		}
		to.SetZero()
	}
	if to.Kind() == reflect.Slice {
		return d.single(to, func(first any) error { return d.inner(raw, first) })
	}
	d.misfit = true
	return nil
}

// inner decodes what is no part of the document as it stands.
func (d *decoder) inner(text []byte, v any) error {
	outer := d.data
	defer func() { d.data = outer }()
	d.data = text
	return json.Unmarshal(text, v, d.options)
}
