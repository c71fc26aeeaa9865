package truredis_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
	"github.com/trulioo-go/trulioo/internal/loopback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// settings are the settings of a worker process, which it gets in its environment.
type settings struct {
	Kind      string // "calls" or "events"
	Name      string
	Redis     string
	BaseURL   string
	TokenURL  string
	ID, Key   string // credentials
	StopAfter int    // a receiver of events hangs after this many of them; 0 means never
}

// work is the whole life of a worker process. It answers in lines on its output, does
// the work that the lines of its input ask for, and ends with its input.
func work(text string) int {
	var s settings
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		fmt.Println(err)
		return 1
	}
	rdb := redis.NewClient(&redis.Options{Addr: s.Redis})
	run := map[string]func(settings, *redis.Client) error{"calls": makeCalls, "events": receiveEvents}[s.Kind]
	if err := run(s, rdb); err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

// makeCalls makes as many calls of the API as each line of its input says, 16
// at once, and answers with the number of those that failed.
func makeCalls(s settings, rdb *redis.Client) error {
	store, err := truredis.NewTokenStore(rdb, truredis.WithEncryptionKeys(key(1)))
	if err != nil {
		return err
	}
	store.Wait()
	client, err := trulioo.NewClient(trulioo.WithCredentials(s.ID, s.Key), trulioo.WithBaseURL(s.BaseURL),
		trulioo.WithTokenURL(s.TokenURL), trulioo.WithTokenStore(store))
	if err != nil {
		return err
	}
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		calls, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		var left, failed atomic.Int32
		left.Store(int32(calls)) //nolint:gosec // a few thousand
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for left.Add(-1) >= 0 {
					if _, err := client.Workflows.List(context.Background(), &trulioo.ListOptions{Limit: 1}); err != nil {
						fmt.Fprintln(os.Stderr, err)
						failed.Add(1)
					}
				}
			})
		}
		all.Wait()
		fmt.Println("failed", failed.Load())
	}
	return nil
}

// receiveEvents is a webhook receiver. It counts what it has handled in Redis,
// in a hash of its own that outlives it.
func receiveEvents(s settings, rdb *redis.Client) error {
	deduper, err := truredis.NewDeduper(rdb)
	if err != nil {
		return err
	}
	var started atomic.Int32
	handle := func(ctx context.Context, ev *trulioo.Event) error {
		n := int(started.Add(1))
		if s.StopAfter > 0 && n > s.StopAfter+4 {
			hang("before")
		}
		if err := rdb.HIncrBy(ctx, "handled:"+s.Name, ev.ClientID, 1).Err(); err != nil {
			return err
		}
		if s.StopAfter > 0 && n > s.StopAfter {
			hang("after")
		}
		return nil
	}
	handler, err := trulioo.NewWebhookHandler(handle, trulioo.WithVerificationToken(truliootest.WebhookToken),
		trulioo.WithDeduper(shortLease{deduper}), trulioo.WithHandlerTimeout(20*time.Second), // a loaded machine is slow
		trulioo.WithErrorHook(func(_ context.Context, err error) {
			fmt.Fprintln(os.Stderr, s.Name, err, errors.Unwrap(err)) // a reason, should the test fail
		}))
	if err != nil {
		return err
	}
	listener, err := loopback.Listen(context.Background()) // it can be killed, and nobody answers in its place
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, handler) }() //nolint:gosec // a test's own sender
	fmt.Println(listener.Addr())
	_, err = io.Copy(io.Discard, os.Stdin) // until the test lets go
	return err
}

// hang is a process that is about to die.
func hang(where string) {
	fmt.Println("hangs", where, "its work")
	select {}
}

// shortLease is for a test that does not wait 38 s for a lease to end.
type shortLease struct{ trulioo.Deduper }

const lease = 5 * time.Second

func (d shortLease) Reserve(ctx context.Context, key string, _ time.Duration) (string, trulioo.DedupState, error) {
	return d.Deduper.Reserve(ctx, key, lease)
}

// worker is a process that runs this test's own program.
type worker struct {
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

func startWorker(t *testing.T, s settings) *worker {
	t.Helper()
	text, err := json.Marshal(s)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	process := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	process.Env = append(os.Environ(), workerVariable+"="+string(text))
	process.Stderr = os.Stderr
	in, err := process.StdinPipe()
	require.NoError(t, err)
	out, err := process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, process.Start())
	w := &worker{process, in, bufio.NewScanner(out)}
	t.Cleanup(w.kill)
	return w
}

func (w *worker) kill() {
	_ = w.process.Process.Kill()
	_ = w.process.Wait()
}

func (w *worker) says(t *testing.T) string {
	t.Helper()
	require.True(t, w.out.Scan(), "the worker has ended")
	return w.out.Text()
}

// callAll has each process make a number of calls, does something meanwhile, and demands
// that no call has failed.
func callAll(t *testing.T, workers []*worker, calls int, meanwhile func()) {
	t.Helper()
	for _, w := range workers {
		_, err := fmt.Fprintln(w.in, calls)
		require.NoError(t, err)
	}
	meanwhile()
	for _, w := range workers {
		require.Equal(t, "failed 0", w.says(t))
	}
}

