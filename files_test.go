package trulioo_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

const fileSize = 300_000 // more than any buffer on the way

// fileKey is the key of some file of the live account.
func fileKey(t testing.TB, srv *truliootest.Server) string {
	t.Helper()
	for _, id := range srv.Live.IDs() {
		if keys := srv.Live.FileKeys(id); len(keys) > 0 {
			return keys[0]
		}
	}
	t.Fatal("the account has no file")
	return ""
}

// wholeFile is the server's file of the key now.
func wholeFile(t testing.TB, srv *truliootest.Server, key string) []byte {
	t.Helper()
	content, err := io.ReadAll(srv.FileContent(key))
	require.NoError(t, err)
	return content
}

// downloads are the requests for files so far.
func downloads(srv *truliootest.Server) []truliootest.Request {
	var found []truliootest.Request
	for _, r := range srv.Requests() {
		if r.Operation == truliootest.DownloadFile {
			found = append(found, r)
		}
	}
	return found
}

func filesServer(t testing.TB, files truliootest.Files, opts ...truliootest.Option) *truliootest.Server {
	t.Helper()
	files.Size = fileSize
	return truliootest.NewServer(t, append(opts, truliootest.WithFiles(files))...)
}

func TestDownload(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]truliootest.Files{"with a length": {}, "chunked": {Chunked: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files.ContentType = "application/pdf"
			files.Disposition = `attachment; filename="passport.pdf"`
			srv := filesServer(t, files, truliootest.WithGzip())
			key := fileKey(t, srv)
			file, err := clientOf(srv).Files.Download(t.Context(), key)
			require.NoError(t, err)
			content, err := io.ReadAll(file.Body)
			require.NoError(t, err)
			require.NoError(t, file.Body.Close())
			assert.True(t, bytes.Equal(wholeFile(t, srv, key), content))
			assert.Equal(t, "application/pdf", file.ContentType)
			assert.Equal(t, "passport.pdf", file.Name)
			size := int64(fileSize)
			if files.Chunked {
				size = -1
			}
			assert.Equal(t, size, file.Size)
			got := downloads(srv)
			require.Len(t, got, 1)
			assert.Equal(t, []string{"identity"}, got[0].Header["Accept-Encoding"])
			assert.Equal(t, []string{key}, got[0].Query()["key"], "the key's + / = did not arrive")
			assert.Empty(t, got[0].Header["Range"])
			assert.Empty(t, got[0].Header["Accept"])
		})
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]truliootest.Files{
		"with a length": {}, "chunked": {Chunked: true}, "no ETag": {ETag: truliootest.NoETag}, "from the object store": {Redirect: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := filesServer(t, files)
			key := fileKey(t, srv)
			var written bytes.Buffer
			saved, err := clientOf(srv).Files.Save(t.Context(), key, &written)
			require.NoError(t, err)
			assert.Equal(t, trulioo.SavedFile{Ref: trulioo.FileRef{Key: key}, Size: fileSize}, saved)
			assert.True(t, bytes.Equal(wholeFile(t, srv, key), written.Bytes()))
		})
	}
	t.Run("an empty file", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, ""))
		saved, err := clientOf(srv).Files.Save(t.Context(), "k", io.Discard)
		require.NoError(t, err)
		assert.Zero(t, saved.Size)
	})
}

func TestFileArguments(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	files := clientOf(srv).Files
	var wrong *trulioo.ArgumentError
	_, err := files.Download(t.Context(), "")
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "key", wrong.Argument)
	_, err = files.Save(t.Context(), "", io.Discard)
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "key", wrong.Argument)
	_, err = files.Save(t.Context(), "k", nil)
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "w", wrong.Argument)
	_, err = files.Download(nil, "k") //nolint:staticcheck // the mistake under test
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "ctx", wrong.Argument)
	assert.Zero(t, srv.Count(truliootest.Any))
}

func TestFileAnswersThatAreNoFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effect   truliootest.Effect
		requests int
		as       any
		is       error
	}{
		"not found":          {truliootest.Answer(http.StatusNotFound, "{}"), 1, new(*trulioo.APIError), trulioo.ErrNotFound},
		"unavailable":        {truliootest.Answer(http.StatusServiceUnavailable, "<html>"), 4, new(*trulioo.APIError), trulioo.ErrServer},
		"no connection":      {truliootest.Reset(), 0, new(*trulioo.TransportError), nil},
		"a part, not asked":  {truliootest.Answer(http.StatusPartialContent, "abc").Header("Content-Range", "bytes 0-2/9"), 1, new(*trulioo.DecodeError), nil},
		"accepted, no file":  {truliootest.Answer(http.StatusAccepted, "later"), 1, new(*trulioo.DecodeError), nil},
		"compressed for us":  {truliootest.Answer(http.StatusOK, "\x1f\x8b").Header("Content-Encoding", "gzip"), 1, new(*trulioo.DecodeError), nil},
		"compressed by both": {truliootest.Answer(http.StatusOK, "x").Header("Content-Encoding", "identity, br"), 1, new(*trulioo.DecodeError), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.DownloadFile, c.effect)
			client := clientOf(srv)
			check := func(err error) {
				t.Helper()
				require.ErrorAs(t, err, c.as)
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				if c.requests > 0 { // net/http adds its own where a kept connection breaks
					assert.Equal(t, c.requests, srv.Count(truliootest.DownloadFile))
				}
			}
			file, err := client.Files.Download(t.Context(), "k")
			assert.Nil(t, file)
			check(err)
			srv.ResetCounts()
			var saved bytes.Buffer
			result, err := client.Files.Save(t.Context(), "k", &saved)
			check(err)
			assert.Zero(t, result.Size)
			assert.Empty(t, saved.Bytes())
		})
	}
	t.Run("identity is no compression", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, "x").Header("Content-Encoding", "Identity"))
		_, err := clientOf(srv).Files.Save(t.Context(), "k", io.Discard)
		require.NoError(t, err)
	})
}

// Trap: a short read is an error, however the file was cut off.
func TestDownloadThatIsCutOffIsAnError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files  truliootest.Files
		effect truliootest.Effect
	}{
		"closed":           {truliootest.Files{}, truliootest.Cut(100_000)},
		"reset":            {truliootest.Files{}, truliootest.ResetAfter(100_000)},
		"chunked":          {truliootest.Files{Chunked: true}, truliootest.CutChunked(100_000)},
		"chunked, reset":   {truliootest.Files{Chunked: true}, truliootest.ResetAfter(100_000)},
		"at the last byte": {truliootest.Files{}, truliootest.Cut(fileSize - 1)},
		"at the first":     {truliootest.Files{}, truliootest.Cut(0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := filesServer(t, c.files)
			srv.Fail(truliootest.DownloadFile, c.effect)
			key := fileKey(t, srv)
			file, err := clientOf(srv).Files.Download(t.Context(), key)
			require.NoError(t, err)
			content, err := io.ReadAll(file.Body)
			require.NoError(t, file.Body.Close())
			var broken *trulioo.TransportError
			require.ErrorAs(t, err, &broken)
			require.NotErrorIs(t, err, io.EOF)
			assert.Equal(t, "download file", broken.Operation)
			assert.NotEmpty(t, broken.Reason)
			assert.True(t, bytes.HasPrefix(wholeFile(t, srv, key), content))
			assert.Equal(t, 1, srv.Count(truliootest.DownloadFile))
		})
	}
}

// shortBody is a transport that calls a file whole that is not, as the caller's own may.
type shortBody struct{ next http.RoundTripper }

func (s shortBody) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(req)
	if err == nil && strings.HasSuffix(req.URL.Path, "/query/file") {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, fileSize/2), resp.Body}
	}
	return resp, err
}

func TestLengthIsVerifiedWhateverTheTransportSays(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{ETag: truliootest.NoETag})
	client := clientOf(srv, trulioo.WithHTTPClient(&http.Client{Transport: shortBody{srv.HTTPClient().Transport}}))
	file, err := client.Files.Save(t.Context(), fileKey(t, srv), io.Discard)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, int64(fileSize/2), file.Size)
}

