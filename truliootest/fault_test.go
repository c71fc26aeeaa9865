package truliootest_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// try sends an authorised GET that may fail.
func try(t *testing.T, srv *truliootest.Server, path string) (answer, error) {
	t.Helper()
	return ask(t, srv, http.MethodGet, srv.BaseURL+path, nil, "Authorization", "Bearer "+srv.Token())
}

func TestWhen(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		when []truliootest.When
		want string // x is struck
	}{
		"always":          {nil, "xxxxxxxx"},
		"times":           {[]truliootest.When{truliootest.Times(2)}, "xx......"},
		"skip":            {[]truliootest.When{truliootest.Skip(3)}, "...xxxxx"},
		"nth":             {[]truliootest.When{truliootest.Nth(4)}, "...x...."},
		"every":           {[]truliootest.When{truliootest.Every(3)}, "..x..x.."},
		"skip and every":  {[]truliootest.When{truliootest.Skip(1), truliootest.Every(2)}, "..x.x.x."},
		"every and times": {[]truliootest.When{truliootest.Every(2), truliootest.Times(2)}, ".x.x...."},
		"never":           {[]truliootest.When{truliootest.Chance(0, 1)}, "........"},
		"certain":         {[]truliootest.When{truliootest.Chance(1, 1)}, "xxxxxxxx"},
		"other path":      {[]truliootest.When{truliootest.Path("/test/")}, "........"},
		"path":            {[]truliootest.When{truliootest.Path("/v2/query"), truliootest.Times(1)}, "x......."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			fault := srv.Fail(truliootest.ListClients, truliootest.Answer(503, ""), test.when...)
			got, hits := "", 0
			for range test.want {
				get(t, srv, "/v2/query/workflows")
				if get(t, srv, "/v2/query/clients").status == http.StatusServiceUnavailable {
					got += "x"
					hits++
					continue
				}
				got += "."
			}
			assert.Equal(t, test.want, got)
			assert.Equal(t, hits, fault.Hits())
			fault.Stop()
			assert.Equal(t, http.StatusOK, get(t, srv, "/v2/query/clients").status)
		})
	}
}

func TestChanceAndOrder(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	some := srv.Fail(truliootest.Any, truliootest.Answer(500, ""), truliootest.Chance(0.3, 7))
	rest := srv.Fail(truliootest.Any, truliootest.Answer(502, ""))
	for range 300 {
		get(t, srv, "/v2/query/workflows")
	}
	assert.InDelta(t, 90, some.Hits(), 40)
	assert.Equal(t, 300, some.Hits()+rest.Hits(), "the first that strikes decides")
	assert.GreaterOrEqual(t, tokenV2(t, srv, credentials(srv)).status, 500, "tokens too")
	srv.Heal()
	assert.Equal(t, http.StatusOK, get(t, srv, "/v2/query/workflows").status)
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for name, test := range map[string]struct {
		effect     truliootest.Effect
		status     int
		kind, body string
	}{
		"json":       {truliootest.Answer(409, `{"code":1}`), 409, "application/json", `{"code":1}`},
		"html":       {truliootest.Answer(502, "<html>"), 502, "text/html; charset=utf-8", "<html>"},
		"text":       {truliootest.Answer(500, "oh"), 500, "text/plain; charset=utf-8", "oh"},
		"wrong type": {truliootest.Answer(200, `{"a":`).Header("Content-Type", "image/png"), 200, "image/png", `{"a":`},
	} {
		fault := srv.Fail(truliootest.GetClient, test.effect)
		got := get(t, srv, "/v2/query/client/x")
		fault.Stop()
		assert.Equal(t, test.status, got.status, name)
		assert.Equal(t, test.kind, got.header.Get("Content-Type"), name)
		assert.Equal(t, test.body, string(got.body), name)
		assert.NotEmpty(t, got.header.Get("X-Request-Id"))
	}
	srv.Fail(truliootest.ListWorkflows, truliootest.Pass().Header("Content-Type", "text/html").Header("X-Request-Id", ""))
	got := get(t, srv, "/v2/query/workflows")
	assert.Equal(t, "text/html", got.header.Get("Content-Type"))
	assert.Empty(t, got.header.Get("X-Request-Id"))
	assert.Equal(t, 5, decode[list](t, got.body).TotalElements, "the right answer in the wrong type")

	srv.Fail(truliootest.ListClients, truliootest.Redirect(307, "/elsewhere"))
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/v2/query/clients").status)
	requests := srv.Requests()
	assert.Equal(t, "/elsewhere", requests[len(requests)-1].Path)
	assert.Equal(t, http.StatusTemporaryRedirect, requests[len(requests)-2].Status)
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory())
		seconds := truliootest.Answer(429, "").RetryAfter("2")
		srv.Fail(truliootest.Any, seconds, truliootest.Times(1))
		srv.Fail(truliootest.Any, seconds.RetryAfterDate(time.Minute).Delayed(time.Second))
		assert.Equal(t, "2", get(t, srv, "/v2/query/clients").header.Get("Retry-After"))
		start := time.Now()
		got := get(t, srv, "/v2/query/clients")
		assert.Equal(t, time.Second, time.Since(start))
		date, err := http.ParseTime(got.header.Get("Retry-After"))
		require.NoError(t, err)
		assert.True(t, start.Add(61*time.Second).Equal(date))
	})
}

