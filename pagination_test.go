package trulioo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// listed is one of the two lists in a form that both have, so that a test of their common
// behaviour runs on each.
type listed struct {
	name      string
	options   string
	operation truliootest.Operation
	list      func(ctx context.Context, c *trulioo.Client, limit, page int) ([]string, error)
	all       func(ctx context.Context, c *trulioo.Client, limit, page int) iter.Seq2[string, error]
}

var bothLists = []listed{
	{
		name: "workflows", options: "ListOptions", operation: truliootest.ListWorkflows,
		list: func(ctx context.Context, c *trulioo.Client, limit, page int) ([]string, error) {
			p, err := c.Workflows.List(ctx, &trulioo.ListOptions{Limit: limit, Page: page})
			if err != nil {
				return nil, err
			}
			return idsOf(p.Data, func(w *trulioo.Workflow) string { return w.ID }), nil
		},
		all: func(ctx context.Context, c *trulioo.Client, limit, page int) iter.Seq2[string, error] {
			rows := c.Workflows.All(ctx, &trulioo.ListOptions{Limit: limit, Page: page})
			return eachID(rows, func(w *trulioo.Workflow) string { return w.ID })
		},
	},
	{
		name: "clients", options: "ClientListOptions", operation: truliootest.ListClients,
		list: func(ctx context.Context, c *trulioo.Client, limit, page int) ([]string, error) {
			p, err := c.Clients.List(ctx, &trulioo.ClientListOptions{Limit: limit, Page: page})
			if err != nil {
				return nil, err
			}
			return idsOf(p.Data, func(e *trulioo.EndClient) string { return e.ID }), nil
		},
		all: func(ctx context.Context, c *trulioo.Client, limit, page int) iter.Seq2[string, error] {
			rows := c.Clients.All(ctx, &trulioo.ClientListOptions{Limit: limit, Page: page})
			return eachID(rows, func(e *trulioo.EndClient) string { return e.ID })
		},
	},
}

// onBothLists runs a test on either list.
func onBothLists(t *testing.T, test func(t *testing.T, l listed)) {
	t.Helper()
	for _, l := range bothLists {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			test(t, l)
		})
	}
}

func idsOf[T any](rows []*T, id func(*T) string) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i] = id(row)
	}
	return ids
}

func eachID[T any](rows iter.Seq2[*T, error], id func(*T) string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for row, err := range rows {
			text := ""
			if row != nil {
				text = id(row)
			}
			if !yield(text, err) {
				return
			}
		}
	}
}

// drain iterates to the end and demands that an error, if there is one, is the
// last thing and comes without a row.
func drain(t *testing.T, rows iter.Seq2[string, error]) ([]string, error) {
	t.Helper()
	var ids []string
	var failed error
	for id, err := range rows {
		require.NoError(t, failed, "something came after the error")
		if failed = err; err != nil {
			assert.Empty(t, id, "a row came with the error")
			continue
		}
		ids = append(ids, id)
	}
	return ids, failed
}

// clientOf is a client of the server's live account that retries at once.
func clientOf(srv *truliootest.Server, opts ...trulioo.Option) *trulioo.Client {
	atOnce := trulioo.WithRetry(trulioo.RetryPolicy{MinWait: time.Nanosecond, MaxWait: time.Nanosecond})
	return srv.Client(append([]trulioo.Option{atOnce}, opts...)...)
}

// scriptPages serves pages of made-up bodies, by page number; a page that is not
// there is empty and the last.
func scriptPages(srv *truliootest.Server, op truliootest.Operation, pages ...string) {
	srv.Fail(op, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		number, _ := strconv.Atoi(r.URL.Query().Get("page"))
		body := `{"totalElements":0,"totalPages":0,"last":true,"data":[]}`
		if number < len(pages) {
			body = pages[number]
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(body))
	}))
}

