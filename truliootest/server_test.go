package truliootest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

func TestSixteenRoutes(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for prefix, account := range map[string]*truliootest.Account{
		"/v1": srv.Live, "/v2": srv.Live, "/test/v1": srv.Test, "/test/v2": srv.Test,
	} {
		page := decode[list](t, get(t, srv, prefix+"/query/clients").body)
		assert.Equal(t, account.Len(), page.TotalElements, prefix)
		flows := decode[list](t, get(t, srv, prefix+"/query/workflows").body)
		assert.Equal(t, account.FlowIDs(), flows.ids(), prefix)
		key := ""
		for _, id := range account.IDs() {
			got := decode[row](t, get(t, srv, prefix+"/query/client/"+id).body)
			assert.Equal(t, id, got.ID)
			if keys := account.FileKeys(id); len(keys) > 0 {
				key = keys[0]
			}
		}
		require.NotEmpty(t, key)
		assert.Contains(t, key, "+")
		assert.Contains(t, key, "/")
		assert.Contains(t, key, "=")
		file := get(t, srv, prefix+filePath(key))
		assert.Equal(t, http.StatusOK, file.status)
		assert.Equal(t, content(t, srv, key), file.body)
	}
	live, test := srv.Live.IDs(), srv.Test.IDs()
	assert.NotContains(t, live, test[0])
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/test/v2/query/client/"+live[0]).status)
	assert.Equal(t, 4, srv.Count(truliootest.ListWorkflows))
	assert.Equal(t, 4, srv.Count(truliootest.ListClients))
	assert.Equal(t, 4, srv.Count(truliootest.DownloadFile))
}

func TestUnknownPathsAndClients(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := srv.Live.IDs()[0]
	root := strings.TrimSuffix(srv.BaseURL, "/export")
	for _, path := range []string{
		"/export/v3/query/clients", "/v2/query/clients", "/export/v2/query/client/", "/export/v2/query/client",
		"/export/v2/query/client/" + id + "/x", "/export/v2/query/clients/", "/export//v2/query/clients", "/export/v2/clients",
		"/export/v2/query/client/../clients", "/",
	} {
		got, err := ask(t, srv, http.MethodGet, root+path, nil, "Authorization", "Bearer "+srv.Token())
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, got.status, path)
		assert.Equal(t, "text/html; charset=utf-8", got.header.Get("Content-Type"), path)
	}
	for _, id := range []string{"nobody", strings.Repeat("0", 24), "a%2Fb", "%2e%2e", strings.ToUpper(id) + "F"} {
		got := get(t, srv, "/v2/query/client/"+id)
		assert.Equal(t, http.StatusNotFound, got.status, id)
		assert.Contains(t, string(got.body), `"code":4100`)
	}
	assert.Equal(t, http.StatusNotFound, get(t, srv, "/v2/query/file?key=x").status)
	assert.Equal(t, http.StatusBadRequest, get(t, srv, "/v2/query/file").status)
	got, err := ask(t, srv, http.MethodPost, srv.BaseURL+"/v2/query/clients", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusMethodNotAllowed, got.status)
}

func TestCounts(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	page := get(t, srv, "/v2/query/clients?limit=3&page=1", "X-Mine", "yes")
	get(t, srv, "/nowhere")
	assert.Equal(t, 1, srv.Count(truliootest.ListClients))
	assert.Equal(t, 2, srv.Count(truliootest.Any))
	assert.Equal(t, 1, srv.Connections())
	requests := srv.Requests()
	require.Len(t, requests, 2)
	first := requests[0]
	assert.Equal(t, truliootest.ListClients, first.Operation)
	assert.Equal(t, "/export/v2/query/clients", first.Path)
	assert.Equal(t, "3", first.Query().Get("limit"))
	assert.Equal(t, "yes", first.Header.Get("X-Mine"))
	assert.Equal(t, http.StatusOK, first.Status)
	assert.Equal(t, int64(len(page.body)), first.Bytes)
	assert.Equal(t, first.Bytes+requests[1].Bytes, srv.BytesSent())
	for n := range 1100 {
		get(t, srv, fmt.Sprint("/nowhere?", n))
	}
	requests = srv.Requests()
	require.Len(t, requests, 1024)
	for i, r := range requests {
		assert.Equal(t, strconv.Itoa(1100-1024+i), r.RawQuery, "oldest first")
	}
	srv.ResetCounts()
	assert.Zero(t, srv.Count(truliootest.Any))
	assert.Empty(t, srv.Requests())
	assert.Zero(t, srv.BytesSent())
}

