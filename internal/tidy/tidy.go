// Package tidy decodes JSON of an API that is free with its types. A document
// that fits its Go type costs what encoding/json costs; one that does not is
// brought into shape first, so that one untidy value never loses the rest.
package tidy

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
)

// Constant reasons of an Error.
const (
	reasonCutOff  = "cut-off JSON"
	reasonInvalid = "not one whole JSON value"
	reasonNull    = "null where a value is needed"
	reasonKind    = "not of the kind that is needed"
)

// Error says where and why a document could not be decoded. It never holds a
// value or a name that is not one of the Go type's own.
type Error struct {
	Path   string // such as "data[3].created"; names that are not the type's are *
	Reason string // a constant text
	Err    error  // io.ErrUnexpectedEOF where the document ends inside a value, so that asking again may help
}

// Error names the reason and the place.
func (e *Error) Error() string {
	if e.Path == "" {
		return e.Reason
	}
	return e.Reason + " at " + e.Path
}

// Unwrap gives io.ErrUnexpectedEOF for a cut-off document, else nil.
func (e *Error) Unwrap() error { return e.Err }

// TrimBOM cuts off a UTF-8 byte order mark, which is not part of the JSON.
func TrimBOM(data []byte) []byte {
	return bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
}

// Unmarshal decodes data, which must be exactly one JSON value and not null,
// into v, a pointer to a zero value. Values that do not fit are brought into
// shape (see shape) or left out. The error is an *Error, and v is zero then.
func Unmarshal(data []byte, v any) error {
	data = TrimBOM(data)
	err := json.Unmarshal(data, v)
	if err == nil {
		return notNull(data)
	}
	target := reflect.ValueOf(v).Elem()
	target.SetZero()
	if err := check(data, target.Type()); err != nil {
		return err
	}
	shaped := shape(data, target.Type(), 0)
	if shaped == nil || json.Unmarshal(shaped, v) != nil {
		target.SetZero()
		return &Error{Reason: reasonKind}
	}
	return nil
}

// Check reports whether data is exactly one JSON value and not null, with an
// *Error where it is not.
func Check(data []byte) error {
	data = TrimBOM(data)
	if err := check(data, nil); err != nil {
		return err
	}
	return notNull(data)
}

func notNull(data []byte) error {
	if isNull(bytes.TrimSpace(data)) {
		return &Error{Reason: reasonNull}
	}
	return nil
}

func isNull(value []byte) bool { return string(value) == "null" }

// check finds out what is wrong with data as JSON; t, which can be nil, is the
// type whose names the path may hold.
func check(data []byte, t reflect.Type) error {
	if json.Valid(data) {
		return nil
	}
	var value json.RawMessage
	err := json.NewDecoder(bytes.NewReader(data)).Decode(&value)
	switch {
	case err == nil: // one whole value, and then something else
		return &Error{Reason: reasonInvalid}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Path: place(data, t), Reason: reasonCutOff, Err: io.ErrUnexpectedEOF}
	}
	return &Error{Path: place(data, t), Reason: reasonInvalid}
}
