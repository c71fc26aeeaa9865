package trulioo_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// exported runs an export to its end.
func exported(t *testing.T, client *trulioo.Client, opts *trulioo.ExportOptions) []*trulioo.ExportItem {
	t.Helper()
	var items []*trulioo.ExportItem
	for item, err := range client.Clients.Export(t.Context(), opts) {
		require.NoError(t, err)
		items = append(items, item)
	}
	return items
}

func exportedIDs(items []*trulioo.ExportItem) []string {
	ids := make([]string, len(items))
	for i, item := range items {
		ids[i] = item.Client.ID
	}
	return ids
}

func exportServer(t *testing.T, spec truliootest.AccountSpec, opts ...truliootest.Option) *truliootest.Server {
	t.Helper()
	return truliootest.NewServer(t, append([]truliootest.Option{truliootest.InMemory(), truliootest.WithLive(truliootest.NewAccount(spec))}, opts...)...)
}

func TestExportYieldsProfilesInTheListsOrder(t *testing.T) {
	t.Parallel()
	for _, filterBy := range []truliootest.Timestamp{truliootest.ByCreated, truliootest.ByLastModified} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 230, Ties: 7}, truliootest.WithListing(truliootest.Listing{FilterBy: filterBy, ShuffleTies: true}))
			items := exported(t, srv.Client(), &trulioo.ExportOptions{FullServiceDetails: true})
			require.Len(t, items, 230)
			for i, item := range items {
				require.NoError(t, item.Err)
				want, _ := srv.Live.Profile(item.Client.ID, true)
				require.Equal(t, string(want), string(item.Profile.Raw))
				if i > 0 && filterBy == truliootest.ByCreated {
					a, b := items[i-1].Client, item.Client
					assert.True(t, a.Created.Before(b.Created.Time) || a.Created.Equal(b.Created.Time) && a.ID < b.ID, "item %d", i)
				}
			}
			assert.LessOrEqual(t, srv.Count(truliootest.ListClients), 30, "requests for 5 pages")
		})
	}
}

func TestExportOfASmallAccountIsOneRequestForTheList(t *testing.T) {
	t.Parallel()
	for _, clients := range []int{0, 1, 50} {
		srv := exportServer(t, truliootest.AccountSpec{Clients: clients, UndatedEvery: 3})
		assert.Len(t, exported(t, srv.Client(), nil), clients)
		assert.Equal(t, 1, srv.Count(truliootest.ListClients))
	}
	// The vendor's sample counts 0 elements and has one.
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.SampleAccount()))
	assert.Len(t, exported(t, srv.Client(), nil), 1)
}

