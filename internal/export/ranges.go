package export

import (
	"context"
	"math"
	"slices"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// node is a range on its way to being delivered.
type node[V any] struct {
	TimeRange
	asked bool
	tries int      // answers that counted fewer rows than they had
	page  *Page[V] // its first; nil until it has come
	whole bool     // the page has all rows of the range
}

// answer is the answer to a request made while rows are delivered.
type answer[V any] struct {
	node *node[V] // nil where it is a page of the whole list
	at   int      // which of the pages asked for together
	page *Page[V]
	err  error
}

// The reasons for giving ranges up. The whole list may still prove the export.
const (
	noCounts    = "the server counts fewer rows than it sends"
	manyRanges  = "ranges of time count more rows than their parts"
	busyPresent = "clients come or change faster than the list can be read"
	noProof     = "the list changed during every pass over it"
	deepRefused = "the server refuses pages far into the list"
)

// readRanges reads the rest by ranges of time, and delivers what it finds.
func (s *Scanner[V]) readRanges(ctx context.Context) error {
	if s.BesideFrom > 0 && s.lastPage+1 >= s.BesideFrom {
		s.beside = s.newBesideReading()
	}
	if err := s.readNodes(ctx, s.initialRanges(), false); err != nil {
		return err
	}
	if s.timed() || s.rest.From == 0 {
		return nil
	}
	// Earlier readings have delivered the rows before. They are read again, so that the
	// rows without a date can be told from them.
	return s.readNodes(ctx, []TimeRange{{0, s.rest.From - 1}}, true)
}

// initialRanges are the ranges to begin with: the position's own, and the rest, cut
// by its known dates.
func (s *Scanner[V]) initialRanges() []TimeRange {
	var ranges []TimeRange
	rest := s.rest
	if s.Resume.ID != "" && s.Resume.Range.To < rest.To {
		ranges = append(ranges, s.Resume.Range)
		rest.From = s.Resume.Range.To + 1
	}
	settled := TimeRange{rest.From, min(rest.To, s.boundary)}
	dated := TimeRange{max(settled.From, s.lowest), settled.To}
	if s.lowest == 0 || dated.empty() {
		return append(ranges, rest)
	}
	parts := s.parts(dated, s.Total(), s.highest)
	parts[0].From = settled.From
	ranges = append(ranges, parts...)
	if settled.To < rest.To {
		ranges = append(ranges, TimeRange{settled.To + 1, rest.To})
	}
	return ranges
}

// parts cuts a range with that many rows, the last expected at latest, into parts that
// should fit a page.
func (s *Scanner[V]) parts(r TimeRange, rows int, latest int64) []TimeRange {
	n := math.Ceil(float64(rows) / (fullness * float64(max(s.size, 1))))
	return r.cut(int(min(max(n, 2), mostParts)), latest)
}

// readNodes reads ranges that meet, several at once, cuts those that do not fit a
// page and delivers the rows of each in the order of the ranges. silent says that an
// earlier reading has delivered them.
//
// A range that is cut has rows, and each cut at least halves it: an honest list
// needs few requests beyond one for each page. After many more the counts
// contradict each other, and only the whole list can help.
func (s *Scanner[V]) readNodes(ctx context.Context, ranges []TimeRange, silent bool) error {
	s.nodes = make([]*node[V], len(ranges))
	for i, r := range ranges {
		s.nodes[i] = &node[V]{TimeRange: r}
	}
	s.asked = 0
	for len(s.nodes) > 0 && s.abandon == "" || s.beside.turned() {
		if len(s.nodes) > 0 && s.nodes[0].page != nil {
			front := s.nodes[0]
			s.nodes[0] = nil // or the array below would keep every page that was read
			s.nodes = s.nodes[1:]
			if err := s.settle(ctx, front, silent); err != nil {
				return err
			}
			continue
		}
		s.issue(ctx)
		if s.underway == 0 {
			break
		}
		if err := s.take(<-s.answers); err != nil {
			return err
		}
	}
	s.beside = nil
	return s.drain()
}

// drain waits for what is under way.
func (s *Scanner[V]) drain() error {
	for s.underway > 0 {
		if err := s.take(<-s.answers); err != nil {
			return err
		}
	}
	s.nodes = nil
	return nil
}

// mostRequests is how many requests for ranges the account may take: 31 halvings of
// the time for each page of rows that are both counted and seen, so that there is
// an end where counts lie.
func (s *Scanner[V]) mostRequests() int {
	rows := min(s.Total(), len(s.known.seen))
	return 300 + 31*(rows/max(s.size, 1)+1)
}

// mostRecent is how many requests may be for ranges that reach into the present: the longer
// the ranges before take, the more rows come meanwhile.
func (s *Scanner[V]) mostRecent() int { return leastRecent + s.settled }

// issue sends as many requests as may run at once. Ranges and the whole list take
// turns where both want to ask.
func (s *Scanner[V]) issue(ctx context.Context) {
	for s.underway < s.atOnce() {
		if !s.rangesLast || !s.issueBeside(ctx) {
			if s.rangesLast = s.issueNode(ctx); !s.rangesLast && !s.issueBeside(ctx) {
				return
			}
			continue
		}
		s.rangesLast = false
	}
}

// issueNode asks for the next range. One that reaches into the present waits
// until all before it have been read.
func (s *Scanner[V]) issueNode(ctx context.Context) bool {
	if s.abandon != "" || s.beside.alone() {
		return false
	}
	for i, n := range s.nodes[:min(len(s.nodes), readAhead)] {
		if n.To > s.boundary && i > 0 {
			return false
		}
		if n.asked {
			continue
		}
		n.asked = true
		if s.asked++; s.asked > s.mostRequests() {
			s.abandon = manyRanges
			return false
		}
		if n.To <= s.boundary {
			s.settled++
		} else if s.recent++; s.recent > s.mostRecent() {
			s.abandon = busyPresent
			return false
		}
		s.start(ctx, n.TimeRange, 0, n, 0)
		return true
	}
	return false
}

// start asks for a page on a goroutine of its own.
func (s *Scanner[V]) start(ctx context.Context, r TimeRange, number int, n *node[V], at int) {
	s.underway++
	s.report.Requests++
	s.started.Start(func() error {
		a := answer[V]{node: n, at: at, err: guard.ErrGoexit} // unless List returns
		defer func() { s.answers <- a }()
		a.page, a.err = s.request(ctx, r, number)
		return nil
	})
}

// take takes an answer.
func (s *Scanner[V]) take(a answer[V]) error {
	s.underway--
	if a.node == nil {
		return s.takeBeside(a)
	}
	if a.err != nil {
		return a.err
	}
	n := a.node
	rows := distinct(a.page)
	n.whole = whole(a.page)
	flags := sighting(0)
	if n.whole {
		flags = ranged
		s.inRanges += rows
	}
	s.sight(a.page, flags)
	if !n.whole && a.page.Total < rows {
		// One such answer is an accident. More of them leave nothing to cut by.
		n.asked = false
		if n.tries++; n.tries > 2 {
			s.abandon = noCounts
		}
		return nil
	}
	n.page = a.page
	s.split(n)
	return nil
}

// split puts the parts of a range in its place if it must be cut, and can.
func (s *Scanner[V]) split(n *node[V]) {
	if n.whole {
		return
	}
	parts := s.parts(n.TimeRange, n.page.Total, s.latest(n.page))
	if len(parts) == 1 {
		return
	}
	cut := make([]*node[V], len(parts))
	for i, r := range parts {
		cut[i] = &node[V]{TimeRange: r}
	}
	if at := slices.Index(s.nodes, n); at >= 0 {
		s.nodes = slices.Replace(s.nodes, at, at+1, cut...)
	}
}

// latest is the latest second that is expected to have rows. Where a page begins with
// the oldest ones, those beyond it are taken to be as far apart.
func (s *Scanner[V]) latest(page *Page[V]) int64 {
	if len(page.Rows) == 0 {
		return s.highest
	}
	first, last := page.Rows[0].Created.Unix(), page.Rows[len(page.Rows)-1].Created.Unix()
	if first <= zeroSecond || last <= first {
		return s.highest
	}
	return max(s.highest, min(latestSecond, first+(last-first)*int64(page.Total)/int64(len(page.Rows))))
}

// settle delivers a range whose turn it is.
func (s *Scanner[V]) settle(ctx context.Context, n *node[V], silent bool) error {
	switch {
	case !n.whole:
		return s.readSecond(ctx, n.TimeRange, silent)
	case silent:
		for i := range n.page.Rows {
			s.known.deliver(digestOf(n.page.Rows[i].ID))
		}
		return nil
	}
	return s.deliverPage(ctx, n.TimeRange, n.page.Rows)
}
