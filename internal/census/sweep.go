package census

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/trulioo-go/trulioo/internal/guard"
	"github.com/trulioo-go/trulioo/internal/pace"
)

// freeze reads the frozen window, where rows can only go away, and then compares
// with its total.
func (l *Lister) freeze(ctx context.Context, frozen Span) error {
	if frozen.empty() {
		return nil
	}
	spans := l.roots(frozen)
	for range samples {
		if err := l.sweep(ctx, spans, false); err != nil {
			return err
		}
		page, err := l.List(ctx, frozen, 0)
		if err != nil {
			return err
		}
		if page.Total <= l.seen.Len() {
			return nil
		}
		spans = l.parts(frozen, page.Total)
	}
	return &Contradiction{"a window of time holds more than its parts"}
}

// roots are the spans to begin with: that of the mark by itself, and the rest
// cut by what is known of its dates.
func (l *Lister) roots(frozen Span) []Span {
	var spans []Span
	if l.Resume.ID != "" && l.Resume.Span.To < frozen.To {
		spans = append(spans, l.Resume.Span)
		frozen.From = l.Resume.Span.To + 1
	}
	dated := Span{max(frozen.From, l.low), min(frozen.To, l.high)}
	if l.low == 0 || dated.empty() {
		return append(spans, frozen)
	}
	if frozen.From < dated.From {
		spans = append(spans, Span{frozen.From, dated.From - 1})
	}
	spans = append(spans, l.parts(dated, l.Total())...)
	if dated.To < frozen.To {
		spans = append(spans, Span{dated.To + 1, frozen.To})
	}
	return spans
}

// parts cuts a span of so many rows into some that should fit a page.
func (l *Lister) parts(s Span, rows int) []Span {
	n := math.Ceil(float64(rows) / (fullness * float64(max(l.size, 1))))
	return s.cut(int(min(max(n, 2), mostParts)))
}

// node is a span on its way to being delivered.
type node struct {
	Span
	asked bool
	page  *Page // its first; nil until it has come
	whole bool  // the page has all rows of the span
}

// answer is what a node has asked for.
type answer struct {
	node *node
	page *Page
	err  error
}

// sweep reads spans that meet, several at once, cuts those that do not fit a page
// and delivers the rows of each in the order of the spans. Silent is for what an
// earlier reading has delivered: it is only noted as seen.
func (l *Lister) sweep(ctx context.Context, spans []Span, silent bool) error {
	requests, ctx := guard.NewGroup(ctx)
	answers := make(chan answer, listers)
	underway := 0
	defer func() {
		requests.Cancel()
		_ = requests.Wait() // its error has come as an answer
	}()
	nodes := make([]*node, len(spans))
	for i, s := range spans {
		nodes[i] = &node{Span: s}
	}
	for len(nodes) > 0 {
		for _, n := range nodes[:min(len(nodes), readAhead)] {
			if !n.asked && underway < l.Tap.Gate.Share(listers) {
				n.asked = true
				underway++
				requests.Start(func() error {
					a := answer{node: n, err: guard.ErrGoexit} // unless List returns
					defer func() { answers <- a }()
					a.page, a.err = l.List(ctx, n.Span, 0)
					return nil
				})
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
		a.node.page, a.node.whole = a.page, whole(a.page)
		nodes = l.split(nodes, a.node)
	}
	return nil
}

// split puts the parts of a span in its place if it must be cut, and can.
func (l *Lister) split(nodes []*node, n *node) []*node {
	l.size = max(l.size, len(n.page.Rows))
	if n.whole {
		return nodes
	}
	parts := l.parts(n.Span, n.page.Total)
	if len(parts) == 1 {
		return nodes
	}
	cut := make([]*node, len(parts))
	for i, s := range parts {
		cut[i] = &node{Span: s}
	}
	at := slices.Index(nodes, n)
	return slices.Replace(nodes, at, at+1, cut...)
}

// settle delivers a span whose turn it is. One that neither fits a page nor can
// be cut is read page by page; nothing can come into it meanwhile.
func (l *Lister) settle(ctx context.Context, n *node, silent bool) error {
	switch {
	case !n.whole:
		return l.reread(ctx, &rereading{Span: n.Span, at: Mark{Span: n.Span}, silent: silent, closed: true})
	case silent:
		for i := range n.page.Rows {
			l.seen.Add(n.page.Rows[i].ID)
		}
		return nil
	}
	return l.batch(ctx, n.Span, n.page.Rows)
}

// chase reads what lies beyond the frozen window, up to the present, which moves.
func (l *Lister) chase(ctx context.Context, left Span) error {
	for previous := math.MaxInt; ; {
		page, err := l.List(ctx, left, 0)
		if err != nil {
			return err
		}
		if whole(page) {
			return l.batch(ctx, left, page.Rows)
		}
		if page.Total > previous/2 {
			// The account changes faster than we can close in on the present.
			return l.reread(ctx, &rereading{Span: left, at: Mark{Span: left}})
		}
		previous = page.Total
		if early := left.From + settling - l.Tap.Now(); early > 0 && !pace.Wait(ctx, time.Duration(early)*time.Second) {
			return ctx.Err()
		}
		closed := Span{left.From, min(left.To, l.Tap.Now()-settling)}
		if !closed.empty() {
			if err := l.sweep(ctx, l.parts(closed, page.Total), false); err != nil {
				return err
			}
			left.From = closed.To + 1
		}
		if left.empty() {
			return nil
		}
	}
}

// Cut divides the world into spans of at most size rows each, or as few as one
// second has, and delivers nothing. The last one reaches to the end of the world.
func (l *Lister) Cut(ctx context.Context, size int) ([]Span, error) {
	l.size = size
	first, err := l.List(ctx, l.World, 0)
	if err != nil {
		return nil, err
	}
	l.total.Store(int64(first.Total))
	frozen := Span{l.World.From, min(l.World.To, l.Tap.Now()-settling)}
	if first.Total <= size || frozen.empty() {
		return []Span{l.World}, nil
	}
	if usable, err := l.usable(ctx, l.World, first); !usable || err != nil {
		return []Span{l.World}, err
	}
	cut, err := l.count(ctx, l.roots(frozen), size)
	if frozen.To < l.World.To {
		cut = append(cut, Span{frozen.To + 1, l.World.To})
	}
	return cut, err
}

// count counts the rows of spans that meet, cuts the large ones and joins small
// ones. What is empty stays so, since it is in the past.
func (l *Lister) count(ctx context.Context, spans []Span, size int) ([]Span, error) {
	var found []Span
	room := 0 // in the last of them
	for len(spans) > 0 {
		s := spans[0]
		page, err := l.List(ctx, s, 0)
		if err != nil {
			return nil, err
		}
		rows := page.Total
		if parts := l.parts(s, rows); rows > size && len(parts) > 1 {
			spans = slices.Concat(parts, spans[1:])
			continue
		}
		spans = spans[1:]
		switch {
		case rows == 0:
		case rows <= room:
			found[len(found)-1].To = s.To
			room -= rows
		default:
			found = append(found, s)
			room = size - rows
		}
	}
	return found, nil
}
