package redact

import (
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
)

// Attr replaces a value that is or holds one of the module's types with
// personal data or secrets by the name of its type. Errors are left, since
// handlers print their text.
func Attr(a slog.Attr) slog.Attr {
	if a.Value.Kind() != slog.KindAny {
		return a
	}
	held := a.Value.Any()
	if _, isError := held.(error); isError || held == nil {
		return a
	}
	search := personalSearch{seen: make(map[uintptr]bool), left: maxRedactValues}
	if value := reflect.ValueOf(held); search.in(value, true) {
		a.Value = Value(value.Type().String())
	}
	return a
}

// holding says what values of a type can hold.
type holding int

const (
	holdsNothing  holding = iota // no value of the type holds anything personal
	holdsUnknown                 // there are interfaces in the type: look at the value
	holdsPersonal                // the type is personal, or has one in it
)

// module is the path that the types to redact are declared in or below.
const module = "github.com/trulioo-go/trulioo"

var holdings sync.Map // reflect.Type to holding

// holdingOf looks at a type and, since only types count, also at its
// unexported fields.
func holdingOf(t reflect.Type) holding {
	if known, ok := holdings.Load(t); ok {
		return known.(holding)
	}
	found := walkType(t, make(map[reflect.Type]bool))
	holdings.Store(t, found)
	return found
}

func walkType(t reflect.Type, seen map[reflect.Type]bool) holding {
	if seen[t] {
		return holdsNothing
	}
	seen[t] = true
	if isPersonal(t) {
		return holdsPersonal
	}
	switch t.Kind() {
	case reflect.Interface:
		return holdsUnknown
	case reflect.Pointer, reflect.Slice, reflect.Array:
		return walkType(t.Elem(), seen)
	case reflect.Map:
		return max(walkType(t.Key(), seen), walkType(t.Elem(), seen))
	case reflect.Struct:
		found := holdsNothing
		for field := range t.Fields() {
			found = max(found, walkType(field.Type, seen))
		}
		return found
	}
	return holdsNothing
}

// isPersonal reports whether t is a type of this module that redacts itself. Such a
// type has a Format method.
func isPersonal(t reflect.Type) bool {
	own := t.PkgPath() == module || strings.HasPrefix(t.PkgPath(), module+"/")
	formatter := reflect.TypeFor[fmt.Formatter]()
	return own && (t.Implements(formatter) || reflect.PointerTo(t).Implements(formatter))
}

// maxRedactValues bounds a search; a value with more in it is taken for personal.
const maxRedactValues = 10_000

// personalSearch looks for personal types behind interfaces. It reads no more
// than a handler would: in unexported fields it follows no pointers.
type personalSearch struct {
	seen map[uintptr]bool
	left int
}

func (s *personalSearch) in(v reflect.Value, exported bool) bool {
	found := holdingOf(v.Type())
	if found != holdsUnknown {
		return found == holdsPersonal
	}
	if s.left--; s.left < 0 {
		return true
	}
	switch v.Kind() {
	case reflect.Interface:
		return !v.IsNil() && s.in(v.Elem(), exported)
	case reflect.Pointer:
		if v.IsNil() || !exported || s.seen[v.Pointer()] {
			return false
		}
		s.seen[v.Pointer()] = true
		return s.in(v.Elem(), true)
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if s.in(v.Index(i), exported) {
				return true
			}
		}
	case reflect.Map:
		for pairs := v.MapRange(); pairs.Next(); {
			if s.in(pairs.Key(), exported) || s.in(pairs.Value(), exported) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if s.in(v.Field(i), exported && v.Type().Field(i).IsExported()) {
				return true
			}
		}
	}
	return false
}
