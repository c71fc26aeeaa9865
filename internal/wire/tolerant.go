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

// value is the function that encoding/json/v2 calls for a document.
func (d *decoder) value(dec *jsontext.Decoder, v any) error {
	to := reflect.ValueOf(v).Elem()
	return d.decode(dec, to, planOf(to.Type()))
}

// decode decodes with this tolerance. On the left is the kind of the Go type, on the
// right the further values that it takes. Null, and every other value, is absent: the
// zero value, which costs the document nothing else.
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
//	own UnmarshalJSON what it takes; where it fails, absent
//
// A time and the open sets are leaves with an UnmarshalJSON of their own.
func (d *decoder) decode(dec *jsontext.Decoder, to reflect.Value, p *plan) error {
	switch p.how {
	case asText:
		return d.text(dec, to)
	case asBoolean:
		return d.boolean(dec, to)
	case asInteger:
		return d.integer(dec, to)
	case asFloat:
		return d.float(dec, to)
	case asRaw:
		return d.raw(dec, to)
	case asList:
		return d.list(dec, to, p)
	case asDict:
		return d.dict(dec, to, p.below)
	case asObject:
		return d.object(dec, to, p)
	case asPointer:
		return d.pointer(dec, to, p.below)
	case asOwn:
		return d.own(dec, to)
	case asKeeper:
		return d.keeper(dec, to, p)
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

func (d *decoder) text(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := d.leaf(dec)
	if len(raw) > 0 && raw[0] == '"' {
		to.SetString(d.word(unquoted(raw)))
	} else {
		to.SetString(string(raw))
	}
	return err
}

// word makes a string. Answers repeat short ones, such as names and outcomes, often
// from one answer to the next.
func (d *decoder) word(text []byte) string {
	n := len(text)
	if n < 2 || n > longestWord {
		return string(text)
	}
	at := (n*31 + int(text[0])*7 + int(text[n/2])*13 + int(text[n-1])*17 + int(text[n-2])*29) % len(d.words)
	if d.words[at] != string(text) {
		d.words[at] = string(text)
	}
	return d.words[at]
}

func (d *decoder) boolean(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := d.leaf(dec)
	yes, ok := truth(string(raw))
	if !ok {
		yes, ok = truth(strings.ToLower(strings.TrimSpace(Text(raw))))
	}
	to.SetBool(yes)
	d.misfit = !ok
	return err
}

func truth(word string) (yes, ok bool) {
	switch word {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

func (d *decoder) integer(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := d.leaf(dec)
	n, ok := whole(raw)
	if !ok || to.OverflowInt(n) {
		n, d.misfit = 0, true
	}
	to.SetInt(n)
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

// isNumber reports whether text is a number in JSON: Go reads more forms.
func isNumber(text string) bool {
	value := jsontext.Value(text)
	return value.Kind() == '0' && value.IsValid()
}

func (d *decoder) float(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := d.leaf(dec)
	f, wrong := strconv.ParseFloat(string(raw), 64)
	if wrong != nil {
		text := strings.TrimSpace(Text(raw))
		if f, wrong = strconv.ParseFloat(text, 64); wrong != nil || !isNumber(text) {
			f, d.misfit = 0, true
		}
	}
	to.SetFloat(f)
	return err
}

// raw keeps any value, as a part of the document.
func (d *decoder) raw(dec *jsontext.Decoder, to reflect.Value) error {
	read, err := dec.ReadValue()
	if err != nil {
		return err
	}
	end := int(dec.InputOffset())
	to.SetBytes(d.data[end-len(read) : end : end])
	d.misfit = false
	return nil
}

// keeper decodes an object that keeps its own text. An object in a string keeps the
// string's content.
func (d *decoder) keeper(dec *jsontext.Decoder, to reflect.Value, p *plan) error {
	before, isObject := dec.InputOffset(), dec.PeekKind() == '{'
	if err := d.object(dec, to, p); err != nil || d.misfit || !isObject {
		return err
	}
	text := bytes.TrimLeft(d.data[before:dec.InputOffset()], ":, \t\r\n")
	to.Addr().Interface().(Keeper).Keep(text)
	return nil
}

// roomPerValue is the memory that an own UnmarshalJSON of a map may take for each value
// in it.
const roomPerValue = 150

// values estimates how many values raw holds, those in strings included.
func values(raw []byte) int {
	return bytes.Count(raw, []byte{','}) + bytes.Count(raw, []byte{'{'}) + bytes.Count(raw, []byte{'['})
}

func (d *decoder) own(dec *jsontext.Decoder, to reflect.Value) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	if to.Kind() == reflect.Map {
		if err := d.take(roomPerValue * values(raw)); err != nil {
			return err
		}
	}
	d.misfit = to.Addr().Interface().(stdjson.Unmarshaler).UnmarshalJSON(raw) != nil
	if d.misfit {
		to.SetZero()
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

func (d *decoder) pointer(dec *jsontext.Decoder, to reflect.Value, below *plan) error {
	if dec.PeekKind() == 'n' {
		return d.absent(dec, to)
	}
	if err := d.take(below.size); err != nil {
		return err
	}
	element := reflect.New(to.Type().Elem())
	err := d.decode(dec, element.Elem(), below)
	if d.misfit {
		to.SetZero()
		return err
	}
	to.Set(element)
	return err
}

// absent skips a value.
func (d *decoder) absent(dec *jsontext.Decoder, to reflect.Value) error {
	to.SetZero()
	d.misfit = true
	_, err := dec.ReadValue()
	return err
}

func (d *decoder) object(dec *jsontext.Decoder, to reflect.Value, p *plan) error {
	switch dec.PeekKind() {
	case '{':
	case '"':
		return d.packed(dec, to, p)
	default:
		return d.absent(dec, to)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	var seen uint64
	next := 0
	for dec.PeekKind() != '}' {
		name, err := dec.ReadValue()
		if err != nil {
			return err
		}
		i, exact := p.find(name, next)
		if i < 0 || !exact && seen&(1<<i) != 0 {
			if _, err := dec.ReadValue(); err != nil {
				return err
			}
			continue
		}
		next = i + 1
		field := to.Field(p.fields[i].index)
		if seen&(1<<i) != 0 {
			field.SetZero()
		}
		seen |= 1 << i
		if err := d.decode(dec, field, p.fields[i].plan); err != nil {
			return err
		}
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

func (d *decoder) dict(dec *jsontext.Decoder, to reflect.Value, below *plan) error {
	switch dec.PeekKind() {
	case '{':
	case '"':
		return d.packed(dec, to, below)
	default:
		return d.absent(dec, to)
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	t := to.Type()
	to.Set(reflect.MakeMap(t))
	element := reflect.New(t.Elem()).Elem()
	slot := int(t.Key().Size()) + below.size
	for n := 0; dec.PeekKind() != '}'; n++ {
		if err := d.take(mapCost(n, slot)); err != nil {
			return err
		}
		raw, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name := d.word(unquoted(raw))
		element.SetZero()
		if err := d.decode(dec, element, below); err != nil {
			return err
		}
		d.name.SetString(name)
		to.SetMapIndex(d.name, element)
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

// mapCost is the memory of a Go map for one more element: it has eight slots at first,
// and twice as many each time it is full.
func mapCost(n, slot int) int {
	switch {
	case n == 0:
		return 64 + 8*slot
	case n < 8:
		return 0
	}
	return 4 * slot
}

func (d *decoder) list(dec *jsontext.Decoder, to reflect.Value, p *plan) error {
	kind, below := dec.PeekKind(), p.below
	switch {
	case kind == 'n':
		return d.absent(dec, to)
	case kind == '"' && below.how != asText: // a string that looks like a list can be an answer
		return d.packed(dec, to, below)
	case kind != '[':
		return d.single(to, below, func(first reflect.Value) error { return d.decode(dec, first, below) })
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	n := 0
	for ; dec.PeekKind() != ']'; n++ {
		if err := d.grow(to, n, below.size); err != nil {
			return err
		}
		if err := d.decode(dec, to.Index(n), below); err != nil {
			return err
		}
	}
	if n == 0 {
		to.Set(p.empty)
	}
	d.misfit = false
	_, err := dec.ReadToken()
	return err
}

// grow makes a list one element longer.
func (d *decoder) grow(to reflect.Value, n, size int) error {
	if n == to.Cap() {
		more := max(n, 1)
		if n == 1 && size <= 64 {
			more = 3 // most lists of small things have one or several
		}
		if err := d.take(more * size); err != nil {
			return err
		}
		to.Grow(more)
	}
	to.SetLen(n + 1)
	return nil
}

// single makes a list of one value, or of none where it does not fit.
func (d *decoder) single(to reflect.Value, below *plan, decode func(reflect.Value) error) error {
	if err := d.grow(to, 0, below.size); err != nil {
		return err
	}
	err := decode(to.Index(0))
	if d.misfit {
		to.SetZero()
	}
	return err
}

// packed takes the object or list that a string holds as JSON. Any other string is a
// list's only element, and not an object.
func (d *decoder) packed(dec *jsontext.Decoder, to reflect.Value, below *plan) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return err
	}
	text := bytes.TrimSpace([]byte(Text(raw)))
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') {
		err := d.inner(text, to)
		if err == nil || errors.Is(err, ErrMany) {
			return err
		}
		to.SetZero()
	}
	if to.Kind() == reflect.Slice {
		return d.single(to, below, func(first reflect.Value) error { return d.inner(raw, first) })
	}
	d.misfit = true
	return nil
}

// inner decodes text that is not a part of the document as it stands.
func (d *decoder) inner(text []byte, to reflect.Value) error {
	outer := d.data
	defer func() { d.data = outer }()
	d.data = text
	return json.Unmarshal(text, to.Addr().Interface(), d.options)
}
