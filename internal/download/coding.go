package download

import (
	"net/http"
	"slices"
	"strings"
)

// compressions are the content codings of the IANA registry that make a body
// smaller on its way, with their old names.
var compressions = []string{"gzip", "x-gzip", "compress", "x-compress", "deflate", "br", "zstd", "dcb", "dcz"}

// Coding is an answer's Content-Encoding as the server spells it, "" where it is
// absent or "identity". compressed says that one of its parts is a compression; no
// request asks for one.
func Coding(resp *http.Response) (coding string, compressed bool) {
	coding = strings.Join(resp.Header.Values("Content-Encoding"), ", ")
	plain := true
	for part := range strings.SplitSeq(coding, ",") {
		part = strings.ToLower(strings.TrimSpace(part))
		plain = plain && (part == "" || part == "identity")
		compressed = compressed || slices.Contains(compressions, part)
	}
	if plain {
		coding = ""
	}
	return coding, compressed
}