// envelope is the body of a page with these ids.
func envelope(total, pages, number int, last bool, ids ...string) string {
	rows := make([]string, len(ids))
	for i, id := range ids {
		rows[i] = `{"id":` + strconv.Quote(id) + `}`
	}
	return fmt.Sprintf(`{"totalElements":%d,"totalPages":%d,"number":%d,"numberOfElements":%d,"last":%t,"first":%t,"data":[%s]}`,
		total, pages, number, len(ids), last, number == 0, strings.Join(rows, ","))
}

// account is an account with this many clients and workflows.
func account(rows int) *truliootest.Account {
	return truliootest.NewAccount(truliootest.AccountSpec{Clients: rows, Workflows: rows, Seed: 7})
}

// expected are the ids of the list in the server's order: workflows as they are, clients
// newest first.
func expected(srv *truliootest.Server, l listed) []string {
	if l.name == "workflows" {
		return srv.Live.FlowIDs()
	}
	ids := srv.Live.IDs()
	slices.Reverse(ids)
	return ids
}

func TestListArgumentsAreRefusedBeforeTheWire(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := clientOf(srv)
	refused := func(t *testing.T, err error, argument string) {
		t.Helper()
		var wrong *trulioo.ArgumentError
		require.ErrorAs(t, err, &wrong)
		assert.Equal(t, argument, wrong.Argument)
		assert.NotEmpty(t, wrong.Reason)
	}
	for _, l := range bothLists {
		for _, c := range []struct {
			limit, page int
			field       string
		}{{51, 0, "Limit"}, {-1, 0, "Limit"}, {50, -1, "Page"}, {0, -7, "Page"}} {
			_, err := l.list(t.Context(), client, c.limit, c.page)
			refused(t, err, l.options+"."+c.field)
			ids, err := drain(t, l.all(t.Context(), client, c.limit, c.page))
			assert.Empty(t, ids)
			refused(t, err, l.options+"."+c.field)
		}
		_, err := l.list(nil, client, 1, 0)
		refused(t, err, "ctx")
		_, err = drain(t, l.all(nil, client, 1, 0))
		refused(t, err, "ctx")
	}
	noon := time.Date(2024, 6, 10, 12, 0, 0, 0, time.UTC)
	for field, opts := range map[string][]trulioo.ClientListOptions{
		"Before": {
			{After: noon, Before: noon},
			{After: noon, Before: noon.Add(-time.Nanosecond)},
			{Before: time.Unix(-1, 0)},
		},
		"After": {
			{After: time.Unix(-1, 0)},
			{After: time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
		},
		"Statuses": {
			{Statuses: []trulioo.Status{trulioo.StatusAccepted, ""}},
			{Statuses: []trulioo.Status{"ACCEPTED,REJECTED"}},
		},
	} {
		for _, o := range opts {
			_, err := client.Clients.List(t.Context(), &o)
			refused(t, err, "ClientListOptions."+field)
			_, err = drain(t, eachID(client.Clients.All(t.Context(), &o), func(c *trulioo.EndClient) string { return c.ID }))
			refused(t, err, "ClientListOptions."+field)
		}
	}
	assert.Zero(t, srv.Count(truliootest.Any))
}

func TestListParameters(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 6, 10, 9, 22, 43, 0, time.UTC) // 1718011363
	east := time.FixedZone("", 5*3600)
	for query, opts := range map[string]*trulioo.ClientListOptions{
		"-":                                   nil,
		"":                                    {},
		"limit=1":                             {Limit: 1},
		"limit=50&page=3":                     {Limit: 50, Page: 3},
		"after=1718011363":                    {After: at},
		"before=1718011363":                   {Before: at.In(east)},
		"after=1718011363&before=1718011364":  {After: at.Add(time.Nanosecond), Before: at.Add(2 * time.Nanosecond)},
		"after=1718011362&before=1718011363":  {After: at.Add(-time.Nanosecond), Before: at},
		"after=0&before=1":                    {After: time.Unix(0, 0), Before: time.Unix(0, 1)},
		"statuses=ACCEPTED":                   {Statuses: []trulioo.Status{trulioo.StatusAccepted}},
		"statuses=ACCEPTED%2CREJECTED":        {Statuses: []trulioo.Status{trulioo.StatusAccepted, trulioo.StatusRejected}},
		"statuses=SOMETHING+NEW%26limit%3D51": {Statuses: []trulioo.Status{"SOMETHING NEW&limit=51"}},
		"flowId=a%2Fb%2Bc%26page%3D9%23":      {FlowID: "a/b+c&page=9#"},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			_, err := clientOf(srv).Clients.List(t.Context(), opts)
			require.NoError(t, err)
			assert.Equal(t, []string{strings.TrimPrefix(query, "-")}, queriesOf(srv, truliootest.ListClients))
		})
	}
	t.Run("workflows", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		client := clientOf(srv)
		for _, opts := range []*trulioo.ListOptions{nil, {}, {Limit: 7, Page: 2}} {
			_, err := client.Workflows.List(t.Context(), opts)
			require.NoError(t, err)
		}
		assert.Equal(t, []string{"", "", "limit=7&page=2"}, queriesOf(srv, truliootest.ListWorkflows))
	})
}

