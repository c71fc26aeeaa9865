package tidy

import (
	"bytes"
	"encoding"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// maxDepth bounds the walk for types that contain themselves.
const maxDepth = 64

// shape turns one valid JSON value into one that fits t, or into nil where
// nothing does:
//
//   - a number or boolean becomes a string where a string is wanted;
//   - "42", 1.0 and 1e3 become integers, "0.5" a float, "true", 0 and 1 booleans;
//   - what is no array becomes an array of one;
//   - an object or array as JSON in a string is taken out of it;
//   - null, and whatever else does not fit, is absent.
//
// It decodes level by level beside the type, so that the depth of the document
// costs nothing, and leaves types with an UnmarshalJSON of their own their bytes.
func shape(raw []byte, t reflect.Type, depth int) []byte {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || isNull(raw) || depth > maxDepth {
		return nil
	}
	if hasDecoder(t) {
		return fitting(raw, t)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shape(raw, t.Elem(), depth+1)
	case reflect.String:
		return shapeString(raw)
	case reflect.Bool:
		return shapeBool(raw)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return fitting(shapeInteger(raw), t)
	case reflect.Float32, reflect.Float64:
		return fitting([]byte(strings.TrimSpace(Text(raw))), t)
	case reflect.Slice:
		return shapeSlice(raw, t, depth)
	case reflect.Map:
		return shapeMap(raw, t, depth)
	case reflect.Struct:
		return shapeStruct(raw, t, depth)
	}
	return fitting(raw, t)
}

// hasDecoder reports whether encoding/json leaves the decoding of t to t.
func hasDecoder(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// fitting gives raw if encoding/json takes it for a t.
func fitting(raw []byte, t reflect.Type) []byte {
	if t == reflect.TypeFor[json.RawMessage]() || json.Unmarshal(raw, reflect.New(t).Interface()) == nil {
		return raw
	}
	return nil
}

// Text is a JSON string's content, the literal of a number or boolean, and ""
// for anything else, bytes that are no JSON included.
func Text(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		if last := len(raw) - 1; last > 0 && raw[last] == '"' && isPlain(raw[1:last]) {
			return string(raw[1:last])
		}
		var text string
		if json.Unmarshal(raw, &text) != nil {
			return ""
		}
		return text
	case '{', '[', 'n':
		return ""
	}
	return string(raw)
}

// isPlain reports whether what is between a string's quotes is its content.
func isPlain(inner []byte) bool {
	return bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner)
}

func shapeString(raw []byte) []byte {
	switch raw[0] {
	case '"':
		return raw
	case '{', '[':
		return nil
	}
	return []byte(strconv.Quote(string(raw))) // a number or boolean: nothing to escape
}

func shapeBool(raw []byte) []byte {
	switch strings.ToLower(strings.TrimSpace(Text(raw))) {
	case "true", "1":
		return []byte("true")
	case "false", "0":
		return []byte("false")
	}
	return nil
}

// shapeInteger gives the digits of a whole number.
func shapeInteger(raw []byte) []byte {
	text := strings.TrimSpace(Text(raw))
	if json.Valid([]byte(text)) && !strings.ContainsAny(text, ".eE") {
		return []byte(text)
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return nil
	}
	return strconv.AppendInt(nil, int64(f), 10)
}

// inString gives the object or array that a string holds as JSON, and else raw.
func inString(raw []byte) []byte {
	if raw[0] != '"' {
		return raw
	}
	text := []byte(strings.TrimSpace(Text(raw)))
	if len(text) > 0 && (text[0] == '{' || text[0] == '[') && json.Valid(text) {
		return text
	}
	return raw
}

func shapeSlice(raw []byte, t reflect.Type, depth int) []byte {
	if t.Elem().Kind() == reflect.Uint8 {
		return fitting(raw, t)
	}
	if t.Elem().Kind() != reflect.String { // a string that looks like an array can be an answer
		raw = inString(raw)
	}
	if raw[0] != '[' {
		element := shape(raw, t.Elem(), depth+1)
		if element == nil {
			return nil
		}
		return slices.Concat([]byte("["), element, []byte("]"))
	}
	all := elements(raw)
	if all == nil {
		return nil
	}
	shaped := []byte{'['}
	for i, element := range all {
		if i > 0 {
			shaped = append(shaped, ',')
		}
		shaped = append(shaped, orNull(shape(element, t.Elem(), depth+1))...) // keeps the others' indexes
	}
	return append(shaped, ']')
}

func shapeMap(raw []byte, t reflect.Type, depth int) []byte {
	values := object(inString(raw))
	if values == nil {
		return nil
	}
	shaped := []byte{'{'}
	for name, value := range values {
		shaped = appendMember(shaped, name, orNull(shape(value, t.Elem(), depth+1)))
	}
	return append(shaped, '}')
}

func shapeStruct(raw []byte, t reflect.Type, depth int) []byte {
	values := object(inString(raw))
	if values == nil {
		return nil
	}
	shaped := []byte{'{'}
	for name, field := range fields(t) {
		if value := shape(named(values, name), field, depth+1); value != nil {
			shaped = appendMember(shaped, name, value)
		}
	}
	return append(shaped, '}')
}

// object gives an object's values by name, and nil for anything else.
func object(raw []byte) map[string]json.RawMessage {
	var values map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &values) != nil {
		return nil
	}
	return values
}

// elements are an array's; nil for anything else.
func elements(raw []byte) []json.RawMessage {
	var all []json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	return all
}

// named finds a value by its exact name or else, as encoding/json does, by its
// name in any case.
func named(values map[string]json.RawMessage, name string) json.RawMessage {
	if value, ok := values[name]; ok {
		return value
	}
	found := ""
	for other := range values {
		if strings.EqualFold(other, name) && (found == "" || other < found) {
			found = other
		}
	}
	return values[found]
}

var fieldsByType sync.Map // reflect.Type to map[string]reflect.Type

// fields gives the types of a struct's fields by their JSON names.
func fields(t reflect.Type) map[string]reflect.Type {
	if known, ok := fieldsByType.Load(t); ok {
		return known.(map[string]reflect.Type)
	}
	found := make(map[string]reflect.Type)
	defer func() { fieldsByType.Store(t, found) }()
	for field := range t.Fields() {
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		switch {
		case tag == "-" || !field.IsExported():
		case name == "":
			found[field.Name] = field.Type
		default:
			found[name] = field.Type
		}
	}
	return found
}

func orNull(raw []byte) []byte {
	if raw == nil {
		return []byte("null")
	}
	return raw
}

// appendMember adds a member as it is; json.Marshal would rewrite the value.
func appendMember(object []byte, name string, value []byte) []byte {
	quoted, err := json.Marshal(name)
	if err != nil {
		return object
	}
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(append(object, quoted...), ':')
	return append(object, value...)
}
