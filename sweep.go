package trulioo

import (
	"context"
	"math"
	"slices"

	"github.com/trulioo-go/trulioo/internal/seen"
)

// node is a span on its way to being delivered.
type node struct {
	span
	asked bool
	page  *Page[EndClient] // its first; nil until it has come
}

// answer is what a node has asked for.
type answer struct {
	node *node
	page *Page[EndClient]
	err  error
}

// sweep reads spans that meet, several at once, cuts those that do not fit a page
// and delivers the rows of each in the order of the spans. Silent is for what an earlier export has delivered: it is only noted as seen.
func (l *lister) sweep(ctx context.Context, spans []span, silent bool) error {
	ctx, cancel := context.WithCancel(ctx)
	answers := make(chan answer, listers)
	underway := 0
	defer func() {
		cancel()
		for ; underway > 0; underway-- {
			<-answers
		}
	}()
	nodes := make([]*node, len(spans))
	for i, s := range spans {
		nodes[i] = &node{span: s}
	}
	for len(nodes) > 0 {
		for _, n := range nodes[:min(len(nodes), readAhead)] {
			if !n.asked && underway < l.tap.Gate.Share(listers) {
				n.asked = true
				underway++
				go func() {
					page, err := l.page(ctx, n.span, 0)
					answers <- answer{n, page, err}
				}()
			}
		}
		if front := nodes[0]; front.page != nil {
			nodes[0] = nil // or the array below would keep every page that has been
			nodes = nodes[1:]
			if err := l.settle(ctx, front, silent); err != nil {
				return err
			}
			continue
		}
		a := <-answers
		underway--
		if a.err != nil {
			return a.err
		}
		a.node.page = a.page
		nodes = l.split(nodes, a.node)
	}
	return nil
}

// split puts the parts of a span in its place if it must be cut, and can.
func (l *lister) split(nodes []*node, n *node) []*node {
	l.size = max(l.size, len(n.page.Data))
	if whole(n.page) {
		return nodes
	}
	parts := l.parts(n.span, n.page.TotalElements)
	if len(parts) == 1 {
		return nodes
	}
	cut := make([]*node, len(parts))
	for i, s := range parts {
		cut[i] = &node{span: s}
	}
	at := slices.Index(nodes, n)
	return slices.Replace(nodes, at, at+1, cut...)
}

// settle delivers a span whose turn it is. One that neither fits a page nor can
// be cut is read page by page; nothing can come into it meanwhile.
func (l *lister) settle(ctx context.Context, n *node, silent bool) error {
	switch {
	case !whole(n.page):
		return l.reread(ctx, &rereading{span: n.span, at: l.cursor(n.span, nil), silent: silent, closed: true})
	case silent:
		for _, client := range n.page.Data {
			l.seen.Add(client.ID)
		}
		return nil
	}
	return l.batch(ctx, n.span, n.page.Data)
}

// rereading is a list that is read page by page, there and back, since its rows
// move while we read: reading on misses rows where earlier ones go away, reading
// back where earlier ones are added.
type rereading struct {
	span
	at     Cursor // of what is found: nothing of the list is known to be done
	silent bool   // what is found has been delivered by an earlier export
	closed bool   // nothing comes into the list, so that one total means one set of rows
	rest   bool   // it is read for the clients that no span has
	expect int    // about how many of those there are

	certain bool // there are exactly so many

	known *seen.Set // what has been found of the list
	total int       // in the last answer
	tally int       // rows found since the total last changed
	still int       // passes since anything changed
	pages int       // that the list has, by the last reading on
	low   int       // the pages of the last pass with old clients that are new to us or have no date
	high  int
	news  int // how many were new to us, but not new to the account
	bare  int // and how many of those have no date to be seen
	fresh int // and how many of them in this pass
	first int // the same pages in this pass
	last  int
	least int // the least total in this pass
	grown int // how many were new to the account too
	count int // the least total in the last whole pass
}

// reread reads a list until it is proven to be known, or until reading it again
// and again brings nothing new. What then is missing is an error.
func (l *lister) reread(ctx context.Context, r *rereading) error {
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
		return contradiction("a list that cannot be cut does not hold what it counts")
	}
	return nil
}

// short reports whether the list counts more than we know. While some clients
// came, as many may have come unseen.
func (r *rereading) short() bool { return r.known.Len()+r.grown < r.count }