func TestSaveResumes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files  truliootest.Files
		effect truliootest.Effect
		times  int
	}{
		"closed":               {truliootest.Files{}, truliootest.Cut(100_000), 1},
		"reset":                {truliootest.Files{}, truliootest.ResetAfter(100_000), 1},
		"three times":          {truliootest.Files{}, truliootest.Cut(70_000), 3},
		"at the last byte":     {truliootest.Files{}, truliootest.Cut(fileSize - 1), 1},
		"from an object store": {truliootest.Files{Redirect: true}, truliootest.Pass(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := filesServer(t, c.files)
			key := fileKey(t, srv)
			client := clientOf(srv)
			if c.files.Redirect {
				// The redirect is the API's; the bytes break at the object store.
				client = clientOf(srv, trulioo.WithHTTPClient(&http.Client{Transport: &cutOnce{next: srv.HTTPClient().Transport}}))
			} else {
				srv.Fail(truliootest.DownloadFile, c.effect, truliootest.Times(c.times))
			}
			var saved bytes.Buffer
			file, err := client.Files.Save(t.Context(), key, &saved)
			require.NoError(t, err)
			assert.Equal(t, int64(fileSize), file.Size)
			assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
			requests := downloads(srv)
			require.Len(t, requests, max(c.times, 1)+1)
			assert.Empty(t, requests[0].Header["Range"])
			for _, r := range requests[1:] {
				from, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Range"), "bytes="), "-"))
				require.NoError(t, err, r.Header.Get("Range"))
				assert.Positive(t, from)
				assert.Less(t, from, fileSize)
				assert.Regexp(t, `^"[^"]+"$`, r.Header.Get("If-Range"))
				assert.Equal(t, "identity", r.Header.Get("Accept-Encoding"))
			}
		})
	}
}

// cutOnce breaks the first file that comes from another host.
type cutOnce struct {
	next http.RoundTripper
	done bool
}

func (c *cutOnce) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(req)
	if err == nil && req.URL.Hostname() == "localhost" && !c.done {
		c.done = true
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(resp.Body, 1000), failingReader{}), resp.Body}
	}
	return resp, err
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestSaveStartsOverWhereNothingWasWritten(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{ETag: truliootest.NoETag, ChangeEachRequest: true})
	srv.Fail(truliootest.DownloadFile, truliootest.Cut(0), truliootest.Times(3))
	key := fileKey(t, srv)
	var saved bytes.Buffer
	file, err := clientOf(srv).Files.Save(t.Context(), key, &saved)
	require.NoError(t, err)
	assert.Equal(t, int64(fileSize), file.Size)
	assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
	for _, r := range downloads(srv) {
		assert.Empty(t, r.Header["Range"])
	}
}

func TestSaveGivesUp(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{})
	srv.Fail(truliootest.DownloadFile, truliootest.Cut(50_000))
	key := fileKey(t, srv)
	var saved bytes.Buffer
	file, err := clientOf(srv, trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 3})).Files.Save(t.Context(), key, &saved)
	var broken *trulioo.TransportError
	require.ErrorAs(t, err, &broken)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, file.Size, int64(saved.Len()))
	assert.True(t, bytes.HasPrefix(wholeFile(t, srv, key), saved.Bytes()))
	assert.Equal(t, 3, srv.Count(truliootest.DownloadFile))
}

