// Package tape reads one JSON document into a flat list of values that point
// into its bytes. It finds members by their exact names, which encoding/json
// does not, and writes the canonical form that an event's key is a digest of.
// The grammar is that of encoding/json: the same depth, and bytes that are not
// UTF-8 read as U+FFFD.
package tape

import (
	"errors"
	"iter"
	"math"
	"strconv"
	"sync"
)

// ErrSyntax means that the bytes are not one whole JSON value.
var ErrSyntax = errors.New("not one whole JSON value")

// maxDepth is the deepest nesting read, the same as in encoding/json.
const maxDepth = 10_000

// keepNodes is the longest tape that goes back to the pool.
const keepNodes = 1 << 14

// Kind is the first byte of a value's text, with '0' for every number.
type Kind byte

// The kinds of values.
const (
	Object Kind = '{'
	Array  Kind = '['
	String Kind = '"'
	Number Kind = '0'
	True   Kind = 't'
	False  Kind = 'f'
	Null   Kind = 'n'
)

// Doc is a document that was read. It is good until Free.
type Doc struct {
	src   []byte
	nodes []node
	names [][]byte // the decoded names of members whose text needs decoding
	order []int32  // the members being sorted, a stack
	pos   int
}

// node is one value. Those below it follow it up to next.
type node struct {
	start, end         int32 // its text in src
	nameStart, nameEnd int32 // its name's text in src, without the quotes
	decoded            int32 // its name in names, counted from 1; 0 where the text is the name
	next               int32
	kind               Kind
	plain              bool // a string whose text is its canonical form
}

var pool = sync.Pool{New: func() any { return new(Doc) }}

// Read reads src, which must not change before Free.
func Read(src []byte) (*Doc, error) {
	if len(src) > math.MaxInt32 {
		return nil, ErrSyntax
	}
	d := pool.Get().(*Doc)
	d.src, d.pos = src, 0
	d.space()
	ok := d.value(1)
	d.space()
	if !ok || d.pos != len(src) {
		d.Free()
		return nil, ErrSyntax
	}
	return d, nil
}

// Free gives the document's memory back. No Value of it may be used after.
func (d *Doc) Free() {
	if cap(d.nodes) > keepNodes {
		return
	}
	clear(d.names)
	d.src, d.nodes, d.names, d.order = nil, d.nodes[:0], d.names[:0], d.order[:0]
	pool.Put(d)
}

// Root is the document's outermost value.
func (d *Doc) Root() Value { return Value{d, 0} }

// Value is one value of a document.
type Value struct {
	doc *Doc
	at  int32
}

// Kind says what the value is; 0 for the Value that At did not find.
func (v Value) Kind() Kind {
	if v.doc == nil {
		return 0
	}
	return v.doc.nodes[v.at].kind
}

// Raw is the value's text, a part of the document's bytes.
func (v Value) Raw() []byte {
	n := &v.doc.nodes[v.at]
	return v.doc.src[n.start:n.end:n.end]
}

// Text is a string's contents, a number's digits, and else "".
func (v Value) Text() string { return string(v.Bytes()) }

// Bytes is Text, as a part of the document's bytes where that is possible.
func (v Value) Bytes() []byte {
	if v.doc == nil {
		return nil
	}
	n := &v.doc.nodes[v.at]
	switch {
	case n.kind == Number:
		return v.Raw()
	case n.kind != String:
		return nil
	case n.plain:
		return v.doc.src[n.start+1 : n.end-1]
	}
	return unescape(nil, v.doc.src[n.start+1:n.end-1])
}

// Members gives an object's members in the order of the text, names decoded.
func (v Value) Members() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		if v.Kind() != Object {
			return
		}
		for at := range v.below() {
			if !yield(v.doc.name(at), Value{v.doc, at}) {
				return
			}
		}
	}
}

// At is the member of an object with exactly that name, the last one where
// there are several, or the element of an array with that index.
func (v Value) At(step string) (Value, bool) {
	found := int32(0)
	switch v.Kind() {
	case Object:
		for at := range v.below() {
			if string(v.doc.name(at)) == step {
				found = at
			}
		}
	case Array:
		index, err := strconv.Atoi(step)
		if err != nil || strconv.Itoa(index) != step {
			return Value{}, false
		}
		for at := range v.below() {
			if index == 0 {
				found = at
				break
			}
			index--
		}
	}
	if found == 0 {
		return Value{}, false
	}
	return Value{v.doc, found}, true
}

// Repeats reports whether an object has two members of one name.
func (v Value) Repeats() bool {
	if v.Kind() != Object {
		return false
	}
	d := v.doc
	base := len(d.order)
	sorted := d.sort(v)
	defer func() { d.order = d.order[:base] }()
	for i := 1; i < len(sorted); i++ {
		if string(d.name(sorted[i-1])) == string(d.name(sorted[i])) {
			return true
		}
	}
	return false
}

// AppendWithout appends an object's text without the members of one name; the
// rest stays as it is but for the space between members.
func (v Value) AppendWithout(dst []byte, name string) []byte {
	dst = append(dst, '{')
	first := true
	for at := range v.below() {
		if string(v.doc.name(at)) == name {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		n := &v.doc.nodes[at]
		dst = append(dst, v.doc.src[n.nameStart-1:n.nameEnd+1]...)
		dst = append(dst, ':')
		dst = append(dst, v.doc.src[n.start:n.end]...)
	}
	return append(dst, '}')
}

// below gives the indices of the values directly below v.
func (v Value) below() iter.Seq[int32] {
	return func(yield func(int32) bool) {
		end := v.doc.nodes[v.at].next
		for at := v.at + 1; at < end; at = v.doc.nodes[at].next {
			if !yield(at) {
				return
			}
		}
	}
}

// name is the decoded name of a member.
func (d *Doc) name(at int32) []byte {
	n := &d.nodes[at]
	if n.decoded > 0 {
		return d.names[n.decoded-1]
	}
	return d.src[n.nameStart:n.nameEnd]
}
