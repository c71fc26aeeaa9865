package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// UniqueMembers is Members for an object in which, at any depth, no name is
// given twice: nobody can say which one was meant. The digest is the hex SHA-256
// of the canonical form of those members for which member returns true. The form
// is that of RFC 8785, but with the numbers as they stand.
func UniqueMembers(data []byte, member func(quoted, name, value []byte) bool) (digest string, err error) {
	data = TrimBOM(data)
	if err := isObject(data); err != nil {
		return "", placeless(err)
	}
	f := forms.Get().(*form)
	defer f.free()
	f.data, f.at, f.room = data, 0, 4*roomAtLeast+8*len(data)
	f.text = slices.Grow(f.text[:0], len(data))
	f.skip()
	if err := f.object(member); err != nil {
		return "", placeless(err)
	}
	return f.digest(), nil
}

// form is an object on its way to its canonical form. It is read from data that are
// known to be JSON, so nothing is checked again. Its text has the members as they
// came, and objects says how to put them in order at the end. If each object were moved
// as soon as it has been read, it would be moved once for each level above it.
type form struct {
	data    []byte
	at      int
	room    int // bytes that names may still take
	text    []byte
	names   []named    // of the members of the objects that are open
	objects []unsorted // large ones that are not in order, each after those in it
	pieces  []piece    // of all of them, in order
	sorted  []byte
}

// named is a member of an object that is open.
type named struct {
	name []byte
	piece
}

// piece is a member's part of text, nothing where it is left out, and how many
// objects end before its end.
type piece struct{ start, end, objects int }

// unsorted is the text between the braces of an object that is not in order.
type unsorted struct {
	piece        // objects are those before it
	from, to int // of pieces
}

var forms = sync.Pool{New: func() any { return new(form) }}

// The bytes and members that a form may keep for its next use: it is made for
// callbacks of a few kilobytes. Nothing of a callback stays in it.
const (
	keptBytes   = 16 << 10
	keptMembers = 512
)

func (f *form) free() {
	f.data = nil
	f.text, f.sorted = wiped(f.text, keptBytes), wiped(f.sorted, keptBytes)
	f.names, f.objects, f.pieces = wiped(f.names, keptMembers), wiped(f.objects, keptMembers), wiped(f.pieces, keptMembers)
	forms.Put(f)
}

func wiped[T any](s []T, most int) []T {
	if cap(s) > most {
		return nil
	}
	clear(s[:cap(s)])
	return s[:0]
}

func (f *form) skip() {
	for f.at < len(f.data) && f.data[f.at] <= ' ' {
		f.at++
	}
}

// more goes to the next member or element, or past the end.
func (f *form) more(end byte) bool {
	f.skip()
	if f.data[f.at] == ',' {
		f.at++
		f.skip()
	}
	if f.data[f.at] == end {
		f.at++
		return false
	}
	return true
}

func (f *form) value() error {
	switch f.data[f.at] {
	case '{':
		return f.object(nil)
	case '[':
		return f.array()
	case '"':
		f.string()
	default:
		from := f.at
		for c := f.data[f.at]; c > ' ' && c != ',' && c != ']' && c != '}'; c = f.data[f.at] {
			f.at++
		}
		f.text = append(f.text, f.data[from:f.at]...)
	}
	return nil
}

// string gives a string as it stands, and its content.
func (f *form) string() (quoted, content []byte) {
	from, escaped, ascii := f.at, false, byte(0)
	for f.at++; f.data[f.at] != '"'; f.at++ {
		if f.data[f.at] == '\\' {
			escaped = true
			f.at++
		}
		ascii |= f.data[f.at]
	}
	f.at++
	quoted = f.data[from:f.at:f.at]
	content = quoted[1 : len(quoted)-1]
	if !escaped && (ascii < utf8.RuneSelf || utf8.Valid(content)) {
		f.text = append(f.text, quoted...)
		return quoted, content
	}
	content, _ = jsontext.AppendUnquote(nil, quoted) // the error is that of invalid UTF-8
	f.text, _ = jsontext.AppendQuote(f.text, content)
	return quoted, content
}

func (f *form) array() error {
	f.at++
	f.text = append(f.text, '[')
	for first := true; f.more(']'); first = false {
		if !first {
			f.text = append(f.text, ',')
		}
		if err := f.value(); err != nil {
			return err
		}
	}
	f.text = append(f.text, ']')
	return nil
}

