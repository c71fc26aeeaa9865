package truliootest

import (
	"strconv"
	"unicode/utf8"
)

// Dialect is how the generated JSON departs from the vendor's samples. Clients
// of Put keep their own bytes.
type Dialect struct {
	Milliseconds     bool // timestamps have 13 digits
	NumbersAsStrings bool // "42" where a number belongs
	LowerCase        bool // statuses, service statuses and profile types
	UnknownFields    bool // every object has unknown fields before the known ones; maps do not
}

// WithDialect sets the form of the generated JSON.
func WithDialect(d Dialect) Option { return func(_ *setup, s *settings) { s.dialect = d } }

// SetDialect changes the form of the generated JSON from now on.
func (s *Server) SetDialect(d Dialect) { s.change(func(to *settings) { to.dialect = d }) }

func (d Dialect) appendNumber(b []byte, n int64) []byte {
	if d.NumbersAsStrings {
		return append(strconv.AppendInt(append(b, '"'), n, 10), '"')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendTime writes a UNIX time; 0 stays 0 in milliseconds.
func (d Dialect) appendTime(b []byte, seconds int64) []byte {
	if d.Milliseconds {
		seconds *= 1000
	}
	return d.appendNumber(b, seconds)
}

// appendUnknown writes an unknown field that holds every kind of value. The integer is
// over 2^53.
func (d Dialect) appendUnknown(b []byte) []byte {
	if !d.UnknownFields {
		return b
	}
	return append(comma(b), `"x-new":{"a":[1.50,null,"ü"],"n":9007199254740993}`...)
}

// comma separates a member from the one before it. It writes nothing where there is
// none, or where the comma is there already.
func comma(b []byte) []byte {
	if len(b) == 0 {
		return b
	}
	switch b[len(b)-1] {
	case '{', '[', ':', ',':
		return b
	}
	return append(b, ',')
}

// jsonWriter writes JSON.
type jsonWriter struct {
	b       []byte
	dialect Dialect
}

// open begins an object or array, as the value of a name or as an element.
func (p *jsonWriter) open(name string, bracket byte) {
	p.name(name)
	p.b = append(p.b, bracket)
	if bracket == '{' {
		p.b = p.dialect.appendUnknown(p.b)
	}
}

// openMap begins an object whose names are the account's own: flows, fields, files,
// lists. It writes no unknown field, which would be one of those.
func (p *jsonWriter) openMap(name string) {
	p.name(name)
	p.b = append(p.b, '{')
}

func (p *jsonWriter) end(bracket byte) { p.b = append(p.b, bracket) }

// name begins a member; an empty one begins an array's element.
func (p *jsonWriter) name(name string) {
	p.b = comma(p.b)
	if name != "" {
		p.b = append(appendText(p.b, name), ':')
	}
}

func (p *jsonWriter) text(name, value string) {
	p.name(name)
	p.b = appendText(p.b, value)
}

func (p *jsonWriter) number(name string, n int64) {
	p.name(name)
	p.b = p.dialect.appendNumber(p.b, n)
}

func (p *jsonWriter) time(name string, seconds int64) {
	p.name(name)
	p.b = p.dialect.appendTime(p.b, seconds)
}

func (p *jsonWriter) flag(name string, value bool) {
	p.name(name)
	p.b = strconv.AppendBool(p.b, value)
}

// raw writes a value that is JSON already.
func (p *jsonWriter) raw(name, value string) {
	p.name(name)
	p.b = append(p.b, value...)
}

// date writes a client's date, or the way in which it is missing.
func (p *jsonWriter) date(name string, d Date) {
	switch d {
	case NoDate:
	case NullDate:
		p.raw(name, "null")
	default:
		p.time(name, int64(d))
	}
}

// upper writes one of the vendor's upper-case words.
func (p *jsonWriter) upper(name, value string) {
	p.name(name)
	start := len(p.b)
	p.b = appendText(p.b, value)
	if !p.dialect.LowerCase {
		return
	}
	for i, c := range p.b[start:] {
		if c >= 'A' && c <= 'Z' {
			p.b[start+i] = c + 'a' - 'A'
		}
	}
}

// plain reports whether nothing in s needs an escape. Almost nothing does.
func plain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// appendText quotes valid UTF-8.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	if plain(s) {
		return append(append(b, s...), '"')
	}
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
