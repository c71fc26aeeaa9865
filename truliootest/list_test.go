package truliootest_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// walk reads pages until one is empty and past totalPages, or there were too many.
func walk(t *testing.T, srv *truliootest.Server, query string) (ids []string, pages int) {
	t.Helper()
	for n := range 40 {
		page := clients(t, srv, fmt.Sprintf("%s&page=%d", query, n))
		assert.Equal(t, n, page.Number)
		assert.Equal(t, n == 0, page.First)
		if len(page.Data) == 0 && n >= page.TotalPages {
			return ids, n
		}
		ids = append(ids, page.ids()...)
	}
	return ids, 40
}

func reversed(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func account(n int) *truliootest.Account {
	return truliootest.NewAccount(truliootest.AccountSpec{Clients: n, Seed: 3})
}

func TestPagesAsTheVendorDoesThem(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(account(53)))
	newest := reversed(srv.Live.IDs())
	for query, want := range map[string]struct{ number, from, to, pages int }{
		"":                  {0, 0, 20, 3},
		"limit=50":          {0, 0, 50, 2},
		"limit=50&page=1":   {1, 50, 53, 2},
		"limit=51":          {0, 0, 20, 3},
		"limit=0&page=2":    {2, 40, 53, 3},
		"limit=-1":          {0, 0, 20, 3},
		"limit=x&page=x":    {0, 0, 20, 3},
		"limit=1&page=-3":   {0, 0, 1, 53},
		"limit=10&page=1.5": {0, 0, 10, 6},
	} {
		page := clients(t, srv, query)
		assert.Equal(t, newest[want.from:want.to], page.ids(), query)
		assert.Equal(t, want.number, page.Number, query)
		assert.Equal(t, want.pages, page.TotalPages, query)
		assert.Equal(t, 53, page.TotalElements, query)
		assert.Equal(t, want.number == 0, page.First, query)
		assert.Equal(t, want.number == want.pages-1, page.Last, query)
	}
	past := clients(t, srv, "page=9")
	assert.Empty(t, past.Data)
	assert.True(t, past.Last)
	ids, pages := walk(t, srv, "limit=7")
	assert.Equal(t, newest, ids)
	assert.Equal(t, 8, pages)
	flows := decode[list](t, get(t, srv, "/v2/query/workflows?limit=2&page=2").body)
	assert.Equal(t, srv.Live.FlowIDs()[4:], flows.ids())
	assert.True(t, flows.Last)
}

func TestFilters(t *testing.T) {
	t.Parallel()
	live := account(60)
	srv := truliootest.NewServer(t, truliootest.WithLive(live))
	all := clients(t, srv, "limit=50").Data
	at := *all[10].Created
	ids := func(query string) []string { return clients(t, srv, "limit=50&"+query).ids() }
	rows := list{Data: all}.ids()

	assert.Equal(t, rows[:10], ids(fmt.Sprint("after=", at)), "exclusive by default")
	assert.Equal(t, rows[11:], ids(fmt.Sprint("before=", at))[:39])
	assert.Equal(t, rows[9:10], ids(fmt.Sprint("after=", at, "&before=", *all[8].Created)))
	assert.Empty(t, ids(fmt.Sprint("after=", at, "000")), "milliseconds are a far future")
	assert.Equal(t, rows, ids("after=soon&before=2024-06-10"), "bad values are ignored")
	assert.Empty(t, ids("before=0"))

	srv.SetListing(truliootest.Listing{IncludeAfter: true, IncludeBefore: true})
	assert.Equal(t, rows[:11], ids(fmt.Sprint("after=", at)))
	assert.Equal(t, rows[8:11], ids(fmt.Sprint("after=", at, "&before=", *all[8].Created)))

	srv.SetListing(truliootest.Listing{FilterBy: truliootest.ByLastModified, OrderBy: truliootest.ByLastModified})
	require.True(t, live.Update(rows[30], time.Unix(2_000_000_000, 0)))
	assert.Equal(t, rows[30:31], ids("after=1999999999"))
	assert.Equal(t, rows[30], ids("")[0], "ordered by lastModified too")
	srv.SetListing(truliootest.Listing{FilterBy: truliootest.ByLastModified, Ascending: true})
	assert.Equal(t, rows[30:31], ids("after=1999999999"), "ordered by the other date")
	assert.Equal(t, live.IDs()[:50], ids(""))

	srv.SetListing(truliootest.Listing{IgnoreFilters: true})
	assert.Equal(t, rows, ids("after=1999999999&statuses=X&flowId=Y"))

	srv.SetListing(truliootest.Listing{})
	require.True(t, live.SetStatus(rows[0], "SOMETHING_NEW", time.Unix(at, 0)))
	assert.Equal(t, rows[:1], ids("statuses=FOO,something_new"))
	both := ids("statuses=REJECTED,SOMETHING_NEW")
	assert.Equal(t, rows[0], both[0])
	assert.Greater(t, len(both), 1)
	of := 0
	for _, flow := range live.FlowIDs() {
		page := clients(t, srv, "flowId="+flow)
		of += page.TotalElements
		for _, id := range page.ids() {
			profile, ok := live.Profile(id, false)
			require.True(t, ok)
			assert.Contains(t, string(profile), `"`+flow+`":{`)
		}
	}
	assert.Greater(t, of, 60, "some have been through two")
	assert.Empty(t, ids("flowId=none"))
}

