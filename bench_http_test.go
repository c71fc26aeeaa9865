package trulioo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fileBytes is the size of the file that is saved in the benchmark.
const fileBytes = 256 << 20

// loopback is an API over real HTTP that costs as little as net/http lets it:
// it hands out bytes that are there, by the last word of the path.
type loopbackAPI struct {
	*httptest.Server
	tokens      atomic.Int64
	connections atomic.Int64
}

func newLoopbackAPI(tb testing.TB, answer http.HandlerFunc) *loopbackAPI {
	tb.Helper()
	api := &loopbackAPI{}
	api.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			api.tokens.Add(1)
			_, _ = io.WriteString(w, `{"access_token":"token","expires_in":3600}`)
			return
		}
		answer(w, r)
	}))
	api.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			api.connections.Add(1)
		}
	}
	api.Start()
	tb.Cleanup(api.Close)
	return api
}

func (a *loopbackAPI) client(tb testing.TB, opts ...Option) *Client {
	tb.Helper()
	client, err := NewClient(append([]Option{
		WithCredentials("id", "secret"), WithBaseURL(a.URL), WithTokenURL(a.URL + "/token"),
		WithHTTPClient(&http.Client{Transport: &http.Transport{}}),
	}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(client.CloseIdleConnections)
	return client
}

// benchProfiles are the answers that are measured, by name, which is the client's id too.
func benchProfiles(tb testing.TB) map[string][]byte {
	tb.Helper()
	full := smallProfile(tb)
	bodies := map[string][]byte{"4KB-full": full, "4KB": withoutDetails(tb, full), "200KB-full": largeProfile(tb, 200_000)}
	for name, body := range bodies {
		var profile Profile
		require.NoError(tb, json.Unmarshal(body, &profile))
		bodies[name] = bytes.ReplaceAll(body, []byte(`"id":"`+profile.ID+`"`), []byte(`"id":"`+name+`"`))
	}
	return bodies
}

// withoutDetails is a profile of the same size, as it comes where
// includeFullServiceDetails was not asked for: more answers in place of the record.
func withoutDetails(tb testing.TB, full []byte) []byte {
	tb.Helper()
	var profile map[string]any
	require.NoError(tb, json.Unmarshal(full, &profile))
	for _, flow := range profile["flowData"].(map[string]any) {
		for _, service := range flow.(map[string]any)["serviceData"].([]any) {
			delete(service.(map[string]any), "fullServiceDetails")
		}
	}
	for _, flow := range profile["flowData"].(map[string]any) {
		fields := flow.(map[string]any)["fieldData"].(map[string]any)
		for i := 0; ; i++ {
			plain, err := json.Marshal(profile)
			require.NoError(tb, err)
			if len(plain) >= len(full) {
				return plain
			}
			id := "more" + strconv.Itoa(i)
			fields[id] = map[string]any{"id": id, "name": "City", "value": []string{"Montréal"}, "role": "city", "normalizedName": "city"}
		}
	}
	tb.Fatal("the profile has no flow")
	return nil
}

func BenchmarkGet(b *testing.B) {
	bodies := benchProfiles(b)
	api := newLoopbackAPI(b, func(w http.ResponseWriter, r *http.Request) {
		body := bodies[path.Base(r.URL.Path)]
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
	})
	client := api.client(b)
	plain := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(plain.CloseIdleConnections)
	for _, name := range []string{"4KB-full", "4KB", "200KB-full"} {
		opts := &GetOptions{FullServiceDetails: name != "4KB"}
		ours := func() {
			if _, err := client.Clients.Get(b.Context(), name, opts); err != nil {
				b.Fatal(err)
			}
		}
		floor := func() {
			if err := floorGet(b.Context(), plain, api.URL+"/v2/query/client/"+name); err != nil {
				b.Fatal(err)
			}
		}
		b.Run(name+"/ours", func(b *testing.B) { run(b, len(bodies[name]), ours) })
		b.Run(name+"/floor", func(b *testing.B) { run(b, len(bodies[name]), floor) })
		b.Run(name+"/paired", func(b *testing.B) { b.ReportMetric(pairedRatio(b, ours, floor), "x-floor") })
	}
}

// floorGet is a user's code written by hand.
func floorGet(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer token")
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", resp.StatusCode)
	}
	var p floorProfile
	return json.NewDecoder(resp.Body).Decode(&p)
}

// fileAPI sends a file of fileBytes.
func fileAPI(tb testing.TB) *loopbackAPI {
	tb.Helper()
	piece := bytes.Repeat([]byte("photo"), 1<<20/5)
	return newLoopbackAPI(tb, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(fileBytes))
		w.Header().Set("ETag", `"v1"`)
		for left := fileBytes; left > 0; left -= len(piece) {
			if _, err := w.Write(piece[:min(left, len(piece))]); err != nil {
				return
			}
		}
	})
}

// tally counts what is written to it. It has no ReadFrom, as most writers.
type tally struct{ n int64 }

