package trulioo_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// hostile is a list that behaves as badly as the vendor's page allows.
type hostile struct {
	seed        uint64
	account     truliootest.AccountSpec
	listing     truliootest.Listing
	latency     time.Duration
	concurrency int
}

func newHostile(seed uint64) hostile {
	rng := rand.New(rand.NewPCG(seed, 1))
	h := hostile{
		seed: seed,
		account: truliootest.AccountSpec{
			Seed:    seed,
			Clients: rng.IntN(61),
			Spacing: []time.Duration{time.Second, time.Minute, 10 * time.Minute, 24 * time.Hour}[rng.IntN(4)],
			Ties:    []int{1, 1, 2, 5, 12}[rng.IntN(5)],
		},
		listing: truliootest.Listing{
			MaxLimit:      []int{0, 0, 20, 10}[rng.IntN(4)],
			OrderBy:       truliootest.Timestamp(rng.IntN(2)),
			FilterBy:      truliootest.Timestamp(rng.IntN(2)),
			Ascending:     rng.IntN(2) == 0,
			ShuffleTies:   rng.IntN(2) == 0,
			IncludeBefore: rng.IntN(2) == 0,
			IncludeAfter:  rng.IntN(2) == 0,
			IgnoreFilters: rng.IntN(8) == 0,
			Last:          truliootest.Lie(rng.IntN(4)),
			TotalPages:    truliootest.Lie(rng.IntN(4)),
		},
		// Lists take time, or all changes of a run would be of one second.
		latency:     []time.Duration{250 * time.Millisecond, time.Second}[rng.IntN(2)],
		concurrency: 1 + rng.IntN(8),
	}
	if rng.IntN(40) == 0 {
		h.account.Clients = 200
	}
	if rng.IntN(3) == 0 {
		h.account.UndatedEvery = 2 + rng.IntN(30)
	}
	if rng.IntN(4) == 0 {
		h.listing.EmptyEvery = 2 + rng.IntN(3)
	}
	if rng.IntN(2) == 0 {
		// The measured list had 5 changes for each page of 50.
		most := 1 + cmp.Or(h.listing.MaxLimit, 50)/10
		h.listing.Churn = truliootest.Churn{Inserts: rng.IntN(most), Deletes: rng.IntN(most), Updates: rng.IntN(most)}
	}
	return h
}

// run exports the account once and returns what was wrong, and whether a client is
// missing from an export that says that it is not proven to be complete.
func (h hostile) run(t *testing.T) (told bool, err error) {
	if h.account.End.IsZero() {
		h.account.End = time.Now().Add(-time.Duration(h.seed%3) * 10 * time.Second)
	}
	account := truliootest.NewAccount(h.account)
	before := account.IDs()
	srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithSeed(h.seed), truliootest.WithLive(account),
		truliootest.WithListing(h.listing), truliootest.WithLatency(h.latency))
	client := srv.Client()
	seen := map[string]int{}
	var report trulioo.ExportReport
	for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: h.concurrency, SummariesOnly: h.seed%5 != 0, OnReport: func(r trulioo.ExportReport) { report = r }}) {
		if err != nil {
			return false, fmt.Errorf("seed %d: ended: %w", h.seed, err)
		}
		if item.Err != nil {
			return false, fmt.Errorf("seed %d: failed: %w", h.seed, item.Err)
		}
		seen[item.Client.ID]++
	}
	still := map[string]bool{}
	for _, id := range account.IDs() {
		still[id] = true
	}
	missed, twice := 0, 0
	for _, id := range before {
		if still[id] && seen[id] == 0 {
			missed++
		}
	}
	for _, n := range seen {
		if n > 1 {
			twice++
		}
	}
	if twice > 0 || missed > 0 && report.Proven {
		return false, fmt.Errorf("seed %d: %d missed in silence, %d twice of %d", h.seed, missed, twice, len(before))
	}
	return missed > 0, nil
}

// Traps: 5,000 rows with 5 changes per page lost 116 rows to deletes, 1,623 to ties
// in any order and 4,900 to a clamped limit. Here at least 1,000 runs over hostile
// lists with random seeds miss none and have none twice. Accounts have up
// to 200 clients. Where an account changes at every request, a client can be missing
// from an export that says that it is not proven; about one run in 20,000 is such.
func TestExportIsComplete(t *testing.T) {
	t.Parallel()
	for shard := range uint64(10) {
		t.Run(strconv.FormatUint(shard, 10), func(t *testing.T) {
			t.Parallel()
			var wrong []string
			unproven := 0
			for run := range uint64(100) {
				h := newHostile(100*shard + run)
				synctest.Test(t, func(t *testing.T) {
					told, err := h.run(t)
					if told {
						unproven++
					}
					if err != nil {
						wrong = append(wrong, fmt.Sprintf("%v\n%+v\n%+v", err, h.account, h.listing))
					}
				})
			}
			assert.Empty(t, wrong, "of 100 runs")
			assert.LessOrEqual(t, unproven, 1, "runs of 100 that miss a client and say that they may")
		})
	}
}

