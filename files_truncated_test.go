package trulioo_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// ways are the ways in which the bytes of a file are read.
var ways = map[string]func(context.Context, *trulioo.Client, string) ([]byte, error){
	"Save": func(ctx context.Context, client *trulioo.Client, key string) ([]byte, error) {
		var saved bytes.Buffer
		_, err := client.Files.Save(ctx, key, &saved)
		return saved.Bytes(), err
	},
	"Download": func(ctx context.Context, client *trulioo.Client, key string) ([]byte, error) {
		file, err := client.Files.Download(ctx, key)
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(file.Body)
		return content, errors.Join(err, file.Body.Close())
	},
}

// Trap: a file with neither length nor chunks is "whole" wherever the
// connection closes.
func TestOpenEndedFileCutAnywhere(t *testing.T) {
	t.Parallel()
	for name, read := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, cut := range []int64{0, 1, 70_000, fileSize - 1, fileSize} {
				for _, files := range []truliootest.Files{
					{OpenEnded: true, IgnoreRange: true},
					{OpenEnded: true, IgnoreRange: true, ETag: truliootest.NoETag},
				} {
					srv := filesServer(t, files)
					key := fileKey(t, srv)
					srv.Fail(truliootest.DownloadFile, truliootest.Cut(cut))
					content, err := read(t.Context(), clientOf(srv), key)
					require.ErrorIs(t, err, trulioo.ErrOpenEnded, "cut at %d", cut)
					var typed *trulioo.TransportError
					require.ErrorAs(t, err, &typed)
					assert.Equal(t, "download file", typed.Operation)
					assert.True(t, bytes.HasPrefix(wholeFile(t, srv, key), content))
					assert.Len(t, content, int(cut), "what came is handed out")

					accepted, err := read(t.Context(), clientOf(srv, trulioo.WithOpenEndedFiles()), key)
					require.NoError(t, err)
					assert.Equal(t, content, accepted)
				}
			}
		})
	}
}

// The same over TLS, where a connection ends with close_notify or, cut by somebody on
// the way, without it.
func TestOpenEndedFileCutAnywhereOverTLS(t *testing.T) {
	t.Parallel()
	const content = "the whole file"
	for _, notify := range []bool{true, false} {
		for cut := range len(content) + 1 {
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Range") != "" || r.Method == http.MethodHead {
					w.WriteHeader(http.StatusNotImplemented) // it does not tell the length
					return
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if !assert.NoError(t, err) {
					return
				}
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"+content[:cut])
				if secure, ok := conn.(*tls.Conn); ok && !notify {
					conn = secure.NetConn()
				}
				_ = conn.Close()
			}))
			client, err := trulioo.NewClient(trulioo.WithBaseURL(srv.URL), trulioo.WithHTTPClient(srv.Client()), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}),
				trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})))
			require.NoError(t, err)
			for name, read := range ways {
				came, err := read(t.Context(), client, "k")
				var typed *trulioo.TransportError
				require.ErrorAs(t, err, &typed, "%s, cut at %d, close_notify %v", name, cut, notify)
				assert.Equal(t, content[:cut], string(came))
			}
			client.CloseIdleConnections()
			srv.Close()
		}
	}
}

