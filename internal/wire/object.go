package wire

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	reasonObject = "not a JSON object"
	reasonTwice  = "a name occurs twice"
)

var errObject = errors.New(reasonObject)

// Members gives the members of the object that data must be, in the order of
// the text: each with its name as it stands, its name decoded, and its value.
// They are parts of data, but for a name that needed decoding. The error is an
// *Error; it comes after the members that stand before the damage. A second
// value after the object is damage too.
func Members(data []byte, member func(quoted, name, value []byte)) error {
	return members(data, member, lenient)
}

// UniqueMembers is Members for an object in which, at any depth, no name is
// given twice: nobody can say which one was meant.
func UniqueMembers(data []byte, member func(quoted, name, value []byte)) error {
	if tooMany(TrimBOM(data)) {
		return &Error{Reason: reasonMany, Err: ErrMany}
	}
	return members(data, member, strict)
}

var (
	strict  = jsontext.AllowInvalidUTF8(true)
	lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), strict)
)

func members(data []byte, member func(quoted, name, value []byte), options json.Options) error {
	if err := json.Unmarshal(TrimBOM(data), &visit{member}, options); err != nil {
		wrong := failure(err, nil)
		wrong.Path = "" // of names that nobody has said to be known
		return wrong
	}
	return nil
}

// visit is decoded from an object by calling member.
type visit struct {
	member func(quoted, name, value []byte)
}

// UnmarshalJSONFrom is called by encoding/json/v2.
func (v *visit) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if kind := dec.PeekKind(); kind != '{' {
		if _, err := dec.ReadValue(); err != nil {
			return err
		}
		return errObject
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return err
		}
		name := unquoted(quoted)
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		v.member(quoted, name, value)
	}
	_, err := dec.ReadToken()
	return err
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

// Digest is the hex SHA-256 of an object's canonical form: that of RFC 8785, but
// with the numbers as they stand. The object is rewritten. Its members must be
// those of UniqueMembers.
func Digest(object []byte) string {
	canonical := jsontext.Value(object)
	if err := canonical.Canonicalize(lenient, jsontext.CanonicalizeRawInts(false), jsontext.CanonicalizeRawFloats(false)); err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// What it takes to know that names are unique and to sort them, as measured: in
// an object of few names, and in one of many, whose names become a map and whose
// members are moved.
const (
	fewNames      = 64
	roomPerName   = 40
	roomPerOfMany = 1100
)

// tooMany reports whether an object has more names, at any depth, than its size
// warrants. Colons are counted first, which costs next to nothing.
func tooMany(data []byte) bool {
	room := 4*roomAtLeast + 8*len(data)
	if roomPerOfMany*bytes.Count(data, []byte{':'}) <= room {
		return false
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(data), lenient)
	for room >= 0 {
		if dec.PeekKind() == '}' {
			_, length := dec.StackIndex(dec.StackDepth())
			if names := int(length / 2); names > fewNames {
				room -= roomPerOfMany * names
			} else {
				room -= roomPerName * names
			}
		}
		if _, err := dec.ReadToken(); err != nil {
			return false
		}
	}
	return true
}
