package tape

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// canonicalBuffers hold a value's canonical form while it is digested.
var canonicalBuffers = sync.Pool{New: func() any { return new([]byte) }}

// Digest is the hex SHA-256 of the value's canonical form; see AppendCanonical.
func (v Value) Digest(omit ...string) string {
	buf := canonicalBuffers.Get().(*[]byte)
	*buf = v.AppendCanonical((*buf)[:0], omit...)
	sum := sha256.Sum256(*buf)
	if cap(*buf) <= 64<<10 {
		canonicalBuffers.Put(buf)
	}
	var text [2 * sha256.Size]byte
	hex.Encode(text[:], sum[:])
	return string(text[:])
}

// AppendCanonical appends the value's canonical form: no space, members in the
// byte order of their decoded names (those of one name in the order of the
// text), numbers and words as they are, strings decoded and written with the
// fewest escapes. Members of an object that are named in omit are left out,
// of this object only.
func (v Value) AppendCanonical(dst []byte, omit ...string) []byte {
	d := v.doc
	n := &d.nodes[v.at]
	switch {
	case n.kind == Object:
		return d.appendObject(dst, v, omit)
	case n.kind == Array:
		return d.appendArray(dst, v)
	case n.kind == String && !n.plain:
		return appendText(dst, unescape(nil, d.src[n.start+1:n.end-1]))
	}
	return append(dst, d.src[n.start:n.end]...)
}

func (d *Doc) appendObject(dst []byte, v Value, omit []string) []byte {
	base := len(d.order)
	dst = append(dst, '{')
	first := true
	for i := range d.sort(v) {
		at := d.order[base+i] // not the slice: those below append to d.order
		if len(omit) > 0 && slices.Contains(omit, string(d.name(at))) {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		if d.nodes[at].decoded > 0 {
			dst = appendText(dst, d.name(at))
		} else {
			dst = append(append(append(dst, '"'), d.name(at)...), '"')
		}
		dst = append(dst, ':')
		dst = Value{d, at}.AppendCanonical(dst)
	}
	d.order = d.order[:base]
	return append(dst, '}')
}

func (d *Doc) appendArray(dst []byte, v Value) []byte {
	dst = append(dst, '[')
	first := true
	for at := range v.below() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = Value{d, at}.AppendCanonical(dst)
	}
	return append(dst, ']')
}

// sort pushes the members of an object onto d.order, sorted. The caller pops them.
func (d *Doc) sort(v Value) []int32 {
	base := len(d.order)
	for at := range v.below() {
		d.order = append(d.order, at)
	}
	members := d.order[base:]
	slices.SortFunc(members, func(a, b int32) int {
		return cmp.Or(bytes.Compare(d.name(a), d.name(b)), cmp.Compare(a, b))
	})
	return members
}

// appendText appends a string with the fewest escapes.
func appendText(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// unescape decodes the text of a string that was found well formed. What is
// not UTF-8, and half a surrogate pair, becomes U+FFFD.
func unescape(dst, text []byte) []byte {
	for len(text) > 0 {
		c := text[0]
		switch {
		case c != '\\' && c < utf8.RuneSelf:
			dst, text = append(dst, c), text[1:]
		case c != '\\':
			r, size := utf8.DecodeRune(text)
			dst, text = utf8.AppendRune(dst, r), text[size:]
		case text[1] == 'u':
			r, size := unescapeRune(text)
			dst, text = utf8.AppendRune(dst, r), text[size:]
		default:
			dst, text = append(dst, unescapeByte(text[1])), text[2:]
		}
	}
	return dst
}

// unescapeRune decodes \uXXXX, or two of them where they are a surrogate pair.
func unescapeRune(text []byte) (rune, int) {
	r, _ := hex4(text[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
		low, _ := hex4(text[8:])
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// hex4 reads four hex digits.
func hex4(text []byte) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range text[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
