package resume

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func answer(status int, length int64, header ...string) *http.Response {
	resp := &http.Response{StatusCode: status, ContentLength: length, Header: http.Header{}}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

// begun is a transfer of a file of 10 bytes that broke off after 4.
func begun(t *testing.T, etag string) *Transfer {
	t.Helper()
	transfer := &Transfer{}
	require.True(t, transfer.Resumable())
	require.Nil(t, transfer.Header())
	require.True(t, transfer.Fits(answer(http.StatusOK, 10, "ETag", etag)))
	transfer.Written += 4
	return transfer
}

func TestOnlyTheWholeFileIsABeginning(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusNoContent, http.StatusPartialContent} {
		assert.False(t, new(Transfer).Fits(answer(status, 10, "ETag", `"a"`, "Content-Range", "bytes 0-9/10")), status)
	}
}

func TestOnlyTheRestOfTheSameFileFollows(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		resp *http.Response
		want bool
	}{
		"the rest":            {answer(206, 6, "ETag", `"a"`, "Content-Range", "bytes 4-9/10"), true},
		"everything again":    {answer(200, 10, "ETag", `"a"`), false},
		"another file":        {answer(206, 6, "ETag", `"b"`, "Content-Range", "bytes 4-9/10"), false},
		"no ETag":             {answer(206, 6, "Content-Range", "bytes 4-9/10"), false},
		"from another byte":   {answer(206, 6, "ETag", `"a"`, "Content-Range", "bytes 3-9/10"), false},
		"of another size":     {answer(206, 6, "ETag", `"a"`, "Content-Range", "bytes 4-9/11"), false},
		"of a size not known": {answer(206, 6, "ETag", `"a"`, "Content-Range", "bytes 4-9/*"), false},
		"no range":            {answer(206, 6, "ETag", `"a"`), false},
		"of another length":   {answer(206, 5, "ETag", `"a"`, "Content-Range", "bytes 4-9/10"), false},
		"no length":           {answer(206, -1, "ETag", `"a"`, "Content-Range", "bytes 4-9/10"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transfer := begun(t, `"a"`)
			assert.Equal(t, http.Header{"Range": {"bytes=4-"}, "If-Range": {`"a"`}}, transfer.Header())
			assert.Equal(t, test.want, transfer.Fits(test.resp))
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
	require.True(t, endless.Fits(answer(http.StatusOK, -1, "ETag", `"a"`)))
	endless.Written = 4
	assert.False(t, endless.Resumable())
}
