// Package webhook has the parts of a receiver of callbacks that know nothing of the
// events' form: reading requests from senders that are not verified yet, signatures
// and tokens, the set of events in flight, and the claims on events.
package webhook

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"strings"
)

// Body reads the whole body. It does not allocate a length that is only claimed.
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

// IsJSON reports whether the type is application/json or of its kin, such as
// application/vnd.x+json, with any parameters.
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

// ErrTooLarge means that a body is over its cap once it is decompressed.
var ErrTooLarge = errors.New("the decompressed body is larger than the limit")

// IsGzip reports whether a body is compressed: by its header, and by its own
// first bytes, since some frameworks decompress and leave the header. known is
// false for a coding that cannot be read.
func IsGzip(codings []string, body []byte) (compressed, known bool) {
	for part := range strings.SplitSeq(strings.Join(codings, ","), ",") {
		switch strings.ToLower(strings.TrimSpace(part)) {
		case "", "identity":
		case "gzip", "x-gzip":
			if compressed {
				return false, false // twice
			}
			compressed = true
		default:
			return false, false
		}
	}
	return compressed && bytes.HasPrefix(body, []byte{0x1f, 0x8b}), true
}

// Gunzip decompresses a body whose sender has proved nothing yet: at most limit bytes.
func Gunzip(body []byte, limit int64) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	capped := &cappedReader{reader, limit}
	return Body(capped, int64(len(body)))
}

// cappedReader fails at its limit, where io.LimitReader would cut silently.
type cappedReader struct {
	io.Reader
	left int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return 0, ErrTooLarge
	}
	return n, err
}

// LooksBase64 reports whether a body that is not JSON looks like base64 of JSON, which
// some API gateways send.
func LooksBase64(body []byte) bool {
	start := bytes.TrimSpace(body)
	start = start[:min(len(start), 64)]
	start = start[:len(start)/4*4]
	decoded, err := base64.StdEncoding.DecodeString(string(start))
	return err == nil && bytes.HasPrefix(bytes.TrimSpace(decoded), []byte("{"))
}
