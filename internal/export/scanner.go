// Package export finds every row of a list that moves while it is read, delivers
// each once, and says whether it can prove that none is missing.
//
// The list is read in two ways.
//
// The scanner reads by ranges of time (ranges.go): one answer has a whole range whose
// rows fit a page, so the time is cut until each range fits. Ranges are delivered in their
// order, and those near the present are read one after another, so that a row
// whose date moves to the present moves ahead of the reader.
//
// The scanner also reads the list as a whole (whole_list.go), page after page without the
// cuts. This finds the rows that no range holds, because they have no date or moved
// behind the reader. The proof (proof.go) is made from these pages.
//
// Nothing depends on which date the server filters by, on whether bounds are
// inclusive, on the order of rows, on the size of pages, on a clock, or on what
// the server says about the last page and the number of pages.
package export

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo/internal/guard"
)

const (
	readAhead   = 8  // ranges beyond the first that is not delivered
	fullPage    = 50 // rows
	fullness    = 0.8
	mostParts   = 256 // of one cut
	leastRecent = 60  // requests for ranges that reach into the present, in a short list

	// A row may still be on its way into the list while it is younger than this,
	// counted back from the newest date.
	settling = 5 // seconds

	latestSecond = 1<<31 - 1 // later than every row, and fit for 32 bits
	zeroSecond   = 1         // up to this second there can be zero dates only
)

// Row is a row of the list.
type Row[V any] struct {
	ID      string
	Created time.Time // zero if the row has none, as is Changed
	Changed time.Time
	Value   V // the caller's own
}

// Page is one answer.
type Page[V any] struct {
	Rows  []Row[V]
	Total int // rows of the whole list, in the server's words, as are Pages and Last
	Pages int
	Last  bool
}

// Config holds the parts of a Scanner.
type Config[V any] struct {
	// List asks for a page of the rows in a range. It is called from up to AtOnce
	// goroutines, and does not give up easily: an error of it ends the scan.
	List func(ctx context.Context, r TimeRange, number int) (*Page[V], error)

	// Refused reports whether the server has refused a page because of its number.
	Refused func(err error) bool

	// AtOnce is how many requests for the list may be made at once; 0 means 4.
	AtOnce int

	// Scale is how many of AtOnce requests may be made at present.
	Scale func(n int) int

	Filter TimeRange // the bounds that every request stays in
	Slice  TimeRange // the same, or the piece of it to be read
	Resume Position

	// BesideFrom is the number of pages from which on the whole list is read beside the
	// ranges, and not only after them; 0 means never. It saves time where delivering
	// takes longer than listing.
	BesideFrom int

	// Deliver takes a row that is new, in one goroutine; before says that an earlier
	// reading has delivered it, by Resume.
	Deliver func(ctx context.Context, row Row[V], at Position, before bool) error
}

// Report is how a scan went.
type Report struct {
	Proven   bool   // no row that was there throughout is missing
	Reason   string // why that could not be proven, as a constant text
	Requests int    // for the list
	Passes   int    // over the whole list, those that were not finished included
	Dropped  int    // rows outside of the bounds, from a server that ignores bounds
}

// Scanner finds the rows and delivers each once.
type Scanner[V any] struct {
	Config[V]

	report     Report
	total      atomic.Int64
	fallback   atomic.Bool
	miscounted atomic.Bool // an answer had more rows than its list counts
	known      sightings
	outside    func(row *Row[V]) bool // for a server that ignores bounds

	size        int   // the most rows that a page has had
	lowest      int64 // the earliest and the latest second that rows have shown, as a hint
	highest     int64
	newestFirst bool      // the first page of the list has newer rows than the last
	boundary    int64     // the last second before the present
	rest        TimeRange // the part of the slice that is left to be read
	list        TimeRange // the list that the proof is about
	lastPage    int       // of that list: the last page that was seen with rows

	nodes      []*node[V] // ranges, in order, that are not delivered
	asked      int        // requests for ranges
	settled    int        // those that did not reach into the present, in all readings
	recent     int        // those that did
	inRanges   int        // rows that their answers had
	abandon    string     // why the ranges are given up
	beside     *besideReading[V]
	aside      []Row[V] // rows that were found and that no range will deliver
	answers    chan answer[V]
	underway   int
	rangesLast bool // the last request was for a range
	out        chan delivery[V]
	stopped    chan struct{} // closed when the goroutine of out has ended
	started    *guard.Group  // the goroutines beside the scan
}

type delivery[V any] struct {
	row    Row[V]
	at     Position
	before bool
}

// New makes a scanner, which can be used once.
func New[V any](c Config[V]) *Scanner[V] {
	c.AtOnce = cmp.Or(c.AtOnce, 4)
	return &Scanner[V]{Config: c}
}