// Eight processes that start cold need one token between them, and one more
// when it is revoked. Redis that is killed and comes back empty costs no call.
func TestProcessesShareATokenWhateverHappens(t *testing.T) { //nolint:paralleltest // it has eight processes of its own
	server := startRedis(t)
	srv := truliootest.NewServer(t)
	workers := make([]*worker, 8)
	for i := range workers {
		workers[i] = startWorker(t, settings{Kind: "calls", Redis: server.Addr,
			BaseURL: srv.BaseURL, TokenURL: srv.TokenURL, ID: srv.ClientID, Key: srv.ClientSecret})
	}
	for _, w := range workers {
		require.Equal(t, "ready", w.says(t))
	}
	nothing := func() {}
	callsMade := func(n int) {
		until := srv.Count(truliootest.ListWorkflows) + n
		require.Eventually(t, func() bool { return srv.Count(truliootest.ListWorkflows) >= until }, time.Minute, time.Millisecond)
	}

	callAll(t, workers, 1000, nothing)
	require.Equal(t, 8000, srv.Count(truliootest.ListWorkflows))
	require.Equal(t, 1, srv.Count(truliootest.FetchToken), "cold")

	callAll(t, workers, 250, func() { callsMade(1000); srv.RevokeTokens() })
	require.Equal(t, 2, srv.Count(truliootest.FetchToken), "revoked under way")

	callAll(t, workers, 500, func() {
		callsMade(500)
		server.Kill(t)
		callsMade(500)
		srv.RevokeTokens() // so that each needs one while there is no Redis
		callsMade(1000)
		server.Start(t)
		callsMade(500)
	})
	require.LessOrEqual(t, srv.Count(truliootest.FetchToken), 2+len(workers), "each on its own")

	before := srv.Count(truliootest.FetchToken)
	srv.RevokeTokens()
	callAll(t, workers, 50, nothing)
	require.Equal(t, before+1, srv.Count(truliootest.FetchToken), "Redis is used again")
}

// receivers are the webhooks of several processes behind one balancer.
type receivers struct {
	urls []string
	dead atomic.Int32 // the one that was killed, else -1
}

// deliver sends an event as the vendor does, until it is acknowledged; a
// balancer passes it on to a process that lives.
func (r *receivers) deliver(ctx context.Context, client *http.Client, event, first int) error {
	for attempt := 0; ; attempt++ {
		if to := (first + attempt) % len(r.urls); to != int(r.dead.Load()) {
			status, err := post(ctx, client, r.urls[to], event, attempt)
			if status == http.StatusOK {
				return nil
			}
			if err == nil && status != http.StatusServiceUnavailable {
				return fmt.Errorf("event %d: status %d", event, status)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("event %d: %w", event, ctx.Err())
		case <-time.After(20 * time.Millisecond << min(attempt, 4)):
		}
	}
}

func post(ctx context.Context, client *http.Client, url string, event, retry int) (int, error) {
	body := fmt.Sprintf(`{"id":"client-%d","token":%q,"type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":1718011363},"retry":%d}`,
		event, truliootest.WebhookToken, retry)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

const concurrent = 24 // deliveries at once

// deliverTwice delivers every event to two of the processes at once.
func (r *receivers) deliverTwice(ctx context.Context, events int) error {
	transport := &http.Transport{MaxIdleConnsPerHost: concurrent}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	errs := make([]error, 2*events)
	slots := make(chan struct{}, concurrent)
	var all sync.WaitGroup
	for i := range errs {
		slots <- struct{}{}
		all.Go(func() {
			event, again := i/2, i%2
			errs[i] = r.deliver(ctx, client, event, event+again*(1+event%3))
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// The same 10,000 events come to 4 processes, each twice, and one process is
// killed while it handles 8: every event is handled, and none twice except those that the
// dead one had handled and could not commit.
func TestProcessesHandleEachEventOnce(t *testing.T) { //nolint:paralleltest // it has four processes of its own
	const events, doomed = 10_000, 2
	server := startRedis(t)
	rdb := server.Client(t)
	r := &receivers{}
	r.dead.Store(-1)
	workers := make([]*worker, 4)
	for i := range workers {
		s := settings{Kind: "events", Name: strconv.Itoa(i), Redis: server.Addr}
		if i == doomed {
			s.StopAfter = events / 10
		}
		workers[i] = startWorker(t, s)
		r.urls = append(r.urls, "http://"+workers[i].says(t))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	delivered := make(chan error, 1)
	go func() { delivered <- r.deliverTwice(ctx, events) }()
	for range 8 {
		require.Contains(t, workers[doomed].says(t), "hangs")
	}
	workers[doomed].kill()
	r.dead.Store(doomed)
	require.NoError(t, <-delivered, "each delivery was acknowledged in the end")

	byDead := handled(t, rdb, doomed)
	byLiving := map[string]int{}
	for i := range workers {
		if i != doomed {
			for id, n := range handled(t, rdb, i) {
				byLiving[id] += n
			}
		}
	}
	twice := 0
	for event := range events {
		id := fmt.Sprintf("client-%d", event)
		assert.NotZero(t, byLiving[id]+byDead[id], "%s was lost", id)
		assert.LessOrEqual(t, byLiving[id], 1, "%s ran twice where its process lived", id)
		assert.LessOrEqual(t, byDead[id], 1, "%s ran twice in the process that died", id)
		if byLiving[id]+byDead[id] > 1 {
			twice++
		}
	}
	t.Logf("%d events, %d handled by the process that died, %d of them again by another", events, len(byDead), twice)
	assert.LessOrEqual(t, twice, concurrent, "only what was in hand when it died")
	assert.GreaterOrEqual(t, twice, 4, "what was done and not committed is run again: at least once")
}

// handled counts what one process has handled, by client.
func handled(t *testing.T, rdb *redis.Client, worker int) map[string]int {
	t.Helper()
	counts := map[string]int{}
	for id, n := range rdb.HGetAll(t.Context(), "handled:"+strconv.Itoa(worker)).Val() {
		var err error
		counts[id], err = strconv.Atoi(n)
		require.NoError(t, err)
	}
	return counts
}
