package trulioo_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// seeds is how many exports the simulation runs; CI runs 500.
func seeds() uint64 {
	if n, err := strconv.ParseUint(os.Getenv("TRULIOO_EXPORT_SEEDS"), 10, 64); err == nil {
		return n
	}
	return 500
}

// class is a kind of account, of server or of caller.
type class struct {
	name     string
	shape    func(h *hostile, rng *rand.Rand) // of the account and its list
	disturb  func(w *world)
	export   func(t *testing.T, w *world) // the default is once
	unproven float64                      // the share of runs that may end without a proof: of 10,000, 13 % do under churn, 20 % with ties
	errors   bool                         // a server that is not honest may get one
}

var classes = []class{
	{name: "quiet", shape: func(h *hostile, _ *rand.Rand) { h.listing.Churn, h.listing.IgnoreFilters = truliootest.Churn{}, false }},
	{name: "churn", unproven: 0.25, shape: func(h *hostile, rng *rand.Rand) {
		h.listing.Churn = truliootest.Churn{Inserts: rng.IntN(3), Deletes: rng.IntN(3), Updates: rng.IntN(3)}
	}},
	{name: "undated", unproven: 0.25, shape: func(h *hostile, rng *rand.Rand) { h.account.UndatedEvery = 2 + rng.IntN(30) }},
	{name: "ties", unproven: 0.3, shape: func(h *hostile, rng *rand.Rand) {
		h.account.Clients, h.account.Ties, h.listing.MaxLimit = 100+rng.IntN(100), 60+rng.IntN(60), 0
	}},
	{name: "clamped pages", unproven: 0.3, shape: func(h *hostile, rng *rand.Rand) { h.listing.MaxLimit = 5 + rng.IntN(15) }},
	{name: "one list answer that is none", unproven: 0.3, disturb: oneAnswerThatIsNone},
	{name: "HTML 404s for a while", unproven: 0.3, disturb: htmlNotFound},
	{name: "one spurious 401", unproven: 0.3, disturb: oneUnauthorized},
	{name: "clock that jumps", unproven: 0.3, disturb: jumpingClock},
	{name: "store with another clock", unproven: 0.3, shape: withFiles, disturb: storeWithAnotherClock},
	{name: "deep pages refused", unproven: 1, errors: true, disturb: deepPagesRefused},
	{name: "panics in callbacks", unproven: 0.3, shape: withFiles, export: panicking},
	{name: "slices", unproven: 0.25, export: inSlices},
	{name: "resumes", unproven: 0.3, export: resumed},
	{name: "kills", unproven: 0.3, export: killed},
}

// world is an account, its server and the clients that exports have found.
type world struct {
	hostile
	class   *class
	rng     *rand.Rand
	account *truliootest.Account
	srv     *truliootest.Server
	client  *trulioo.Client
	options trulioo.ExportOptions

	found   map[string]int
	reports []trulioo.ExportReport // of each export that ended by itself
	err     error
	elapsed time.Duration
}

func newWorld(t *testing.T, seed uint64) *world {
	t.Helper()
	c := &classes[seed%uint64(len(classes))]
	w := &world{hostile: newHostile(seed), class: c, rng: rand.New(rand.NewPCG(seed, 9)), found: map[string]int{}}
	if c.shape != nil {
		c.shape(&w.hostile, w.rng)
	}
	most := max(1, cmp.Or(w.listing.MaxLimit, 50)/10) // a list that grows faster than it is read has no end
	churn := &w.listing.Churn
	churn.Inserts, churn.Deletes, churn.Updates = min(churn.Inserts, most), min(churn.Deletes, most), min(churn.Updates, most)
	w.hostile.account.End = time.Now().Add(-time.Minute)
	w.account = truliootest.NewAccount(w.hostile.account)
	w.srv = truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithSeed(seed), truliootest.WithLive(w.account),
		truliootest.WithListing(w.listing), truliootest.WithLatency(w.latency), truliootest.WithFiles(truliootest.Files{Size: 64, Redirect: true}))
	w.client = w.srv.Client()
	w.options = trulioo.ExportOptions{SummariesOnly: true, Concurrency: w.concurrency}
	if c.disturb != nil {
		c.disturb(w)
	}
	return w
}