// A store that tells the file's length, by a range or by HEAD, is asked for it.
func TestOpenEndedFileWhoseLengthIsTold(t *testing.T) {
	t.Parallel()
	ranges, none := truliootest.Files{OpenEnded: true}, truliootest.Files{OpenEnded: true, IgnoreRange: true}
	says := func(length int, etag string) func(http.Header, string) {
		return func(h http.Header, same string) {
			h.Set("Content-Length", strconv.Itoa(length))
			h.Set("ETag", cmp.Or(etag, same))
		}
	}
	for name, c := range map[string]struct {
		files truliootest.Files
		edit  func(*truliootest.Files)
		head  func(h http.Header, etag string) // nil answers 405
		cut   int64                            // 0 for the whole file
		want  string
	}{
		"a range":                      {files: ranges, want: "whole"},
		"a range, from a store":        {files: ranges, edit: func(f *truliootest.Files) { f.Redirect = true }, want: "whole"},
		"a range, no ETag":             {files: ranges, edit: func(f *truliootest.Files) { f.ETag = truliootest.NoETag }, want: "whole"},
		"a range, no ETag, cut":        {files: ranges, edit: func(f *truliootest.Files) { f.ETag = truliootest.NoETag }, cut: 70_000, want: "cut"},
		"a range of the changing file": {files: ranges, edit: func(f *truliootest.Files) { f.ChangeEachRequest = true }, want: "open"},
		"HEAD":                         {files: none, head: says(fileSize, ""), want: "whole"},
		"HEAD, cut":                    {files: none, head: says(fileSize, ""), cut: 70_000, want: "cut"},
		"HEAD, a byte less":            {files: none, head: says(fileSize, ""), cut: fileSize - 1, want: "cut"},
		"HEAD of less than came":       {files: none, head: says(fileSize-1, ""), want: "long"},
		"HEAD of another version":      {files: none, head: says(fileSize, `"other"`), want: "open"},
		"HEAD without a length":        {files: none, head: func(h http.Header, etag string) { h.Set("ETag", etag) }, want: "open"},
	} {
		for way, read := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				files := c.files
				if c.edit != nil {
					c.edit(&files)
				}
				srv := filesServer(t, files)
				key := fileKey(t, srv)
				var etag atomic.Pointer[string]
				srv.Fail(truliootest.DownloadFile, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
					switch {
					case r.Method == http.MethodHead && c.head != nil:
						c.head(w.Header(), *etag.Load())
					case r.Header.Get("Range") != "":
						next.ServeHTTP(w, r)
					default:
						next.ServeHTTP(&cutWriter{ResponseWriter: w, left: cmp.Or(c.cut, fileSize), etag: &etag}, r)
					}
				}))
				content, err := read(t.Context(), clientOf(srv), key)
				var decode *trulioo.DecodeError
				switch c.want {
				case "whole":
					require.NoError(t, err)
					assert.True(t, bytes.Equal(wholeFile(t, srv, key), content))
				case "open":
					require.ErrorIs(t, err, trulioo.ErrOpenEnded)
				case "cut":
					require.ErrorIs(t, err, io.ErrUnexpectedEOF)
					require.NotErrorIs(t, err, trulioo.ErrOpenEnded)
				case "long":
					require.ErrorAs(t, err, &decode)
				}
			})
		}
	}
}

// cutWriter ends the connection after a number of bytes, and notes the ETag.
type cutWriter struct {
	http.ResponseWriter
	left int64
	etag *atomic.Pointer[string]
}

func (w *cutWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *cutWriter) WriteHeader(status int) {
	etag := w.Header().Get("ETag")
	w.etag.Store(&etag)
	w.ResponseWriter.WriteHeader(status)
}

func (w *cutWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	if n < len(p) {
		_ = http.NewResponseController(w.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

// An open-ended transfer is resumed as any other once its length is known.
func TestOpenEndedFileIsResumed(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{OpenEnded: true})
	srv.Fail(truliootest.DownloadFile, truliootest.Cut(70_000), truliootest.Times(1))
	key := fileKey(t, srv)
	var saved bytes.Buffer
	_, err := clientOf(srv).Files.Save(t.Context(), key, &saved)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(wholeFile(t, srv, key), saved.Bytes()))
}

// HTTP/2 tells the end of a body in its frames, whatever the header says.
func TestFileOfHTTP2NeedsNoLength(t *testing.T) {
	t.Parallel()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "the whole file")
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	client, err := trulioo.NewClient(trulioo.WithBaseURL(srv.URL), trulioo.WithHTTPClient(srv.Client()),
		trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})))
	require.NoError(t, err)
	t.Cleanup(client.CloseIdleConnections)
	for name, read := range ways {
		content, err := read(t.Context(), client, "k")
		require.NoError(t, err, name)
		assert.Equal(t, "the whole file", string(content))
	}
}

// A stored Content-Encoding that is no compression of the transport's does not
// keep a file from being downloaded.
func TestFileWithAStoredContentEncoding(t *testing.T) {
	t.Parallel()
	for coding, want := range map[string]string{
		"": "", "identity": "", " Identity , identity": "",
		"aws-chunked": "aws-chunked", "base64": "base64", "utf-8": "utf-8", "UTF-8": "UTF-8", "none": "none",
		"binary, aws-chunked": "binary, aws-chunked", "x": "x",
	} {
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, "the bytes").Header("Content-Encoding", coding))
		for name, read := range ways {
			content, err := read(t.Context(), clientOf(srv), "k")
			require.NoError(t, err, coding+name)
			assert.Equal(t, "the bytes", string(content))
		}
		file, err := clientOf(srv).Files.Download(t.Context(), "k")
		require.NoError(t, err)
		require.NoError(t, file.Body.Close())
		assert.Equal(t, want, file.ContentEncoding)
		saved, err := clientOf(srv).Files.Save(t.Context(), "k", io.Discard)
		require.NoError(t, err)
		assert.Equal(t, want, saved.ContentEncoding)

		profile, dir := profileWithFiles(t, srv, "passport.jpg"), t.TempDir()
		for _, found := range []bool{false, true} {
			all, err := clientOf(srv).Files.SaveAll(t.Context(), dir, profile)
			require.NoError(t, err)
			require.Len(t, all, 1)
			if found {
				want = "" // nobody was asked
			}
			assert.Equal(t, found, all[0].Found)
			assert.Equal(t, want, all[0].ContentEncoding)
		}
	}
	for _, coding := range []string{"gzip", "X-GZIP", "deflate", "br", "zstd", "compress", "aws-chunked,gzip", "gzip, base64"} {
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.DownloadFile, truliootest.Answer(http.StatusOK, "x").Header("Content-Encoding", coding))
		for name, read := range ways {
			_, err := read(t.Context(), clientOf(srv), "k")
			var refused *trulioo.DecodeError
			require.ErrorAs(t, err, &refused, coding+name)
		}
	}
}