// Trap: an ignored Range made a file of 10,000 bytes one of 15,000; a changed file had the
// right length and wrong content. Bytes that cannot be proven to be the rest of the same
// file are never appended.
func TestSaveAppendsNothingUnproven(t *testing.T) {
	t.Parallel()
	rest := func(status int, header ...string) *truliootest.Effect {
		e := truliootest.Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(status)
			_, _ = w.Write(make([]byte, 200_000))
		}).Header("Content-Length", "200000")
		for pair := range slices.Chunk(header, 2) {
			e = e.Header(pair[0], pair[1])
		}
		return &e
	}
	const wrote = 100_000
	etag := `"v1"` // of the scripted answers
	for name, c := range map[string]struct {
		files    truliootest.Files
		second   *truliootest.Effect // in place of the server's answer to the second request
		requests int
	}{
		"weak ETag":                      {files: truliootest.Files{ETag: truliootest.WeakETag}, requests: 1},
		"no ETag":                        {files: truliootest.Files{ETag: truliootest.NoETag}, requests: 1},
		"no length":                      {files: truliootest.Files{Chunked: true}, requests: 1},
		"Range is ignored":               {files: truliootest.Files{IgnoreRange: true}, requests: 2},
		"wrong Content-Range":            {files: truliootest.Files{WrongContentRange: true}, requests: 2},
		"the file changed":               {files: truliootest.Files{ChangeEachRequest: true}, requests: 2},
		"another ETag":                   {second: rest(206, "Content-Range", "bytes 100000-299999/300000", "ETag", `"v2"`), requests: 2},
		"the ETag gone weak":             {second: rest(206, "Content-Range", "bytes 100000-299999/300000", "ETag", "W/"+etag), requests: 2},
		"the ETag gone":                  {second: rest(206, "Content-Range", "bytes 100000-299999/300000"), requests: 2},
		"no Content-Range":               {second: rest(206, "ETag", etag), requests: 2},
		"Content-Range without the size": {second: rest(206, "Content-Range", "bytes 100000-299999/*", "ETag", etag), requests: 2},
		"Content-Range of another size":  {second: rest(206, "Content-Range", "bytes 100000-299999/300001", "ETag", etag), requests: 2},
		"a shorter range":                {second: rest(206, "Content-Range", "bytes 100000-199999/300000", "ETag", etag), requests: 2},
		"another length":                 {second: rest(206, "Content-Range", "bytes 100000-299999/300000", "ETag", etag, "Content-Length", "199999"), requests: 2},
		"200 with a Content-Range":       {second: rest(200, "Content-Range", "bytes 100000-299999/300000", "ETag", etag), requests: 2},
		"no such range":                  {second: rest(416, "Content-Range", "bytes */300000"), requests: 2},
		"gone meanwhile":                 {second: rest(404), requests: 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := filesServer(t, c.files)
			key := fileKey(t, srv)
			var first []byte
			srv.Fail(truliootest.DownloadFile, cutAt(wrote, &first, c.second != nil, etag), truliootest.Times(1))
			if c.second != nil {
				srv.Fail(truliootest.DownloadFile, *c.second)
			}
			var saved bytes.Buffer
			file, err := clientOf(srv).Files.Save(t.Context(), key, &saved)
			require.Error(t, err)
			assert.Equal(t, file.Size, int64(saved.Len()))
			assert.Equal(t, int64(wrote), file.Size)
			assert.True(t, bytes.Equal(first[:saved.Len()], saved.Bytes()), "something else was appended")
			assert.Equal(t, c.requests, srv.Count(truliootest.DownloadFile))
		})
	}
}

// cutAt lets the server answer, notes the body, and breaks off after n bytes of it.
func cutAt(n int, body *[]byte, marked bool, etag string) truliootest.Effect {
	return truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		whole := &captured{header: http.Header{}}
		next.ServeHTTP(whole, r)
		*body = whole.body.Bytes()
		maps.Copy(w.Header(), whole.header)
		if marked {
			w.Header().Set("ETag", etag)
		}
		_, _ = w.Write(whole.body.Bytes()[:n])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
}

// captured is an answer kept in memory.
type captured struct {
	header http.Header
	body   bytes.Buffer
}

func (c *captured) Header() http.Header         { return c.header }
func (c *captured) Write(p []byte) (int, error) { return c.body.Write(p) }
func (c *captured) WriteHeader(int)             {}

