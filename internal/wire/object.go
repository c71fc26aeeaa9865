package wire

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	reasonObject = "not a JSON object"
	reasonTwice  = "a name occurs twice"
)

var (
	errObject = errors.New(reasonObject)
	errTwice  = errors.New(reasonTwice)
	errMore   = errors.New(reasonInvalid) // something follows the document
)

// Members gives the members of the object that data must be, in the order of
// the text: each with its name as it stands, its name decoded, and its value.
// They are parts of data, except a name that needed decoding. The error is an
// *Error; the members before the damage have then been given. A second value after
// the object is damage too.
func Members(data []byte, member func(quoted, name, value []byte)) error {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	defer r.forget()
	r.read(TrimBOM(data))
	err := r.open()
	for err == nil && r.more() {
		var quoted, name, value []byte
		if quoted, name, value, err = r.member(); err == nil {
			member(quoted, name, value)
		}
	}
	if err == nil {
		err = r.close()
	}
	return placeless(err)
}

// First is the value of an object's first member with exactly that name; nil where
// there is none before the object ends or is damaged. It looks at nothing behind that
// member.
func First(data []byte, name string) []byte {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	defer r.forget()
	r.read(TrimBOM(data))
	err := r.open()
	for err == nil && r.more() {
		var given, value []byte
		if _, given, value, err = r.member(); err == nil && string(given) == name {
			return value
		}
	}
	return nil
}

// isObject reports what is wrong with data that must be one whole object.
func isObject(data []byte) error {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	defer r.forget()
	r.read(data)
	kind := r.dec.PeekKind()
	if _, err := r.dec.ReadValue(); err != nil {
		return err
	}
	if kind != '{' {
		return errObject
	}
	return r.end()
}

// placeless is an *Error without a path: the document's names may be anybody's words.
func placeless(err error) error {
	if err == nil {
		return nil
	}
	wrong := failure(err, nil)
	wrong.Path = ""
	return wrong
}

// reader reads an object that is in memory.
type reader struct {
	dec  jsontext.Decoder
	text bytes.Buffer // the decoder takes it without a copy
}

var readers = sync.Pool{New: func() any { return new(reader) }}

var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

func (r *reader) read(data []byte) {
	r.text = *bytes.NewBuffer(data)
	r.dec.Reset(&r.text, lenient)
}

func (r *reader) forget() { r.read(nil) }

func (r *reader) open() error {
	if kind := r.dec.PeekKind(); kind != '{' {
		if _, err := r.dec.ReadValue(); err != nil {
			return err
		}
		return errObject
	}
	_, err := r.dec.ReadToken()
	return err
}

// more is true before damage too; reading the next member then fails.
func (r *reader) more() bool { return r.dec.PeekKind() != '}' }

func (r *reader) member() (quoted, name, value []byte, err error) {
	if quoted, err = r.dec.ReadValue(); err != nil {
		return nil, nil, nil, err
	}
	value, err = r.dec.ReadValue()
	return quoted, unquoted(quoted), value, err
}

// close ends the object and with it the document.
func (r *reader) close() error {
	if _, err := r.dec.ReadToken(); err != nil {
		return err
	}
	return r.end()
}

func (r *reader) end() error {
	if _, err := r.dec.ReadToken(); err != io.EOF { //nolint:errorlint // the very one
		return errMore
	}
	return nil
}

// At is the member of an object with exactly that name, the last one where
// there are several, or the element of an array with that index. raw must be
// one whole JSON value.
func At(raw []byte, step string) (value []byte, found bool) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) > 0 && raw[0] == '{':
		_ = Members(raw, func(_, name, member []byte) {
			if string(name) == step {
				value, found = member, true
			}
		})
	case len(raw) > 0 && raw[0] == '[':
		index, err := strconv.Atoi(step)
		if err == nil && strconv.Itoa(index) == step {
			return element(raw, index)
		}
	}
	return value, found
}

// element reads an array up to an index.
func element(raw []byte, index int) (value []byte, found bool) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(raw), lenient)
	if _, err := dec.ReadToken(); err != nil {
		return nil, false
	}
	for dec.PeekKind() != ']' {
		value, err := dec.ReadValue()
		if err != nil {
			return nil, false
		}
		if index == 0 {
			return value, true
		}
		index--
	}
	return nil, false
}

// Valid reports whether raw is one whole JSON value, with white space at most
// around it.
func Valid(raw []byte) bool { return jsontext.Value(raw).IsValid(lenient) }
