package wire

import (
	"reflect"
	"strings"
	"sync"
)

// field is a struct's field with its name in JSON.
type field struct {
	name  string
	index int
}

// names are those of a struct, 64 at most.
type names []field

var namesByType sync.Map // reflect.Type to names

func namesOf(t reflect.Type) names {
	if known, ok := namesByType.Load(t); ok {
		return known.(names)
	}
	var found names
	for i := range t.NumField() {
		tag := t.Field(i).Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if name == "" {
			name = t.Field(i).Name
		}
		if tag != "-" && t.Field(i).IsExported() {
			found = append(found, field{name, i})
		}
	}
	if len(found) > 64 {
		panic("wire: " + t.String() + " has more than 64 fields")
	}
	namesByType.Store(t, found)
	return found
}

// find gives the index of a name as it stands in JSON, and whether it is the
// exact one; -1 where it is none in any case.
func (n names) find(quoted []byte) (i int, exact bool) {
	name := unquoted(quoted)
	for i := range n {
		if string(name) == n[i].name {
			return i, true
		}
	}
	for i := range n {
		if strings.EqualFold(n[i].name, string(name)) {
			return i, false
		}
	}
	return -1, false
}