func TestExportFilters(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 300, UndatedEvery: 9})
	client := srv.Client()
	var dates []time.Time
	accepted := map[string]bool{}
	for c, err := range client.Clients.All(t.Context(), nil) {
		require.NoError(t, err)
		if !c.Created.IsZero() {
			dates = append(dates, c.Created.Time)
		}
		if c.Status == trulioo.StatusAccepted {
			accepted[c.ID] = true
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	after, before := dates[20], dates[len(dates)-30]

	t.Run("time", func(t *testing.T) {
		t.Parallel()
		items := exported(t, client, &trulioo.ExportOptions{SummariesOnly: true, Filter: trulioo.ClientFilter{After: after, Before: before}})
		assert.Len(t, items, len(dates)-51, "those without a date belong to no window")
		for _, item := range items {
			assert.Nil(t, item.Profile)
			assert.True(t, item.Client.Created.After(after) && item.Client.Created.Before(before))
		}
	})
	t.Run("after only", func(t *testing.T) {
		t.Parallel()
		assert.Len(t, exported(t, client, &trulioo.ExportOptions{SummariesOnly: true, Filter: trulioo.ClientFilter{After: after}}), len(dates)-21)
	})
	t.Run("status", func(t *testing.T) {
		t.Parallel()
		items := exported(t, client, &trulioo.ExportOptions{SummariesOnly: true, Filter: trulioo.ClientFilter{Statuses: []trulioo.Status{trulioo.StatusAccepted}}})
		assert.Len(t, items, len(accepted))
		for _, item := range items {
			assert.True(t, accepted[item.Client.ID])
		}
	})
}

func TestExportRefusesArguments(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 60})
	client := srv.Client()
	cursor := exported(t, client, nil)[10].Cursor
	test, err := client.With(trulioo.WithEnvironment(trulioo.Test))
	require.NoError(t, err)
	v1, err := client.With(trulioo.WithAPIVersion(trulioo.V1))
	require.NoError(t, err)
	requests := srv.Count(truliootest.Any)
	for argument, refused := range map[string]struct {
		client *trulioo.Client
		opts   trulioo.ExportOptions
	}{
		"ExportOptions.Concurrency":     {client, trulioo.ExportOptions{Concurrency: -1}},
		"ExportOptions.Filter.Before":   {client, trulioo.ExportOptions{Filter: trulioo.ClientFilter{After: time.Unix(9, 0), Before: time.Unix(9, 0)}}},
		"ExportOptions.Filter.Statuses": {client, trulioo.ExportOptions{Filter: trulioo.ClientFilter{Statuses: []trulioo.Status{""}}}},
		"ExportOptions.Resume":          {client, trulioo.ExportOptions{Resume: cursor, Filter: trulioo.ClientFilter{FlowID: "f"}}},
		"ExportOptions.Resume ":         {test, trulioo.ExportOptions{Resume: cursor}},
		"ExportOptions.Resume  ":        {v1, trulioo.ExportOptions{Resume: cursor}},
	} {
		n := 0
		for item, err := range refused.client.Clients.Export(t.Context(), &refused.opts) {
			n++
			assert.Nil(t, item)
			var wrong *trulioo.ArgumentError
			require.ErrorAs(t, err, &wrong)
			assert.Equal(t, strings.TrimSpace(argument), wrong.Argument)
		}
		assert.Equal(t, 1, n, argument)
	}
	assert.Equal(t, requests, srv.Count(truliootest.Any))
}

// A client that is deleted between the list and the fetch is gone, not failed.
func TestExportCountsTheGoneAndTheFailed(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 20})
	ids := srv.Live.IDs()
	srv.Fail(truliootest.GetClient, truliootest.Answer(404, `{"code":4100}`), truliootest.Path(ids[3]))
	srv.Fail(truliootest.GetClient, truliootest.Answer(422, `{"message":"no"}`), truliootest.Path(ids[5]))
	var last trulioo.ExportProgress
	items := exported(t, srv.Client(), &trulioo.ExportOptions{
		Skip:       func(row *trulioo.EndClient) bool { return row.ID == ids[7] },
		OnProgress: func(p trulioo.ExportProgress) { last = p },
	})
	assert.Len(t, items, 18)
	for _, item := range items {
		require.NotEqual(t, ids[3], item.Client.ID)
		if item.Client.ID != ids[5] {
			require.NoError(t, item.Err)
			continue
		}
		var failed *trulioo.ExportError
		require.ErrorAs(t, item.Err, &failed)
		assert.Equal(t, ids[5], failed.ClientID)
		assert.Nil(t, item.Profile)
		var api *trulioo.APIError
		require.ErrorAs(t, item.Err, &api)
		assert.Equal(t, "trulioo: export: get client (live, v2, 127.0.0.1): status 422 Unprocessable Entity", fmt.Sprintf("%v", item.Err))
		assert.NotContains(t, fmt.Sprintf("%#v %+v", failed, *failed), ids[5])
	}
	assert.Equal(t, [5]int{17, 1, 1, 1, 20}, [5]int{last.Done, last.Failed, last.Gone, last.Skipped, last.Total})
	assert.InEpsilon(t, 19/last.Elapsed.Seconds(), last.Rate, 1e-9, "those skipped apart")
	assert.False(t, last.Fallback)
	assert.Equal(t, "trulioo: export: get client", (&trulioo.ExportError{}).Error())
}

