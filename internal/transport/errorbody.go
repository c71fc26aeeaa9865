package transport

import (
	"bytes"
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// ErrorBody is the readable part of an error answer's body.
// The API's form is not documented, so every common one is understood.
type ErrorBody struct {
	Code    string // "" if the body has none
	Message string // "" if the body has none

	// Structured says that the body is an object or a list, in JSON or as an
	// object store's error document. A gateway's page or an empty body is not.
	Structured bool
}

// ReadErrorBody reads a code and a message under their usual names in any case:
// at the top, in "error", or in the first element of a list, of "errors" or of
// "error".
func ReadErrorBody(body []byte) ErrorBody {
	var said any
	if wire.Unmarshal(body, &said) != nil {
		return readStoreError(body)
	}
	switch said.(type) {
	case map[string]any, []any:
		read := ErrorBody{Structured: true}
		read.fill(said, 0)
		return read
	}
	return ErrorBody{}
}

const maxErrorNesting = 4 // a list of objects with "errors" of objects with "error"

func (b *ErrorBody) fill(said any, depth int) {
	if depth > maxErrorNesting || b.Code != "" {
		return
	}
	switch said := said.(type) {
	case string:
		b.add("", said)
	case []any:
		for _, element := range said {
			b.fill(element, depth+1)
		}
	case map[string]any:
		b.fillObject(lowerNames(said), depth)
	}
}

func (b *ErrorBody) fillObject(said map[string]any, depth int) {
	code := firstText(said, "code", "errorcode", "error_code")
	message := firstText(said, "message", "errormessage", "error_message", "error_description", "detail", "title")
	if word, ok := said["error"].(string); ok {
		// RFC 6749 has a code there, Spring the text of the status.
		if _, status := said["status"]; status || isStatusText(word) {
			message = cmp.Or(message, word)
		} else {
			code = cmp.Or(code, word)
		}
	}
	b.add(code, message)
	for _, name := range []string{"error", "errors"} {
		if _, isText := said[name].(string); !isText {
			b.fill(said[name], depth+1)
		}
	}
}

// add takes a code and the message beside it, or only a message while there is none.
func (b *ErrorBody) add(code, message string) {
	code, message = strings.TrimSpace(code), strings.TrimSpace(message)
	if code != "" && message != "" || b.Message == "" {
		b.Message = message
	}
	b.Code = code
}

func isStatusText(word string) bool {
	for status := http.StatusBadRequest; status < 600; status++ {
		if text := http.StatusText(status); text != "" && strings.EqualFold(text, strings.TrimSpace(word)) {
			return true
		}
	}
	return false
}

// lowerNames gives an object with its names in lower case: the vendor's standard
// spells them with capitals. Of two names that become one, the lower-case one counts.
func lowerNames(said map[string]any) map[string]any {
	lower := make(map[string]any, len(said))
	for name, value := range said {
		if key := strings.ToLower(name); key == name || said[key] == nil {
			lower[key] = value
		}
	}
	return lower
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

// readStoreError reads an object store's error document:
// <Error><Code>NoSuchKey</Code>...
func readStoreError(body []byte) ErrorBody {
	_, rest, found := bytes.Cut(body, []byte("<Error>"))
	if !found || PageReason(body) == htmlPage {
		return ErrorBody{}
	}
	_, rest, _ = bytes.Cut(rest, []byte("<Code>"))
	code, _, found := bytes.Cut(rest, []byte("</Code>"))
	if !found {
		return ErrorBody{}
	}
	return ErrorBody{Code: string(bytes.TrimSpace(code)), Structured: true}
}

// NotFound reports whether the code is one of those of developer.trulioo.com's
// errors page that mean not found, whatever the status: flow, node, client,
// client has no such flow.
func NotFound(code string) bool {
	switch code {
	case "4000", "4002", "4100", "4101":
		return true
	}
	return false
}

// Object reports whether a body begins as a JSON object does.
func Object(body []byte) bool {
	return bytes.HasPrefix(bytes.TrimSpace(wire.TrimBOM(body)), []byte("{"))
}

const htmlPage = "an HTML page instead of JSON"

// PageReason says in constant words that a body is a gateway's page rather than
// JSON, whatever its status and Content-Type; "" where it is not.
func PageReason(body []byte) string {
	body = bytes.TrimSpace(wire.TrimBOM(body))
	if len(body) < 1024 && (bytes.Contains(body, []byte("HTTP request to an HTTPS server")) || bytes.Contains(body, []byte("plain HTTP request was sent to HTTPS port"))) {
		return "the server speaks TLS, not plain http"
	}
	if len(body) == 0 || body[0] != '<' {
		return ""
	}
	start := bytes.ToLower(body[:min(len(body), 1024)])
	if bytes.HasPrefix(start, []byte("<?xml")) && !bytes.Contains(start, []byte("<html")) {
		return "XML instead of JSON"
	}
	return htmlPage
}
