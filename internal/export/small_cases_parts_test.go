package export

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bounded is a filter with both bounds, which cuts off the earliest rows.
var bounded = TimeRange{firstTime + 60, presentDay + 500}

// partly calls check for a part of the small cases with one change.
func partly(every int, check func(all *tally, list smallList, shape []int64)) *tally {
	var all tally
	var jobs []func()
	n := 0
	if *everything {
		every = 1
	}
	for rows := range 7 {
		for _, shape := range shapes(rows) {
			for _, list := range lists() {
				if n++; n%(every*oneOf) == 0 {
					jobs = append(jobs, func() { check(&all, list, shape) })
				}
			}
		}
	}
	inParallel(jobs)
	return &all
}

// The filter has bounds: rows that leave them, or lose their date, are not in the list.
// By the third date the rows within the last of them show dates that lie outside.
func TestEverySmallCaseWithBounds(t *testing.T) {
	t.Parallel()
	for _, filter := range []TimeRange{bounded, {bounded.From, Forever}, {0, bounded.To}, {0, firstTime - 50}} {
		partly(401, func(all *tally, list smallList, shape []int64) {
			all.whole(list, shape, 1, filter, false)
		}).report(t)
	}
}

// The server refuses pages beyond the first two: what can be reached is found, and
// no error ends the scan while nothing is missing.
func TestEverySmallCaseWithoutDeepPages(t *testing.T) {
	t.Parallel()
	check := func(all *tally, list smallList, shape []int64) {
		list.refused = 2
		scripts(shape, 1, 25, func(script []change) {
			s := newSmallServer(list, shape, script, open)
			o := s.scan(open, open, Position{}, false)
			all.cases.Add(1)
			lost := false
			for id := range s.throughout {
				lost = lost || o.times[id] == 0
			}
			if lost && o.err == nil && o.report.Proven {
				all.fail("LOST in silence", fmt.Sprintf("%+v %v %v", list, shape, script))
			}
			most := slices.Max(append([]int{0}, counts(shape)...))
			if dated := !slices.Contains(shape, 0) && most <= smallPage; dated && o.err != nil && script[0].kind != lose && script[0].kind != insertBare {
				all.fail("an error: "+o.err.Error(), fmt.Sprintf("%+v %v %v", list, shape, script))
			}
		})
	}
	all := partly(201, check)
	// Each second fills a page, and bounds show the last of them again: this once ended with an error.
	check(all, smallList{inclusive: true}, []int64{firstTime, firstTime, firstTime + 100, firstTime + 100, firstTime + 200, firstTime + 200})
	all.report(t)
}

// counts are how many rows each of the times has.
func counts(shape []int64) []int {
	n := map[int64]int{}
	for _, at := range shape {
		n[at]++
	}
	var all []int
	for _, k := range n {
		all = append(all, k)
	}
	return all
}

// A scan goes on after any row of an earlier one, and the account changes meanwhile.
// Each row that was there throughout, and that the earlier one had not delivered,
// comes. A position cannot know of a row that comes into the part that the earlier one has
// read.
func TestEverySmallCaseResumed(t *testing.T) {
	t.Parallel()
	all := partly(331, func(all *tally, list smallList, shape []int64) {
		first := newSmallServer(list, shape, nil, open).scan(open, open, Position{}, false)
		for i, at := range first.at {
			had := first.order[:i+1]
			scripts(shape, 1, 40, func(script []change) {
				s := newSmallServer(list, shape, slices.Clone(script), open)
				o := s.scan(open, open, at, false)
				all.cases.Add(1)
				wrong := s.whatIsWrong(o, func(id byte) bool { return slices.Contains(had, id) || s.exempt[id] })
				if wrong != "" {
					all.fail(wrong, fmt.Sprintf("%+v %v after %s of %s at %+v: %v", list, shape, had, first.order, at, script))
				}
			})
		}
	})
	all.report(t)
}