func TestExportEndsWithATerminalError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*truliootest.Server)
		is    error
	}{
		"no token": {func(s *truliootest.Server) {
			s.Fail(truliootest.FetchToken, truliootest.Answer(400, `{"error":"invalid_client"}`))
		}, trulioo.ErrUnauthorized},
		"no right to list":      {func(s *truliootest.Server) { s.Fail(truliootest.ListClients, truliootest.Answer(403, "")) }, trulioo.ErrForbidden},
		"every profile refused": {func(s *truliootest.Server) { s.Fail(truliootest.GetClient, truliootest.Answer(401, "")) }, trulioo.ErrUnauthorized},
		"told to wait for a day": {func(s *truliootest.Server) {
			s.Fail(truliootest.GetClient, truliootest.Answer(429, "").RetryAfter("86400"))
		}, trulioo.ErrRateLimited},
		"pages that repeat": {func(s *truliootest.Server) {
			s.SetListing(truliootest.Listing{IgnoreFilters: true, RepeatFrom: 2, Last: truliootest.Low, TotalPages: truliootest.High})
		}, trulioo.ErrPaging},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := exportServer(t, truliootest.AccountSpec{Clients: 190})
				c.spoil(srv)
				var ended error
				for _, err := range srv.Client().Clients.Export(t.Context(), nil) {
					require.NoError(t, ended, "one error, and the last")
					ended = err
				}
				require.ErrorIs(t, ended, c.is)
				assert.LessOrEqual(t, srv.Count(truliootest.GetClient), 190+16)
			})
		})
	}
}

// An export is more patient than a call, but not for ever. The counts are of requests:
// those of a call by the retry policy, times the calls.
func TestExportIsPatient(t *testing.T) {
	t.Parallel()
	const list, profile = truliootest.ListClients, truliootest.GetClient
	cut, broken, full := truliootest.Truncate(5), truliootest.ResetAfter(5), truliootest.Answer(503, "")
	for name, c := range map[string]struct {
		operation truliootest.Operation
		effect    truliootest.Effect
		attempts  int
		requests  int
		is        error
		ends      bool // the whole export
	}{
		"a list that is down":               {list, full, 4, 4 * (1 + 3), trulioo.ErrServer, true},
		"a list whose connection breaks":    {list, broken, 4, 4 * (1 + 3), nil, true},
		"a list that is cut off":            {list, cut, 4, 4 * (1 + 3), io.ErrUnexpectedEOF, true},
		"a list that is none":               {list, truliootest.Answer(200, "[]"), 4, 4 * (1 + 3), trulioo.ErrUnexpectedAnswer, true},
		"a list without retries":            {list, full, 1, 1, trulioo.ErrServer, true},
		"a broken list without retries":     {list, broken, 1, 1, nil, true},
		"a profile that is down":            {profile, full, 4, 4 * (1 + 1), trulioo.ErrServer, false},
		"a profile without retries":         {profile, full, 1, 1, trulioo.ErrServer, false},
		"a profile whose connection breaks": {profile, broken, 4, 4 * (1 + 1), nil, false},
		"a profile that is down for a day":  {profile, truliootest.Answer(503, "").RetryAfter("86400"), 4, 1, trulioo.ErrServer, true},
		"a conflict, which no call tries":   {profile, truliootest.Answer(409, ""), 4, 1 + 8, trulioo.ErrConflict, false},
		"too many, without retries":         {profile, truliootest.Answer(429, ""), 1, 1 + 8, trulioo.ErrRateLimited, false},
		"too many, for as long as may be":   {profile, truliootest.Answer(429, "").RetryAfter("60"), 1, 1 + 8, trulioo.ErrRateLimited, false},
		"too many, for a second too long":   {profile, truliootest.Answer(429, "").RetryAfter("61"), 4, 1, trulioo.ErrRateLimited, true},
		"a list for a second too long":      {list, truliootest.Answer(429, "").RetryAfter("61"), 4, 1, trulioo.ErrRateLimited, true},
		"a 403 for a day, which is a limit": {profile, truliootest.Answer(403, "").RetryAfter("86400"), 4, 1, trulioo.ErrForbidden, true},
		"a conflict for a day":              {profile, truliootest.Answer(409, "").RetryAfter("86400"), 4, 1, trulioo.ErrConflict, true},
		"a profile that is not there":       {profile, truliootest.Answer(501, ""), 4, 1, trulioo.ErrServer, false},
		"a profile that takes too long":     {profile, truliootest.Answer(408, ""), 4, 4 * (1 + 1), nil, false},
		"a profile behind Cloudflare":       {profile, truliootest.Answer(522, ""), 4, 4 * (1 + 1), trulioo.ErrServer, false},
		"a list that is not for us to see":  {list, truliootest.Answer(403, ""), 4, 1, trulioo.ErrForbidden, true},
		"a profile that is not":             {profile, truliootest.Answer(403, ""), 4, 1, trulioo.ErrForbidden, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				srv := exportServer(t, truliootest.AccountSpec{Clients: 1})
				srv.Fail(c.operation, c.effect)
				client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: c.attempts}))
				var failed error
				for item, err := range client.Clients.Export(t.Context(), nil) {
					require.NoError(t, failed)
					require.Equal(t, c.ends, err != nil)
					if failed = err; err == nil {
						failed = item.Err
					}
				}
				require.Error(t, failed)
				if c.is != nil {
					require.ErrorIs(t, failed, c.is)
				}
				assert.Equal(t, c.requests, srv.Count(c.operation))
			})
		})
	}
}

