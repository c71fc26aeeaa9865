package truliootest_test

import (
	"bytes"
	"fmt"
	"image/jpeg"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// firstKey is a file of the account.
func firstKey(t *testing.T, a *truliootest.Account) string {
	t.Helper()
	for _, id := range a.IDs() {
		if keys := a.FileKeys(id); len(keys) > 0 {
			return keys[0]
		}
	}
	t.Fatal("no files")
	return ""
}

func TestFiles(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	key := firstKey(t, srv.Live)
	want := content(t, srv, key)
	assert.GreaterOrEqual(t, len(want), 20_000)
	assert.Less(t, len(want), 80_000)
	require.NoError(t, iotest.TestReader(srv.FileContent(key), want))

	whole := get(t, srv, "/v2"+filePath(key))
	assert.Equal(t, want, whole.body)
	assert.Equal(t, "image/jpeg", whole.header.Get("Content-Type"))
	assert.Regexp(t, `^attachment; filename="[0-9T:.Z-]+\.jpg"$`, whole.header.Get("Content-Disposition"))
	tag := whole.header.Get("ETag")
	assert.Regexp(t, `^"[0-9a-f]+"$`, tag)
	part := get(t, srv, "/v2"+filePath(key), "Range", "bytes=1001-", "If-Range", tag)
	assert.Equal(t, http.StatusPartialContent, part.status)
	assert.Equal(t, fmt.Sprintf("bytes 1001-%d/%d", len(want)-1, len(want)), part.header.Get("Content-Range"))
	assert.Equal(t, want[1001:], part.body)

	photo, err := jpeg.Decode(bytes.NewReader(want))
	require.NoError(t, err, "a photo that a page can show")
	assert.Greater(t, photo.Bounds().Dx(), 100)

	srv.ChangeFiles()
	changed := get(t, srv, "/v2"+filePath(key), "Range", "bytes=1001-", "If-Range", tag)
	assert.Equal(t, http.StatusOK, changed.status)
	assert.Len(t, changed.body, len(want))
	assert.NotEqual(t, want, changed.body)
	assert.NotEqual(t, tag, changed.header.Get("ETag"))
	assert.Equal(t, content(t, srv, key), changed.body)
}

func TestAwkwardFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		files truliootest.Files
		check func(t *testing.T, whole, part answer, want []byte)
	}{
		"no etag": {truliootest.Files{ETag: truliootest.NoETag}, func(t *testing.T, whole, part answer, want []byte) {
			assert.Empty(t, whole.header.Get("ETag"))
			assert.Equal(t, want[10:], part.body)
		}},
		"weak etag": {truliootest.Files{ETag: truliootest.WeakETag}, func(t *testing.T, whole, _ answer, _ []byte) {
			assert.Regexp(t, `^W/"`, whole.header.Get("ETag"))
		}},
		"ignores ranges": {truliootest.Files{IgnoreRange: true}, func(t *testing.T, whole, part answer, want []byte) {
			assert.Equal(t, want, part.body)
			assert.Equal(t, http.StatusOK, part.status)
			assert.Equal(t, fmt.Sprint(len(want)), whole.header.Get("Content-Length"))
		}},
		"wrong content range": {truliootest.Files{WrongContentRange: true}, func(t *testing.T, whole, part answer, want []byte) {
			assert.Equal(t, want, whole.body)
			assert.Equal(t, fmt.Sprintf("bytes 9-%d/%d", len(want)-2, len(want)), part.header.Get("Content-Range"))
			assert.Equal(t, want[10:], part.body)
		}},
		"chunked": {truliootest.Files{Chunked: true, Size: 100}, func(t *testing.T, whole, _ answer, want []byte) {
			assert.Equal(t, want, whole.body)
			assert.Len(t, want, 100)
			assert.Empty(t, whole.header.Get("Content-Length"))
		}},
		"changes": {truliootest.Files{ChangeEachRequest: true}, func(t *testing.T, whole, part answer, want []byte) {
			assert.NotEqual(t, whole.body[10:], part.body)
			assert.NotEqual(t, whole.header.Get("ETag"), part.header.Get("ETag"))
			assert.Equal(t, want[10:], part.body, "the last one served")
		}},
		"headers": {truliootest.Files{ContentType: "text/html", Disposition: `attachment; filename="../../etc/passwd"`},
			func(t *testing.T, whole, _ answer, _ []byte) {
				assert.Equal(t, "text/html", whole.header.Get("Content-Type"))
				assert.Contains(t, whole.header.Get("Content-Disposition"), "../../etc/passwd")
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t, truliootest.WithFiles(test.files))
			key := firstKey(t, srv.Live)
			whole := get(t, srv, "/v2"+filePath(key))
			part := get(t, srv, "/v2"+filePath(key), "Range", "bytes=10-")
			test.check(t, whole, part, content(t, srv, key))
		})
	}
}