// atOnce is how many requests may be made at present.
func (s *Scanner[V]) atOnce() int { return s.Scale(s.AtOnce) }

// Total is the server's count, at the start, of the rows that were left.
func (s *Scanner[V]) Total() int { return int(s.total.Load()) }

// Fallback reports whether the list could not be cut by time.
func (s *Scanner[V]) Fallback() bool { return s.fallback.Load() }

var errNotDelivered = errors.New("a row was not delivered")

// Contradiction means that the answers of the server cannot all be true.
type Contradiction struct{ Reason string }

// Error is the reason, a constant text.
func (c *Contradiction) Error() string { return c.Reason }

// Run delivers every row of the slice, from the position on.
func (s *Scanner[V]) Run(ctx context.Context) (Report, error) {
	s.answers = make(chan answer[V], s.AtOnce)
	s.out, s.stopped = make(chan delivery[V]), make(chan struct{})
	s.started, ctx = guard.NewGroup(ctx)
	s.started.Start(func() error { return s.deliverAll(ctx) })
	err := s.scanGuarded(ctx)
	err = cmp.Or(s.started.Wait(), err)
	if err != nil {
		s.report.Proven = false
		s.report.Reason = cmp.Or(s.report.Reason, "the export ended early")
	}
	return s.report, err
}

// scanGuarded ends the goroutines beside the scan, also where the scan panics. The
// scan's own error is kept: theirs only say that their context has ended.
func (s *Scanner[V]) scanGuarded(ctx context.Context) (err error) {
	err = guard.ErrGoexit // unless scan returns
	defer func() {
		if err != nil && !errors.Is(err, errNotDelivered) {
			s.started.Fail(err)
		}
		close(s.out)
	}()
	err = s.scan(ctx)
	return err
}

// deliverAll calls Deliver on a goroutine of its own, so that the list is read on
// while the caller is busy.
func (s *Scanner[V]) deliverAll(ctx context.Context) error {
	defer close(s.stopped)
	for d := range s.out {
		if err := s.Deliver(ctx, d.row, d.at, d.before); err != nil {
			return err
		}
	}
	return nil
}

// scan reads the ranges, and then the whole list until it is proven to be known.
func (s *Scanner[V]) scan(ctx context.Context) error {
	s.rest = s.Slice
	s.rest.From = max(s.rest.From, s.Resume.Range.From)
	s.list = s.rest
	if !s.timed() {
		s.list = TimeRange{0, Forever}
	}
	first, err := s.askAlone(ctx, s.rest, 0)
	if err != nil {
		return err
	}
	s.total.Store(int64(first.Total))
	more, err := s.goesOn(ctx, first)
	if err != nil {
		return err
	}
	if whole(first) && !more && s.onlyThese() {
		return s.deliverFirst(ctx, first)
	}
	usable, err := s.probe(ctx, first)
	if err != nil {
		return err
	}
	if more || !usable {
		s.fallback.Store(true)
		return s.readWhole(ctx, Position{Range: s.Slice})
	}
	s.boundary = s.lastSettled()
	if err := s.readRanges(ctx); err != nil {
		return err
	}
	return s.readWhole(ctx, Position{Range: TimeRange{max(s.boundary+1, s.rest.From), s.rest.To}})
}

// lastSettled is the last second before the present, as far as rows have shown it.
func (s *Scanner[V]) lastSettled() int64 { return min(s.rest.To, s.highest-settling) }

// goesOn reports whether the list goes on after a first page that has as many rows as
// the server counts: some servers count the page in place of the list. It asks for the
// next page only where all else in the answer says that there is one.
func (s *Scanner[V]) goesOn(ctx context.Context, first *Page[V]) (bool, error) {
	if first.Total != distinct(first) || first.Last || first.Pages < 2 {
		return false, nil
	}
	next, err := s.askAlone(ctx, s.rest, 1)
	if err != nil {
		if s.Refused(err) {
			return false, nil
		}
		return false, err
	}
	if !others(next, first) {
		return false, nil
	}
	s.aside = slices.Concat(first.Rows, next.Rows)
	s.miscounted.Store(true)
	return true, nil
}

// deliverFirst delivers an answer that has the whole list.
func (s *Scanner[V]) deliverFirst(ctx context.Context, first *Page[V]) error {
	if s.report.Proven = first.Total == distinct(first); !s.report.Proven {
		s.report.Reason = noCounts
	}
	return s.deliverPage(ctx, s.rest, first.Rows)
}

// onlyThese reports whether no rows but those of the rest are wanted, and the
// position concerns all of them.
func (s *Scanner[V]) onlyThese() bool {
	complete := s.Slice.To < Forever || s.Slice == s.Filter
	return s.rest == s.Slice && complete && (s.Resume == Position{} || s.Resume.Range == s.Slice)
}

