package trulioo

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo/internal/pace"
	"github.com/trulioo-go/trulioo/internal/seen"
)

// How an export finds every client.
//
// The invariant: every client that exists from the start to the end is delivered
// exactly once, or the lister ends with an error. Once is what the set of
// digests is for. Every rests on three facts alone:
//
//   - One answer is of one moment. A span of time whose rows all fit a page is
//     known as it was then.
//   - A client's date, whichever of the two the server filters by, stays or
//     moves to the present, never into the past. So does one that is missing.
//   - The total of an answer is the number of rows of that moment.
//
// So the past up to a fixed second, the frozen window, is cut until each span
// fits a page, in any order and in parallel: a client is in its span when that is
// read, or has moved beyond the window. Clients without a date are in no span:
// where the total without bounds exceeds that with bounds, they are found by
// reading the pages of the whole list, there and back. What lies beyond the
// window is read last and in the same way, up to a later second each time, until
// what is left fits a page too: that answer has whatever was still moving.
//
// Nothing depends on which date is filtered by, on whether bounds are
// inclusive, on the order of rows, on the size of pages or on the fields last
// and totalPages.
const (
	listers = 4 // requests for the list at once

	// How far the frozen window stays behind the server's clock: what has a date of
	// less may still be on its way into the list.
	settling = 5 // seconds

	farSecond  = 1<<31 - 1 // later than every client, and fit for 32 bits
	earlySpan  = 1         // up to this second there can be zero dates only
	mostParts  = 256       // of one cut
	readAhead  = 8         // spans, beyond the first that is not delivered
	fullness   = 0.8       // of a page, that a cut aims at
	samples    = 3         // of the totals, until they hold still
	agreements = 5         // rereadings that bring nothing new, in a row
	rereadings = 60
)

// lister finds the clients and delivers each once.
type lister struct {
	client  *Client
	tap     *pace.Tap
	filter  ClientFilter
	place   place
	world   span // the filter's window, or the slice in it
	resume  Cursor
	seen    seen.Set
	round   uint8 // of reading lists again, for seen
	size    int   // the most rows that a page has had
	began   int64 // the server's second at the start
	low     int64 // the earliest and the latest date seen, as a hint
	high    int64
	deliver func(ctx context.Context, client *EndClient, at Cursor, before bool) error

	total    atomic.Int64
	fallback atomic.Bool
}