func (t *tally) Write(p []byte) (int, error) {
	t.n += int64(len(p))
	return len(p), nil
}

func BenchmarkSave(b *testing.B) {
	api := fileAPI(b)
	client := api.client(b)
	plain := &http.Client{Transport: &http.Transport{}}
	b.Cleanup(plain.CloseIdleConnections)
	ours := func() {
		if saved, err := client.Files.Save(b.Context(), "key", io.Discard); err != nil || saved.Size != fileBytes {
			b.Fatal(saved.Size, err)
		}
	}
	floor := func() {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, api.URL+"/v2/query/file?key=key", nil)
		if err != nil {
			b.Fatal(err)
		}
		resp, err := plain.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(&tally{}, resp.Body); err != nil || n != fileBytes {
			b.Fatal(n, err)
		}
		_ = resp.Body.Close()
	}
	b.Run("ours", func(b *testing.B) { run(b, fileBytes, ours) })
	b.Run("floor", func(b *testing.B) { run(b, fileBytes, floor) })
	b.Run("paired", func(b *testing.B) {
		ratios := make([]float64, 0, 31)
		for b.Loop() {
			ratios = ratios[:0]
			for range cap(ratios) { // one transfer is far longer than the blocks of the others
				a := perRound(ours, 1)
				ratios = append(ratios, a/perRound(floor, 1))
			}
		}
		slices.Sort(ratios)
		b.ReportMetric(ratios[len(ratios)/2], "x-floor")
	})
}

// All that the process allocates meanwhile is under 2 MiB, and so is the growth
// of the heap, whenever the collector runs.
func TestSaveOfALargeFileNeedsLittleMemory(t *testing.T) { //nolint:paralleltest // it counts the process's allocations
	client := fileAPI(t).client(t)
	_, err := client.Files.Save(t.Context(), "key", &tally{}) // connection and token are there
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var written tally
	saved, err := client.Files.Save(t.Context(), "key", &written)
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Equal(t, int64(fileBytes), saved.Size)
	assert.Equal(t, int64(fileBytes), written.n)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(2<<20))
}

func TestColdClientFetchesOneToken(t *testing.T) {
	t.Parallel()
	api := newLoopbackAPI(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"id":"a"}`) })
	client := api.client(t)
	var start, workers sync.WaitGroup
	start.Add(1)
	for range 200 {
		workers.Go(func() {
			start.Wait()
			_, err := client.Clients.Get(t.Context(), "a", nil)
			assert.NoError(t, err)
		})
	}
	start.Done()
	workers.Wait()
	assert.Equal(t, int64(1), api.tokens.Load())
}

// Trap: each failure closed the shared idle pool, 16 -> 101 connections where
// one answer in ten failed.
func TestFailuresKeepTheConnections(t *testing.T) {
	t.Parallel()
	const workers, calls = 64, 10_000
	page := bytes.Repeat([]byte("<p>unavailable</p>"), 6000) // more than an error keeps of it
	var asked atomic.Int64
	api := newLoopbackAPI(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) % 20 {
		case 7:
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write(page)
		case 13:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			_, _ = io.WriteString(w, `{"id":"a"}`)
		}
	})
	client := api.client(t, WithRetry(RetryPolicy{MaxAttempts: 20, MinWait: time.Nanosecond, MaxWait: time.Nanosecond}))
	inParallel(workers, calls, func() {
		_, err := client.Clients.Get(t.Context(), "a", nil)
		assert.NoError(t, err)
	})
	assert.Greater(t, asked.Load(), int64(calls*11/10-workers), "no answer failed")
	assert.LessOrEqual(t, api.connections.Load(), int64(2*workers))
}

// Trap: net/http keeps 2 idle connections for a host, so that 32 workers opened 1258.
func TestEachWorkerKeepsItsConnection(t *testing.T) {
	t.Parallel()
	const workers, rounds = 32, 20
	arrived, answered := make(chan struct{}), make(chan struct{})
	api := newLoopbackAPI(t, func(w http.ResponseWriter, r *http.Request) {
		// Nobody is answered before all are there, each on its own connection.
		for _, step := range []chan struct{}{arrived, answered} {
			select {
			case step <- struct{}{}:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, `{"id":"a"}`)
	})
	client := api.client(t, WithRetry(RetryPolicy{MaxAttempts: 1}))
	for range rounds { // between two of them all connections are idle
		var group sync.WaitGroup
		for range workers {
			group.Go(func() {
				_, err := client.Clients.Get(t.Context(), "a", nil)
				assert.NoError(t, err)
			})
		}
		for _, step := range []chan struct{}{arrived, answered} {
			for range workers {
				<-step
			}
		}
		group.Wait()
	}
	assert.LessOrEqual(t, api.connections.Load(), int64(workers))
}

// inParallel makes a number of calls of f with a number of workers.
func inParallel(workers, calls int, f func()) {
	var left atomic.Int64
	left.Store(int64(calls))
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				f()
			}
		})
	}
	group.Wait()
}
