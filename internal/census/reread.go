package census

import (
	"context"
	"math"

	"github.com/trulioo-go/trulioo/internal/seen"
)

// undated finds the rows that no span holds: the server's total without
// bounds exceeds that with an upper one, which a missing date does not pass.
func (l *Lister) undated(ctx context.Context, left Span) error {
	expect, certain := 0, false
	for range samples {
		var totals [3]int
		for i, to := range []int64{farSecond - 1, Forever, farSecond - 1} {
			page, err := l.List(ctx, Span{0, to}, 0)
			if err != nil {
				return err
			}
			totals[i] = page.Total
		}
		expect = max(0, totals[1]-(totals[0]+totals[2])/2)
		if certain = totals[0] == totals[2] && totals[0] <= totals[1]; certain {
			break
		}
	}
	if certain && expect == 0 {
		return nil
	}
	// What came before the mark or the world has not been seen.
	if before := (Span{0, max(l.Resume.Span.From, l.World.From) - 1}); !before.empty() {
		if err := l.sweep(ctx, []Span{before}, true); err != nil {
			return err
		}
	}
	return l.reread(ctx, &rereading{Span: Span{0, Forever}, at: Mark{Span: left}, rest: true, expect: expect, certain: certain})
}

// rereading is a list that is read page by page, there and back, since its rows
// move while we read: reading on misses rows where earlier ones go away, reading
// back where earlier ones are added.
type rereading struct {
	Span
	at     Mark // of what is found: nothing of the list is known to be done
	silent bool // what is found has been delivered by an earlier reading
	closed bool // nothing comes into the list, so that one total means one set of rows
	rest   bool // it is read for the rows that no span has
	expect int  // about how many of those there are

	certain bool // there are exactly so many

	known *seen.Set // what has been found of the list
	total int       // in the last answer
	tally int       // rows found since the total last changed
	still int       // passes since anything changed
	pages int       // that the list has, by the last reading on
	low   int       // the pages of the last pass with old rows that are new to us or have no date
	high  int
	news  int // how many were new to us, but not new to the list
	bare  int // and how many of those have no date to be seen
	fresh int // and how many of them in this pass
	first int // the same pages in this pass
	last  int
	least int // the least total in this pass
	grown int // how many were new to the list too
	count int // the least total in the last whole pass
}

// reread reads a list until it is proven to be known, or until reading it again
// and again brings nothing new. What then is missing is an error.
func (l *Lister) reread(ctx context.Context, r *rereading) error {
	r.known, r.total = &l.seen, -1
	if r.closed {
		r.known = &seen.Set{}
	}
	quiet, back, lost := 0, false, false
	for pass := 0; pass < rereadings && !r.agreed(quiet); pass++ {
		around := r.rest && pass >= 2 && r.news > 0 && !lost
		r.fresh, r.least, r.first, r.last = 0, math.MaxInt, math.MaxInt, 0
		read := l.readOn
		if back {
			read = l.readBack
		}
		if err := read(ctx, r, around); err != nil {
			return err
		}
		back = !back
		if lost = around && r.first > r.last; lost {
			back = false // what the pages were about has moved on: look for it
			continue
		}
		r.low, r.high = r.first, r.last
		if !around {
			r.count = r.least
		}
		r.still++
		quiet++
		if r.fresh > 0 {
			quiet = 0
		}
		if r.proven() {
			return nil
		}
	}
	if !r.agreed(quiet) || r.short() {
		return &Contradiction{"a list that cannot be cut does not hold what it counts"}
	}
	return nil
}

// short reports whether the list counts more than we know. While some rows
// came, as many may have come unseen.
func (r *rereading) short() bool { return r.known.Len()+r.grown < r.count }

// proven reports whether all rows are known for certain: as many as the list
// counts, while nothing changed or, where more can come into the list, while
// nothing changed over two passes; or as many as no Span has.
func (r *rereading) proven() bool {
	switch {
	case r.closed:
		return r.tally >= r.total
	case r.certain && r.bare >= r.expect:
		return r.still >= 1
	}
	return r.still >= 2 && r.tally >= r.total
}

// agreed reports whether so many passes in a row without anything new are enough:
// more of them where something is known to be missing, since rows of one second
// can come in another order each time.
func (r *rereading) agreed(quiet int) bool {
	switch {
	case r.short() || r.bare < r.expect:
		return quiet >= 3*agreements
	case r.rest && r.news == 0:
		return quiet >= agreements-2
	}
	return quiet >= agreements
}

// readOn reads from the first page to the last or, where that is enough, the
// pages around what was new.
func (l *Lister) readOn(ctx context.Context, r *rereading, around bool) error {
	number, rows, empty := 0, 0, 0
	if around {
		number = max(r.low-2, 0)
	}
	for ; ; number++ {
		page, err := l.List(ctx, r.Span, number)
		if err != nil {
			return err
		}
		rows += len(page.Rows)
		empty++
		if len(page.Rows) > 0 {
			empty = 0
		}
		if err := l.take(ctx, r, number, page); err != nil {
			return err
		}
		if around && number >= r.high+2 {
			return nil
		}
		if r.end(rows, empty) {
			r.pages = number
			return nil
		}
	}
}

// end reports whether a list ends here: with two empty pages, since one may be in
// the middle, and rows that come again make every count of them too large. A
// server that repeats pages for ever is left at twice what it has, whatever it says
// that it has.
func (r *rereading) end(rows, empty int) bool {
	return empty >= 2 || rows >= 2*r.known.Len()+largePage
}

// readBack reads from beyond the last page to the first.
func (l *Lister) readBack(ctx context.Context, r *rereading, around bool) error {
	from, to := r.pages+1, 0
	if around {
		from, to = r.high+2, max(r.low-2, 0)
	}
	for number := from; number >= to; number-- {
		page, err := l.List(ctx, r.Span, number)
		if err != nil {
			return err
		}
		if err := l.take(ctx, r, number, page); err != nil {
			return err
		}
	}
	return nil
}

// take counts the rows of a page and delivers those that are new.
func (l *Lister) take(ctx context.Context, r *rereading, number int, page *Page) error {
	if page.Total != r.total {
		l.round++
		r.total, r.tally, r.still = page.Total, 0, -1
	}
	r.least = min(r.least, r.total)
	inOrder(page.Rows)
	for i := range page.Rows {
		row := &page.Rows[i]
		fresh, first := r.known.Mark(row.ID, l.round)
		if first {
			r.tally++
		}
		if r.closed {
			fresh = l.seen.Add(row.ID)
		}
		recent := !r.closed && row.Created.Unix() >= l.began-settling
		if fresh && !recent || row.Created.IsZero() || row.Changed.IsZero() {
			r.first, r.last = min(r.first, number), max(r.last, number)
		}
		switch {
		case !fresh:
			continue
		case recent:
			r.still = -1
			r.grown++
		default:
			r.fresh++
			r.news++
			if row.Created.IsZero() && row.Changed.IsZero() {
				r.bare++
			}
		}
		if r.silent {
			continue
		}
		if err := l.give(ctx, r.Span, row, r.at); err != nil {
			return err
		}
	}
	return nil
}
