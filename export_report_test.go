package trulioo_test

import (
	"context"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"reflect"
	"slices"
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

// reported runs an export to its end and gives its report.
func reported(t *testing.T, client *trulioo.Client, opts trulioo.ExportOptions) (ids map[string]int, report trulioo.ExportReport, err error) {
	t.Helper()
	ids = map[string]int{}
	told := 0
	opts.OnReport = func(r trulioo.ExportReport) { report, told = r, told+1 }
	for item, failure := range client.Clients.Export(t.Context(), &opts) {
		if err = failure; err == nil {
			ids[item.Client.ID]++
		}
	}
	assert.Equal(t, 1, told, "reports")
	return ids, report, err
}

// Requests for the list of a quiet account: at most 2.5 for 50 clients, and 8 more
// whatever its size. Reading it beside the profiles costs no more at the usual
// concurrency.
func TestAQuietExportIsProvenAndCheap(t *testing.T) {
	t.Parallel()
	skipAll := func(*trulioo.EndClient) bool { return true }
	for _, clients := range []int{51, 1000, 3000} {
		for name, opts := range map[string]trulioo.ExportOptions{"profiles": {}, "summaries": {SummariesOnly: true}, "all skipped": {Skip: skipAll}} {
			for _, by := range []truliootest.Timestamp{truliootest.ByCreated, truliootest.ByLastModified} {
				synctest.Test(t, func(t *testing.T) {
					srv := exportServer(t, truliootest.AccountSpec{Clients: clients, Seed: 5}, truliootest.WithLatency(20*time.Millisecond),
						truliootest.WithListing(truliootest.Listing{FilterBy: by}))
					ids, report, err := reported(t, srv.Client(), opts)
					require.NoError(t, err)
					if opts.Skip == nil {
						assert.Len(t, ids, clients)
					}
					assert.True(t, report.Proven, report.Reason)
					assert.Equal(t, srv.Count(truliootest.ListClients), report.Requests)
					per := float64(report.Requests-8) * 50 / float64(clients)
					assert.LessOrEqual(t, per, 2.5, "%d clients, %s, filter by %v: %d requests, %d passes", clients, name, by, report.Requests, report.Passes)
				})
			}
		}
	}
}

// An account with three changes of each kind a second costs, on average, at most
// four requests for the list per 50 clients, and eight more; nearly all such exports
// are proven.
func TestAnExportUnderChurnIsCheap(t *testing.T) {
	t.Parallel()
	const seeds = 4
	runs, proven := 0, 0
	for _, clients := range []int{300, 1000, 3000} {
		for _, by := range []truliootest.Timestamp{truliootest.ByCreated, truliootest.ByLastModified} {
			requests := 0
			for seed := range uint64(seeds) {
				synctest.Test(t, func(t *testing.T) {
					srv := exportServer(t, truliootest.AccountSpec{Clients: clients, Seed: seed}, truliootest.WithSeed(seed), truliootest.WithLatency(20*time.Millisecond),
						truliootest.WithListing(truliootest.Listing{FilterBy: by}))
					before := srv.Live.IDs()
					end := churn(srv.Live, seed)
					found, report, err := reported(t, srv.Client(), trulioo.ExportOptions{SummariesOnly: true})
					end()
					require.NoError(t, err)
					for _, id := range srv.Live.IDs() {
						if slices.Contains(before, id) {
							assert.Equal(t, 1, found[id], "one that was there throughout")
						}
					}
					requests += report.Requests
					runs++
					if report.Proven {
						proven++
					}
				})
			}
			per := float64(requests-8*seeds) * 50 / float64(clients*seeds)
			t.Logf("%d clients, filter by %v: %.2f requests per 50 clients", clients, by, per)
			assert.LessOrEqual(t, per, 4.0, "%d clients, filter by %v", clients, by)
		}
	}
	assert.GreaterOrEqual(t, proven, runs*9/10)
}

// churn creates, deletes and changes three clients a second until it is ended.
func churn(account *truliootest.Account, seed uint64) (end func()) {
	rng := rand.New(rand.NewPCG(seed, 3))
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			case <-time.After(time.Second / 3):
			}
			ids := account.IDs()
			account.Insert(time.Now())
			account.Remove(ids[rng.IntN(len(ids))])
			account.Update(ids[rng.IntN(len(ids))], time.Now())
		}
	}()
	return func() { close(ended); <-done }
}

// A cursor never passes over a client that failed, unless the caller sees to it.
func TestACursorStaysBeforeTheFirstThatFailed(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 120})
	ids := srv.Live.IDs()
	fault := srv.Fail(truliootest.GetClient, truliootest.Answer(422, "{}"), truliootest.Path(ids[60]))
	items := exported(t, srv.Client(), nil)
	require.Len(t, items, 120)
	assert.Equal(t, items[59].Cursor, items[60].Cursor)
	assert.Equal(t, items[59].Cursor, items[119].Cursor)
	passing := exported(t, srv.Client(), &trulioo.ExportOptions{PassFailed: true})
	assert.NotEqual(t, passing[60].Cursor, passing[119].Cursor)

	fault.Stop()
	again := exportedIDs(exported(t, srv.Client(), &trulioo.ExportOptions{Resume: items[119].Cursor}))
	assert.Equal(t, exportedIDs(items[60:]), again, "the one that failed, and all after it")
}

