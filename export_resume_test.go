package trulioo_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestCursorIsASmallJSONValue(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 60})
	item := exported(t, srv.Client(), nil)[10]
	data, err := json.Marshal(item.Cursor)
	require.NoError(t, err)
	assert.Less(t, len(data), 250)
	var back trulioo.Cursor
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, item.Cursor, back)
	for _, printed := range []string{fmt.Sprint(item.Cursor), fmt.Sprintf("%#v", item), fmt.Sprintf("%+v", *item)} {
		assert.NotContains(t, printed, item.Client.ID)
	}
	for _, foreign := range []string{`{}`, `{"version":1}`, `{"version":2,"from":-5}`, `"x"`, `[]`} {
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, json.Unmarshal([]byte(foreign), &back), &wrong, foreign)
		require.ErrorAs(t, json.Unmarshal([]byte(foreign), new(trulioo.Slice)), &wrong, foreign)
	}
	require.NoError(t, json.Unmarshal([]byte("null"), &back))
	assert.True(t, back.IsZero())
}

func FuzzCursor(f *testing.F) {
	f.Add([]byte(`{"version":2,"environment":"live","apiVersion":"v2","filter":"00","from":5,"to":7,"created":6,"id":"x"}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var c, again trulioo.Cursor
		if json.Unmarshal(data, &c) != nil {
			return
		}
		out, err := json.Marshal(c)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, c, again)
	})
}

// On a quiet account the cursor alone goes on exactly where it was; with Skip
// that holds over undated clients and other hostile lists too.
func TestExportResumes(t *testing.T) {
	t.Parallel()
	for seed := range uint64(40) {
		synctest.Test(t, func(t *testing.T) {
			h := newHostile(seed)
			h.listing.Churn = truliootest.Churn{}
			rng := rand.New(rand.NewPCG(seed, 2))
			plain := seed%2 == 0
			if plain {
				h.account.UndatedEvery, h.listing.IgnoreFilters, h.listing.FilterBy = 0, false, truliootest.ByCreated
				h.account.Ties = 1
			}
			h.account.Clients += 2
			h.account.End = time.Now().Add(-time.Minute)
			srv := exportServer(t, h.account, truliootest.WithListing(h.listing), truliootest.WithSeed(seed))
			client := srv.Client()
			opts := &trulioo.ExportOptions{SummariesOnly: true, Concurrency: h.concurrency}
			all := exportedIDs(exported(t, client, opts))
			stop := rng.IntN(len(all))
			have := map[string]bool{}
			var got []string
			for item, err := range client.Clients.Export(t.Context(), opts) {
				require.NoError(t, err)
				got = append(got, item.Client.ID)
				have[item.Client.ID] = true
				if len(got) == stop+1 {
					saved, err := json.Marshal(item.Cursor)
					require.NoError(t, err)
					require.NoError(t, json.Unmarshal(saved, &opts.Resume))
					break
				}
			}
			pass(time.Hour)
			if !plain {
				opts.Skip = func(row *trulioo.EndClient) bool { return have[row.ID] }
			}
			got = append(got, exportedIDs(exported(t, client, opts))...)
			if plain && !h.listing.ShuffleTies {
				assert.Equal(t, all, got, "seed %d, stopped at %d", seed, stop)
			}
			assert.ElementsMatch(t, all, got, "seed %d, stopped at %d\n%+v\n%+v", seed, stop, h.account, h.listing)
		})
	}
}

// Those without a date come at the end, by a reading of the whole list: what came
// before the cursor does not come with them again.
func TestExportResumesBeforeTheUndated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := exportServer(t, truliootest.AccountSpec{Clients: 300, UndatedEvery: 9, End: time.Now().Add(-time.Hour)})
		client := srv.Client()
		opts := &trulioo.ExportOptions{SummariesOnly: true}
		all := exported(t, client, opts)
		require.Len(t, all, 300)
		require.False(t, all[200].Client.Created.IsZero())
		require.True(t, all[299].Client.Created.IsZero())
		opts.Resume = all[200].Cursor
		assert.ElementsMatch(t, exportedIDs(all[201:]), exportedIDs(exported(t, client, opts)))
	})
}

func TestExportResumesUnderChurnAtLeastOnce(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			h := newHostile(seed + 1000)
			srv := exportServer(t, h.account, truliootest.WithListing(h.listing), truliootest.WithSeed(seed), truliootest.WithLatency(h.latency))
			before := srv.Live.IDs()
			have := map[string]bool{}
			opts := &trulioo.ExportOptions{SummariesOnly: true, Concurrency: h.concurrency}
			stop := rand.New(rand.NewPCG(seed, 3)).IntN(len(before) + 1)
			n := 0
			for item, err := range srv.Client().Clients.Export(t.Context(), opts) {
				require.NoError(t, err)
				have[item.Client.ID] = true
				opts.Resume = item.Cursor
				if n++; n > stop {
					break
				}
			}
			for _, item := range exported(t, srv.Client(), opts) {
				have[item.Client.ID] = true
			}
			for _, id := range srv.Live.IDs() {
				if slices.Contains(before, id) {
					assert.True(t, have[id], "seed %d, stopped at %d\n%+v\n%+v", seed, stop, h.account, h.listing)
				}
			}
		})
	}
}

func TestSlicesOfOneClientEach(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 5, Spacing: time.Hour})
	cut, err := srv.Client().Clients.Slices(t.Context(), trulioo.ClientFilter{}, 1)
	require.NoError(t, err)
	assert.Len(t, cut, 5, "the newest is in the slice of what comes meanwhile")
}

func TestSlicesAreTheAccount(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		synctest.Test(t, func(t *testing.T) {
			h := newHostile(seed + 2000)
			h.account.Clients += 100
			srv := exportServer(t, h.account, truliootest.WithListing(h.listing), truliootest.WithSeed(seed), truliootest.WithLatency(h.latency))
			before := srv.Live.IDs()
			cut, err := srv.Client().Clients.Slices(t.Context(), trulioo.ClientFilter{}, 60)
			require.NoError(t, err)
			if !h.listing.IgnoreFilters {
				assert.GreaterOrEqual(t, len(cut), 2)
			}
			have := map[string]bool{}
			order := rand.New(rand.NewPCG(seed, 3)).Perm(len(cut) - 1)
			for _, i := range append(order, len(cut)-1) {
				saved, err := json.Marshal(cut[i])
				require.NoError(t, err)
				var s trulioo.Slice
				require.NoError(t, json.Unmarshal(saved, &s))
				for _, item := range exported(t, srv.Client(), &trulioo.ExportOptions{SummariesOnly: true, Slice: s}) {
					have[item.Client.ID] = true
				}
			}
			for _, id := range srv.Live.IDs() {
				if slices.Contains(before, id) {
					require.True(t, have[id], "seed %d\n%+v\n%+v", seed, h.account, h.listing)
				}
			}
		})
	}
}

// The recipe of docs/exports.md, in runs of which each is killed somewhere, between the
// client and its cursor too, while requests for profiles fail: nobody is passed over. With
// Skip nobody comes twice.
func TestResumingByTheRecipeWithFailuresAndKills(t *testing.T) {
	t.Parallel()
	for _, skips := range []bool{false, true} {
		for seed := range uint64(6) {
			synctest.Test(t, func(t *testing.T) {
				srv := exportServer(t, truliootest.AccountSpec{Clients: 130, Seed: seed, UndatedEvery: 40}, truliootest.WithSeed(seed))
				srv.Fail(truliootest.GetClient, truliootest.Answer(500, ""), truliootest.Chance(0.3, seed), truliootest.Times(60))
				night := resumedNights{client: srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1})), handled: map[string]int{}, skips: skips, rng: rand.New(rand.NewPCG(seed, 4))}
				failures := 0
				for runs := 0; ; runs++ {
					require.Less(t, runs, 100, "seed %d", seed)
					failed, killed := night.run(t, runs < 15)
					failures += failed
					if !killed && failed == 0 {
						break
					}
				}
				assert.Positive(t, failures)
				for _, id := range srv.Live.IDs() {
					assert.Positive(t, night.handled[id], "seed %d", seed)
					if skips {
						assert.Equal(t, 1, night.handled[id], "seed %d", seed)
					}
				}
			})
		}
	}
}

// resumedNights are runs of the recipe with what they save.
type resumedNights struct {
	client  *trulioo.Client
	handled map[string]int
	cursor  []byte
	skips   bool
	rng     *rand.Rand
}

func (n *resumedNights) run(t *testing.T, kill bool) (failed int, killed bool) {
	t.Helper()
	opts := &trulioo.ExportOptions{}
	if n.skips {
		before := maps.Clone(n.handled) // Skip runs beside the loop
		opts.Skip = func(row *trulioo.EndClient) bool { return before[row.ID] > 0 }
	}
	if n.cursor != nil {
		require.NoError(t, json.Unmarshal(n.cursor, &opts.Resume))
	}
	for item, err := range n.client.Clients.Export(t.Context(), opts) {
		require.NoError(t, err)
		if kill && n.rng.IntN(60) == 0 {
			return failed, true
		}
		if item.Err != nil {
			failed++
		} else {
			n.handled[item.Client.ID]++
		}
		if kill && n.rng.IntN(60) == 0 {
			return failed, true
		}
		n.cursor, err = json.Marshal(item.Cursor)
		require.NoError(t, err)
	}
	return failed, false
}
