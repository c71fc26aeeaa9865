package trulioo_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// A server may obey one bound of the time and not the other, or neither. The export
// leaves out rows beyond the bounds, except within a second of a bound.
func TestExportWhereBoundsAreIgnored(t *testing.T) {
	t.Parallel()
	for name, ignored := range map[string][]string{"none": nil, "after": {"after"}, "before": {"before"}, "both": {"after", "before"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := exportServer(t, truliootest.AccountSpec{Clients: 130, Spacing: time.Second})
			forgetful := roundTripper(func(req *http.Request) (*http.Response, error) {
				query := req.URL.Query()
				for _, name := range ignored {
					query.Del(name)
				}
				req = req.Clone(req.Context())
				req.URL.RawQuery = query.Encode()
				return srv.HTTPClient().Transport.RoundTrip(req)
			})
			client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: forgetful}))
			var progress trulioo.ExportProgress
			opts := &trulioo.ExportOptions{SummariesOnly: true, OnProgress: func(p trulioo.ExportProgress) { progress = p }}
			all := exported(t, client, opts)
			assert.ElementsMatch(t, srv.Live.IDs(), exportedIDs(all))
			assert.Equal(t, ignored != nil, progress.Fallback)
			slices.SortFunc(all, func(a, b *trulioo.ExportItem) int { return a.Client.Created.Compare(b.Client.Created.Time) })

			opts.Filter.After, opts.Filter.Before = all[20].Client.Created.Time, all[100].Client.Created.Time
			want := exportedIDs(all[21:100])
			switch name {
			case "after", "both":
				want = append(want, all[20].Client.ID)
			}
			switch name {
			case "before", "both":
				want = append(want, all[100].Client.ID)
			}
			var report trulioo.ExportReport
			opts.OnReport = func(r trulioo.ExportReport) { report = r }
			assert.ElementsMatch(t, want, exportedIDs(exported(t, client, opts)))
			assert.Equal(t, map[string]int{"none": 0, "after": 20, "before": 29, "both": 49}[name], report.Dropped, "each row that is dropped is told")
		})
	}
}

// A list without counts is read page by page until nothing new comes: no row of it
// is lost. A single page that says that it is the last ends the export.
func TestExportOfAListWithoutCounts(t *testing.T) {
	t.Parallel()
	counts := []string{"totalElements", "totalPages", "last"}
	for subset := range 1 << len(counts) {
		for _, h := range []hostile{
			{account: truliootest.AccountSpec{Clients: 130, UndatedEvery: 9}},
			{account: truliootest.AccountSpec{Clients: 130}, listing: truliootest.Listing{IgnoreFilters: true, MaxLimit: 20}},
			{account: truliootest.AccountSpec{Clients: 7}, listing: truliootest.Listing{EmptyEvery: 3}},
			{},
		} {
			synctest.Test(t, func(t *testing.T) {
				srv := exportServer(t, h.account, truliootest.WithListing(h.listing))
				silent := roundTripper(func(req *http.Request) (*http.Response, error) {
					return without(t, srv.HTTPClient().Transport, req, counts, subset)
				})
				client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: silent}))
				items := exported(t, client, &trulioo.ExportOptions{SummariesOnly: true})
				assert.ElementsMatch(t, srv.Live.IDs(), exportedIDs(items), "without %03b", subset)
			})
		}
	}
}

// without makes a request and takes from a list's answer the members of a subset.
func without(t *testing.T, base http.RoundTripper, req *http.Request, members []string, subset int) (*http.Response, error) {
	t.Helper()
	resp, err := base.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/clients") {
		return resp, err
	}
	var answer map[string]json.RawMessage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.NoError(t, resp.Body.Close())
	for i, name := range members {
		if subset&(1<<i) != 0 {
			delete(answer, name)
		}
	}
	body, err := json.Marshal(answer)
	require.NoError(t, err)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}

