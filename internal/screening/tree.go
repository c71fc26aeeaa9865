package screening

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNodes bounds the values of one profile that are looked at, those in
// strings included: about 100 bytes of memory each. The largest profiles seen
// have a hundredth of that many.
const maxNodes = 1 << 20

var errTooLarge = errors.New("too many values")

// node is one JSON value. Unlike a map it keeps every member, also those of one
// name: a hit must not hide behind a second member that says the opposite.
type node struct {
	kind   jsontext.Kind
	raw    []byte
	quoted []byte // a member's own name as it stands; nil for an element
	fold   string // the name as folded gives it
	kids   []node // members or elements
}

// name is a member's own name; "" for an element.
func (n node) name() string { return node{kind: '"', raw: n.quoted}.text() }

// reader reads the values of one profile.
type reader struct {
	left   int // of maxNodes
	checks []Check
	dec    jsontext.Decoder
	text   bytes.Buffer
	kids   []node // of the values that are open
}

var readers = sync.Pool{New: func() any { return new(reader) }}

func newReader() *reader {
	r := readers.Get().(*reader)
	r.left = maxNodes
	return r
}

// free leaves nothing of the profile in the reader.
func (r *reader) free() {
	r.checks = nil
	r.read(nil)
	if cap(r.kids) > 256 {
		r.kids = nil
	}
	clear(r.kids[:cap(r.kids)])
	readers.Put(r)
}

func (r *reader) read(data []byte) {
	r.text = *bytes.NewBuffer(data)
	r.dec.Reset(&r.text, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

// parse reads exactly one JSON value.
func (r *reader) parse(data []byte) (node, bool) {
	r.read(data)
	r.kids = r.kids[:0]
	n, err := r.value(data)
	if err != nil {
		return node{}, false
	}
	_, err = r.dec.ReadToken()
	return n, errors.Is(err, io.EOF)
}

func (r *reader) value(data []byte) (node, error) {
	if r.left--; r.left < 0 {
		return node{}, errTooLarge
	}
	n := node{kind: r.dec.PeekKind()}
	if n.kind != '{' && n.kind != '[' {
		value, err := r.dec.ReadValue()
		end := int(r.dec.InputOffset())
		n.raw = data[end-len(value) : end : end]
		return n, err
	}
	if _, err := r.dec.ReadToken(); err != nil {
		return n, err
	}
	start, first := int(r.dec.InputOffset())-1, len(r.kids)
	for kind := r.dec.PeekKind(); kind != '}' && kind != ']'; kind = r.dec.PeekKind() {
		kid, err := r.element(data, n.kind == '{')
		if err != nil {
			return n, err
		}
		r.kids = append(r.kids, kid)
	}
	n.kids = slices.Clone(r.kids[first:])
	r.kids = r.kids[:first]
	_, err := r.dec.ReadToken()
	n.raw = data[start:r.dec.InputOffset():r.dec.InputOffset()]
	return n, err
}

// element reads one element of an array, or one member of an object.
func (r *reader) element(data []byte, named bool) (node, error) {
	if !named {
		return r.value(data)
	}
	quoted, err := r.dec.ReadValue()
	if err != nil {
		return node{}, err
	}
	n, err := r.value(data)
	n.quoted, n.fold = quoted, folded(plain(quoted))
	return n, err
}

// open takes a value out of the strings that it is packed in, however often:
// each packing doubles the escapes, so that a profile has room for a few only. A
// string that holds no JSON stays a string.
func (r *reader) open(n node) node {
	for n.kind == '"' {
		text := strings.TrimSpace(n.text())
		if !looksLikeJSON(text) {
			return n
		}
		inner, ok := r.parse([]byte(text))
		if !ok {
			return n
		}
		inner.quoted, inner.fold = n.quoted, n.fold
		n = inner
	}
	return n
}

func looksLikeJSON(text string) bool {
	return text == "null" || text != "" && strings.IndexByte(`{["`, text[0]) >= 0
}

// text is a string's content, a number's or boolean's literal, and "" for
// anything else.
func (n node) text() string {
	switch n.kind {
	case '"':
		return string(plain(n.raw))
	case '0', 't', 'f':
		return string(n.raw)
	}
	return ""
}

// plain is the content of a string as it stands; bytes that are not UTF-8 become U+FFFD.
func plain(quoted []byte) []byte {
	if len(quoted) == 0 {
		return nil
	}
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	text, _ := jsontext.AppendUnquote(nil, quoted)
	return text
}

// empty reports whether there is nothing in a value: null, "", {} or [].
func (n node) empty() bool {
	switch n.kind {
	case 'n':
		return true
	case '{', '[':
		return len(n.kids) == 0
	case '"':
		return strings.TrimSpace(n.text()) == ""
	}
	return false
}

// contradicts reports whether an object gives a name twice, with two values.
func (n node) contradicts() bool {
	if n.kind != '{' {
		return false
	}
	if len(n.kids) <= few {
		for i, kid := range n.kids {
			for _, before := range n.kids[:i] {
				if before.fold == kid.fold && !bytes.Equal(before.raw, kid.raw) {
					return true
				}
			}
		}
		return false
	}
	seen := make(map[string][]byte, len(n.kids))
	for _, kid := range n.kids {
		if before, ok := seen[kid.fold]; ok && !bytes.Equal(before, kid.raw) {
			return true
		}
		seen[kid.fold] = kid.raw
	}
	return false
}

const few = 16

// folded is the letters and digits of a name, in lower case: the vendor spells
// one name in several ways, and its next version might add another.
func folded[T string | []byte](name T) string {
	var short [64]byte
	fold := short[:0]
	for i := range len(name) {
		switch c := name[i]; {
		case c >= utf8.RuneSelf:
			return strings.Map(letter, strings.ToUpper(string(name)))
		case c >= 'A' && c <= 'Z':
			fold = append(fold, c+'a'-'A')
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			fold = append(fold, c)
		}
	}
	return string(fold)
}

func letter(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return unicode.ToLower(r)
	}
	return -1
}