// timed reports whether only rows with a date are wanted.
func (s *Scanner[V]) timed() bool {
	return s.Filter != TimeRange{0, Forever} || s.Slice.To != Forever
}

// whole reports whether a first page has all rows of its list. Where there is no
// count, all else must say so.
func whole[V any](page *Page[V]) bool {
	rows := distinct(page)
	if page.Total < rows {
		return page.Last && page.Pages <= 1
	}
	return rows == page.Total
}

// distinct is how many rows the page has, those that it repeats counted once.
func distinct[V any](page *Page[V]) int {
	ids := make(map[string]struct{}, len(page.Rows))
	for i := range page.Rows {
		ids[page.Rows[i].ID] = struct{}{}
	}
	return len(ids)
}

// miscounts reports whether the server counts fewer rows than the page has.
func miscounts[V any](page *Page[V]) bool {
	return page.Total < len(page.Rows) && page.Total < distinct(page)
}

// totalOf is the page's count of the list; noTotal where the page itself refutes it.
func totalOf[V any](page *Page[V]) int {
	if miscounts(page) {
		return noTotal
	}
	return page.Total
}

// ask gets a page of the list.
func (s *Scanner[V]) ask(ctx context.Context, r TimeRange, number int) (*Page[V], error) {
	s.report.Requests++
	return s.request(ctx, r, number)
}

// request is List, and notes whether the page has more rows than its list counts.
// Several run at once.
func (s *Scanner[V]) request(ctx context.Context, r TimeRange, number int) (*Page[V], error) {
	page, err := s.List(ctx, r, number)
	if err == nil && miscounts(page) {
		s.miscounted.Store(true)
	}
	return page, err
}

// contradicted reports whether the server has counted fewer rows than it sent, in
// one answer or over several: then none of its counts is a proof.
func (s *Scanner[V]) contradicted() bool { return s.miscounted.Load() || s.known.miscounted }

// proven reports whether it is certain that no row is missing.
func (s *Scanner[V]) proven() bool { return !s.miscounted.Load() && s.known.proven() }

// askAlone asks for a page while no other request is under way. If the page is of the
// list that the proof is about, its count is the count of a moment.
func (s *Scanner[V]) askAlone(ctx context.Context, r TimeRange, number int) (*Page[V], error) {
	page, err := s.ask(ctx, r, number)
	if err == nil {
		s.tookAlone(r, page)
	}
	return page, err
}

func (s *Scanner[V]) tookAlone(r TimeRange, page *Page[V]) {
	total := noTotal
	if r == s.list {
		total = totalOf(page)
	}
	s.known.alone(total)
	s.sight(page, 0)
	s.known.together()
}

// sight notes the rows of a page, and takes it as a hint.
func (s *Scanner[V]) sight(page *Page[V], flags sighting) {
	for i := range page.Rows {
		s.known.sight(digestOf(page.Rows[i].ID), flags)
	}
	s.hint(page)
}

// hint tells from a page where rows lie in time and how large a page is.
func (s *Scanner[V]) hint(page *Page[V]) {
	s.size = max(s.size, len(page.Rows))
	for i := range page.Rows {
		row := &page.Rows[i]
		for _, date := range []time.Time{row.Created, row.Changed} {
			if second := date.Unix(); !date.IsZero() && second > zeroSecond+1 {
				s.highest = max(s.highest, second)
				if s.lowest == 0 || second < s.lowest {
					s.lowest = second
				}
			}
		}
	}
}

// probe finds out whether the server honours both bounds and counts its rows, and
// between which dates the rows lie.
func (s *Scanner[V]) probe(ctx context.Context, first *Page[V]) (usable bool, err error) {
	late, early, all := TimeRange{latestSecond + 1, Forever}, TimeRange{0, zeroSecond}, TimeRange{0, Forever}
	lastPage := s.pagesOf(first) - 1
	asked := []pageRequest{{late, 0}, {early, 0}, {s.rest, max(lastPage, 0)}, {all, 0}}
	if s.rest == all {
		asked = asked[:3]
	}
	pages, errs := s.askTogether(ctx, asked)
	for i, page := range pages {
		switch {
		case errs[i] == nil && asked[i].TimeRange == s.rest:
			s.sight(page, 0)
		case errs[i] == nil: // its rows may be outside of the rest
			s.hint(page)
		case i != 2: // the last page is only a hint: a server may refuse pages so far in
			return false, errs[i]
		}
	}
	if pages[2] != nil && others(pages[2], first) && s.rest == s.list {
		s.lastPage = lastPage
		s.newestFirst = newest(first).After(newest(pages[2]))
	}
	pages = append(pages, first)
	most := rowsOf(pages[3]) / 2
	afterIgnored, beforeIgnored := rowsOf(pages[0]) > most, rowsOf(pages[1]) > most
	if afterIgnored || beforeIgnored {
		s.outside = s.outsideOf(afterIgnored, beforeIgnored)
	}
	usable = s.outside == nil && !miscounts(first)
	if usable && !s.isLast(pages[2], first) {
		return true, s.findEnds(ctx)
	}
	if !usable { // no range will deliver what has been seen
		s.aside = append(s.aside, first.Rows...)
		if pages[2] != nil {
			s.aside = append(s.aside, pages[2].Rows...)
		}
	}
	return usable, nil
}

