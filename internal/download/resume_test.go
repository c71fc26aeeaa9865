package download

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// answer has the parts of a server's answer that matter.
type answer struct {
	status int
	length int64
	etag   string
	part   string // Content-Range
}

func (a answer) fits(t *Transfer) bool {
	header := http.Header{"Etag": {a.etag}, "Content-Range": {a.part}}
	return t.Fits(&http.Response{StatusCode: a.status, ContentLength: a.length, Header: header})
}

// begun is a transfer of a file of 10 bytes that broke off after 4.
func begun(t *testing.T, etag string) *Transfer {
	t.Helper()
	transfer := &Transfer{}
	require.True(t, transfer.Resumable())
	require.Nil(t, transfer.Header())
	require.True(t, answer{200, 10, etag, ""}.fits(transfer))
	transfer.Written += 4
	return transfer
}

func TestOnlyTheWholeFileIsABeginning(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNoContent, http.StatusPartialContent} {
		assert.False(t, answer{status, 10, `"a"`, "bytes 0-9/10"}.fits(&Transfer{}), status)
	}
}

func TestOnlyTheRestOfTheSameFileFollows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		answer answer
		want   bool
	}{
		"the rest":            {answer{206, 6, `"a"`, "bytes 4-9/10"}, true},
		"everything again":    {answer{200, 10, `"a"`, ""}, false},
		"another file":        {answer{206, 6, `"b"`, "bytes 4-9/10"}, false},
		"no ETag":             {answer{206, 6, "", "bytes 4-9/10"}, false},
		"from another byte":   {answer{206, 6, `"a"`, "bytes 3-9/10"}, false},
		"of another size":     {answer{206, 6, `"a"`, "bytes 4-9/11"}, false},
		"of a size not known": {answer{206, 6, `"a"`, "bytes 4-9/*"}, false},
		"no range":            {answer{206, 6, `"a"`, ""}, false},
		"of another length":   {answer{206, 5, `"a"`, "bytes 4-9/10"}, false},
		"no length":           {answer{206, -1, `"a"`, "bytes 4-9/10"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transfer := begun(t, `"a"`)
			assert.Equal(t, http.Header{"Range": {"bytes=4-"}, "If-Range": {`"a"`}}, transfer.Header())
			assert.Equal(t, test.want, test.answer.fits(transfer))
		})
	}
}

func TestResumable(t *testing.T) {
	t.Parallel()
	assert.True(t, begun(t, `"a"`).Resumable())
	assert.False(t, begun(t, `W/"a"`).Resumable(), "a weak ETag proves nothing")
	assert.False(t, begun(t, "").Resumable())
	whole := begun(t, `"a"`)
	whole.Written = 10
	assert.False(t, whole.Resumable(), "there is no rest")
	endless := &Transfer{}
	require.True(t, answer{200, -1, `"a"`, ""}.fits(endless))
	endless.Written = 4
	assert.False(t, endless.Resumable())
}