// Each field of the filter tells cursors apart, those to come included.
func TestADigestIsOfTheWholeFilter(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 60})
	cursor := exported(t, srv.Client(), &trulioo.ExportOptions{SummariesOnly: true})[10].Cursor
	filter := reflect.TypeFor[trulioo.ClientFilter]()
	options := reflect.TypeFor[trulioo.ClientListOptions]()
	for i := range filter.NumField() {
		var f trulioo.ClientFilter
		switch field := reflect.ValueOf(&f).Elem().Field(i).Addr().Interface().(type) {
		case *time.Time:
			*field = time.Unix(1000, 0)
		case *[]trulioo.Status:
			*field = []trulioo.Status{trulioo.StatusAccepted}
		case *string:
			*field = "x"
		default:
			assert.Failf(t, "a new kind of field", "%s: give it a value here", filter.Field(i).Name)
		}
		_, shared := options.FieldByName(filter.Field(i).Name)
		assert.True(t, shared, "%s is no option of List", filter.Field(i).Name)
		_, _, err := reported0(t, srv.Client(), trulioo.ExportOptions{Filter: f, Resume: cursor})
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, err, &wrong, filter.Field(i).Name)
		assert.Equal(t, "ExportOptions.Resume", wrong.Argument)
	}
	same := trulioo.ClientFilter{Statuses: []trulioo.Status{"A", "B"}}
	first := exported(t, srv.Client(), &trulioo.ExportOptions{SummariesOnly: true, Filter: same})
	assert.Empty(t, first)
}

// Each field of a filter is an option of List too, and reaches the query from both.
func TestEveryFieldOfAFilterIsSent(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	values := map[string]any{
		"After": time.Unix(1000, 0), "Before": time.Unix(1<<31, 0),
		"Statuses": []trulioo.Status{trulioo.StatusAccepted}, "FlowID": "x",
	}
	query := func(ask func() error) string {
		srv.ResetCounts()
		require.NoError(t, ask())
		for _, r := range srv.Requests() {
			if r.Operation == truliootest.ListClients {
				return r.RawQuery
			}
		}
		return ""
	}
	require.Empty(t, query(func() error { _, err := client.Clients.List(t.Context(), nil); return err }))
	for field := range reflect.TypeFor[trulioo.ClientListOptions]().Fields() {
		if field.Name == "Limit" || field.Name == "Page" {
			continue
		}
		require.Contains(t, values, field.Name, "a new field: give it a value here")
		var options trulioo.ClientListOptions
		var filter trulioo.ClientFilter
		reflect.ValueOf(&options).Elem().FieldByName(field.Name).Set(reflect.ValueOf(values[field.Name]))
		same := reflect.ValueOf(&filter).Elem().FieldByName(field.Name)
		require.True(t, same.IsValid(), "ClientFilter has no %s", field.Name)
		same.Set(reflect.ValueOf(values[field.Name]))

		listed := query(func() error { _, err := client.Clients.List(t.Context(), &options); return err })
		require.NotEmpty(t, listed, "List does not send %s", field.Name)
		exported := query(func() error {
			for _, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Filter: filter, SummariesOnly: true}) {
				if err != nil {
					return err
				}
			}
			return nil
		})
		name, _, _ := strings.Cut(listed, "=")
		assert.Contains(t, exported, name+"=", "Export does not send %s", field.Name)
	}
	assert.Equal(t, len(values), reflect.TypeFor[trulioo.ClientFilter]().NumField())
}

// reported0 is for an export that is refused before it begins.
func reported0(t *testing.T, client *trulioo.Client, opts trulioo.ExportOptions) (n, reports int, err error) {
	t.Helper()
	for _, err = range client.Clients.Export(t.Context(), &opts) {
		n++
	}
	return n, reports, err
}

// "Unlimited" written as the largest number.
func TestTrap_concurrency_without_a_bound(t *testing.T) {
	t.Parallel()
	srv := exportServer(t, truliootest.AccountSpec{Clients: 60})
	assert.Len(t, exported(t, srv.Client(), &trulioo.ExportOptions{Concurrency: math.MaxInt}), 60)
}

