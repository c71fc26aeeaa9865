// Package census finds every row of a list that moves while it is read, and
// delivers each once.
//
// The invariant: every row that exists from the start to the end is delivered
// exactly once, or the reading ends with an error. Once is what the set of
// digests is for. Every rests on three facts alone:
//
//   - One answer is of one moment. A span of time whose rows all fit a page is
//     known as it was then.
//   - A row's date, whichever of the two the server filters by, stays or
//     moves to the present, never into the past. So does one that is missing.
//   - The total of an answer is the number of rows of that moment.
//
// So the past up to a fixed second, the frozen window, is cut until each span
// fits a page, in any order and in parallel: a row is in its span when that is
// read, or has moved beyond the window. Rows without a date are in no span:
// where the total without bounds exceeds that with bounds, they are found by
// reading the pages of the whole list, there and back. What lies beyond the
// window is read last and in the same way, up to a later second each time, until
// what is left fits a page too: that answer has whatever was still moving.
//
// Nothing depends on which date is filtered by, on whether bounds are
// inclusive, on the order of rows, on the size of pages or on what the server
// says about the last page and the number of pages.
package census

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/pace"
	"github.com/trulioo-go/trulioo/internal/seen"
)

const (
	listers = 4 // requests for the list at once

	// How far the frozen window stays behind the server's clock: what has a date of
	// less may still be on its way into the list.
	settling = 5 // seconds

	farSecond  = 1<<31 - 1 // later than every row, and fit for 32 bits
	earlySpan  = 1         // up to this second there can be zero dates only
	mostParts  = 256       // of one cut
	readAhead  = 8         // spans, beyond the first that is not delivered
	fullness   = 0.8       // of a page, that a cut aims at
	samples    = 3         // of the totals, until they hold still
	agreements = 5         // rereadings that bring nothing new, in a row
	rereadings = 60
	largePage  = 50 // rows
)

// Row is a row of the list.
type Row struct {
	ID      string
	Created time.Time // zero where there is none, as is Changed
	Changed time.Time
	Value   any // the caller's own
}

// Page is one answer.
type Page struct {
	Rows  []Row
	Total int // rows of the whole list, in the server's words, as are Pages and Last
	Pages int
	Last  bool
}

// Config is what a Lister is made of.
type Config struct {
	// List asks for a page of the rows in a span. It is called from up to 4 goroutines
	// at once, and does not give up easily: an error of it ends the reading.
	List func(ctx context.Context, s Span, number int) (*Page, error)
	Tap  *pace.Tap

	Window Span // the bounds that every request stays in
	World  Span // the window, or the piece of it to be read
	Resume Mark

	// Deliver takes a row that is new, in one goroutine; before says that an earlier reading
	// has delivered it, by Resume.
	Deliver func(ctx context.Context, row Row, at Mark, before bool) error
}

// Lister finds the rows and delivers each once.
type Lister struct {
	Config

	seen  seen.Set
	round uint8 // of reading lists again, for seen
	size  int   // the most rows that a page has had
	began int64 // the server's second at the start
	low   int64 // the earliest and the latest date seen, as a hint
	high  int64

	total    atomic.Int64
	fallback atomic.Bool
}

// New makes a lister, which can be used once.
func New(c Config) *Lister { return &Lister{Config: c} }

// Total is the server's count at the start, of what was left then.
func (l *Lister) Total() int { return int(l.total.Load()) }

// Fallback reports whether the list could not be cut by time.
func (l *Lister) Fallback() bool { return l.fallback.Load() }

// Contradiction means that the answers of the server cannot all be true.
type Contradiction struct{ Reason string }

// Error is the reason, a constant text.
func (c *Contradiction) Error() string { return c.Reason }

