package download

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// OpenEnded reports whether nothing in an answer tells where its body ends. A
// body of HTTP/1 that has neither a length nor chunks ends where the connection
// does, and a connection that breaks can end in the same way.
func OpenEnded(resp *http.Response) bool {
	return resp.ContentLength < 0 && resp.ProtoMajor < 2 && !slices.Contains(resp.TransferEncoding, "chunked")
}

// PartLength is the length of a 206's body by its Content-Range; -1 if that
// does not say.
func PartLength(resp *http.Response) int64 {
	first, last, _, ok := contentRange(resp)
	if resp.StatusCode != http.StatusPartialContent || !ok {
		return -1
	}
	return last - first + 1
}

// WholeLength is the length of the whole file by an answer about the same version of
// it as first; -1 if the answer does not say.
func WholeLength(resp, first *http.Response) int64 {
	for _, version := range []string{"ETag", "Last-Modified"} {
		if resp.Header.Get(version) != first.Header.Get(version) {
			return -1
		}
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return resp.ContentLength
	case http.StatusPartialContent:
		if _, _, whole, ok := contentRange(resp); ok {
			return whole
		}
	}
	return -1
}

// contentRange reads "bytes first-last/whole".
func contentRange(resp *http.Response) (first, last, whole int64, ok bool) {
	text, ok := strings.CutPrefix(resp.Header.Get("Content-Range"), "bytes ")
	bounds, size, both := strings.Cut(text, "/")
	from, to, dash := strings.Cut(bounds, "-")
	if !ok || !both || !dash {
		return 0, 0, 0, false
	}
	numbers := make([]int64, 3)
	for i, digits := range []string{from, to, size} {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n < 0 || digits[0] == '+' {
			return 0, 0, 0, false
		}
		numbers[i] = n
	}
	first, last, whole = numbers[0], numbers[1], numbers[2]
	return first, last, whole, first <= last && last < whole
}