// Trap: http.Client.Timeout kills healthy downloads.
func TestSlowFileOutlivesTheTimeoutOfJSON(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := filesServer(t, truliootest.Files{}, truliootest.InMemory())
		srv.Fail(truliootest.DownloadFile, truliootest.Stall(1000, 5*time.Second))
		srv.Fail(truliootest.ListClients, truliootest.Stall(10, 5*time.Second))
		short := &http.Client{Transport: srv.HTTPClient().Transport, Timeout: time.Second}
		client := clientOf(srv, trulioo.WithHTTPClient(short), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
		key := fileKey(t, srv)

		begun := time.Now()
		var saved bytes.Buffer
		_, err := client.Files.Save(t.Context(), key, &saved)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
		assert.Equal(t, 5*time.Second, time.Since(begun))

		begun = time.Now()
		_, err = client.Clients.List(t.Context(), nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begun))
	})
}

func TestStalledFileEndsAfterTheIdleTimeout(t *testing.T) {
	t.Parallel()
	policy := trulioo.RetryPolicy{IdleTimeout: 7 * time.Second, MaxAttempts: 2}
	t.Run("Download", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := filesServer(t, truliootest.Files{}, truliootest.InMemory())
			srv.Fail(truliootest.DownloadFile, truliootest.Stall(1000, 0))
			key := fileKey(t, srv)
			file, err := clientOf(srv, trulioo.WithRetry(policy)).Files.Download(t.Context(), key)
			require.NoError(t, err)
			begun := time.Now()
			content, err := io.ReadAll(file.Body)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			var stalled *trulioo.TransportError
			require.ErrorAs(t, err, &stalled)
			assert.Equal(t, "timed out", stalled.Reason)
			assert.Len(t, content, 1000)
			assert.Equal(t, 7*time.Second, time.Since(begun))
			require.NoError(t, file.Body.Close())
		})
	})
	t.Run("Save", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := filesServer(t, truliootest.Files{}, truliootest.InMemory())
			srv.Fail(truliootest.DownloadFile, truliootest.Stall(1000, 0), truliootest.Times(1))
			key := fileKey(t, srv)
			begun := time.Now()
			var saved bytes.Buffer
			_, err := clientOf(srv, trulioo.WithRetry(policy)).Files.Save(t.Context(), key, &saved)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
			assert.Equal(t, 7*time.Second, time.Since(begun))
			assert.Equal(t, "bytes=1000-", downloads(srv)[1].Header.Get("Range"))
		})
	})
	t.Run("no header at all", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := filesServer(t, truliootest.Files{}, truliootest.InMemory())
			srv.Fail(truliootest.DownloadFile, truliootest.Hang())
			begun := time.Now()
			_, err := clientOf(srv, trulioo.WithRetry(trulioo.RetryPolicy{IdleTimeout: 7 * time.Second, MaxAttempts: 1})).
				Files.Download(t.Context(), "k")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, 7*time.Second, time.Since(begun))
		})
	})
	t.Run("a caller who rests is no stall", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			srv := filesServer(t, truliootest.Files{}, truliootest.InMemory())
			key := fileKey(t, srv)
			file, err := clientOf(srv, trulioo.WithRetry(policy)).Files.Download(t.Context(), key)
			require.NoError(t, err)
			<-time.After(time.Hour)
			begin := make([]byte, 1000)
			_, err = io.ReadFull(file.Body, begin)
			require.NoError(t, err)
			<-time.After(time.Hour)
			rest, err := io.ReadAll(file.Body)
			require.NoError(t, err)
			assert.True(t, bytes.Equal(wholeFile(t, srv, key), append(begin, rest...)))
			require.NoError(t, file.Body.Close())
		})
	})
}

func TestFileEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for name, cancelWith := range map[string]error{"canceled": nil, "canceled with a cause": errors.New("the caller's cause")} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := filesServer(t, truliootest.Files{})
			srv.Fail(truliootest.DownloadFile, truliootest.Stall(1000, 0))
			key := fileKey(t, srv)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			file, err := clientOf(srv).Files.Download(ctx, key)
			require.NoError(t, err)
			_, err = io.ReadFull(file.Body, make([]byte, 1000))
			require.NoError(t, err)
			cancel(cancelWith)
			_, err = io.ReadAll(file.Body)
			require.ErrorIs(t, err, context.Canceled)
			var broken *trulioo.TransportError
			require.ErrorAs(t, err, &broken)
			require.NoError(t, file.Body.Close())

			ctx, cancel = context.WithCancelCause(t.Context())
			defer cancel(nil)
			srv.ResetCounts()
			w := &cancelingWriter{cancel: func() { cancel(cancelWith) }}
			result, err := clientOf(srv).Files.Save(ctx, key, w)
			require.ErrorIs(t, err, context.Canceled)
			assert.Equal(t, w.n, result.Size)
			assert.Equal(t, 1, srv.Count(truliootest.DownloadFile), "a transfer that was given up was resumed")
		})
	}
}