func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"tcp", "memory"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			opts := []truliootest.Option{}
			if network == "memory" {
				opts = append(opts, truliootest.InMemory())
			}
			srv := truliootest.NewServer(t, opts...)
			want := get(t, srv, "/v2/query/workflows").body
			once := truliootest.Times(1)
			for name, test := range map[string]struct {
				effect  truliootest.Effect
				length  string
				bytes   int
				problem error
			}{
				"reset inside": {truliootest.ResetAfter(50), "full", 50, syscall.ECONNRESET},
				"cut":          {truliootest.Cut(60), "full", 60, io.ErrUnexpectedEOF},
				"cut chunked":  {truliootest.CutChunked(70), "", 70, io.ErrUnexpectedEOF},
				"truncated":    {truliootest.Truncate(80), "80", 80, nil},
				"to nothing":   {truliootest.Truncate(0), "0", 0, nil},
				"short enough": {truliootest.Cut(1 << 20), "full", len(want), nil},
			} {
				srv.Fail(truliootest.ListWorkflows, test.effect, once)
				got, err := try(t, srv, "/v2/query/workflows")
				require.NoError(t, err, name)
				require.ErrorIs(t, got.err, test.problem, name)
				assert.Equal(t, want[:test.bytes], got.body, name)
				length := got.header.Get("Content-Length")
				if test.length == "full" {
					assert.Equal(t, len(want), atoi(t, length), name)
				} else {
					assert.Equal(t, test.length, length, name)
				}
			}
			srv.HTTPClient().CloseIdleConnections() // net/http itself repeats a GET on a used connection
			srv.Fail(truliootest.ListWorkflows, truliootest.Reset(), once)
			_, err := try(t, srv, "/v2/query/workflows")
			require.ErrorIs(t, err, syscall.ECONNRESET)
			last := srv.Requests()
			assert.Zero(t, last[len(last)-1].Status)
		})
	}
}

func TestSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory())
		srv.Fail(truliootest.ListClients, truliootest.Pass().Delayed(time.Minute))
		start := time.Now()
		assert.Equal(t, http.StatusOK, get(t, srv, "/v2/query/clients").status)
		assert.Equal(t, time.Minute, time.Since(start))

		fault := srv.Fail(truliootest.ListWorkflows, truliootest.Stall(40, time.Hour))
		start = time.Now()
		got := get(t, srv, "/v2/query/workflows")
		assert.Equal(t, time.Hour, time.Since(start))
		assert.Equal(t, 5, decode[list](t, got.body).TotalElements, "the rest comes")
		fault.Stop()

		srv.Fail(truliootest.ListWorkflows, truliootest.Stall(40, 0))
		time.AfterFunc(time.Minute, func() { srv.HTTPClient().CloseIdleConnections(); srv.Close() })
		got, err := try(t, srv, "/v2/query/workflows")
		require.NoError(t, err)
		require.Error(t, got.err)
		assert.Len(t, got.body, 40)
	})
}

func TestFaultsOnLargeFiles(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithFiles(truliootest.Files{Size: 1 << 20}))
	key := firstKey(t, srv.Live)
	want := content(t, srv, key)
	srv.Fail(truliootest.DownloadFile, truliootest.Cut(700_000), truliootest.Times(1))
	srv.Fail(truliootest.DownloadFile, truliootest.Truncate(700_000), truliootest.Times(1))
	for _, problem := range []error{io.ErrUnexpectedEOF, nil} {
		got, err := try(t, srv, "/v2"+filePath(key))
		require.NoError(t, err)
		require.ErrorIs(t, got.err, problem)
		assert.True(t, bytes.Equal(want[:700_000], got.body))
	}
}

// Without a length only the JSON or the file itself shows that a part is missing.
func TestTruncatedChunks(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithFiles(truliootest.Files{Chunked: true}))
	key := firstKey(t, srv.Live)
	srv.Fail(truliootest.DownloadFile, truliootest.Truncate(999))
	got := get(t, srv, "/v2"+filePath(key))
	assert.Equal(t, content(t, srv, key)[:999], got.body)
	assert.Empty(t, got.header.Get("Content-Length"))
}

func TestGzipBomb(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.ListClients, truliootest.GzipBomb(64<<20))
	got := get(t, srv, "/v2/query/clients", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", got.header.Get("Content-Encoding"))
	assert.Less(t, len(got.body), 256<<10)
	unzipped, err := gzip.NewReader(bytes.NewReader(got.body))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, unzipped) //nolint:gosec // the bomb is ours
	require.NoError(t, err)
	assert.Equal(t, int64(64<<20+len(`{"data":""}`)), n)
}

func TestHandle(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.GetClient, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		srv.Live.Remove(srv.Live.IDs()[0])
		next.ServeHTTP(w, r)
	}))
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/v2/query/client/"+srv.Live.IDs()[0]).status)
	assert.Equal(t, http.StatusOK, get(t, srv, "/v2/query/client/"+srv.Live.IDs()[1]).status)
}
