package export

import (
	"context"
	"math"
)

const (
	mostPasses     = 24 // over the whole list, in all
	aloneUpTo      = 8  // pages: a list as short as that is read one page after another
	cheapRequests  = 60 // for passes beyond those that are needed
	passesInChange = 2  // in a row without anything new, while the list changes
	passesUncut    = 4  // the same, where no ranges of time have been read
	passesShort    = 10 // the same, where rows are known to be missing
)

// pass is one reading of the whole list, from its first page to its last or back.
// Reading forwards misses rows where earlier ones go away, reading backwards where
// earlier ones are added.
type pass struct {
	back         bool
	began        uint32 // the moment before it
	pages        int
	rows         int // different ones
	newInPass    int // never seen before, without late arrivals
	lateArrivals int // that were created while the export runs
	most, least  int // of the counts
	counted      bool
	proven       bool
	refused      bool // the server has refused a page because of its number
}

// changed reports whether the list changed under the pass, as far as it shows.
func (p *pass) changed() bool { return p.most != p.least || p.lateArrivals > 0 }

// readWhole reads the whole list until it is proven that every row has been seen, or
// until more passes promise nothing. If rows are certainly missing then, that is an
// error; if they only may be missing, the report says so.
func (s *Scanner[V]) readWhole(ctx context.Context, at Position) error {
	if err := s.deliverAside(ctx, at); err != nil {
		return err
	}
	if s.proven() {
		s.report.Proven = true
		return nil
	}
	unchangedPasses, back, requests := 0, s.lastPage > 0, s.report.Requests
	most := requests + cheapRequests + mostPasses*(len(s.known.seen)/max(s.size, 1)+1) // where the list grows meanwhile
	var p pass
	for range mostPasses {
		p = pass{back: back, began: s.known.moment, least: math.MaxInt}
		s.report.Passes++
		if err := s.readPass(ctx, &p, at); err != nil {
			return err
		}
		if p.refused && !p.proven && s.abandon == "" && !s.Fallback() {
			s.boundary = max(s.boundary, s.lastSettled())
			if err := s.readNodes(ctx, s.initialRanges(), false); err != nil {
				return err
			}
			p.proven = s.proven()
		}
		if p.proven {
			s.report.Proven = true
			return nil
		}
		unchangedPasses++
		if p.newInPass > 0 {
			unchangedPasses = 0
		}
		if s.enough(&p, unchangedPasses, s.report.Requests-requests) {
			break
		}
		if p.changed() && s.report.Requests > most {
			s.report.Reason = busyPresent
			return nil
		}
		// The same way again soon meets the rows that were new; where the list changes,
		// the other way meets the rows that moved past this one.
		if again := p.newInPass > 0 && !p.changed(); !again {
			back = !back && s.lastPage > 0
		}
	}
	return s.unproven(&p)
}

// enough reports whether that many passes in a row without anything new are enough.
// More are needed where a proof can still be expected.
func (s *Scanner[V]) enough(p *pass, unchangedPasses, requests int) bool {
	switch {
	case p.counted && s.known.missing(p.began) > 0:
		return unchangedPasses >= passesShort
	case !p.counted || s.contradicted() || s.Fallback() || s.abandon != "":
		return unchangedPasses >= passesUncut
	case p.refused:
		return unchangedPasses >= passesInChange
	case p.changed():
		return unchangedPasses >= passesInChange && requests >= cheapRequests
	}
	return false // the list stands still, so the next pass or the one after it proves it
}

// unproven is the end without a proof.
func (s *Scanner[V]) unproven(p *pass) error {
	switch {
	case p.counted && s.known.missing(p.began) > 0:
		return &Contradiction{"the list counts more rows than it sends, however often it is read"}
	case !p.counted || s.contradicted():
		s.report.Reason = noCounts
	case s.abandon != "":
		s.report.Reason = s.abandon
	case p.refused:
		s.report.Reason = deepRefused
	default:
		s.report.Reason = noProof
	}
	return nil
}

// readPass reads the pages of the list once and delivers what is new, until it is
// done or the list is proven to be known.
func (s *Scanner[V]) readPass(ctx context.Context, p *pass, at Position) error {
	number, step, empty, rows := 0, 1, 0, 0
	if p.back {
		number, step = s.lastPage, -1
	}
	for batch := 0; number >= 0; batch++ {
		asked := s.batch(number, step, batch, p)
		pages, err := s.askBatch(ctx, asked, p)
		if err != nil {
			return err
		}
		for i, page := range pages {
			rows += len(page.Rows)
			empty++
			if len(page.Rows) > 0 {
				empty = 0
				s.lastPage = max(s.lastPage, asked[i].number)
			}
			if err := s.takePage(ctx, p, page, at); err != nil {
				return err
			}
		}
		p.pages += len(asked)
		if p.proven = s.proven(); p.proven || p.refused || p.pages > s.mostPages() ||
			!p.back && s.ends(p, rows, empty, pages[len(pages)-1]) {
			return nil
		}
		number += step * len(asked)
	}
	return nil
}

// mostPages is how many pages a list of the rows that were seen can take, with an
// empty one after each.
func (s *Scanner[V]) mostPages() int { return 4*(len(s.known.seen)/max(s.size, 1)) + 20 }

