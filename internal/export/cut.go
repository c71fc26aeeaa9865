package export

import (
	"context"
	"slices"
)

// Cut divides the slice into ranges of at most size rows each, and delivers nothing. A
// range is a second at least, and has more rows where one second has more. The last
// range reaches to the end of the slice.
func (s *Scanner[V]) Cut(ctx context.Context, size int) ([]TimeRange, error) {
	s.rest = s.Slice
	first, err := s.askAlone(ctx, s.rest, 0)
	if err != nil {
		return nil, err
	}
	s.total.Store(int64(first.Total))
	if first.Total <= size {
		return []TimeRange{s.rest}, nil
	}
	usable, err := s.probe(ctx, first)
	s.boundary = s.lastSettled()
	if err != nil || !usable || s.boundary < s.rest.From {
		return []TimeRange{s.rest}, err
	}
	s.size = size
	return s.countRanges(ctx, s.initialRanges(), size)
}

// countRanges counts the rows of ranges that meet, cuts the large ones and joins
// small ones, so that they still meet. The last range reaches into the present and
// is not joined.
func (s *Scanner[V]) countRanges(ctx context.Context, ranges []TimeRange, size int) ([]TimeRange, error) {
	var found []TimeRange
	room := 0 // in the last of them
	for len(ranges) > 0 {
		r := ranges[0]
		if r.To > s.boundary {
			return append(found, r), nil
		}
		page, err := s.ask(ctx, r, 0)
		if err != nil {
			return nil, err
		}
		rows := page.Total
		if parts := s.parts(r, rows, s.highest); rows > size && len(parts) > 1 && s.report.Requests < s.mostCuts(size) {
			ranges = slices.Concat(parts, ranges[1:])
			continue
		}
		ranges = ranges[1:]
		if len(found) > 0 && rows <= room {
			found[len(found)-1].To = r.To
			room -= rows
			continue
		}
		found = append(found, r)
		room = size - rows
	}
	return found, nil
}

// mostCuts bounds the cuts, so that there is an end where counts lie.
func (s *Scanner[V]) mostCuts(size int) int { return 300 + 31*(s.Total()/size+1) }
