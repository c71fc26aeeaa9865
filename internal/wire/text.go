package wire

import (
	"bytes"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Text is a JSON string's content, the literal of a number or boolean, and ""
// for anything else, bytes that are not JSON included.
func Text(raw []byte) string {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		return unquote(raw)
	case '{', '[', 'n':
		return ""
	}
	return string(raw)
}

// unquote is a string's content. Bytes that are not UTF-8, and half a surrogate
// pair, become U+FFFD.
func unquote(raw []byte) string {
	if last := len(raw) - 1; last > 0 && raw[last] == '"' && isPlain(raw[1:last]) {
		return string(raw[1:last])
	}
	if !Valid(raw) {
		return ""
	}
	var short [128]byte
	text, _ := jsontext.AppendUnquote(short[:0], raw) // the error is that of invalid UTF-8
	return string(text)
}

// unquoted is the content of raw, which the decoder has found to be a string. It is a
// part of raw where that is possible.
func unquoted(raw []byte) []byte {
	if inner := raw[1 : len(raw)-1]; isPlain(inner) {
		return inner
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // as above
	return text
}

// isPlain reports whether the text between a string's quotes is its content.
func isPlain(inner []byte) bool {
	for _, c := range inner {
		if c == '\\' || c >= utf8.RuneSelf {
			return bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner)
		}
	}
	return true
}
