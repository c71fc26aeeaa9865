package transport

import (
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo/internal/tidy"
)

// Said reads what it can of an error's body, whose form is not documented: a
// code and a message under the usual names, at the top or in "error".
func (f *Failure) Said() (code, message string) {
	var said map[string]any
	if tidy.Unmarshal(f.Body, &said) != nil {
		return "", ""
	}
	if nested, ok := said["error"].(map[string]any); ok {
		said = nested
	}
	return firstText(said, "code", "errorCode", "error_code", "error"),
		firstText(said, "message", "errorMessage", "error_description", "detail", "title")
}

// firstText is the first of the names that has a text or a number.
func firstText(said map[string]any, names ...string) string {
	for _, name := range names {
		switch v := said[name].(type) {
		case string:
			if v = strings.TrimSpace(v); v != "" {
				return v
			}
		case float64:
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
	return ""
}