// queriesOf are the queries of the requests of an operation, as they came.
func queriesOf(srv *truliootest.Server, op truliootest.Operation) []string {
	var queries []string
	for _, r := range srv.Requests() {
		if r.Operation == op {
			queries = append(queries, r.RawQuery)
		}
	}
	return queries
}

func TestAllUsesTheLargestPageOrTheCallers(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		srv := truliootest.NewServer(t, truliootest.WithLive(account(120)))
		client := clientOf(srv)
		ids, err := drain(t, l.all(t.Context(), client, 0, 0))
		require.NoError(t, err)
		assert.Equal(t, expected(srv, l), ids)
		assert.Equal(t, []string{"limit=50", "limit=50&page=1", "limit=50&page=2"}, queriesOf(srv, l.operation))

		srv.ResetCounts()
		ids, err = drain(t, l.all(t.Context(), client, 40, 1))
		require.NoError(t, err)
		assert.Equal(t, expected(srv, l)[40:], ids)
		assert.Equal(t, []string{"limit=40&page=1", "limit=40&page=2"}, queriesOf(srv, l.operation))
	})
}

func TestAllAsksFirstAtTheFirstIteration(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		srv := truliootest.NewServer(t, truliootest.WithLive(account(3)))
		rows := l.all(t.Context(), clientOf(srv), 0, 0)
		assert.Zero(t, srv.Count(truliootest.Any))
		ids, err := drain(t, rows)
		require.NoError(t, err)
		assert.Equal(t, expected(srv, l), ids)
		assert.Equal(t, 1, srv.Count(l.operation))
	})
}

func TestAllIsOnePageAhead(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		synctest.Test(t, func(t *testing.T) {
			srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account(200)))
			client := clientOf(srv)
			row := 0
			for _, err := range l.all(t.Context(), client, 50, 0) {
				require.NoError(t, err)
				// However long the caller works on this page, the next one is asked for
				// and the one after it is not.
				synctest.Wait()
				assert.Equal(t, min(row/50+2, 4), srv.Count(l.operation), "at row %d", row)
				row++
			}
			assert.Equal(t, 200, row)
		})
	})
}

// The bubble of synctest fails the test where a goroutine is left.
func TestAllBreakCancelsAndWaits(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		synctest.Test(t, func(t *testing.T) {
			srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account(200)))
			var running openCalls
			client := clientOf(srv, trulioo.WithObserver(&running))
			gone := make(chan struct{})
			srv.Fail(l.operation, truliootest.Handle(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
				<-r.Context().Done() // no answer; this ends with the client's patience
				close(gone)
			}), truliootest.Nth(2))
			begun := time.Now()
			for _, err := range l.all(t.Context(), client, 50, 0) {
				require.NoError(t, err)
				synctest.Wait() // the second page is under way
				require.Equal(t, 2, srv.Count(l.operation))
				require.Equal(t, int64(1), running.Load())
				break
			}
			assert.Zero(t, running.Load(), "the loop was left before the fetch had ended")
			<-gone
			assert.Zero(t, time.Since(begun), "the fetch ran on until a time-out")
			assert.Equal(t, 2, srv.Count(l.operation), "the fetch was tried again")
		})
	})
}