// batch gives the pages to ask for at once: in turns one page alone, whose count is of
// a moment, and several.
func (s *Scanner[V]) batch(number, step, batch int, p *pass) []pageRequest {
	n := 1
	if batch%2 == 1 && s.lastPage > aloneUpTo {
		n = s.atOnce()
	}
	if left := (p.least - p.rows + s.size - 1) / max(s.size, 1); p.counted && !p.back {
		n = max(1, min(n, left))
	}
	var asked []pageRequest
	for ; n > 0 && number >= 0; n-- {
		asked = append(asked, pageRequest{s.list, number})
		number += step
	}
	return asked
}

// askBatch asks for the pages, and gives those before the first that was refused.
func (s *Scanner[V]) askBatch(ctx context.Context, asked []pageRequest, p *pass) ([]*Page[V], error) {
	pages, errs := s.askTogether(ctx, asked)
	for i, err := range errs {
		switch {
		case err == nil:
		case asked[i].number > 0 && s.Refused(err):
			p.refused = true
			return pages[:i], nil
		default:
			return nil, err
		}
	}
	if len(pages) == 1 {
		s.known.alone(totalOf(pages[0]))
	}
	return pages, nil
}

// takePage sights the rows of a page and delivers the new ones.
func (s *Scanner[V]) takePage(ctx context.Context, p *pass, page *Page[V], at Position) error {
	s.size = max(s.size, len(page.Rows))
	if !miscounts(page) {
		p.counted = true
		p.most, p.least = max(p.most, page.Total), min(p.least, page.Total)
	}
	for i := range page.Rows {
		row := &page.Rows[i]
		before, known := s.known.sight(digestOf(row.ID), 0)
		switch late := row.Created.Unix() > s.highest; {
		case !known && late:
			p.lateArrivals++
		case !known:
			p.newInPass++
		}
		if !known || uint32(before>>bits) <= p.began {
			p.rows++
		}
	}
	s.known.together()
	inOrder(page.Rows)
	for i := range page.Rows {
		if err := s.deliver(ctx, &page.Rows[i], at, false); err != nil {
			return err
		}
	}
	return nil
}

// ends reports whether the list ends here: after as many rows as it counts, or after
// two empty pages, since one may be in the middle. The reading of a server that
// repeats pages for ever stops at twice its rows.
func (s *Scanner[V]) ends(p *pass, rows, empty int, page *Page[V]) bool {
	return p.counted && !s.contradicted() && page.Total >= len(page.Rows) && p.rows >= page.Total ||
		empty >= 2 || rows >= 2*len(s.known.seen)+fullPage
}

// deliverAside delivers the rows that were set aside: where rows of one date come in
// another order each time, such a row can be missing from every later page.
func (s *Scanner[V]) deliverAside(ctx context.Context, at Position) error {
	for i := range s.aside {
		if err := s.deliver(ctx, &s.aside[i], at, false); err != nil {
			return err
		}
	}
	s.aside = nil
	return nil
}

// readSecond reads a range that neither fits a page nor can be cut, forwards and
// backwards until as many rows have come as the server counts in it. Where that fails,
// the reading of the whole list has to find them. The requests count among those that
// ranges may take. Otherwise a server that counts a row more than it sends would be
// asked many times for every second.
func (s *Scanner[V]) readSecond(ctx context.Context, r TimeRange, silent bool) error {
	found := map[digest]struct{}{}
	last, back := 0, false
	most := mostPasses
	if r.To > s.boundary {
		most = passesInChange // more rows may come than can be read
	}
	for n, quiet := 0, 0; n < most && quiet < passesShort; n, quiet = n+1, quiet+1 {
		before, total, number, empty := len(found), 0, 0, 0
		if back {
			number = last
		}
		for number >= 0 && empty < 2 {
			if s.asked++; s.asked > s.mostRequests() {
				s.abandon = manyRanges
				return nil
			}
			page, err := s.ask(ctx, r, number)
			if err != nil && number > 0 && s.Refused(err) {
				break
			}
			if err != nil {
				return err
			}
			if empty++; len(page.Rows) > 0 {
				empty, last = 0, max(last, number)
			}
			total = max(total, page.Total)
			if err := s.takeOfSecond(ctx, r, page, found, silent); err != nil {
				return err
			}
			switch {
			case back:
				number--
			case len(found) >= total || number > 2*(len(found)/max(s.size, 1)+1):
				number = -1
			default:
				number++
			}
		}
		if len(found) >= total {
			return nil
		}
		if len(found) > before {
			quiet = -1
		}
		back = !back
	}
	return nil
}

func (s *Scanner[V]) takeOfSecond(ctx context.Context, r TimeRange, page *Page[V], found map[digest]struct{}, silent bool) error {
	s.sight(page, ranged)
	inOrder(page.Rows)
	for i := range page.Rows {
		d := digestOf(page.Rows[i].ID)
		found[d] = struct{}{}
		if silent {
			s.known.deliver(d)
			continue
		}
		if err := s.deliver(ctx, &page.Rows[i], Position{Range: r}, false); err != nil {
			return err
		}
	}
	return nil
}