// withFiles is an account of few clients, since their profiles are fetched too.
func withFiles(h *hostile, rng *rand.Rand) {
	h.account.Clients, h.listing.MaxLimit, h.concurrency = rng.IntN(25), 5+rng.IntN(10), 2+rng.IntN(6)
}

// simulate runs the exports of the class. lost counts the clients that were there
// throughout and did not come.
func (w *world) simulate(t *testing.T) (lost, doubled int) {
	t.Helper()
	before, began := w.account.IDs(), time.Now()
	if w.class.export == nil {
		w.class.export = once
	}
	w.class.export(t, w)
	w.elapsed = time.Since(began)
	still := w.account.IDs()
	for _, id := range before {
		if w.found[id] == 0 && slices.Contains(still, id) {
			lost++
		}
	}
	for _, n := range w.found {
		if n > 1 {
			doubled++
		}
	}
	return lost, doubled
}

func (w *world) proven() bool {
	return w.err == nil && len(w.reports) > 0 && !slices.ContainsFunc(w.reports, func(r trulioo.ExportReport) bool { return !r.Proven })
}

// run is one export, of which each item is handed to keep; false leaves it.
func (w *world) run(ctx context.Context, opts trulioo.ExportOptions, keep func(item *trulioo.ExportItem) bool) error {
	own := opts.OnReport
	opts.OnReport = func(r trulioo.ExportReport) {
		w.reports = append(w.reports, r)
		if own != nil {
			own(r)
		}
	}
	for item, err := range w.client.Clients.Export(ctx, &opts) {
		if err == nil && item.Err != nil {
			if !slices.Contains(w.account.IDs(), item.Client.ID) {
				continue // deleted before its files came
			}
			err = item.Err
		}
		if err != nil {
			return err
		}
		if !keep(item) {
			break
		}
	}
	return nil
}

// once is an export from its beginning to its end.
func once(t *testing.T, w *world) {
	w.err = w.run(t.Context(), w.options, func(item *trulioo.ExportItem) bool {
		w.found[item.Client.ID]++
		return true
	})
}

// inSlices exports the slices in any order, the last one at the end. A client can
// be in two of them, and twice in none.
func inSlices(t *testing.T, w *world) {
	cut, err := w.client.Clients.Slices(t.Context(), trulioo.ClientFilter{}, 5+w.rng.IntN(30))
	if err != nil {
		w.err = err
		return
	}
	for _, i := range append(w.rng.Perm(len(cut)-1), len(cut)-1) {
		have := map[string]bool{}
		opts := w.options
		throughJSON(t, cut[i], &opts.Slice)
		w.err = w.run(t.Context(), opts, func(item *trulioo.ExportItem) bool {
			if have[item.Client.ID] {
				w.found[item.Client.ID]++ // twice in one
			}
			have[item.Client.ID] = true
			return true
		})
		if w.err != nil {
			return
		}
		for id := range have {
			w.found[id] = max(w.found[id], 1)
		}
	}
}

func throughJSON(t *testing.T, from, to any) {
	t.Helper()
	saved, err := json.Marshal(from)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(saved, to))
}

// skip is for those that have been found so far.
func (w *world) skip() func(row *trulioo.EndClient) bool {
	kept := maps.Clone(w.found)
	return func(row *trulioo.EndClient) bool { return kept[row.ID] > 0 }
}

// resumed leaves exports after a number of rows and goes on from the last cursor, and
// keeps all clients that have come.
func resumed(t *testing.T, w *world) {
	opts := w.options
	for left := w.rng.IntN(4); left >= 0; left-- {
		opts.Skip = w.skip()
		stop, n := w.rng.IntN(40), 0
		w.reports = nil
		w.err = w.run(t.Context(), opts, func(item *trulioo.ExportItem) bool {
			w.found[item.Client.ID]++
			throughJSON(t, item.Cursor, &opts.Resume)
			n++
			return left == 0 || n < stop
		})
		if w.err != nil {
			return
		}
		pass(time.Duration(w.rng.IntN(3)) * time.Minute)
	}
}