// openCalls counts the calls under way.
type openCalls struct{ atomic.Int64 }

func (o *openCalls) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	if step.Kind != trulioo.StepCall {
		return ctx, func(trulioo.Outcome) {}
	}
	o.Add(1)
	return ctx, func(trulioo.Outcome) { o.Add(-1) }
}

func TestAllPanicOfTheCallerCancelsToo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		srv := truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithLive(account(200)))
		client := clientOf(srv)
		srv.Fail(truliootest.ListClients, truliootest.Hang(), truliootest.Skip(1))
		begun := time.Now()
		assert.PanicsWithValue(t, "the caller's", func() {
			for _, err := range client.Clients.All(t.Context(), nil) {
				assert.NoError(t, err)
				panic("the caller's")
			}
		})
		assert.Zero(t, time.Since(begun))
	})
}

func TestAllYieldsAnErrorOnceAfterTheRowsBeforeIt(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		srv := truliootest.NewServer(t, truliootest.WithLive(account(120)))
		srv.Fail(l.operation, truliootest.Answer(http.StatusForbidden, "{}"), truliootest.Nth(2))
		ids, err := drain(t, l.all(t.Context(), clientOf(srv), 50, 0))
		require.ErrorIs(t, err, trulioo.ErrForbidden)
		assert.Equal(t, expected(srv, l)[:50], ids)
		assert.Equal(t, 2, srv.Count(l.operation))
	})
}

func TestAllEndsWithItsContext(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		srv := truliootest.NewServer(t, truliootest.WithLive(account(200)))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var ids []string
		var failed error
		for id, err := range l.all(ctx, clientOf(srv), 50, 0) {
			cancel()
			if failed = err; err == nil {
				ids = append(ids, id)
			}
		}
		require.ErrorIs(t, failed, context.Canceled)
		assert.Zero(t, len(ids)%50, "rows that are there are handed out: %d", len(ids))
		assert.Less(t, len(ids), 200)
	})
}

func TestAllCopiesItsOptions(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(account(9)))
	client := clientOf(srv)
	clients := &trulioo.ClientListOptions{Limit: 2, FlowID: "f", Statuses: []trulioo.Status{trulioo.StatusAccepted}}
	rows := client.Clients.All(t.Context(), clients)
	clients.Limit, clients.FlowID, clients.Page, clients.Statuses[0] = 51, "", 3, trulioo.StatusRejected
	for _, err := range rows {
		require.NoError(t, err)
		break
	}
	assert.Equal(t, "flowId=f&limit=2&statuses=ACCEPTED", queriesOf(srv, truliootest.ListClients)[0])

	workflows := &trulioo.ListOptions{Limit: 4}
	flows := client.Workflows.All(t.Context(), workflows)
	workflows.Limit = 51
	for _, err := range flows {
		require.NoError(t, err)
		workflows.Page = 9
	}
	assert.Equal(t, []string{"limit=4", "limit=4&page=1", "limit=4&page=2"}, queriesOf(srv, truliootest.ListWorkflows))
	assert.Equal(t, &trulioo.ListOptions{Limit: 51, Page: 9}, workflows, "the caller's options were changed")
}

func TestAllCanBeIteratedTwice(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		srv := truliootest.NewServer(t, truliootest.WithLive(account(70)))
		rows := l.all(t.Context(), clientOf(srv), 50, 0)
		for range 2 {
			ids, err := drain(t, rows)
			require.NoError(t, err)
			assert.Equal(t, expected(srv, l), ids)
		}
		for _, err := range rows {
			require.NoError(t, err)
			break
		}
		ids, err := drain(t, rows)
		require.NoError(t, err)
		assert.Equal(t, expected(srv, l), ids)
	})
}

