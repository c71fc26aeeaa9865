package tidy

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

const (
	maxNesting  = 10_000 // where encoding/json gives up too
	maxSegments = 16     // a longer path helps nobody
)

// step is one open object or array on the way to a place.
type step struct {
	t     reflect.Type // of the object or array; nil where it is not known
	array bool
	index int    // of the element in hand
	name  string // of the value in hand; "" before a name
}

// place gives the path to where data stops being JSON. Names that are not
// fields of t's structs are * in it: they can be ids or what people wrote.
func place(data []byte, t reflect.Type) string {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var path []step
	for len(path) < maxNesting {
		token, err := decoder.Token()
		if err != nil {
			break
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			path = append(path, step{t: inner(path, t), array: token == json.Delim('[')})
			continue
		case json.Delim('}'), json.Delim(']'):
			path = path[:len(path)-1]
		}
		if len(path) == 0 {
			break
		}
		last := &path[len(path)-1]
		switch name, isName := token.(string); {
		case last.array:
			last.index++
		case last.name == "" && isName:
			last.name = known(last.t, name)
		default:
			last.name = ""
		}
	}
	return render(path)
}

// inner is the type of the value in hand at the end of path.
func inner(path []step, root reflect.Type) reflect.Type {
	if len(path) == 0 {
		return bare(root)
	}
	last := path[len(path)-1]
	if last.t == nil {
		return nil
	}
	switch last.t.Kind() {
	case reflect.Struct:
		return bare(fields(last.t)[last.name])
	case reflect.Map, reflect.Slice:
		return bare(last.t.Elem())
	}
	return nil
}

func bare(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

// known gives name if it is a field's, and else *.
func known(t reflect.Type, name string) string {
	if t != nil && t.Kind() == reflect.Struct && fields(t)[name] != nil {
		return name
	}
	return "*"
}

func render(path []step) string {
	var b strings.Builder
	for i, step := range path {
		switch {
		case i == maxSegments:
			b.WriteString("...")
			return b.String()
		case step.array:
			b.WriteString("[" + strconv.Itoa(step.index) + "]")
		case step.name != "":
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step.name)
		}
	}
	return b.String()
}