// The account is cut, and each slice is scanned, the last one at the end.
func TestEverySmallCaseInSlices(t *testing.T) {
	t.Parallel()
	all := partly(331, func(all *tally, list smallList, shape []int64) {
		scripts(shape, 1, 40, func(script []change) {
			s := newSmallServer(list, shape, slices.Clone(script), open)
			ranges, err := New(s.config(open, open, Position{})).Cut(t.Context(), 2)
			all.cases.Add(1)
			found := map[byte]int{}
			var wrong []string
			if err != nil {
				wrong = append(wrong, err.Error())
			}
			for _, r := range ranges {
				o := s.scan(open, r, Position{}, false)
				for id, n := range o.times {
					found[id] += n
					if n > 1 {
						wrong = append(wrong, "twice in a slice")
					}
				}
				if o.err != nil {
					wrong = append(wrong, o.err.Error())
				}
				if !o.report.Proven {
					wrong = append(wrong, "not proven: "+o.report.Reason)
				}
			}
			for id := range s.throughout {
				if found[id] == 0 && !s.exempt[id] {
					wrong = append(wrong, fmt.Sprintf("%c LOST", id))
				}
			}
			if len(wrong) > 0 {
				all.fail(strings.Join(wrong, ", "), fmt.Sprintf("%+v %v %v: %v", list, shape, ranges, script))
			}
		})
	})
	all.report(t)
}

// The scan of a server whose counts lie has an end, and never a proof: one answer, or
// several together, show that it counts fewer rows than it sends.
func TestCountsThatLieHaveAnEnd(t *testing.T) {
	t.Parallel()
	type lie func(page *Page[byte], request int)
	for name, lie := range map[string]lie{
		"none":                      func(p *Page[byte], _ int) { p.Total, p.Pages, p.Last = 0, 0, false },
		"none, and the last page":   func(p *Page[byte], _ int) { p.Total, p.Pages, p.Last = 0, 0, true },
		"none, and one page":        func(p *Page[byte], _ int) { p.Total, p.Pages = 0, 1 },
		"too many":                  func(p *Page[byte], _ int) { p.Total++ },
		"by a billion":              func(p *Page[byte], _ int) { p.Total += 1_000_000_000 },
		"one less than it sends":    func(p *Page[byte], _ int) { p.Total = len(p.Rows) - 1 },
		"the rows of the page":      func(p *Page[byte], _ int) { p.Total = len(p.Rows) },
		"none in the first answer":  func(p *Page[byte], n int) { p.Total *= min(n, 1) },
		"none in the third answer":  func(p *Page[byte], n int) { p.Total *= min(max(n-2, 2-n), 1) },
		"too few in every second":   func(p *Page[byte], n int) { p.Total -= n % 2 * 3 },
		"too few in all but second": func(p *Page[byte], n int) { p.Total -= (1 - n%2) * 3 },
	} {
		for rows := 1; rows <= 6; rows++ {
			for _, shape := range shapes(rows) {
				for _, beside := range []int{0, 2} {
					checkLie(t, fmt.Sprint(name, shape, beside), shape, beside, lie)
				}
			}
		}
	}
}

func checkLie(t *testing.T, name string, shape []int64, beside int, lie func(page *Page[byte], request int)) {
	t.Helper()
	s := newSmallServer(smallList{}, shape, nil, open)
	found := map[byte]int{}
	contradicted, requests, far := false, 0, 0
	c := s.config(open, open, Position{})
	c.BesideFrom = beside
	c.List = func(ctx context.Context, r TimeRange, number int) (*Page[byte], error) {
		if number > 40 {
			far++
		}
		page, err := s.list(ctx, r, min(number, 40))
		lie(page, requests)
		contradicted = contradicted || page.Total < len(page.Rows)
		requests++
		return page, err
	}
	c.Deliver = func(_ context.Context, row Row[byte], _ Position, _ bool) error {
		found[row.Value]++
		return nil
	}
	report, err := New(c).Run(t.Context())
	assert.Less(t, s.requests, 1500, name)
	assert.LessOrEqual(t, far, 1, "%s: all but the first look at the last page keep to pages that were seen", name)
	for id, n := range found {
		assert.Equal(t, 1, n, "%s: %c", name, id)
	}
	if err != nil {
		require.ErrorAs(t, err, new(*Contradiction), name)
	}
	switch {
	case err != nil, contradicted:
		assert.False(t, report.Proven, name)
		assert.NotEmpty(t, report.Reason, name)
	case report.Proven:
		assert.Len(t, found, len(shape), name)
	}
}