// isLast reports whether the page is the last one of the list that begins with first. A
// server may refuse pages so far in, or repeat an earlier one in their place, which then
// is as full as that, or give an empty one. In a short list one may be empty anyway.
func (s *Scanner[V]) isLast(page, first *Page[V]) bool {
	if page == nil {
		return false
	}
	if len(page.Rows) == 0 {
		return s.pagesOf(first) <= aloneUpTo
	}
	rows := first.Total % max(len(first.Rows), 1)
	return len(page.Rows) == rows || rows == 0 && s.newestFirst
}

// others reports whether the page has a row that the first one does not have. A page
// that a server repeats for ever is not its last one.
func others[V any](page, first *Page[V]) bool {
	return slices.ContainsFunc(page.Rows, func(row Row[V]) bool {
		return !slices.ContainsFunc(first.Rows, func(other Row[V]) bool { return other.ID == row.ID })
	})
}

func newest[V any](page *Page[V]) time.Time {
	var latest time.Time
	for i := range page.Rows {
		if page.Rows[i].Created.After(latest) {
			latest = page.Rows[i].Created
		}
	}
	return latest
}

// pageRequest is a page of the rows in a range.
type pageRequest struct {
	TimeRange
	number int
}

// askTogether asks for pages, as many at once as allowed.
func (s *Scanner[V]) askTogether(ctx context.Context, asked []pageRequest) ([]*Page[V], []error) {
	s.report.Requests += len(asked)
	pages, errs := make([]*Page[V], len(asked)), make([]error, len(asked))
	next := 0
	for some := range slices.Chunk(asked, s.atOnce()) {
		all, ctx := guard.NewGroup(ctx)
		for _, a := range some {
			i := next
			next++
			errs[i] = guard.ErrGoexit // unless List returns
			all.Start(func() error {
				pages[i], errs[i] = s.request(ctx, a.TimeRange, a.number)
				return nil
			})
		}
		_ = all.Wait() // it raises a panic; the errors are in errs
	}
	return pages, errs
}

// pagesOf is how many pages the list has, by its count.
func (s *Scanner[V]) pagesOf(page *Page[V]) int {
	size := max(len(page.Rows), 1)
	return page.Total/size + min(page.Total%size, 1)
}

func rowsOf[V any](page *Page[V]) int { return max(page.Total, len(page.Rows)) }

// outsideOf reports which rows lie outside of the slice by all of their dates, where
// the server ignores a bound. A row within a second of a bound is not outside.
func (s *Scanner[V]) outsideOf(afterIgnored, beforeIgnored bool) func(row *Row[V]) bool {
	out := func(date time.Time) bool {
		second := date.Unix()
		return !date.IsZero() && (afterIgnored && second < s.Slice.From-1 ||
			beforeIgnored && s.Slice.To != Forever && second > s.Slice.To+1)
	}
	return func(row *Row[V]) bool { return out(row.Created) && out(row.Changed) }
}

// deliverPage delivers the rows of a range that are new, in order.
func (s *Scanner[V]) deliverPage(ctx context.Context, r TimeRange, rows []Row[V]) error {
	inOrder(rows)
	for i := range rows {
		row := &rows[i]
		if err := s.deliver(ctx, row, Position{r, row.Created, row.ID}, s.Resume.passed(r, row.Created, row.ID)); err != nil {
			return err
		}
	}
	return nil
}

// deliver hands a row on, unless it was handed on before. The list is read on while the
// caller is busy.
func (s *Scanner[V]) deliver(ctx context.Context, row *Row[V], at Position, before bool) error {
	if !s.known.deliver(digestOf(row.ID)) {
		return nil
	}
	if s.outside != nil && s.outside(row) {
		s.report.Dropped++
		return nil
	}
	for {
		select {
		case s.out <- delivery[V]{*row, at, before}:
			return nil
		case <-s.stopped:
			return errNotDelivered // the group has the reason
		case <-ctx.Done():
			return ctx.Err()
		case a := <-s.answers:
			if err := s.take(a); err != nil {
				return err
			}
			s.issue(ctx)
		}
	}
}