// Run delivers every row of the world, from the mark on.
func (l *Lister) Run(ctx context.Context) error {
	left := l.World
	left.From = max(left.From, l.Resume.Span.From)
	first, err := l.List(ctx, left, 0)
	if err != nil {
		return err
	}
	l.began = l.Tap.Now()
	l.total.Store(int64(first.Total))
	if whole(first) && left == l.World && l.alone() {
		return l.batch(ctx, left, first.Rows)
	}
	usable, err := l.usable(ctx, left, first)
	if err != nil {
		return err
	}
	if !usable {
		l.fallback.Store(true)
		return l.reread(ctx, &rereading{Span: l.World, at: Mark{Span: l.World}})
	}
	frozen := Span{left.From, min(left.To, l.began-settling)}
	if err := l.freeze(ctx, frozen); err != nil {
		return err
	}
	left.From = max(left.From, frozen.To+1)
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

// alone reports whether the world has no rows but those of its span, and
// the mark concerns all of them.
func (l *Lister) alone() bool {
	complete := l.World.To < Forever || l.World == l.Window
	return complete && (l.Resume == Mark{} || l.Resume.Span == l.World)
}

// timed reports whether only rows with a date are wanted.
func (l *Lister) timed() bool {
	return l.Window != Span{0, Forever} || l.World.To != Forever
}

// whole reports whether a first page has all rows of its list. Where there is no
// count, all else must say so.
func whole(page *Page) bool {
	rows := distinct(page)
	if page.Total < rows {
		return page.Last && page.Pages <= 1
	}
	return rows == page.Total
}

// distinct is how many rows the page has, those that it repeats counted once.
func distinct(page *Page) int {
	ids := make([]string, len(page.Rows))
	for i := range page.Rows {
		ids[i] = page.Rows[i].ID
	}
	slices.Sort(ids)
	return len(slices.Compact(ids))
}

// usable reports whether the list can be cut by time: a count that is less than
// the rows on the page is none worth the name, and a server may ignore bounds.
func (l *Lister) usable(ctx context.Context, left Span, first *Page) (bool, error) {
	if first.Total < distinct(first) {
		return false, nil
	}
	ignored, err := l.probe(ctx, left, first)
	return !ignored, err
}

// probe finds out whether the server honours both bounds, and between which
// dates the rows lie.
func (l *Lister) probe(ctx context.Context, left Span, first *Page) (ignored bool, err error) {
	l.learn(first)
	late, early, all := Span{farSecond + 1, Forever}, Span{0, earlySpan}, Span{0, Forever}
	asked := []struct {
		Span
		number int
	}{{late, 0}, {early, 0}, {left, max(first.Pages, 1) - 1}, {all, 0}}
	if left == all {
		asked = asked[:3]
	}
	pages := make([]*Page, len(asked))
	probes, ctx := guard.NewGroup(ctx)
	for i, a := range asked {
		probes.Start(func() (err error) {
			pages[i], err = l.List(ctx, a.Span, a.number)
			return err
		})
	}
	if err := probes.Wait(); err != nil {
		return false, err
	}
	l.learn(pages[2])
	pages = append(pages, first)
	most := pages[3].Total / 2
	return pages[0].Total > most || pages[1].Total > most, nil
}

// learn takes a hint at where the rows lie in time and how large a page is.
func (l *Lister) learn(page *Page) {
	l.size = max(l.size, len(page.Rows))
	for _, row := range page.Rows {
		for _, date := range []time.Time{row.Created, row.Changed} {
			if second := date.Unix(); !date.IsZero() && second > earlySpan+1 {
				l.high = max(l.high, second)
				if l.low == 0 || second < l.low {
					l.low = second
				}
			}
		}
	}
}

// batch delivers the rows of a span that are new, in order.
func (l *Lister) batch(ctx context.Context, s Span, rows []Row) error {
	inOrder(rows)
	for i := range rows {
		if !l.seen.Add(rows[i].ID) {
			continue
		}
		if err := l.give(ctx, s, &rows[i], Mark{s, rows[i].Created, rows[i].ID}); err != nil {
			return err
		}
	}
	return nil
}

// give delivers one row, unless no reading of the window's bounds has it.
func (l *Lister) give(ctx context.Context, s Span, row *Row, at Mark) error {
	if l.outside(row.Created) && l.outside(row.Changed) {
		return nil
	}
	return l.Deliver(ctx, *row, at, l.Resume.passed(s, row))
}

func (l *Lister) outside(date time.Time) bool {
	s := date.Unix()
	return !date.IsZero() && (s < l.World.From-1 || l.World.To != Forever && s > l.World.To+1)
}