func TestUndatedClients(t *testing.T) {
	t.Parallel()
	live := truliootest.NewAccount(truliootest.AccountSpec{Clients: 12, UndatedEvery: 3})
	srv := truliootest.NewServer(t, truliootest.WithLive(live))
	ids := live.IDs()
	page := get(t, srv, "/v2/query/clients")
	body := string(page.body)
	assert.Equal(t, 2, strings.Count(body, `"created":0,`))
	assert.Equal(t, 1, strings.Count(body, `"created":null,`))
	assert.Equal(t, 8, strings.Count(body, `"lastModified":1`))
	assert.Equal(t, 11, strings.Count(body, `"lastModified":`), "one has none at all")
	rows := decode[list](t, page.body)
	assert.Equal(t, ids[10], rows.Data[0].ID)
	assert.Equal(t, 10, clients(t, srv, "before=1900000000").TotalElements, "null is in no range, 0 is before all")
	assert.Equal(t, 8, clients(t, srv, "after=1").TotalElements)
	require.True(t, live.SetDates(ids[0], truliootest.NullDate, truliootest.NoDate))
	profile, _ := live.Profile(ids[0], false)
	assert.Contains(t, string(profile), `"created":null`)
	assert.NotContains(t, string(profile), "lastModified")
}

func TestHostilePages(t *testing.T) {
	t.Parallel()
	live := account(50)
	newest := reversed(live.IDs())
	for name, test := range map[string]struct {
		listing truliootest.Listing
		check   func(*testing.T, *truliootest.Server)
	}{
		"clamped limit": {truliootest.Listing{MaxLimit: 3}, func(t *testing.T, srv *truliootest.Server) {
			ids, pages := walk(t, srv, "limit=50")
			assert.Equal(t, newest, ids)
			assert.Equal(t, 17, pages)
		}},
		"empty middle pages": {truliootest.Listing{EmptyEvery: 2}, func(t *testing.T, srv *truliootest.Server) {
			ids, pages := walk(t, srv, "limit=10")
			assert.Equal(t, newest, ids)
			assert.Equal(t, 9, pages)
			assert.Empty(t, clients(t, srv, "limit=10&page=1").Data)
			assert.False(t, clients(t, srv, "limit=10&page=7").Last)
			assert.True(t, clients(t, srv, "limit=10&page=8").Last)
		}},
		"repeats": {truliootest.Listing{RepeatFrom: 2}, func(t *testing.T, srv *truliootest.Server) {
			_, pages := walk(t, srv, "limit=20")
			assert.Equal(t, 40, pages, "for ever")
			assert.Equal(t, clients(t, srv, "page=1").Data, clients(t, srv, "page=17").Data)
			assert.NotEqual(t, clients(t, srv, "page=0").Data, clients(t, srv, "page=1").Data)
			assert.False(t, clients(t, srv, "page=17").Last)
		}},
		"never last": {truliootest.Listing{Last: truliootest.Low}, func(t *testing.T, srv *truliootest.Server) {
			assert.False(t, clients(t, srv, "page=2").Last)
		}},
		"always last": {truliootest.Listing{Last: truliootest.High}, func(t *testing.T, srv *truliootest.Server) {
			assert.True(t, clients(t, srv, "page=0").Last)
		}},
		"too few pages": {truliootest.Listing{TotalPages: truliootest.Low}, func(t *testing.T, srv *truliootest.Server) {
			assert.Equal(t, 2, clients(t, srv, "page=0").TotalPages)
		}},
		"random lies": {truliootest.Listing{TotalPages: truliootest.Random, Last: truliootest.Random}, func(t *testing.T, srv *truliootest.Server) {
			totals, lasts := map[int]bool{}, map[bool]bool{}
			for range 60 {
				page := clients(t, srv, "")
				totals[page.TotalPages], lasts[page.Last] = true, true
			}
			assert.Equal(t, map[int]bool{2: true, 3: true, 4: true}, totals)
			assert.Len(t, lasts, 2)
		}},
		"all at once": {truliootest.Listing{MaxLimit: 7, EmptyEvery: 3, Last: truliootest.Random, Ascending: true}, func(t *testing.T, srv *truliootest.Server) {
			ids, _ := walk(t, srv, "limit=50")
			assert.Equal(t, live.IDs(), ids)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.check(t, truliootest.NewServer(t, truliootest.WithLive(live), truliootest.WithListing(test.listing)))
		})
	}
}

