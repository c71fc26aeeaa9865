package wire

import (
	stdjson "encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// plan is how values of a type are decoded, looked up once.
type plan struct {
	how    how
	below  *plan         // of a list, a map or a pointer: its elements'
	fields []field       // of an object, 64 at most
	size   int           // of an element
	empty  reflect.Value // of a list: one without elements, which is not a missing one
}

// field is a struct's field with its name in JSON.
type field struct {
	name  string
	index int
	plan  *plan
}

// how is a type's row in the table of decode.
type how uint8

const (
	asOther how = iota
	asText
	asBoolean
	asInteger
	asFloat
	asRaw
	asList
	asDict
	asObject
	asPointer
	asOwn
	asKeeper
)

var plans sync.Map // reflect.Type to *plan

func planOf(t reflect.Type) *plan {
	if known, ok := plans.Load(t); ok {
		return known.(*plan)
	}
	made := make(map[reflect.Type]*plan)
	p := newPlan(t, made)
	for t, p := range made {
		plans.LoadOrStore(t, p)
	}
	return p
}

// newPlan makes the plans of a type and of the types below it. One of these may be the
// type itself.
func newPlan(t reflect.Type, made map[reflect.Type]*plan) *plan {
	if p, ok := made[t]; ok {
		return p
	}
	p := &plan{how: howOf(t), size: int(t.Size())}
	made[t] = p
	switch p.how {
	case asList:
		p.below, p.empty = newPlan(t.Elem(), made), reflect.MakeSlice(t, 0, 0)
	case asDict, asPointer:
		p.below = newPlan(t.Elem(), made)
	case asObject, asKeeper:
		for i := range t.NumField() {
			if name := nameOf(t.Field(i)); name != "" {
				p.fields = append(p.fields, field{name, i, newPlan(t.Field(i).Type, made)})
			}
		}
		if len(p.fields) > 64 {
			panic("wire: " + t.String() + " has more than 64 fields")
		}
	}
	return p
}

func howOf(t reflect.Type) how {
	switch to := reflect.PointerTo(t); {
	case t == reflect.TypeFor[stdjson.RawMessage]():
		return asRaw
	case to.Implements(reflect.TypeFor[Keeper]()):
		return asKeeper
	case to.Implements(reflect.TypeFor[stdjson.Unmarshaler]()):
		return asOwn
	}
	switch t.Kind() {
	case reflect.String:
		return asText
	case reflect.Bool:
		return asBoolean
	case reflect.Int, reflect.Int64:
		return asInteger
	case reflect.Float64:
		return asFloat
	case reflect.Struct:
		return asObject
	case reflect.Map:
		if t.Key() == reflect.TypeFor[string]() {
			return asDict
		}
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 {
			return asList
		}
	case reflect.Pointer:
		return asPointer
	}
	return asOther
}

// nameOf is a field's name in JSON; "" where it has none.
func nameOf(f reflect.StructField) string {
	tag := f.Tag.Get("json")
	name, _, _ := strings.Cut(tag, ",")
	switch {
	case tag == "-" || !f.IsExported():
		return ""
	case name == "":
		return f.Name
	}
	return name
}

// find gives the index of a name as it stands in JSON, and whether it is the
// exact one; -1 where no field has the name in any case. The server keeps an order, so
// the search begins at the field after the last.
func (p *plan) find(quoted []byte, from int) (i int, exact bool) {
	name := quoted[1 : len(quoted)-1]
	for range p.fields {
		if from == len(p.fields) {
			from = 0
		}
		if string(name) == p.fields[from].name {
			return from, true
		}
		from++
	}
	return p.findUnusual(quoted)
}

// findUnusual finds names with escapes, and those in another case.
func (p *plan) findUnusual(quoted []byte) (i int, exact bool) {
	name := string(unquoted(quoted))
	i = -1
	for at, v := range slices.Backward(p.fields) {
		if name == v.name {
			return at, true
		}
		if strings.EqualFold(name, v.name) {
			i = at
		}
	}
	return i, false
}