func newLister(client *Client, tap *pace.Tap, o *ExportOptions) (*lister, error) {
	if err := o.Filter.check(); err != nil {
		return nil, err
	}
	l := &lister{client: client, tap: tap, filter: o.Filter, world: o.Filter.window(), resume: o.Resume}
	l.place = place{client.config.environment, client.config.version, o.Filter.digest()}
	if !o.Slice.IsZero() {
		if err := o.Slice.check("ExportOptions.Slice", l.place); err != nil {
			return nil, err
		}
		l.world = o.Slice.span
		sliced := o.Filter
		sliced.After, sliced.Before = l.world.bounds()
		l.place.filter = sliced.digest()
	}
	if !o.Resume.IsZero() {
		if err := o.Resume.check("ExportOptions.Resume", l.place); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// run delivers every client of the world, from the cursor on.
func (l *lister) run(ctx context.Context) error {
	left := l.world
	left.from = max(left.from, l.resume.from)
	first, err := l.page(ctx, left, 0)
	if err != nil {
		return err
	}
	l.began = l.tap.Now()
	l.total.Store(int64(first.TotalElements))
	if whole(first) && left == l.world && l.alone() {
		return l.batch(ctx, left, first.Data)
	}
	ignored, err := l.probe(ctx, left, first)
	if err != nil {
		return err
	}
	if ignored {
		l.fallback.Store(true)
		return l.reread(ctx, &rereading{span: l.world, at: l.cursor(l.world, nil)})
	}
	frozen := span{left.from, min(left.to, l.began-settling)}
	if err := l.freeze(ctx, frozen); err != nil {
		return err
	}
	left.from = max(left.from, frozen.to+1)
	if !l.timed() {
		if err := l.undated(ctx, left); err != nil {
			return err
		}
	}
	if left.empty() {
		return nil
	}
	return l.chase(ctx, left)
}

// alone reports whether the world has no clients but those of its span, and
// the cursor concerns all of them.
func (l *lister) alone() bool {
	complete := l.world.to < forever || l.world == l.filter.window()
	return complete && (l.resume.IsZero() || l.resume.span == l.world)
}

// timed reports whether only clients with a date belong to the export.
func (l *lister) timed() bool {
	return l.filter.window() != span{0, forever} || l.world.to != forever
}

// page asks for a page of a span, and does not give up as easily as one call does: a
// list that fails ends the export.
func (l *lister) page(ctx context.Context, s span, number int) (*Page[EndClient], error) {
	for try := 0; ; try++ {
		page, err := l.client.Clients.List(ctx, l.filter.list(s, number))
		if err == nil {
			return page, nil
		}
		if !l.client.again(ctx, err, try, brokenLists) {
			return nil, err
		}
	}
}

// whole reports whether a first page has all rows of its list. Where the
// count is less than the rows on the page there is no count worth the name.
func whole(page *Page[EndClient]) bool {
	ids := make([]string, len(page.Data))
	for i, client := range page.Data {
		ids[i] = client.ID
	}
	slices.Sort(ids)
	rows := len(slices.Compact(ids))
	if page.TotalElements < rows {
		return page.Last || page.TotalPages <= 1
	}
	return rows == page.TotalElements
}

// probe finds out whether the server honours both bounds, and between which
// dates the clients lie.
func (l *lister) probe(ctx context.Context, left span, first *Page[EndClient]) (ignored bool, err error) {
	l.learn(first)
	late, early, all := span{farSecond + 1, forever}, span{0, earlySpan}, span{0, forever}
	asked := []struct {
		span
		number int
	}{{late, 0}, {early, 0}, {left, max(first.TotalPages, 1) - 1}, {all, 0}}
	if left == all {
		asked = asked[:3]
	}
	pages := make([]*Page[EndClient], len(asked))
	errs := make(chan error, len(asked))
	for i, a := range asked {
		go func() {
			var err error
			pages[i], err = l.page(ctx, a.span, a.number)
			errs <- err
		}()
	}
	for range asked {
		err = cmp.Or(err, <-errs)
	}
	if err != nil {
		return false, err
	}
	l.learn(pages[2])
	pages = append(pages, first)
	most := pages[3].TotalElements / 2
	return pages[0].TotalElements > most || pages[1].TotalElements > most, nil
}

// learn takes a hint at where the clients lie in time and how large a page is.
func (l *lister) learn(page *Page[EndClient]) {
	l.size = max(l.size, len(page.Data))
	for _, client := range page.Data {
		for _, date := range []Time{client.Created, client.LastModified} {
			if second := date.Unix(); !date.IsZero() && second > earlySpan+1 {
				l.high = max(l.high, second)
				if l.low == 0 || second < l.low {
					l.low = second
				}
			}
		}
	}
}

// freeze reads the frozen window, where rows can only go away, and then compares
// with its total.
func (l *lister) freeze(ctx context.Context, frozen span) error {
	if frozen.empty() {
		return nil
	}
	spans := l.roots(frozen)
	for range samples {
		if err := l.sweep(ctx, spans, false); err != nil {
			return err
		}
		page, err := l.page(ctx, frozen, 0)
		if err != nil {
			return err
		}
		if page.TotalElements <= l.seen.Len() {
			return nil
		}
		spans = l.parts(frozen, page.TotalElements)
	}
	return contradiction("a window of time holds more than its parts")
}

// roots are the spans to begin with: that of the cursor by itself, and the rest
// cut by what is known of its dates.
func (l *lister) roots(frozen span) []span {
	var spans []span
	if l.resume.id != "" && l.resume.to < frozen.to {
		spans = append(spans, l.resume.span)
		frozen.from = l.resume.to + 1
	}
	dated := span{max(frozen.from, l.low), min(frozen.to, l.high)}
	if l.low == 0 || dated.empty() {
		return append(spans, frozen)
	}
	if frozen.from < dated.from {
		spans = append(spans, span{frozen.from, dated.from - 1})
	}
	spans = append(spans, l.parts(dated, int(l.total.Load()))...)
	if dated.to < frozen.to {
		spans = append(spans, span{dated.to + 1, frozen.to})
	}
	return spans
}

// parts cuts a span of so many rows into some that should fit a page.
func (l *lister) parts(s span, rows int) []span {
	n := math.Ceil(float64(rows) / (fullness * float64(max(l.size, 1))))
	return s.cut(int(min(max(n, 2), mostParts)))
}

// chase reads what lies beyond the frozen window, up to the present, which moves.
func (l *lister) chase(ctx context.Context, left span) error {
	for previous := math.MaxInt; ; {
		page, err := l.page(ctx, left, 0)
		if err != nil {
			return err
		}
		if whole(page) {
			return l.batch(ctx, left, page.Data)
		}
		if page.TotalElements > previous/2 {
			// The account changes faster than we can close in on the present.
			return l.reread(ctx, &rereading{span: left, at: l.cursor(left, nil)})
		}
		previous = page.TotalElements
		if early := left.from + settling - l.tap.Now(); early > 0 && !pause(ctx, time.Duration(early)*time.Second) {
			return transportError("export", ctx.Err(), 0)
		}
		closed := span{left.from, min(left.to, l.tap.Now()-settling)}
		if !closed.empty() {
			if err := l.sweep(ctx, l.parts(closed, page.TotalElements), false); err != nil {
				return err
			}
			left.from = closed.to + 1
		}
		if left.empty() {
			return nil
		}
	}
}

// undated finds the clients that no span holds: the server's total without
// bounds exceeds that with an upper one, which a missing date does not pass.
func (l *lister) undated(ctx context.Context, left span) error {
	expect, certain := 0, false
	for range samples {
		var totals [3]int
		for i, to := range []int64{farSecond - 1, forever, farSecond - 1} {
			page, err := l.page(ctx, span{0, to}, 0)
			if err != nil {
				return err
			}
			totals[i] = page.TotalElements
		}
		expect = max(0, totals[1]-(totals[0]+totals[2])/2)
		if certain = totals[0] == totals[2] && totals[0] <= totals[1]; certain {
			break
		}
	}
	if certain && expect == 0 {
		return nil
	}
	// What came before the cursor or the slice has not been seen.
	if before := (span{0, max(l.resume.from, l.world.from) - 1}); !before.empty() {
		if err := l.sweep(ctx, []span{before}, true); err != nil {
			return err
		}
	}
	return l.reread(ctx, &rereading{span: span{0, forever}, at: l.cursor(left, nil), rest: true, expect: expect, certain: certain})
}

// batch delivers the rows of a span that are new, in order.
func (l *lister) batch(ctx context.Context, s span, rows []*EndClient) error {
	slices.SortFunc(rows, compareClients)
	for _, client := range rows {
		if !l.seen.Add(client.ID) {
			continue
		}
		if err := l.give(ctx, s, client, l.cursor(s, client)); err != nil {
			return err
		}
	}
	return nil
}

// give delivers one client, unless no reading of the filter's bounds has it.
func (l *lister) give(ctx context.Context, s span, client *EndClient, at Cursor) error {
	if l.outside(client.Created) && l.outside(client.LastModified) {
		return nil
	}
	return l.deliver(ctx, client, at, l.resume.yielded(s, client))
}

func (l *lister) outside(date Time) bool {
	s := date.Unix()
	return !date.IsZero() && (s < l.world.from-1 || l.world.to != forever && s > l.world.to+1)
}

// cursor is after a client of a span; nil is before all of it.
func (l *lister) cursor(s span, client *EndClient) Cursor {
	if client == nil {
		return Cursor{place: l.place, span: s}
	}
	return Cursor{l.place, s, client.Created, client.ID}
}

func contradiction(reason string) error {
	return &DecodeError{Operation: routes.clients.operation, Path: "data", Reason: reason, cause: ErrPaging}
}