// cancelingWriter gives up after the first bytes.
type cancelingWriter struct {
	n      int64
	cancel func()
}

func (w *cancelingWriter) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	w.cancel()
	return len(p), nil
}

// fullDisk takes some bytes and fails, even with an error of the library's own.
type fullDisk struct {
	room int
	err  error
}

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(d.room, len(p))
	d.room -= n
	if n < len(p) {
		return n, d.err
	}
	return n, nil
}

func TestSaveReturnsTheWritersErrorAsItIs(t *testing.T) {
	t.Parallel()
	for _, failed := range []error{errors.New("no space left"), &trulioo.TransportError{Operation: "another's"}, io.ErrUnexpectedEOF, io.EOF} {
		srv := filesServer(t, truliootest.Files{})
		file, err := clientOf(srv).Files.Save(t.Context(), fileKey(t, srv), &fullDisk{room: 70_000, err: failed})
		assert.True(t, err == failed, "%v", err) //nolint:errorlint,testifylint // it must be the very same
		assert.Equal(t, int64(70_000), file.Size)
		assert.Equal(t, 1, srv.Count(truliootest.DownloadFile))
	}
	srv := filesServer(t, truliootest.Files{})
	_, err := clientOf(srv).Files.Save(t.Context(), fileKey(t, srv), &fullDisk{room: 70_000})
	require.ErrorIs(t, err, io.ErrShortWrite)
}

// Trap: names from Content-Disposition or from a key can be ../../etc/passwd.
func TestDownloadNames(t *testing.T) {
	t.Parallel()
	const fallback = "2022-01-03T13_37_18.706295774Z-20959125.jpg"
	key := "Zmxvdy9jbGllbnQvZWxlbWVudC8yMDIyLTAxLTAzVDEzOjM3OjE4LjcwNjI5NTc3NFotMjA5NTkxMjUuanBn"
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { _ = root.Close() })
	srv := truliootest.NewServer(t)
	client := clientOf(srv)
	for disposition, want := range map[string]string{
		``:                                                    fallback,
		`attachment`:                                          fallback,
		`attachment; filename=""`:                             fallback,
		`attachment; filename="a.pdf`:                         fallback, // broken quotes
		`;;;`:                                                 fallback,
		`attachment; filename=a.pdf`:                          "a.pdf",
		`inline; filename="My passport.pdf"`:                  "My passport.pdf",
		`attachment; filename="../../etc/pass"`:               "pass",
		`attachment; filename="..\\..\\evil.sh"`:              "evil.sh",
		`attachment; filename="/etc/shadow"`:                  "shadow",
		`attachment; filename="C:\\a.pdf"`:                    "a.pdf",
		`attachment; filename=".."`:                           "file",
		`attachment; filename="a/"`:                           "file",
		`attachment; filename="CON.pdf"`:                      "_CON.pdf",
		`attachment; filename="a:b*c?.pdf. "`:                 "a_b_c_.pdf",
		`attachment; filename*=UTF-8''na%C3%AFve%00%0A.pdf`:   "naïve__.pdf",
		`attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd`: "passwd",
	} {
		srv.Heal()
		srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, "x").Header("Content-Disposition", disposition))
		file, err := client.Files.Download(t.Context(), key)
		require.NoError(t, err, disposition)
		require.NoError(t, file.Body.Close())
		assert.Equal(t, want, file.Name, disposition)
		created, err := root.Create(file.Name)
		require.NoError(t, err, disposition)
		require.NoError(t, created.Close())
	}
}