// killed ends the context at any moment and goes on from the last cursor that was
// saved. The rows since then are lost with the process.
func killed(t *testing.T, w *world) {
	every := 1 + w.rng.IntN(5)
	opts := w.options
	for left := w.rng.IntN(4); left >= 0; left-- {
		opts.Skip = w.skip()
		ctx, kill := context.WithCancel(t.Context())
		if left > 0 {
			time.AfterFunc(time.Duration(w.rng.Int64N(int64(20*w.latency))), kill)
		}
		var unsaved []string
		w.reports = nil
		w.err = w.run(ctx, opts, func(item *trulioo.ExportItem) bool {
			pass(20 * time.Millisecond)
			if unsaved = append(unsaved, item.Client.ID); len(unsaved) == every {
				for _, id := range unsaved {
					w.found[id]++
				}
				unsaved = nil
				throughJSON(t, item.Cursor, &opts.Resume)
			}
			return true
		})
		died := ctx.Err() != nil
		kill()
		if !died {
			for _, id := range unsaved {
				w.found[id]++
			}
			return
		}
	}
}

// panicking has one of the caller's functions panic at one of its calls, and
// exports again. The panic arrives where the caller waits.
func panicking(t *testing.T, w *world) {
	healthy, opts := w.client, w.options
	var calls atomic.Int64
	last := int64(w.rng.IntN(20))
	boom := func() {
		if calls.Add(1) == last+1 {
			panic("boom")
		}
	}
	opts.SummariesOnly = false
	switch w.rng.IntN(5) {
	case 0:
		opts.OnProfile = func(ctx context.Context, c *trulioo.Client, p *trulioo.Profile) error {
			boom()
			return saveFirst(ctx, c, p)
		}
	case 1:
		opts.Skip = func(*trulioo.EndClient) bool { boom(); return false }
	case 2:
		opts.OnProgress = func(trulioo.ExportProgress) { boom() }
	case 3:
		opts.OnReport = func(trulioo.ExportReport) { boom() }
	case 4:
		w.client = w.srv.Client(trulioo.WithObserver(observer(func(trulioo.Step) { boom() })))
	}
	value := recovered(func() {
		w.err = w.run(t.Context(), opts, func(item *trulioo.ExportItem) bool {
			w.found[item.Client.ID]++
			return true
		})
	})
	w.client.CloseIdleConnections()
	if value == nil && calls.Load() <= last {
		return // it was not called that often
	}
	if value != "boom" {
		w.err = fmt.Errorf("in place of the panic came %v", value)
		return
	}
	w.client, w.reports = healthy, nil
	w.options.Skip = w.skip()
	once(t, w)
}

// oneAnswerThatIsNone makes one of the first answers a 200 that is not a list.
func oneAnswerThatIsNone(w *world) {
	answers := []string{"{}", "<html><body>one moment, please</body></html>", `{"error":"busy"}`, `{"data":null}`, "", "[]", "null", `"list"`, `{"data":[]}{}`}
	w.srv.Fail(truliootest.ListClients, truliootest.Answer(200, answers[w.rng.IntN(len(answers))]), truliootest.Skip(w.rng.IntN(12)), truliootest.Times(1))
}

func htmlNotFound(w *world) {
	w.srv.Fail(truliootest.ListClients, truliootest.Answer(404, "<html>"), truliootest.Skip(w.rng.IntN(12)), truliootest.Times(1+w.rng.IntN(3)))
}

func oneUnauthorized(w *world) {
	w.srv.Fail(truliootest.ListClients, truliootest.Answer(401, ""), truliootest.Skip(w.rng.IntN(12)), truliootest.Times(1))
}

// through changes each answer on its way.
func (w *world) through(change func(req *http.Request, header http.Header)) {
	base := w.srv.HTTPClient().Transport
	w.client = w.srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(req)
		if err == nil {
			change(req, resp.Header)
		}
		return resp, err
	})}))
}