// proven reports whether all rows are known for certain: as many as the list
// counts, while nothing changed or, where more can come into the list, while
// nothing changed over two passes; or as many as no span has.
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
func (l *lister) readOn(ctx context.Context, r *rereading, around bool) error {
	number, rows, empty := 0, 0, 0
	if around {
		number = max(r.low-2, 0)
	}
	for ; ; number++ {
		page, err := l.page(ctx, r.span, number)
		if err != nil {
			return err
		}
		rows += len(page.Data)
		empty++
		if len(page.Data) > 0 {
			empty = 0
		}
		if err := l.take(ctx, r, number, page); err != nil {
			return err
		}
		if around && number >= r.high+2 {
			return nil
		}
		if end(page, rows, empty) {
			r.pages = number
			return nil
		}
	}
}

// end reports whether a list ends here: with two empty pages, since one may be in
// the middle, and rows that come again make every count of them too large. A
// server that repeats pages for ever is left at twice what it counts.
func end(page *Page[EndClient], rows, empty int) bool {
	return empty >= 2 || rows >= 2*page.TotalElements+maxLimit
}

// readBack reads from beyond the last page to the first.
func (l *lister) readBack(ctx context.Context, r *rereading, around bool) error {
	from, to := r.pages+1, 0
	if around {
		from, to = r.high+2, max(r.low-2, 0)
	}
	for number := from; number >= to; number-- {
		page, err := l.page(ctx, r.span, number)
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
func (l *lister) take(ctx context.Context, r *rereading, number int, page *Page[EndClient]) error {
	if page.TotalElements != r.total {
		l.round++
		r.total, r.tally, r.still = page.TotalElements, 0, -1
	}
	r.least = min(r.least, r.total)
	slices.SortFunc(page.Data, compareClients)
	for _, client := range page.Data {
		fresh, first := r.known.Mark(client.ID, l.round)
		if first {
			r.tally++
		}
		if r.closed {
			fresh = l.seen.Add(client.ID)
		}
		recent := !r.closed && client.Created.Unix() >= l.began-settling
		if fresh && !recent || client.Created.IsZero() || client.LastModified.IsZero() {
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
			if client.Created.IsZero() && client.LastModified.IsZero() {
				r.bare++
			}
		}
		if r.silent {
			continue
		}
		if err := l.give(ctx, r.span, client, r.at); err != nil {
			return err
		}
	}
	return nil
}

// Slices cuts the account, or what a filter leaves of it, into slices of at most
// size clients each, or as few as one second has, without delivering any. Each
// can be exported by another process, with ExportOptions.Slice and the same
// Filter, in any order and again after a failure. The last one must wait for
// the others to be done: it finds the clients that moved meanwhile, and those
// without a date. A client can be in two slices, so what is exactly once in
// one export needs a key by client id where the results of all come together.
func (s *ClientsService) Slices(ctx context.Context, filter ClientFilter, size int) ([]Slice, error) {
	if size < 1 {
		return nil, &ArgumentError{Argument: "size", Reason: "must be positive"}
	}
	x, err := newExport(ctx, s.client, &ExportOptions{Filter: filter, Concurrency: 1})
	if err != nil {
		return nil, err
	}
	l := x.lister
	l.size = size
	first, err := l.page(ctx, l.world, 0)
	if err != nil {
		return nil, err
	}
	l.total.Store(int64(first.TotalElements))
	frozen := span{l.world.from, min(l.world.to, l.tap.Now()-settling)}
	if first.TotalElements <= size || frozen.empty() {
		return []Slice{{l.place, l.world}}, nil
	}
	if ignored, err := l.probe(ctx, l.world, first); ignored || err != nil {
		return []Slice{{l.place, l.world}}, err
	}
	cut, err := l.slice(ctx, l.roots(frozen), size)
	if frozen.to < l.world.to {
		cut = append(cut, Slice{l.place, span{frozen.to + 1, l.world.to}})
	}
	return cut, err
}

// slice counts the rows of spans that meet, cuts the large ones and joins small
// ones. What is empty stays so, since it is in the past.
func (l *lister) slice(ctx context.Context, spans []span, size int) ([]Slice, error) {
	var found []Slice
	room := 0 // in the last of them
	for len(spans) > 0 {
		s := spans[0]
		page, err := l.page(ctx, s, 0)
		if err != nil {
			return nil, err
		}
		rows := page.TotalElements
		if parts := l.parts(s, rows); rows > size && len(parts) > 1 {
			spans = slices.Concat(parts, spans[1:])
			continue
		}
		spans = spans[1:]
		switch {
		case rows == 0:
		case rows <= room:
			found[len(found)-1].to = s.to
			room -= rows
		default:
			found = append(found, Slice{l.place, s})
			room = size - rows
		}
	}
	return found, nil
}
