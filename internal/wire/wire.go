// Package wire reads the JSON of an API that is free with its types, in one
// pass: a value that fits its Go type is decoded as it comes, and one that does
// not costs that value alone. tolerant.go has the table of what is tolerated.
package wire

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Constant reasons of an Error.
const (
	reasonCutOff  = "cut-off JSON"
	reasonInvalid = "not one whole JSON value"
	reasonNull    = "null instead of a value"
	reasonKind    = "not of the expected JSON type"
	reasonMany    = "more elements than its size warrants"
)

// Error says where and why a document could not be decoded. It never holds a
// value or a name that is not one of the Go type's own.
type Error struct {
	Path   string // such as "data[3].created"; names that are not the type's are *
	Reason string // a constant text
	Err    error  // io.ErrUnexpectedEOF where the document ends inside a value, so that asking again may help; ErrMany
}

// Error names the reason and the place.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Reason + " at " + e.Path
}

// Unwrap gives Err, which is nil for most.
func (e *Error) Unwrap() error { return e.Err }

// TrimBOM cuts off a UTF-8 byte order mark, which is not part of the JSON.
func TrimBOM(data []byte) []byte {
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
}

// Unmarshal decodes data, which must be exactly one JSON value and not null,
// into v, a pointer to a zero value. A json.RawMessage in v is a part of data,
// which must not change from now on. The error is an *Error, and v is zero then.
//
// Names: the exact one wins wherever it stands, the last of several; one in
// another case is taken, the first of several, where the exact one is absent.
func Unmarshal(data []byte, v any) error {
	d := decoders.Get().(*decoder)
	defer d.free()
	data = TrimBOM(data)
	d.data, d.room, d.misfit = data, roomFor(len(data)), false
	err := json.Unmarshal(data, v, d.options)
	if err == nil && !d.misfit {
		return nil
	}
	target := reflect.ValueOf(v).Elem()
	target.SetZero()
	switch {
	case err != nil:
		return failure(err, target.Type())
	case string(bytes.TrimSpace(data)) == "null":
		return &Error{Reason: reasonNull}
	}
	return &Error{Reason: reasonKind}
}

// Marshal encodes the fields of a model as encoding/json does, without its
// escapes for HTML: nil lists and maps are null, bytes that are not UTF-8 are U+FFFD.
func Marshal(v any) ([]byte, error) { return json.Marshal(v, encoding) }

var encoding = json.JoinOptions(
	json.FormatNilSliceAsNull(true),
	json.FormatNilMapAsNull(true),
	json.Deterministic(true),
	jsontext.AllowInvalidUTF8(true),
	jsontext.AllowDuplicateNames(true),
	jsontext.PreserveRawStrings(true),
)

// Check reports whether data is exactly one JSON value and not null, with an
// *Error where it is not.
func Check(data []byte) error { return Unmarshal(data, new(something)) }

// something is any JSON value but null.
type something struct{}

func (*something) UnmarshalJSON(raw []byte) error {
	if raw[0] == 'n' {
		return errNull
	}
	return nil
}

// Keeper is a struct that keeps the text of the object it was decoded from,
// which is a part of the document.
type Keeper interface{ Keep(raw []byte) }

const longestWord = 32

// decoder is one decoding. Its options point to it, so it is used again rather than
// made anew.
type decoder struct {
	data    []byte        // the document, or the text of a string that is being taken apart
	room    int           // bytes of memory that lists and maps may still take
	misfit  bool          // the value that was decoded last is absent: null, or of no kind that fits
	name    reflect.Value // of a map's element, on its way into the map
	words   [512]string   // short ones, in case they come again
	options json.Options  // the table, and the faults of grammar that are tolerated
}

var decoders = sync.Pool{New: func() any {
	d := &decoder{name: reflect.New(reflect.TypeFor[string]()).Elem()}
	d.options = json.JoinOptions(
		jsontext.AllowDuplicateNames(true),
		jsontext.AllowInvalidUTF8(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(d.value)),
	)
	return d
}}

func (d *decoder) free() {
	d.data = nil
	decoders.Put(d)
}

// ErrMany means that a document has too many elements for its size: it was made to
// take memory.
var ErrMany = errors.New(reasonMany)

var errNull = errors.New(reasonNull)

// The memory that lists and maps may take. A tidy document takes about as much as it
// is long. One of nothing but commas is refused in time: with its bytes, the strings
// and the memory that growing leaves behind, it costs less than ten times its size.
const (
	roomPerByte = 3
	roomAtLeast = 64 << 10
)

func roomFor(size int) int { return roomAtLeast + roomPerByte*size }

// take accounts for memory that a list or map is about to take.
func (d *decoder) take(bytes int) error {
	if d.room -= bytes; d.room < 0 {
		return ErrMany
	}
	return nil
}

// failure says what is wrong with a document that was to be a t.
func failure(err error, t reflect.Type) *Error {
	wrong := &Error{Reason: reasonInvalid}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		wrong.Path = path(syntactic.JSONPointer, t)
	} else if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		wrong.Path = path(semantic.JSONPointer, t)
	}
	switch {
	case err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF): //nolint:errorlint // the very one: there is nothing
		wrong.Reason, wrong.Err = reasonCutOff, io.ErrUnexpectedEOF
	case errors.Is(err, ErrMany):
		wrong.Reason, wrong.Err = reasonMany, ErrMany
	case errors.Is(err, errTwice):
		wrong.Reason = reasonTwice
	case errors.Is(err, errObject):
		wrong.Reason = reasonObject
	}
	return wrong
}
