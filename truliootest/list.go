package truliootest

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Timestamp is one of a client's two dates.
type Timestamp int

// The dates by which a list can be ordered and filtered.
const (
	ByCreated Timestamp = iota
	ByLastModified
)

// Lie is how a field of the page envelope departs from the truth.
type Lie int

// The lies. Each field says what Low and High mean for it.
const (
	Truth Lie = iota
	Low
	High
	Random // now the truth, now Low, now High
)

// Listing is how the two lists behave. The zero value is the vendor's documented
// behaviour; the comments of the fields say how the zero value decides where the
// vendor says nothing. The fields can be combined. For workflows only MaxLimit,
// EmptyEvery, RepeatFrom, Last and TotalPages count.
type Listing struct {
	MaxLimit      int       // the server's own upper bound of limit; 0 means 50
	OrderBy       Timestamp // the default is ByCreated
	FilterBy      Timestamp // the date that before and after look at; the default is ByCreated
	Ascending     bool      // oldest first; the default is newest first
	ShuffleTies   bool      // clients of the same second come in another order at each request
	IncludeBefore bool      // a client of exactly "before" is in; by default it is not
	IncludeAfter  bool      // a client of exactly "after" is in; by default it is not
	IgnoreFilters bool      // before, after, statuses and flowId do nothing

	MillisecondBounds bool   // before and after are milliseconds; by default they are seconds
	RepeatedStatuses  bool   // each statuses is one status, commas included; by default commas separate several, and each statuses adds its own
	WorkflowsPath     string // of the list of workflows, below the version; the default is "query/workflows"

	EmptyEvery int   // every n-th page is empty and its rows come on the next one; at least 2; 0 means never
	RepeatFrom int   // this page and all later ones have the rows of the page before it, for ever; 0 means never
	Last       Lie   // Low: never true. High: always true
	TotalPages Lie   // Low: one too few. High: one too many
	Churn      Churn // changes before each list of clients

	// Before is called before each list of clients and after Churn, one call
	// at a time. It may change the account.
	Before func(a *Account, r ListRequest)
}

// Churn changes the account before each list of clients. The server's seed chooses
// the clients, and the present is the time of each change.
type Churn struct {
	Inserts int // clients created
	Deletes int // clients deleted
	Updates int // clients whose lastModified moves
}

// ListRequest is a request for a page of clients.
type ListRequest struct {
	N     int        // counts the requests for clients of this server, from 1
	Page  int        // as the server understands it
	Limit int        // as the server understands it
	Query url.Values // as it came
}

// WithListing sets how the lists behave.
func WithListing(l Listing) Option { return func(_ *setup, s *settings) { s.listing = l } }

// SetListing changes how the lists behave from now on.
func (s *Server) SetListing(l Listing) { s.change(func(to *settings) { to.listing = l }) }

// churner makes the changes between requests, one request at a time.
type churner struct {
	mu sync.Mutex
	n  int
}

func (s *Server) churnBefore(a *Account, how Listing, r ListRequest) {
	s.churn.mu.Lock()
	defer s.churn.mu.Unlock()
	s.churn.n++
	r.N = s.churn.n
	if how.Churn != (Churn{}) {
		a.churn(how.Churn, newRand(s.random.next(), 0xc4))
	}
	if how.Before != nil {
		how.Before(a, r)
	}
}

func (a *Account) churn(c Churn, rng *rand.Rand) {
	now := time.Now()
	for range c.Inserts {
		a.Insert(now)
	}
	ids := a.IDs()
	rng.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	deletes := min(c.Deletes, len(ids))
	for _, id := range ids[:deletes] {
		a.Remove(id)
	}
	ids = ids[deletes:]
	for _, id := range ids[:min(c.Updates, len(ids))] {
		a.Update(id, now)
	}
}

// serveClients is GET query/clients.
func (s *Server) serveClients(w http.ResponseWriter, r *http.Request, a *Account) {
	now := s.settings.Load()
	query := r.URL.Query()
	p := readPage(query, now.listing)
	s.churnBefore(a, now.listing, ListRequest{Page: p.number, Limit: p.limit, Query: query})
	var rng *rand.Rand
	if now.listing.ShuffleTies || p.random() {
		rng = newRand(s.random.next(), 0x11)
	}
	s.writeJSON(w, r, http.StatusOK, a.clients(p, readFilter(query, now.listing), now, rng))
}

