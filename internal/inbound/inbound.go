// Package inbound reads requests of senders who have proved nothing yet.
package inbound

import (
	"io"
	"net/http"
	"strings"
)

// Body reads it all. A length that is only claimed does not get its memory at once.
func Body(body io.Reader, length int64) ([]byte, error) {
	buf := make([]byte, 0, min(max(length, 511), 64<<10)+1)
	for {
		n, err := body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// IsJSON takes application/json and its kin, such as application/vnd.x+json,
// with any parameters.
func IsJSON(contentType string) bool {
	if contentType == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	kin := strings.HasPrefix(media, "application/") && strings.HasSuffix(media, "+json")
	return media == "application/json" || kin && !strings.ContainsAny(media, ", ")
}

// Values finds a header whose name may not be in net/http's form.
func Values(header http.Header, name string) []string {
	var found []string
	for key, v := range header {
		if strings.EqualFold(key, name) {
			found = append(found, v...)
		}
	}
	return found
}