// A server that asks for quiet gets it: a long Retry-After of a 503 ends the export
// as that of a 429 does, with few requests.
func TestTrap_a_503_that_asks_for_quiet(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		for operation, onProfile := range map[truliootest.Operation]bool{truliootest.GetClient: false, truliootest.DownloadFile: true} {
			synctest.Test(t, func(t *testing.T) {
				srv := exportServer(t, truliootest.AccountSpec{Clients: 400}, truliootest.WithLatency(10*time.Millisecond))
				srv.Fail(operation, truliootest.Answer(status, "").RetryAfter("120"))
				opts := trulioo.ExportOptions{}
				if onProfile {
					opts.OnProfile = saveFirst
				}
				_, report, err := reported(t, srv.Client(), opts)
				require.Error(t, err, "%d of %s", status, operation)
				assert.False(t, report.Proven)
				assert.NotEmpty(t, report.Reason)
				assert.LessOrEqual(t, srv.Count(operation), 8+1, "%d of %s", status, operation)
			})
		}
	}
}

// A file that OnProfile fetches gets the further calls that a profile gets; outside
// of an export it does not.
func TestTrap_files_of_an_export_get_its_patience(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ status, attempts, refusals, requests int }{
		{429, 1, 8, 9}, {429, 1, 9, 9}, {429, 4, 8, 9}, {409, 1, 8, 9}, {500, 2, 3, 4}, {500, 2, 4, 4}, {500, 1, 1, 1}, {522, 3, 5, 6},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 1})
			asked := 0
			srv.Fail(truliootest.DownloadFile, truliootest.Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				if asked++; asked <= c.refusals {
					w.WriteHeader(c.status)
					return
				}
				w.Header().Set("Content-Length", "8")
				_, _ = io.WriteString(w, "the file")
			}))
			client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: c.attempts}))
			save := func(ctx context.Context, c *trulioo.Client, _ *trulioo.Profile) error {
				_, err := c.Files.Save(ctx, "key", io.Discard)
				return err
			}
			for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{OnProfile: save}) {
				require.NoError(t, err)
				assert.Equal(t, c.requests > c.refusals, item.Err == nil, "%+v: %v", c, item.Err)
			}
			assert.Equal(t, c.requests, asked, "%+v", c)
			asked = 0
			assert.Equal(t, c.attempts <= c.refusals, save(t.Context(), client, nil) != nil, "%+v, outside of an export", c)
		})
	}
}

func saveFirst(ctx context.Context, c *trulioo.Client, p *trulioo.Profile) error {
	for _, ref := range p.Files() {
		if _, err := c.Files.Save(ctx, ref.Key, io.Discard); err != nil {
			return err
		}
	}
	return nil
}

// A 503 without a header is what nginx's limit_req answers: it slows the export, and
// neither profiles nor files fail for it.
func TestTrap_a_503_is_how_nginx_limits(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 300}, truliootest.WithLatency(20*time.Millisecond))
			limited := limit{perSecond: 60, status: status, base: srv.HTTPClient().Transport}
			client := srv.Client(trulioo.WithHTTPClient(&http.Client{Transport: &limited}))
			failed := 0
			for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: 16, OnProfile: saveFirst}) {
				require.NoError(t, err)
				if item.Err != nil {
					failed++
				}
			}
			assert.Zero(t, failed, "status %d", status)
		})
	}
}

// A 503 without a header that meets one client, while others are answered, is about
// the pace: that client gets the further calls of a throttle. Where nobody is
// answered the server is down, and one more call is enough.
func TestTrap_a_503_while_others_are_answered(t *testing.T) {
	t.Parallel()
	for _, alone := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			srv := exportServer(t, truliootest.AccountSpec{Clients: 60}, truliootest.WithLatency(10*time.Millisecond))
			opts, met := []truliootest.When{truliootest.Times(6)}, srv.Live.IDs()[30]
			if !alone {
				opts = append(opts, truliootest.Path(met))
			}
			srv.Fail(truliootest.GetClient, truliootest.Answer(503, ""), opts...)
			client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: 1, MaxWait: 1}))
			concurrency := 8
			if alone {
				concurrency = 1
			}
			failed := 0
			for item, err := range client.Clients.Export(t.Context(), &trulioo.ExportOptions{Concurrency: concurrency}) {
				require.NoError(t, err)
				if item.Err != nil {
					failed++
				}
			}
			assert.Equal(t, alone, failed > 0, "%d failed", failed)
		})
	}
}

// limit is a gateway that lets so many requests a second through, one after
// another, with a burst of 10.
type limit struct {
	perSecond float64
	status    int
	base      http.RoundTripper

	mu   sync.Mutex
	full float64
	last time.Time
}

func (l *limit) RoundTrip(req *http.Request) (*http.Response, error) {
	l.mu.Lock()
	l.full = max(0, l.full-time.Since(l.last).Seconds()*l.perSecond)
	l.last = time.Now()
	refused := l.full+1 > 10
	if !refused {
		l.full++
	}
	l.mu.Unlock()
	if refused {
		return &http.Response{
			StatusCode: l.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")),
			Request: req, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}, nil
	}
	return l.base.RoundTrip(req)
}