// object reads an object. It calls member only for the members of the outermost one.
func (f *form) object(member func(quoted, name, value []byte) bool) error {
	f.at++
	f.text = append(f.text, '{')
	o := unsorted{piece: piece{start: len(f.text), objects: len(f.objects)}}
	first, inOrder := len(f.names), true
	for f.more('}') {
		if err := f.take(len(f.names) - first); err != nil {
			return err
		}
		if err := f.add(member, o); err != nil {
			return err
		}
		if last := len(f.names) - 1; last > first {
			order := byName(f.names[last-1], f.names[last])
			if order == 0 {
				return errTwice
			}
			inOrder = inOrder && order < 0
		}
	}
	o.end = len(f.text)
	f.text = append(f.text, '}')
	if !inOrder {
		if err := f.order(o, f.names[first:]); err != nil {
			return err
		}
	}
	f.names = f.names[:first]
	return nil
}

// add reads a member of o.
func (f *form) add(member func(quoted, name, value []byte) bool, o unsorted) error {
	before, objects, pieces := len(f.text), len(f.objects), len(f.pieces)
	if before > o.start {
		f.text = append(f.text, ',')
	}
	m := named{piece: piece{start: len(f.text)}}
	quoted, name := f.string()
	m.name = name
	f.text = append(f.text, ':')
	f.skip()
	f.at++ // the colon
	f.skip()
	from := f.at
	if err := f.value(); err != nil {
		return err
	}
	if member != nil && !member(quoted, name, f.data[from:f.at:f.at]) {
		m.start = before
		f.text, f.objects, f.pieces = f.text[:before], f.objects[:objects], f.pieces[:pieces]
	}
	m.end, m.objects = len(f.text), len(f.objects)
	f.names = append(f.names, m)
	return nil
}

// order puts the members of o in order, at once where there is little to move, or
// notes the order.
func (f *form) order(o unsorted, members []named) error {
	slices.SortFunc(members, byName)
	o.from = len(f.pieces)
	for i, m := range members {
		if i > 0 && byName(members[i-1], m) == 0 {
			return errTwice
		}
		if m.start < m.end {
			f.pieces = append(f.pieces, m.piece)
		}
	}
	o.to = len(f.pieces)
	if o.end-o.start > little {
		f.objects = append(f.objects, o)
		return nil
	}
	f.sorted = f.sorted[:0]
	for _, p := range f.pieces[o.from:] {
		f.sorted = append(append(f.sorted, f.text[p.start:p.end]...), ',')
	}
	copy(f.text[o.start:o.end], f.sorted)
	f.pieces = f.pieces[:o.from]
	return nil
}

// little is the length up to which an object is moved within text. It also bounds how
// often a byte can be moved, since such an object holds no more levels than that.
const little = 1 << 10

// byName orders by UTF-16, as RFC 8785 demands.
func byName(a, b named) int {
	for i := range min(len(a.name), len(b.name)) {
		if x, y := a.name[i], b.name[i]; x != y {
			return cmp.Compare(inUTF16(x), inUTF16(y))
		}
	}
	return cmp.Compare(len(a.name), len(b.name))
}

// inUTF16 puts a first byte of UTF-8 in its place in UTF-16, where U+E000 to
// U+FFFF come after all that is beyond them.
func inUTF16(b byte) int {
	if b == 0xee || b == 0xef {
		return 0x100 + int(b)
	}
	return int(b)
}

func (f *form) digest() string {
	text := f.text
	if len(f.objects) > 0 {
		f.sorted = slices.Grow(f.sorted[:0], len(text))[:len(text)]
		if left := f.write(piece{0, len(text), len(f.objects)}, len(text)); left > 0 {
			panic("wire: members were lost")
		}
		text = f.sorted
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// write writes a part of text with its objects in order. It goes from the part's end
// to its beginning, since an object stands after those in it. It fills sorted from left
// downwards, and returns how far it has come.
func (f *form) write(p piece, left int) int {
	end := p.end
	for i := p.objects - 1; i >= 0 && f.objects[i].start >= p.start; {
		o := f.objects[i]
		left = f.put(f.text[o.end:end], left)
		last := left
		for _, member := range slices.Backward(f.pieces[o.from:o.to]) {
			if left < last {
				left = f.put(comma, left)
			}
			left = f.write(member, left)
		}
		end, i = o.start, o.objects-1
	}
	return f.put(f.text[p.start:end], left)
}

var comma = []byte{','}

func (f *form) put(text []byte, left int) int {
	return left - copy(f.sorted[left-len(text):], text)
}

// The bytes that a name may take: in an object of few names, and in one of so many
// that no real callback has it.
const (
	fewNames      = 64
	roomPerName   = 40
	roomPerOfMany = 1100
)

// take accounts for one more name of an object that has n.
func (f *form) take(n int) error {
	switch {
	case n < fewNames:
		f.room -= roomPerName
	case n == fewNames:
		f.room -= roomPerOfMany*(fewNames+1) - roomPerName*fewNames
	default:
		f.room -= roomPerOfMany
	}
	if f.room < 0 {
		return ErrMany
	}
	return nil
}
