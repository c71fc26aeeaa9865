package export

import "context"

const (
	mostBare = 1000 // rows without a date that are kept until the ranges are done
)

// besideReading is the whole list, read while the ranges are delivered. Ranges go
// from past to present, as fast as profiles are fetched. This goes once through
// the list, from its newest rows to its oldest, and then turns around. At the turn
// every row has been seen. After it the ranges see the rows that they still have
// ahead, and the way back sees the others: it ends where a page has none of these.
//
// It only saves time: if it brings no proof, later passes do.
type besideReading[V any] struct {
	stage    stage
	number   int // of the next page
	step     int
	turnedAt uint32 // the moment
	owed     int    // an estimate of the rows that the way back still has to see

	batch []pageRequest // asked for together
	asked int           // how many of them have been asked for
	pages []*Page[V]    // their answers, in their order
	left  int           // answers that have not come
}

type stage int

const (
	there stage = iota
	turning
	back
	ended
)

func (s *Scanner[V]) newBesideReading() *besideReading[V] {
	s.report.Passes++
	b := &besideReading[V]{step: 1}
	if !s.newestFirst {
		b.number, b.step = s.lastPage, -1
	}
	return b
}

// turned reports whether only the way back is left, which is worth waiting for.
func (b *besideReading[V]) turned() bool {
	return b != nil && (b.stage == turning || b.stage == back)
}

// alone reports whether no other request may be made.
func (b *besideReading[V]) alone() bool { return b != nil && b.stage == turning }

// issueBeside asks for the next page of the whole list.
func (s *Scanner[V]) issueBeside(ctx context.Context) bool {
	b := s.beside
	if b == nil || b.stage == ended || b.stage == turning && s.underway > 0 {
		return false
	}
	if b.asked == len(b.batch) {
		if b.left > 0 {
			return false
		}
		n := s.atOnce()
		switch b.stage {
		case turning:
			n = 1
		case back: // each page that is not needed costs a request
			n = min(n, max(1, b.owed/max(s.size, 1)))
		}
		b.nextBatch(s.list, n)
	}
	b.asked++
	request := b.batch[b.asked-1]
	s.start(ctx, request.TimeRange, request.number, nil, b.asked-1)
	return true
}

func (b *besideReading[V]) nextBatch(list TimeRange, n int) {
	b.batch, b.asked = nil, 0
	for ; n > 0 && b.number >= 0; n-- {
		b.batch = append(b.batch, pageRequest{list, b.number})
		b.number += b.step
	}
	b.pages, b.left = make([]*Page[V], len(b.batch)), len(b.batch)
}

// takeBeside takes a page of the whole list.
func (s *Scanner[V]) takeBeside(a answer[V]) error {
	b := s.beside
	if a.err != nil && !s.Refused(a.err) {
		return a.err
	}
	switch {
	case b == nil || b.stage == ended:
		return nil
	case a.err != nil:
		b.stage = ended
		return nil //nolint:nilerr // a refused page ends only this reading, which saves time
	}
	b.pages[a.at] = a.page
	if b.left--; b.left > 0 {
		return nil
	}
	if b.stage == turning {
		s.tookAlone(s.list, a.page)
		b.turnedAt, b.owed = s.known.moment, s.inRanges
		b.stage, b.step = back, -b.step
		b.number = b.batch[0].number + b.step
	} else {
		s.takeBatchBeside(b)
	}
	if b.stage == back && (b.number < 0 || b.number > s.lastPage) {
		b.stage = ended
	}
	return nil
}

// takeBatchBeside sights the rows of pages, and finds out whether to turn or to end.
func (s *Scanner[V]) takeBatchBeside(b *besideReading[V]) {
	needed := 0
	for i, page := range b.pages {
		number := b.batch[i].number
		if len(page.Rows) > 0 {
			s.lastPage = max(s.lastPage, number)
		}
		needed += s.sightBeside(b, page)
		if b.stage == there && b.step > 0 && number >= s.lastPage && (len(page.Rows) == 0 || (number+1)*s.size >= page.Total) {
			b.stage, b.number = turning, s.lastPage
		}
	}
	b.owed -= needed
	switch {
	case b.stage == there && b.number < 0:
		b.stage, b.number = turning, 0
	case b.stage == back && needed == 0:
		b.stage = ended
	}
}

// sightBeside sights the rows of a page, and counts those that nothing else will
// see after the turn. Rows without a date are in no range, and are kept.
func (s *Scanner[V]) sightBeside(b *besideReading[V], page *Page[V]) (needed int) {
	s.size = max(s.size, len(page.Rows))
	for i := range page.Rows {
		row := &page.Rows[i]
		before, known := s.known.sight(digestOf(row.ID), 0)
		bare := before&ranged == 0 && (row.Created.IsZero() || row.Changed.IsZero())
		if bare && !known && len(s.aside) < mostBare {
			s.aside = append(s.aside, *row)
		}
		if (bare || before&ranged != 0) && uint32(before>>bits) < b.turnedAt {
			needed++
		}
	}
	return needed
}
