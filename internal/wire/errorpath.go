package wire

import (
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

const maxSegments = 16 // a longer path helps nobody

// path writes a pointer as "data[3].created". Names that are not fields of t's
// structs become *: they can be ids or people's words.
func path(pointer jsontext.Pointer, t reflect.Type) string {
	var b strings.Builder
	segments := 0
	for token := range pointer.Tokens() {
		if segments++; segments > maxSegments {
			b.WriteString("...")
			break
		}
		t = bare(t)
		if t != nil && t.Kind() == reflect.Slice {
			if index, err := strconv.ParseUint(token, 10, 31); err == nil {
				b.WriteString("[" + strconv.FormatUint(index, 10) + "]")
				t = t.Elem()
				continue
			}
			t = bare(t.Elem()) // a single value in place of a list
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		var name string
		name, t = below(t, token)
		b.WriteString(name)
	}
	return b.String()
}

// below gives the name that token has in a t, and its type where that is known.
func below(t reflect.Type, token string) (string, reflect.Type) {
	if t == nil {
		return "*", nil
	}
	switch t.Kind() {
	case reflect.Map:
		return "*", t.Elem()
	case reflect.Struct:
		for _, known := range planOf(t).fields {
			if known.name == token {
				return token, t.Field(known.index).Type
			}
		}
	}
	return "*", nil
}

func bare(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