// Trap: a client that stops at a short page lost 4,900 of 5,000 rows where the
// server clamped limit; last and totalPages can say anything; a page in the
// middle can be empty. Whatever is combined, each row comes exactly once.
func TestAllSurvivesLies(t *testing.T) {
	t.Parallel()
	lies := []truliootest.Lie{truliootest.Truth, truliootest.Low, truliootest.High, truliootest.Random}
	onBothLists(t, func(t *testing.T, l listed) {
		for _, rows := range []int{0, 1, 50, 51, 120} {
			live := account(rows)
			for _, last := range lies {
				for _, pages := range lies {
					for _, empty := range []int{0, 2, 3} {
						for _, clamp := range []int{0, 7} {
							how := truliootest.Listing{Last: last, TotalPages: pages, EmptyEvery: empty, MaxLimit: clamp}
							srv := truliootest.NewServer(t, truliootest.WithLive(live), truliootest.WithListing(how))
							client := clientOf(srv)
							ids, err := drain(t, l.all(t.Context(), client, 0, 0))
							require.NoError(t, err, "%d rows, %+v", rows, how)
							want := expected(srv, l)
							require.Len(t, ids, len(want), "%d rows, %+v", rows, how)
							if len(want) > 0 {
								require.Equal(t, want, ids, "%d rows, %+v", rows, how)
							}
							srv.Close()
						}
					}
				}
			}
		}
	})
}

func TestAllTakesNoCountOnItsWord(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		for name, pages := range map[string][]string{
			"the counts are all 0": {
				envelope(0, 0, 0, false, "a", "b"), envelope(0, 0, 1, false, "c", "d"), envelope(0, 0, 2, false),
			},
			"no counts, last is true throughout": {
				`{"last":true,"totalElements":4,"data":[{"id":"a"},{"id":"b"}]}`, `{"last":true,"totalElements":4,"data":[{"id":"c"},{"id":"d"}]}`,
			},
			"the total grows on the way": {
				envelope(2, 1, 0, false, "a", "b"), envelope(4, 2, 1, true, "c", "d"),
			},
			"the total shrinks on the way": {
				envelope(9, 5, 0, false, "a", "b"), envelope(4, 2, 1, true, "c", "d"),
			},
			"the number is always 0": {
				envelope(4, 2, 0, false, "a", "b"), envelope(4, 2, 0, true, "c", "d"),
			},
			"nine pages in a row are empty": {
				envelope(4, 11, 0, false, "a", "b"),
				envelope(4, 11, 1, false), envelope(4, 11, 2, false), envelope(4, 11, 3, false),
				envelope(4, 11, 4, false), envelope(4, 11, 5, false), envelope(4, 11, 6, false),
				envelope(4, 11, 7, false), envelope(4, 11, 8, false), envelope(4, 11, 9, false),
				envelope(4, 11, 10, true, "c", "d"),
			},
		} {
			srv := truliootest.NewServer(t)
			scriptPages(srv, l.operation, pages...)
			ids, err := drain(t, l.all(t.Context(), clientOf(srv), 2, 0))
			require.NoError(t, err, name)
			assert.Equal(t, []string{"a", "b", "c", "d"}, ids, name)
		}
	})
}