func TestGzipOnlyForThoseWhoAsk(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithGzip())
	plain := get(t, srv, "/v2/query/clients", "Accept-Encoding", "identity")
	assert.Empty(t, plain.header.Get("Content-Encoding"))
	zipped := get(t, srv, "/v2/query/clients", "Accept-Encoding", "gzip")
	assert.Equal(t, "gzip", zipped.header.Get("Content-Encoding"))
	assert.Less(t, len(zipped.body), len(plain.body))
	assert.Equal(t, plain.body, get(t, srv, "/v2/query/clients").body, "net/http unpacks by itself")
}

func TestStartWithoutATest(t *testing.T) {
	t.Parallel()
	srv, err := truliootest.Start(truliootest.WithCredentials("me", "mine & only"))
	require.NoError(t, err)
	assert.Equal(t, "me", srv.ClientID)
	assert.Equal(t, http.StatusOK, tokenV2(t, srv, credentials(srv)).status)
	address := strings.TrimPrefix(strings.TrimSuffix(srv.BaseURL, "/export"), "http://")
	_, err = truliootest.Start(truliootest.WithAddress(address))
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	srv.Close()
	srv.Close()
	_, err = srv.HTTPClient().Get(srv.BaseURL) //nolint:bodyclose,noctx // it fails
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// A whole test runs in a bubble: the clock is the bubble's, and when the
// function returns no goroutine of server or client is left, or synctest fails.
func TestInMemoryUnderSynctest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLatency(time.Second))
		start := time.Now()
		for range 3 {
			clients(t, srv, "")
		}
		assert.Equal(t, 3*time.Second, time.Since(start))
		token := srv.Token()
		<-time.After(time.Hour - time.Second)
		got, err := ask(t, srv, http.MethodGet, srv.BaseURL+"/v2/query/clients", nil, "Authorization", "Bearer "+token)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, got.status, "it ran out during the latency")
		_, err = srv.DialContext(t.Context(), "tcp", "127.0.0.1:9")
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		srv.Fail(truliootest.GetClient, truliootest.Hang())
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.BaseURL+"/v2/query/client/x", nil)
		require.NoError(t, err)
		_, err = srv.HTTPClient().Do(req) //nolint:bodyclose // it fails
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestCloseEndsRequestsUnderWay(t *testing.T) {
	t.Parallel()
	for _, opts := range [][]truliootest.Option{{truliootest.InMemory()}, {}} {
		srv, err := truliootest.Start(opts...)
		require.NoError(t, err)
		arrived := make(chan struct{})
		srv.Fail(truliootest.ListClients, truliootest.Handle(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
			close(arrived)
			<-r.Context().Done()
		}))
		ended := make(chan error)
		go func() {
			_, err := srv.HTTPClient().Get(srv.BaseURL + "/v2/query/clients") //nolint:bodyclose,noctx // it fails
			ended <- err
		}()
		<-arrived
		srv.Close()
		require.Error(t, <-ended)
		_, err = ask(t, srv, http.MethodGet, srv.BaseURL, nil)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
	}
}

func BenchmarkServer(b *testing.B) {
	srv, err := truliootest.Start(truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 5000})))
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	ids, token := srv.Live.IDs(), srv.Token()
	for _, bench := range []struct{ name, path string }{
		{"client", "/v2/query/client/%s"},
		{"full", "/v2/query/client/%s?includeFullServiceDetails=true"},
		{"clients", "/v2/query/clients?limit=50&flowId="},
	} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				path := bench.path
				if strings.Contains(path, "%s") {
					path = fmt.Sprintf(path, ids[n%len(ids)])
				}
				n++
				req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, srv.BaseURL+path, nil)
				if err != nil {
					b.Fatal(err)
				}
				req.Header.Set("Authorization", "Bearer "+token)
				resp, err := srv.HTTPClient().Do(req)
				if err != nil {
					b.Fatal(err)
				}
				var v json.RawMessage
				err = errors.Join(json.NewDecoder(resp.Body).Decode(&v), resp.Body.Close())
				if err != nil || resp.StatusCode != http.StatusOK {
					b.Fatal(err, resp.StatusCode)
				}
			}
		})
	}
}
