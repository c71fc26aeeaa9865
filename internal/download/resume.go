// Package download gets a file whole and under a safe name: it finds the file's
// length, resumes a transfer that broke off, and makes names safe.
package download

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Transfer is how far a file has come. Its zero value is before the first byte.
type Transfer struct {
	Written int64 // bytes

	size int64 // of the whole file; -1 if not known
	etag string
}

// Resumable reports whether the rest can be asked for, or everything again.
func (t *Transfer) Resumable() bool {
	return t.Written == 0 || t.size > t.Written && strings.HasPrefix(t.etag, `"`)
}

// Header asks for the rest; it is nil where the rest is the whole file.
func (t *Transfer) Header() http.Header {
	if t.Written == 0 {
		return nil
	}
	return http.Header{
		"Range":    {"bytes=" + strconv.FormatInt(t.Written, 10) + "-"},
		"If-Range": {t.etag},
	}
}

// Fits reports whether an answer's body comes next: the whole file at first, and
// then exactly the rest of the same file.
func (t *Transfer) Fits(resp *http.Response) bool {
	if t.Written > 0 {
		return t.follows(resp)
	}
	t.size, t.etag = resp.ContentLength, resp.Header.Get("ETag")
	return resp.StatusCode == http.StatusOK
}

// follows reports whether a 206 is exactly the rest of the same file.
func (t *Transfer) follows(resp *http.Response) bool {
	rest := fmt.Sprintf("bytes %d-%d/%d", t.Written, t.size-1, t.size)
	return resp.StatusCode == http.StatusPartialContent &&
		resp.Header.Get("Content-Range") == rest &&
		resp.Header.Get("ETag") == t.etag &&
		resp.ContentLength == t.size-t.Written
}
