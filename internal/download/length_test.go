package download

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLengths(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]int64{ // of the part, of the whole
		"bytes 0-0/300":                     {1, 300},
		"bytes 100-299/300":                 {200, 300},
		"bytes 0-299/300":                   {300, 300},
		"bytes 0-300/300":                   {-1, -1},
		"bytes 5-4/300":                     {-1, -1},
		"bytes 0-0/*":                       {-1, -1},
		"bytes */300":                       {-1, -1},
		"bytes 0-0":                         {-1, -1},
		"bytes 0/300":                       {-1, -1},
		"bytes -1-0/300":                    {-1, -1},
		"bytes +0-0/300":                    {-1, -1},
		"bytes 0-0/0x10":                    {-1, -1},
		"bytes 0-0/9223372036854775807":     {1, 9223372036854775807},
		"bytes 0-0/9223372036854775808":     {-1, -1},
		"octets 0-0/300":                    {-1, -1},
		"":                                  {-1, -1},
		"bytes 0-0/300, bytes 5-5/300":      {-1, -1},
		"bytes 0-9223372036854775807/99999": {-1, -1},
	} {
		resp := &http.Response{StatusCode: http.StatusPartialContent, ContentLength: 7, Header: http.Header{"Content-Range": {text}}}
		first := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
		assert.Equal(t, want[0], PartLength(resp), text)
		assert.Equal(t, want[1], WholeLength(resp, first), text)
		for _, version := range []string{"ETag", "Last-Modified"} {
			other := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
			other.Header.Set(version, "x")
			assert.EqualValues(t, -1, WholeLength(resp, other), "of another version")
		}
		resp.StatusCode = http.StatusOK
		assert.EqualValues(t, -1, PartLength(resp))
		assert.EqualValues(t, 7, WholeLength(resp, first))
	}
}

func FuzzContentRange(f *testing.F) {
	for _, text := range []string{"bytes 0-0/300", "bytes */300", "bytes 0-0/*", "bytes -1--1/-1", "bytes", "bytes 1-/2"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		resp := &http.Response{StatusCode: http.StatusPartialContent, Header: http.Header{"Content-Range": {text}}}
		first, last, whole, ok := contentRange(resp)
		if !ok {
			require.EqualValues(t, -1, PartLength(resp))
			return
		}
		require.True(t, first >= 0 && first <= last && last < whole)
		require.Equal(t, last-first+1, PartLength(resp))
		again := &http.Response{StatusCode: http.StatusPartialContent, Header: http.Header{"Content-Range": {fmt.Sprintf("bytes %d-%d/%d", first, last, whole)}}}
		require.Equal(t, PartLength(resp), PartLength(again))
	})
}