// serveWorkflows is GET query/workflows.
func (s *Server) serveWorkflows(w http.ResponseWriter, r *http.Request, a *Account) {
	now := s.settings.Load()
	p := readPage(r.URL.Query(), now.listing)
	if a.sample != nil {
		s.writeJSON(w, r, http.StatusOK, a.sample.workflows)
		return
	}
	var rng *rand.Rand
	if p.random() {
		rng = newRand(s.random.next(), 0x11)
	}
	s.writeJSON(w, r, http.StatusOK, p.render(a.spec.Workflows, now.dialect, rng, func(b []byte, k int) []byte {
		return a.appendWorkflow(b, k, now.dialect)
	}))
}

// clients renders one page of the list under one lock, so that it is of one moment.
func (a *Account) clients(p page, f filter, now *settings, rng *rand.Rand) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sample != nil {
		return a.sample.clients
	}
	rows := a.pick(f, now.listing)
	if now.listing.ShuffleTies {
		rows = a.shuffleTies(rows, now.listing.OrderBy, rng)
	}
	return p.render(len(rows), now.dialect, rng, func(b []byte, k int) []byte {
		if !now.listing.Ascending {
			k = len(rows) - 1 - k
		}
		return a.appendRow(b, int(rows[k]), now.dialect)
	})
}

// filter is the query's filter as the server understands it.
type filter struct {
	after, before Date // inclusive; 0 means open
	statuses      []string
	flow          string
}

// readFilter ignores values that it does not understand, as the vendor does with limit
// and page.
func readFilter(query url.Values, how Listing) filter {
	var f filter
	if how.IgnoreFilters {
		return f
	}
	if after, ok := how.readBound(query.Get("after")); ok {
		f.after = after + 1
		if how.IncludeAfter {
			f.after = max(after, 1)
		}
	}
	if before, ok := how.readBound(query.Get("before")); ok {
		f.before = before - 1
		if how.IncludeBefore {
			f.before = before
		}
		if f.before <= 0 {
			f.before = -1 // nothing is that early
		}
	}
	if how.RepeatedStatuses {
		f.statuses = query["statuses"]
	} else if statuses := strings.Join(query["statuses"], ","); statuses != "" {
		f.statuses = strings.Split(statuses, ",")
	}
	f.flow = query.Get("flowId")
	return f
}

func (how Listing) readBound(text string) (Date, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if how.MillisecondBounds {
		n /= 1000
	}
	return Date(n), err == nil && n >= 0
}

// pick gives the clients that pass the filter, oldest first. The result must not be
// changed.
func (a *Account) pick(f filter, how Listing) []int32 {
	order := a.order(how.OrderBy)
	timed := f.after != 0 || f.before != 0
	if len(f.statuses) == 0 && f.flow == "" && !a.undated {
		if !timed {
			return order
		}
		if how.FilterBy == how.OrderBy {
			return a.between(order, f, how.OrderBy)
		}
	}
	var rows []int32
	for _, i := range order {
		if a.passes(i, f, how.FilterBy) {
			rows = append(rows, i)
		}
	}
	return rows
}

// between finds a range of time in a sorted list.
func (a *Account) between(order []int32, f filter, by Timestamp) []int32 {
	low := sort.Search(len(order), func(k int) bool { return a.when(order[k], by) >= f.after })
	high := len(order)
	if f.before != 0 {
		high = sort.Search(len(order), func(k int) bool { return a.when(order[k], by) > f.before })
	}
	return order[low:max(low, high)]
}

// passes compares as a database does: null is in no range of time, 0 is before all else.
func (a *Account) passes(i int32, f filter, by Timestamp) bool {
	when := a.stamp(i, by)
	if when < 0 && (f.after != 0 || f.before != 0) {
		return false
	}
	if f.after != 0 && when < f.after || f.before != 0 && when > f.before {
		return false
	}
	status := a.records[i].status
	if len(f.statuses) > 0 && !slices.ContainsFunc(f.statuses, func(want string) bool {
		return strings.EqualFold(want, status)
	}) {
		return false
	}
	return f.flow == "" || slices.Contains(a.flowsOf(int(i)), f.flow)
}

// shuffleTies puts clients of the same second into an order of this request's own.
func (a *Account) shuffleTies(rows []int32, by Timestamp, rng *rand.Rand) []int32 {
	rows = slices.Clone(rows)
	for start := 0; start < len(rows); {
		end := start + 1
		for end < len(rows) && a.when(rows[end], by) == a.when(rows[start], by) {
			end++
		}
		tied := rows[start:end]
		rng.Shuffle(len(tied), func(i, j int) { tied[i], tied[j] = tied[j], tied[i] })
		start = end
	}
	return rows
}