// The coding is that of the file's first answer, however often the rest is asked for.
func TestResumedFileKeepsItsContentEncoding(t *testing.T) {
	t.Parallel()
	srv := filesServer(t, truliootest.Files{})
	key := fileKey(t, srv)
	srv.Fail(truliootest.DownloadFile, truliootest.Cut(70_000).Header("Content-Encoding", "aws-chunked"), truliootest.Nth(1))
	saved, err := clientOf(srv).Files.Save(t.Context(), key, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, 2, srv.Count(truliootest.DownloadFile))
	assert.Equal(t, int64(fileSize), saved.Size)
	assert.Equal(t, "aws-chunked", saved.ContentEncoding)
}

// transfers remembers the transfers that it is told of.
type transfers struct {
	mu    sync.Mutex
	ended []trulioo.Outcome
	open  int
}

func (o *transfers) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	if step.Kind != trulioo.StepTransfer {
		return ctx, func(trulioo.Outcome) {}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open++
	return ctx, func(out trulioo.Outcome) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.open--
		o.ended = append(o.ended, out)
	}
}

// Observers and logs hear of a transfer that breaks after its header, with its
// bytes and its duration.
func TestTransferIsObserved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effect truliootest.Effect
		bytes  int64
		failed bool
	}{
		"whole":    {truliootest.Pass(), fileSize, false},
		"closed":   {truliootest.Cut(100_000), 100_000, true},
		"reset":    {truliootest.ResetAfter(100_000), -1, true},
		"nothing":  {truliootest.Cut(0), 0, true},
		"stalling": {truliootest.Stall(100_000, 3*time.Second), fileSize, false},
		"silent":   {truliootest.Stall(100_000, 0), 100_000, true},
	} {
		for way, read := range ways {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					var log bytes.Buffer
					seen := &transfers{}
					srv := filesServer(t, truliootest.Files{ETag: truliootest.NoETag}, truliootest.InMemory())
					srv.Fail(truliootest.DownloadFile, c.effect)
					client := clientOf(srv, trulioo.WithObserver(seen), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1, IdleTimeout: 5 * time.Second}),
						trulioo.WithLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
					_, err := read(t.Context(), client, fileKey(t, srv))
					assert.Equal(t, c.failed, err != nil)
					require.Len(t, seen.ended, 1)
					assert.Zero(t, seen.open)
					got := seen.ended[0]
					if c.bytes >= 0 {
						assert.Equal(t, c.bytes, got.Bytes)
					}
					assert.Equal(t, c.failed, got.Err != nil)
					if c.failed {
						assert.Equal(t, err.Error(), got.Err.Error())
					}
					lines := strings.Split(strings.TrimSpace(log.String()), "\n")
					var line struct {
						Msg, Level string
						Bytes      int64
						Duration   time.Duration
					}
					require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &line))
					assert.Equal(t, "trulioo transfer", line.Msg)
					assert.Equal(t, got.Bytes, line.Bytes)
					want := map[string]time.Duration{"stalling": 3 * time.Second, "silent": 5 * time.Second}[name]
					assert.Equal(t, want, line.Duration)
					assert.Equal(t, c.failed, line.Level == "WARN")
				})
			})
		}
	}
}

// A transfer ends once, also where the caller leaves it or closes it from
// another goroutine.
func TestTransferThatIsLeft(t *testing.T) {
	t.Parallel()
	seen := &transfers{}
	srv := filesServer(t, truliootest.Files{})
	srv.Fail(truliootest.DownloadFile, truliootest.Stall(1000, 0))
	client := clientOf(srv, trulioo.WithObserver(seen))
	file, err := client.Files.Download(t.Context(), fileKey(t, srv))
	require.NoError(t, err)
	_, err = io.ReadFull(file.Body, make([]byte, 1000))
	require.NoError(t, err)
	reading := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(file.Body)
		reading <- err
	}()
	require.NoError(t, file.Body.Close())
	require.Error(t, <-reading)
	_ = file.Body.Close()
	seen.mu.Lock()
	defer seen.mu.Unlock()
	require.Len(t, seen.ended, 1)
	assert.Equal(t, int64(1000), seen.ended[0].Bytes)
}