func TestShuffledTies(t *testing.T) {
	t.Parallel()
	live := truliootest.NewAccount(truliootest.AccountSpec{Clients: 40, Ties: 10})
	srv := truliootest.NewServer(t, truliootest.WithLive(live), truliootest.WithListing(truliootest.Listing{ShuffleTies: true}))
	orders := map[string]bool{}
	for range 10 {
		page := clients(t, srv, "limit=50")
		assert.ElementsMatch(t, live.IDs(), page.ids())
		assert.True(t, slices.IsSortedFunc(page.Data, func(a, b row) int { return int(*b.Created - *a.Created) }))
		orders[strings.Join(page.ids(), " ")] = true
	}
	assert.Len(t, orders, 10)
	orders = map[string]bool{}
	srv.SetListing(truliootest.Listing{})
	for range 3 {
		orders[strings.Join(clients(t, srv, "limit=50").ids(), " ")] = true
	}
	assert.Len(t, orders, 1)
}

func TestChangesBetweenListRequests(t *testing.T) {
	t.Parallel()
	live := account(20)
	var got []truliootest.ListRequest
	srv := truliootest.NewServer(t, truliootest.WithLive(live), truliootest.WithListing(truliootest.Listing{
		Churn: truliootest.Churn{Inserts: 3, Deletes: 2, Updates: 4},
		Before: func(a *truliootest.Account, r truliootest.ListRequest) {
			got = append(got, r)
			assert.Same(t, live, a)
		},
	}))
	start := live.IDs()
	now := time.Now().Unix()
	page := clients(t, srv, "limit=50&page=0&statuses=")
	assert.Equal(t, 21, page.TotalElements)
	updated := 0
	for _, r := range page.Data {
		if *r.LastModified >= now && slices.Contains(start, r.ID) {
			updated++
		}
	}
	assert.GreaterOrEqual(t, updated, 1)
	assert.LessOrEqual(t, updated, 4)
	page = clients(t, srv, "page=1&limit=2")
	assert.Equal(t, 22, page.TotalElements)
	require.Len(t, got, 2)
	assert.Equal(t, 2, got[1].N)
	assert.Equal(t, 1, got[1].Page)
	assert.Equal(t, 2, got[1].Limit)
	assert.Equal(t, "2", got[1].Query.Get("limit"))

	srv.SetListing(truliootest.Listing{Churn: truliootest.Churn{Deletes: 30}})
	assert.Zero(t, clients(t, srv, "").TotalElements)
}