func jumpingClock(w *world) {
	var drawing sync.Mutex // pages are asked for at the same time
	w.through(func(_ *http.Request, header http.Header) {
		drawing.Lock()
		defer drawing.Unlock()
		header.Set("Date", time.Unix(w.rng.Int64N(4_000_000_000), 0).UTC().Format(http.TimeFormat))
	})
}

// storeWithAnotherClock has files at another host, whose clock is minutes to years
// apart, or which answers from a cache.
func storeWithAnotherClock(w *world) {
	apart := time.Duration(w.rng.Int64N(int64(1000*time.Hour))) >> w.rng.IntN(10)
	if w.rng.IntN(2) == 0 {
		apart = -apart
	}
	w.through(func(req *http.Request, header http.Header) {
		if !strings.HasPrefix(w.srv.BaseURL, "http://"+req.URL.Host+"/") {
			header.Set("Date", time.Now().Add(apart).UTC().Format(http.TimeFormat))
			header.Set("Age", strconv.Itoa(int(max(apart, -apart).Seconds())))
		}
	})
	w.options.SummariesOnly, w.options.OnProfile = false, saveFirst
}

func deepPagesRefused(w *world) {
	refusePages(w.srv, 1+w.rng.IntN(4), []int{400, 404, 422}[w.rng.IntN(3)])
}

// refusePages refuses the pages of the list from that one on.
func refusePages(srv *truliootest.Server, from, status int) {
	srv.Fail(truliootest.ListClients, truliootest.Handle(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if n, _ := strconv.Atoi(r.URL.Query().Get("page")); n >= from {
			rw.Header().Set("Content-Type", "application/json")
			rw.WriteHeader(status)
			_, _ = io.WriteString(rw, `{"code":4006}`)
			return
		}
		next.ServeHTTP(rw, r)
	}))
}

// tallyOf is a class's row of the table.
type tallyOf struct{ runs, silent, lost, doubled, errors, unproven, waited, requests, pages int }

// Every client that was there throughout comes exactly once, or the export ends
// with an error, or says that it is not proven. TRULIOO_EXPORT_SEEDS=10000 runs all
// of it and prints the table; each seed is reproducible.
func TestSimulation(t *testing.T) {
	t.Parallel()
	table := make([]tallyOf, len(classes))
	for seed := range seeds() {
		synctest.Test(t, func(t *testing.T) { table[seed%uint64(len(classes))].add(t, newWorld(t, seed)) })
	}
	t.Logf("%-28s %6s %7s %6s %8s %7s %9s %9s", "class", "runs", "silent", "lost", "doubled", "errors", "unproven", "a page")
	for i, r := range table {
		c := &classes[i]
		t.Logf("%-28s %6d %7d %6d %8d %7d %9d %9.1f", c.name, r.runs, r.silent, r.lost, r.doubled, r.errors, r.unproven, float64(r.requests)/float64(max(r.pages, 1)))
		assert.Zero(t, r.silent, c.name)
		assert.Zero(t, r.doubled, c.name)
		assert.Zero(t, r.waited, c.name)
		if !c.errors {
			assert.LessOrEqual(t, r.errors, r.runs/1000, c.name)
		}
		assert.LessOrEqual(t, float64(r.unproven), c.unproven*float64(r.runs), c.name)
	}
}

func (r *tallyOf) add(t *testing.T, w *world) {
	t.Helper()
	lost, doubled := w.simulate(t)
	r.runs++
	for _, report := range w.reports {
		r.requests += report.Requests
	}
	r.pages += 1 + len(w.found)/cmp.Or(w.listing.MaxLimit, 50)
	switch {
	case w.err != nil:
		r.errors++
		if !w.class.errors {
			t.Logf("seed %d: %v", w.seed, w.err)
		}
	case lost > 0 && w.proven():
		r.silent++
		t.Logf("seed %d: %d lost in silence", w.seed, lost)
	case lost > 0:
		r.lost++
	}
	if doubled > 0 {
		r.doubled++
		t.Logf("seed %d: %d doubled", w.seed, doubled)
	}
	if !w.proven() {
		r.unproven++
	}
	if w.elapsed > time.Hour {
		r.waited++
		t.Logf("seed %d: took %v", w.seed, w.elapsed)
	}
}