// One answer to every question, which it contradicts or not. The bubble's time is
// the year 2000. A count of fewer clients than have come proves nothing.
func TestExportOfAListThatNeverChanges(t *testing.T) {
	t.Parallel()
	const a = `{"data":[{"id":"a","created":900000000}],`
	for answer, c := range map[string]struct {
		is     error
		proven bool
		atOnce bool // believed after one request
	}{
		a + `"last":true}`:                                                                      {nil, false, true},
		a + `"totalPages":1}`:                                                                   {nil, false, false},
		a + `"last":false,"totalPages":2}`:                                                      {nil, false, false},
		a + `"last":true,"totalPages":7}`:                                                       {nil, false, false},
		a + `"totalElements":0}`:                                                                {nil, false, false},
		a + `"totalElements":0,"last":true}`:                                                    {nil, false, true},
		a + `"totalElements":0,"totalPages":0,"number":0}`:                                      {nil, false, false},
		a + `"totalElements":2,"totalPages":1}`:                                                 {trulioo.ErrPaging, false, false},
		a + `"totalElements":1,"last":true}`:                                                    {nil, true, true},
		a + `"totalElements":1,"totalPages":50}`:                                                {nil, true, false},
		a + `"totalElements":1000000000,"last":true}`:                                           {trulioo.ErrPaging, false, false},
		a + `"totalElements":-1,"totalPages":-1}`:                                               {nil, false, false},
		`{"data":[{"id":"a","created":900000000},{"id":"a"}],"totalElements":1}`:                {nil, true, true},
		`{"data":[{"id":"a","created":"900000000"},null,{"id":"a"}],"totalElements":"1"}`:       {nil, true, true},
		`{"data":[{"id":"a","created":99999999999999}],"totalElements":1,"numberOfElements":9}`: {nil, true, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 1})
			srv.Fail(truliootest.ListClients, truliootest.Answer(200, answer))
			ids, report, err := reported(t, srv.Client(), trulioo.ExportOptions{SummariesOnly: true})
			require.ErrorIs(t, err, c.is, answer)
			assert.Equal(t, map[string]int{"a": 1}, ids, answer)
			assert.Equal(t, c.proven, report.Proven, answer)
			assert.Equal(t, c.proven, report.Reason == "", answer)
			assert.Equal(t, c.atOnce, srv.Count(truliootest.ListClients) == 1, answer)
		})
	}
}

// Trap: a list that counts none and sends 24 ended proven, since a page beyond the
// last agrees with the count of none. Some servers count the page in place of the list.
func TestAListThatCountsFewerThanItSendsIsNotProven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clients int
		count   func(total, rows int) int
	}{
		"24, counted as none":          {24, func(int, int) int { return 0 }},
		"24, counted as 23":            {24, func(int, int) int { return 23 }},
		"130, counted as none":         {130, func(int, int) int { return 0 }},
		"130, each page counts itself": {130, func(_, rows int) int { return rows }},
		"130, half of them":            {130, func(total, _ int) int { return total / 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := exportServer(t, truliootest.AccountSpec{Clients: c.clients})
			client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: roundTripper(func(req *http.Request) (*http.Response, error) {
				return withCount(t, srv.HTTPClient().Transport, req, c.count)
			})}))
			ids, report, err := reported(t, client, trulioo.ExportOptions{SummariesOnly: true})
			require.NoError(t, err)
			assert.False(t, report.Proven)
			assert.Equal(t, "the server counts fewer rows than it sends", report.Reason)
			assert.Len(t, ids, c.clients)
		})
	}
}

// withCount makes a request and changes the count of a list's answer.
func withCount(t *testing.T, base http.RoundTripper, req *http.Request, count func(total, rows int) int) (*http.Response, error) {
	t.Helper()
	resp, err := base.RoundTrip(req)
	if err != nil || !strings.HasSuffix(req.URL.Path, "/clients") {
		return resp, err
	}
	var answer map[string]json.RawMessage
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&answer))
	require.NoError(t, resp.Body.Close())
	var total int
	var rows []json.RawMessage
	require.NoError(t, json.Unmarshal(answer["totalElements"], &total))
	require.NoError(t, json.Unmarshal(answer["data"], &rows))
	answer["totalElements"] = json.RawMessage(strconv.Itoa(count(total, len(rows))))
	body, err := json.Marshal(answer)
	require.NoError(t, err)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, nil
}