// A client can stand in the list some seconds after the time that it says it was
// created. The export reads those seconds last.
func TestExportFindsClientsThatEnterTheListLate(t *testing.T) {
	t.Parallel()
	for late := range 40 {
		for _, by := range []truliootest.Timestamp{truliootest.ByCreated, truliootest.ByLastModified} {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 150, Spacing: time.Minute, End: start.Add(-time.Minute)})
				var id string
				srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account), truliootest.WithLatency(50*time.Millisecond),
					truliootest.WithListing(truliootest.Listing{FilterBy: by, Before: func(a *truliootest.Account, r truliootest.ListRequest) {
						if r.N == late {
							id = a.Insert(start.Add(-time.Second))
						}
					}}))
				seen := map[string]bool{}
				for item, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{SummariesOnly: true}) {
					require.NoError(t, err)
					seen[item.Client.ID] = true
				}
				assert.True(t, id == "" || seen[id], "entered the list before request %d", late)
				assert.GreaterOrEqual(t, len(seen), 150)
			})
		}
	}
}

// A server refuses pages far into the list, or an earlier or empty one comes in their place: then
// only one end of the list is seen, the newest clients or the oldest. The other end is
// looked for, so that all clients come, for few requests.
func TestPagesFarIntoTheListAreNotNeeded(t *testing.T) {
	t.Parallel()
	const refuses, arrivals, changes, repeats, empty = "refused", "refused, and clients arrive", "refused, and clients change", "repeated", "empty"
	for _, c := range []struct {
		clients, from, ties, page int
		kinds                     []string
	}{
		{200, 1, 1, 50, []string{refuses, arrivals, changes, repeats, empty}},
		{200, 1, 50, 50, []string{refuses, arrivals, changes, repeats, empty}},
		{200, 2, 50, 50, []string{refuses, arrivals, changes}},
		{2990, 20, 1, 50, []string{refuses, empty}},
		{3000, 1, 1, 50, []string{refuses}},
		{1000, 1, 1, 5, []string{arrivals, changes}},
	} {
		for way := range 4 * len(c.kinds) {
			ascending, inclusive, kind := way&1 > 0, way&2 > 0, c.kinds[way/4]
			if c.clients >= 1000 && ascending != inclusive {
				continue // for time's sake
			}
			t.Run(fmt.Sprintf("%d clients, %d of a second, from page %d, ascending %v, inclusive %v, %s", c.clients, c.ties, c.from, ascending, inclusive, kind), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					listing := truliootest.Listing{Ascending: ascending, IncludeBefore: inclusive, IncludeAfter: inclusive, MaxLimit: c.page}
					switch kind {
					case repeats:
						listing.RepeatFrom = c.from
					case arrivals:
						listing.Churn.Inserts = 1
					case changes:
						listing.Churn.Updates, listing.FilterBy = 1, truliootest.ByLastModified
					}
					account := truliootest.NewAccount(truliootest.AccountSpec{Clients: c.clients, Ties: c.ties, End: time.Now().Add(-time.Minute)})
					srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account), truliootest.WithListing(listing), truliootest.WithLatency(5*time.Second))
					switch kind {
					case refuses, arrivals, changes:
						refusePages(srv, c.from, 400)
					case empty:
						emptyPages(srv, c.from)
					}
					before, found := account.IDs(), map[string]bool{}
					var report trulioo.ExportReport
					for item, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{SummariesOnly: true, OnReport: func(r trulioo.ExportReport) { report = r }}) {
						require.NoError(t, err)
						require.False(t, found[item.Client.ID], "twice")
						found[item.Client.ID] = true
					}
					missed := slices.DeleteFunc(before, func(id string) bool { return found[id] })
					assert.Empty(t, missed)
					if kind == repeats || kind == empty {
						return // such pages do not show what they are, and nothing may be proven
					}
					// Oldest first, the page that can be seen never has those who arrive.
					assert.True(t, report.Proven || ascending && kind != refuses, report.Reason)
					most := 5 // for each page
					if kind == changes {
						most = 7 // most are read twice
					}
					assert.LessOrEqual(t, report.Requests, 60+len(found)/c.page*most)
				})
			})
		}
	}
}

// A client without a date is in no range of time. Where its page is refused, only the count
// knows of it: an error, or an export that is not proven where the list grows.
func TestClientsThatNoPageShowsAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ clients, undatedEvery, from, inserts int }{{200, 100, 1, 0}, {200, 10, 2, 0}, {1000, 500, 2, 0}, {3000, 10, 1, 0}, {200, 100, 1, 1}, {1000, 10, 2, 1}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				account := truliootest.NewAccount(truliootest.AccountSpec{Clients: c.clients, UndatedEvery: c.undatedEvery, End: time.Now().Add(-time.Minute)})
				srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account),
					truliootest.WithListing(truliootest.Listing{Churn: truliootest.Churn{Inserts: c.inserts}}), truliootest.WithLatency(5*time.Second))
				refusePages(srv, c.from, 400)
				var report trulioo.ExportReport
				var ended error
				for _, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{SummariesOnly: true, OnReport: func(r trulioo.ExportReport) { report = r }}) {
					ended = cmp.Or(ended, err)
				}
				assert.False(t, report.Proven)
				assert.NotEmpty(t, report.Reason)
				if c.inserts == 0 {
					require.ErrorIs(t, ended, trulioo.ErrPaging)
				}
			})
		})
	}
}

// emptyPages empties the pages of the list from that one on.
func emptyPages(srv *truliootest.Server, from int) {
	srv.Fail(truliootest.ListClients, truliootest.Handle(func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		query := r.URL.Query()
		if n, _ := strconv.Atoi(query.Get("page")); n >= from {
			query.Set("page", "1000000")
			r.URL.RawQuery = query.Encode()
		}
		next.ServeHTTP(rw, r)
	}))
}