// Leaving the loop and the end of the context end the export promptly; synctest
// fails where a goroutine is left.
func TestExportLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for stop := range 12 {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 160}, truliootest.WithLatency(time.Second))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			n, began := 0, time.Now()
			var ended error
			for _, err := range srv.Client().Clients.Export(ctx, nil) {
				if ended = err; err != nil {
					continue
				}
				if n++; n > stop*7 {
					began = time.Now()
					if stop%2 == 0 {
						break
					}
					cancel()
				}
			}
			assert.Zero(t, time.Since(began))
			if stop%2 == 1 {
				require.ErrorIs(t, ended, context.Canceled)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		srv := exportServer(t, truliootest.AccountSpec{Clients: 160})
		working := &inFlight{}
		for _, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{OnProfile: func(ctx context.Context, _ *trulioo.Client, p *trulioo.Profile) error {
			if !slices.Contains(srv.Live.IDs()[8:13], p.ID) {
				return nil
			}
			working.add(1)
			<-ctx.Done()
			pass(time.Second) // it takes a while to end
			working.add(-1)
			return nil
		}}) {
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, 5, working.most)
			break
		}
		require.Zero(t, working.now, "the loop is left when all that it began has ended")
	})
	synctest.Test(t, func(t *testing.T) {
		srv := exportServer(t, truliootest.AccountSpec{Clients: 160}, truliootest.WithLatency(time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		for _, err := range srv.Client().Clients.Export(ctx, nil) {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
		}
		assert.Less(t, srv.Count(truliootest.Any), 60)
	})
}

// inFlight counts the requests that are under way at once.
type inFlight struct {
	mu        sync.Mutex
	now, most int
}

func (f *inFlight) handle(w http.ResponseWriter, r *http.Request, next http.Handler) {
	f.add(1)
	pass(100 * time.Millisecond) // of synctest's clock
	f.add(-1)
	next.ServeHTTP(w, r)
}

func (f *inFlight) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += n
	f.most = max(f.most, f.now)
}

func (f *inFlight) reset() (most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	most, f.most = f.most, 0
	return most
}

func TestConcurrencyBoundsProfilesAndFilesTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := exportServer(t, truliootest.AccountSpec{Clients: 200}, truliootest.WithListing(truliootest.Listing{MaxLimit: 5}))
		profiles, lists := &inFlight{}, &inFlight{}
		srv.Fail(truliootest.GetClient, truliootest.Handle(profiles.handle))
		srv.Fail(truliootest.DownloadFile, truliootest.Handle(profiles.handle))
		srv.Fail(truliootest.ListClients, truliootest.Handle(lists.handle))
		var files sync.Map
		items := exported(t, srv.Client(), &trulioo.ExportOptions{Concurrency: 6, OnProfile: func(ctx context.Context, c *trulioo.Client, p *trulioo.Profile) error {
			for _, ref := range p.Files() {
				if _, err := c.Files.Save(ctx, ref.Key, io.Discard); err != nil {
					return err
				}
				files.Store(ref.Key, true)
			}
			return nil
		}})
		for _, item := range items {
			require.NoError(t, item.Err)
			for _, ref := range item.Profile.Files() {
				_, ok := files.Load(ref.Key)
				require.True(t, ok, "an item comes after its OnProfile")
			}
		}
		assert.Len(t, items, 200)
		assert.Equal(t, 6, profiles.most)
		assert.Equal(t, 4, lists.most)
	})
}