func TestAllStopsAtAServerThatRepeatsItself(t *testing.T) {
	t.Parallel()
	onBothLists(t, func(t *testing.T, l listed) {
		t.Run("from a page on", func(t *testing.T) {
			t.Parallel()
			for _, from := range []int{1, 2, 4} {
				srv := truliootest.NewServer(t, truliootest.WithLive(account(200)), truliootest.WithListing(truliootest.Listing{RepeatFrom: from}))
				ids, err := drain(t, l.all(t.Context(), clientOf(srv), 50, 0))
				require.ErrorIs(t, err, trulioo.ErrPaging)
				assert.Equal(t, expected(srv, l)[:50*from], ids)
				assert.Equal(t, from+1, srv.Count(l.operation))
			}
		})
		for name, pages := range map[string][]string{
			"page is ignored":                 {envelope(9, 3, 0, false, "a", "b"), envelope(9, 3, 0, false, "a", "b")},
			"back to the first page":          {envelope(9, 3, 0, false, "a"), envelope(9, 3, 1, false, "b"), envelope(9, 3, 2, false, "a")},
			"round in circles":                {envelope(9, 3, 0, false, "a"), envelope(9, 3, 1, false, "b"), envelope(9, 3, 2, false, "c"), envelope(9, 3, 1, false, "b")},
			"an empty page between":           {envelope(9, 3, 0, false, "a"), envelope(9, 3, 1, false), envelope(9, 3, 2, false, "a")},
			"the last page again, as no last": {envelope(3, 2, 0, false, "a", "b"), envelope(3, 2, 1, false, "c"), envelope(3, 2, 2, false, "c")},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				srv := truliootest.NewServer(t)
				scriptPages(srv, l.operation, pages...)
				ids, err := drain(t, l.all(t.Context(), clientOf(srv), 2, 0))
				require.ErrorIs(t, err, trulioo.ErrPaging)
				var decode *trulioo.DecodeError
				require.ErrorAs(t, err, &decode)
				assert.Equal(t, string(l.operation), decode.Operation)
				assert.Len(t, slices.Compact(slices.Sorted(slices.Values(ids))), len(ids), "a row came twice")
				assert.Equal(t, len(pages), srv.Count(l.operation))
			})
		}
		t.Run("only empty pages", func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(l.operation, truliootest.Answer(http.StatusOK, envelope(1000, 1000, 0, false)))
			_, err := drain(t, l.all(t.Context(), clientOf(srv), 0, 0))
			require.ErrorIs(t, err, trulioo.ErrPaging)
			assert.Less(t, srv.Count(l.operation), 20)
		})
	})
}

// Rows that others push down, by adding new ones on top of the list while it is
// read, come twice. That is no server that repeats itself.
func TestAllTakesShiftedRowsForNoRepeat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ limit, inserts, at, twice int }{
		{limit: 10, inserts: 10, at: 2, twice: 10}, // exactly a page: page 1 is page 0 again
		{limit: 10, inserts: 20, at: 2, twice: 10}, // exactly two: page 2 is page 0 again
		{limit: 10, inserts: 3, at: 2, twice: 3},
		{limit: 1, inserts: 1, at: 2, twice: 1},
		{limit: 1, inserts: 2, at: 3, twice: 2},
		{limit: 10, inserts: 10, at: 3, twice: 10}, // near the end
	} {
		live := account(30)
		srv := truliootest.NewServer(t, truliootest.WithLive(live), truliootest.WithListing(truliootest.Listing{
			Before: func(a *truliootest.Account, r truliootest.ListRequest) {
				for i := range c.inserts {
					if r.N == c.at {
						a.Insert(time.Now().Add(time.Duration(i) * time.Second))
					}
				}
			},
		}))
		before := live.IDs()
		ids, err := drain(t, eachID(clientOf(srv).Clients.All(t.Context(), &trulioo.ClientListOptions{Limit: c.limit}),
			func(e *trulioo.EndClient) string { return e.ID }))
		require.NoError(t, err, "%+v", c)
		assert.Subset(t, ids, before, "%+v", c)
		distinct := slices.Compact(slices.Sorted(slices.Values(ids)))
		assert.LessOrEqual(t, len(ids)-len(distinct), c.inserts, "%+v", c)
	}
}