func TestFilesOnAnotherHost(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]truliootest.Option{{truliootest.InMemory()}, {}} {
		srv := truliootest.NewServer(t, append(opts, truliootest.WithFiles(truliootest.Files{Redirect: true}))...)
		key := firstKey(t, srv.Live)
		// net/http drops the token on its own: the host's name is another.
		got := get(t, srv, "/v2"+filePath(key))
		assert.Equal(t, http.StatusOK, got.status)
		assert.Equal(t, content(t, srv, key), got.body)

		var link string
		client := *srv.HTTPClient()
		client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
			link = req.URL.String()
			return http.ErrUseLastResponse
		}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.BaseURL+"/v2"+filePath(key), nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+srv.Token())
		resp, err := client.Do(req)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusFound, resp.StatusCode)
		require.True(t, strings.HasPrefix(link, "http://localhost:"), link)

		twice, err := ask(t, srv, http.MethodGet, link, nil, "Authorization", "Bearer x")
		require.NoError(t, err)
		assert.Equal(t, http.StatusBadRequest, twice.status, "object stores take one way to authenticate")
		forged, err := ask(t, srv, http.MethodGet, link+"0", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusForbidden, forged.status)
		store := srv.StoreRequests()
		require.Len(t, store, 3)
		assert.Empty(t, store[0].Header.Get("Authorization"))
		assert.Equal(t, "Bearer x", store[1].Header.Get("Authorization"))
		srv.ResetCounts()
		assert.Empty(t, srv.StoreRequests())
	}
}

func TestAQuarterOfAGigabyteIsStreamed(t *testing.T) { //nolint:paralleltest // it measures the heap
	const size = 256 << 20
	srv := truliootest.NewServer(t, truliootest.WithFiles(truliootest.Files{Size: size}))
	key := firstKey(t, srv.Live)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.BaseURL+"/v2"+filePath(key), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+srv.Token())
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	resp, err := srv.HTTPClient().Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	assert.Equal(t, int64(size), n)
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
}

func TestFileContentSeeks(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithFiles(truliootest.Files{Size: 1 << 40}))
	file := srv.FileContent("any")
	end, err := file.Seek(-5, io.SeekEnd)
	require.NoError(t, err)
	assert.Equal(t, int64(1<<40-5), end)
	tail, err := io.ReadAll(file)
	require.NoError(t, err)
	assert.Len(t, tail, 5)
	_, err = file.Seek(-1, io.SeekStart)
	require.Error(t, err)
	var block [64]byte
	_, err = file.Seek(1<<33+3, io.SeekStart)
	require.NoError(t, err)
	_, err = io.ReadFull(file, block[:])
	require.NoError(t, err)
	for _, period := range []int64{8, 4096, 1 << 16, 1 << 20, 1 << 32} {
		var other [64]byte
		_, err = file.Seek(1<<33+3+period, io.SeekStart)
		require.NoError(t, err)
		_, err = io.ReadFull(file, other[:])
		require.NoError(t, err)
		assert.NotEqual(t, block[8:16], other[8:16], "bytes put in the wrong place are noticed")
	}
}
