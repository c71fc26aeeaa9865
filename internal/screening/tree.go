package screening

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"
)

// maxNodes bounds the values of one profile that are looked at, those in
// strings included: about 100 bytes of memory each. The largest profiles seen
// have a hundredth of it.
const maxNodes = 1 << 20

var errTooLarge = errors.New("too many values")

// node is one JSON value. Unlike a map it keeps every member, also those of one
// name: a hit must not hide behind a second member that says the opposite.
type node struct {
	kind jsontext.Kind
	raw  []byte
	name string // a member's own name; "" for an element
	fold string // the name as folded gives it
	kids []node // members or elements
}

// reader reads the values of one profile.
type reader struct {
	left   int // of maxNodes
	checks []Check
}

// parse reads exactly one JSON value.
func (r *reader) parse(data []byte) (node, bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	n, err := r.value(dec, data)
	if err != nil {
		return node{}, false
	}
	_, err = dec.ReadToken()
	return n, errors.Is(err, io.EOF)
}

func (r *reader) value(dec *jsontext.Decoder, data []byte) (node, error) {
	if r.left--; r.left < 0 {
		return node{}, errTooLarge
	}
	n := node{kind: dec.PeekKind()}
	if n.kind != '{' && n.kind != '[' {
		value, err := dec.ReadValue()
		end := int(dec.InputOffset())
		n.raw = data[end-len(value) : end : end]
		return n, err
	}
	if _, err := dec.ReadToken(); err != nil {
		return n, err
	}
	start := int(dec.InputOffset()) - 1
	for kind := dec.PeekKind(); kind != '}' && kind != ']'; kind = dec.PeekKind() {
		kid, err := r.element(dec, data, n.kind == '{')
		if err != nil {
			return n, err
		}
		n.kids = append(n.kids, kid)
	}
	_, err := dec.ReadToken()
	n.raw = data[start:dec.InputOffset():dec.InputOffset()]
	return n, err
}

// element reads one element of an array, or one member of an object.
func (r *reader) element(dec *jsontext.Decoder, data []byte, named bool) (node, error) {
	if !named {
		return r.value(dec, data)
	}
	token, err := dec.ReadToken()
	if err != nil {
		return node{}, err
	}
	name := token.String()
	n, err := r.value(dec, data)
	n.name, n.fold = name, folded(name)
	return n, err
}

// open takes a value out of the strings that it is packed in, however often:
// each packing doubles the escapes, so that a profile has room for a few only. A
// string that is no JSON stays one.
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
		inner.name, inner.fold = n.name, n.fold
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
		text, _ := jsontext.AppendUnquote(nil, n.raw) // bytes that are not UTF-8 become U+FFFD
		return string(text)
	case '0', 't', 'f':
		return string(n.raw)
	}
	return ""
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
	seen := make(map[string][]byte, len(n.kids))
	for _, kid := range n.kids {
		if before, ok := seen[kid.fold]; ok && !bytes.Equal(before, kid.raw) {
			return true
		}
		seen[kid.fold] = kid.raw
	}
	return false
}

// folded is the letters and digits of a name, in lower case: the vendor spells
// one name in several ways, and so might the next version of its API.
func folded(name string) string {
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return strings.Map(letter, strings.ToUpper(name))
		}
	}
	return name
}

func letter(r rune) rune {
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return unicode.ToLower(r)
	}
	return -1
}