func TestListUntidyEnvelope(t *testing.T) {
	t.Parallel()
	const rows = `[null,{"id":"a","new":1},null,{"ID":"x","id":"b","created":"1718011363"}]`
	for name, body := range map[string]string{
		"numbers as strings":  `{"totalElements":"7","totalPages":"3","number":"1","numberOfElements":"2","last":false,"first":true,"data":` + rows + `}`,
		"numbers as floats":   `{"totalElements":7.0,"totalPages":3e0,"number":1.0,"numberOfElements":2.0,"last":"false","first":"true","data":` + rows + `}`,
		"unknown fields":      `{"pageable":{"sort":[1,{"a":null}]},"totalElements":7,"totalPages":3,"number":1,"numberOfElements":2,"last":false,"first":true,"data":` + rows + `,"z":[]}`,
		"any order and space": " \n{\"data\" : " + rows + ",\t\"first\":true,\"number\":1,\"totalPages\":3,\"numberOfElements\":2,\"totalElements\":7}\r\n",
		"byte order mark":     "\xef\xbb\xbf" + `{"totalElements":7,"totalPages":3,"number":1,"numberOfElements":2,"first":true,"data":` + rows + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.Any, truliootest.Answer(http.StatusOK, body).Header("Content-Type", "application/json"), truliootest.Path("/query/"))
			client := clientOf(srv)
			page, err := client.Clients.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Equal(t, []any{7, 3, 1, 2, false, true},
				[]any{page.TotalElements, page.TotalPages, page.Number, page.NumberOfElements, page.Last, page.First})
			assert.Equal(t, []string{"a", "b"}, idsOf(page.Data, func(c *trulioo.EndClient) string { return c.ID }))
			assert.Equal(t, int64(1718011363), page.Data[1].Created.Unix())
			workflows, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Equal(t, []string{"a", "b"}, idsOf(workflows.Data, func(w *trulioo.Workflow) string { return w.ID }))
		})
	}
	for name, body := range map[string]string{
		"data null": `{"totalElements":0,"totalPages":null,"number":null,"last":null,"data":null}`, "data empty": `{"data":[],"totalPages":"0"}`,
	} {
		srv := truliootest.NewServer(t)
		srv.Fail(truliootest.ListClients, truliootest.Answer(http.StatusOK, body))
		page, err := clientOf(srv).Clients.List(t.Context(), nil)
		require.NoError(t, err, name)
		assert.Empty(t, page.Data, name)
		assert.NotNil(t, page.Data, name)
		ids, err := drain(t, eachID(clientOf(srv).Clients.All(t.Context(), nil), func(e *trulioo.EndClient) string { return e.ID }))
		require.NoError(t, err, name)
		assert.Empty(t, ids, name)
	}
}

func TestListNamesThePlaceOfARowThatIsNoObject(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.ListClients, truliootest.Answer(http.StatusOK, `{"totalElements":2,"data":[{"id":"a"},"secret"]}`))
	_, err := clientOf(srv).Clients.List(t.Context(), nil)
	var wrong *trulioo.DecodeError
	require.ErrorAs(t, err, &wrong)
	assert.Equal(t, "list clients", wrong.Operation)
	assert.Equal(t, "data[1]", wrong.Path)
	assert.Equal(t, "not of the expected JSON type", wrong.Reason)
	assert.NotContains(t, err.Error(), "secret")
	assert.Equal(t, 1, srv.Count(truliootest.ListClients), "what is wrong for good was tried again")
}

func TestListKeepsRawByteForByte(t *testing.T) {
	t.Parallel()
	first := `{ "id":"a","big":12345678901234567890.10, "n\u0061me" : "\u00e9é" }`
	second := "{\n\t\"name\":\"B\",\"id\":\"b\",\"id\":\"c\"}"
	body := "{\"totalElements\": 2,\n \"data\" :[ " + first + " ,\r\n" + second + "], \"x\":1e400}"
	srv := truliootest.NewServer(t, truliootest.WithGzip())
	srv.Fail(truliootest.Any, truliootest.Answer(http.StatusOK, body), truliootest.Path("/query/"))
	client := clientOf(srv)
	clients, err := client.Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, body, string(clients.Raw))
	assert.Equal(t, []string{first, second}, idsOf(clients.Data, func(c *trulioo.EndClient) string { return string(c.Raw) }))
	workflows, err := client.Workflows.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, body, string(workflows.Raw))
	assert.Equal(t, []string{first, second}, idsOf(workflows.Data, func(w *trulioo.Workflow) string { return string(w.Raw) }))
	again, err := json.Marshal(workflows.Data[0])
	require.NoError(t, err)
	assert.JSONEq(t, first, string(again))
	for row, err := range client.Clients.All(t.Context(), nil) {
		require.NoError(t, err)
		assert.Equal(t, first, string(row.Raw))
		break
	}
}