func TestDialects(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	id := srv.Live.IDs()[3]
	for name, test := range map[string]struct {
		dialect       truliootest.Dialect
		lists, client []string
	}{
		"plain":        {truliootest.Dialect{}, []string{`"totalElements":25`, `"created":17180`}, []string{`"serviceStatus":"COMPLETED"`}},
		"milliseconds": {truliootest.Dialect{Milliseconds: true}, []string{`000,"lastModified"`}, []string{`000,"lastModified"`}},
		"strings": {truliootest.Dialect{NumbersAsStrings: true}, []string{`"totalElements":"25"`, `"created":"1`},
			[]string{`"timestamp":"1`}},
		"lower case": {truliootest.Dialect{LowerCase: true}, []string{`"status":"accepted"`, `"profileType":"normal"`},
			[]string{`"serviceStatus":"completed"`}},
		"unknown": {truliootest.Dialect{UnknownFields: true}, []string{`"x-new"`}, []string{`9007199254740993`}},
	} {
		srv.SetDialect(test.dialect)
		lists := get(t, srv, "/v2/query/clients")
		decode[map[string]any](t, lists.body)
		for _, want := range test.lists {
			assert.Contains(t, string(lists.body), want, name)
		}
		decode[map[string]any](t, get(t, srv, "/v2/query/workflows").body)
		full := get(t, srv, "/v2/query/client/"+id+"?includeFullServiceDetails=true")
		require.Equal(t, http.StatusOK, full.status)
		decode[map[string]any](t, full.body)
		for _, want := range test.client {
			assert.Contains(t, string(full.body), want, name)
		}
	}
}

// Real clients of the API send more than its page shows: the other base URL, True
// and 1, one statuses parameter for each status.
func TestRequestsOfRealClientsAreServed(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 60})))
	other := strings.Replace(srv.BaseURL, "/export", "/wfs/export", 1)
	get := func(address string) string {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+srv.Token())
		resp, err := srv.HTTPClient().Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, 200, resp.StatusCode, address)
		return string(body)
	}
	id := srv.Live.IDs()[1]
	for _, base := range []string{srv.BaseURL, other} {
		profile := base + "/v2/query/client/" + id
		full := get(profile + "?includeFullServiceDetails=true")
		require.Contains(t, full, "fullServiceDetails")
		for _, yes := range []string{"True", "1", "TRUE"} {
			assert.Equal(t, full, get(profile+"?includeFullServiceDetails="+yes), yes)
		}
		for _, no := range []string{"", "?includeFullServiceDetails=", "?includeFullServiceDetails=False", "?includeFullServiceDetails=0", "?includeFullServiceDetails=yes"} {
			assert.NotContains(t, get(profile+no), "fullServiceDetails", no)
		}
		list := base + "/test/v1/query/clients"
		_ = get(list)
		several := get(base + "/v2/query/clients?limit=50&statuses=REJECTED,PENDING")
		assert.Contains(t, several, "REJECTED")
		assert.Contains(t, several, "PENDING")
		assert.Equal(t, several, get(base+"/v2/query/clients?limit=50&statuses=REJECTED&statuses=PENDING"))
	}
	client, err := trulioo.NewClient(append(srv.Options(), trulioo.WithBaseURL(other))...)
	require.NoError(t, err)
	_, err = client.Clients.Get(t.Context(), id, nil)
	require.NoError(t, err)
}

// An unknown field is not counted among the account's flows, fields or files.
func TestUnknownFieldsAreNotAmongTheAccountsOwn(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithDialect(truliootest.Dialect{UnknownFields: true}))
	for _, id := range srv.Live.IDs() {
		profile, err := srv.Client().Clients.Get(t.Context(), id, &trulioo.GetOptions{FullServiceDetails: true})
		require.NoError(t, err)
		require.Contains(t, string(profile.Raw), `"x-new"`)
		for _, flow := range profile.FlowData {
			assert.NotContains(t, flow.FieldData, "x-new")
			assert.NotContains(t, flow.FileData, "x-new")
			assert.NotContains(t, flow.EnhancedFileData, "x-new")
			for _, service := range flow.ServiceData {
				assert.NotContains(t, service.WatchlistResults, "x-new")
			}
		}
		assert.NotContains(t, profile.FlowData, "x-new")
	}
}