func TestOnProfileErrorIsTheItems(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 5})
	full := errors.New("disk full")
	for _, item := range exported(t, srv.Client(), &trulioo.ExportOptions{OnProfile: func(context.Context, *trulioo.Client, *trulioo.Profile) error { return full }}) {
		require.ErrorIs(t, item.Err, full)
		assert.NotNil(t, item.Profile)
		assert.NotContains(t, item.Err.Error(), "disk", "a foreign error may print anything")
	}
}

// A function that gives up because the export ends has not failed.
func TestOnProfileThatIsCutShortIsNoFailure(t *testing.T) {
	t.Parallel()
	for range 30 {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 20})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			first, ended := srv.Live.IDs()[0], error(nil)
			for item, err := range srv.Client().Clients.Export(ctx, &trulioo.ExportOptions{OnProfile: func(ctx context.Context, _ *trulioo.Client, p *trulioo.Profile) error {
				if p.ID == first {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}}) {
				if ended = err; err == nil {
					require.NoError(t, item.Err)
					cancel()
					synctest.Wait()
				}
			}
			require.ErrorIs(t, ended, context.Canceled)
		})
	}
}

func TestExportLooksAheadNoFurther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := exportServer(t, truliootest.AccountSpec{Clients: 200})
		n := 0
		for _, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: 3}) {
			require.NoError(t, err)
			n++
			synctest.Wait()
			require.LessOrEqual(t, srv.Count(truliootest.GetClient), n-1+8*3)
		}
		assert.Equal(t, 200, n)
	})
}

// A 429 or a 409 slows all workers down, and they speed up again.
func TestExportSlowsDownForTooManyRequests(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 409} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 200}, truliootest.WithLatency(50*time.Millisecond))
			flying := &inFlight{}
			storm := srv.Fail(truliootest.GetClient, truliootest.Answer(status, "").Delayed(50*time.Millisecond), truliootest.Skip(40), truliootest.Times(16))
			srv.Fail(truliootest.GetClient, truliootest.Handle(flying.handle))
			var most []int
			for item, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: 16}) {
				require.NoError(t, err)
				require.NoError(t, item.Err)
				if len(most)%20 == 0 {
					most = append(most, flying.reset())
				} else {
					most = append(most, 0)
				}
			}
			assert.Len(t, most, 200)
			assert.Equal(t, 16, storm.Hits())
			assert.Equal(t, 16, most[20])
			assert.LessOrEqual(t, most[80], 10, "half of it after the storm, one more for each round")
			assert.GreaterOrEqual(t, slices.Max(most[120:]), 13)
		})
	}
}

// Through resets, cut bodies, 429 storms, a token revoked every 200 requests and 10 % of
// every fault an export is complete, with at most 1.3 requests per profile.
func TestExportThroughFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(3) {
		synctest.Test(t, func(t *testing.T) {
			const clients = 600
			srv := exportServer(t, truliootest.AccountSpec{Clients: clients, Seed: seed}, truliootest.WithTokens(truliootest.Tokens{RevokeEvery: 200}))
			for i, effect := range []truliootest.Effect{
				truliootest.Reset(), truliootest.Cut(300), truliootest.Truncate(200), truliootest.Answer(503, "<html>"),
				truliootest.Answer(429, "").RetryAfter("1"), truliootest.ResetAfter(100), truliootest.Answer(500, "{}"),
			} {
				srv.Fail(truliootest.Any, effect, truliootest.Chance(0.0125, seed<<8+uint64(i)))
			}
			srv.Fail(truliootest.GetClient, truliootest.Answer(409, "{}"), truliootest.Chance(0.0125, seed))
			srv.Fail(truliootest.GetClient, truliootest.Answer(429, "").RetryAfter("3"), truliootest.Skip(300), truliootest.Times(12))
			got := map[string]int{}
			for item, err := range srv.Client().Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: 16}) {
				require.NoError(t, err)
				require.NoError(t, item.Err)
				got[item.Client.ID]++
			}
			assert.Len(t, got, clients)
			ratio := float64(srv.Count(truliootest.Any)) / clients
			assert.LessOrEqual(t, ratio, 1.3, "requests per profile")
			t.Log("requests per profile: " + strconv.FormatFloat(ratio, 'f', 3, 64))
		})
	}
}
