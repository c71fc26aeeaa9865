package export

import (
	"cmp"
	"context"
)

// findEnds finds the seconds between which the rows lie, where the last page did not
// show it: a server may refuse pages so far in, or repeat an earlier one in their
// place. One answer for each end is enough where the hint is right already.
func (s *Scanner[V]) findEnds(ctx context.Context) error {
	if err := s.findNewest(ctx); err != nil {
		return err
	}
	return s.findOldest(ctx)
}

// findNewest looks for rows later than the hint. Each answer at least halves the time
// in which the newest row can be.
func (s *Scanner[V]) findNewest(ctx context.Context) error {
	some, none := s.highest, min(latestSecond, s.rest.To)+1 // rows from here on, and none from there on
	for from := some + 2; none-some > 2; from = some + (none-some)/2 {
		page, err := s.askEnd(ctx, TimeRange{from, s.rest.To})
		if err != nil {
			return err
		}
		if rowsOf(page) == 0 {
			none = from
			continue
		}
		some = max(from, s.highest)
		if whole(page) {
			break
		}
	}
	s.highest = max(s.highest, some)
	return nil
}

// findOldest looks for rows earlier than the hint, in the same way.
func (s *Scanner[V]) findOldest(ctx context.Context) error {
	none, some := max(s.rest.From-1, zeroSecond), cmp.Or(s.lowest, s.highest)
	for to := some - 2; some-none > 2; to = none + (some-none)/2 {
		page, err := s.askEnd(ctx, TimeRange{none + 1, to})
		if err != nil {
			return err
		}
		if rowsOf(page) == 0 {
			none = to
			continue
		}
		some = min(to, cmp.Or(s.lowest, to))
		if whole(page) {
			break
		}
	}
	s.lowest = min(cmp.Or(s.lowest, some), some)
	return nil
}

// askEnd asks for rows at an end of the list, and takes them as a hint.
func (s *Scanner[V]) askEnd(ctx context.Context, r TimeRange) (*Page[V], error) {
	page, err := s.ask(ctx, r, 0)
	if err == nil {
		s.hint(page)
	}
	return page, err
}
