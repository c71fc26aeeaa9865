package screening

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// list is one list's result, in its data source and in its summary.
type list struct {
	name    string
	words   []word
	numbers []numbers
	hits    []Hit
}

// numbers are the numbers of hits that one place announces.
type numbers struct {
	number [len(kinds)]int64
	known  [len(kinds)]bool
}

// list finds or begins the list of a name.
func (c *check) list(name string) *list {
	for _, l := range c.lists {
		if folded(l.name) == folded(name) {
			return l
		}
	}
	l := &list{name: name}
	c.lists = append(c.lists, l)
	return l
}

// state reads the word for the outcome of a search.
func (c *check) state(l *list, m node) {
	state := c.open(m)
	if state.empty() {
		return
	}
	w := unknownWord
	if state.kind == '"' {
		w = readWord(state.text())
	}
	if w == unknownWord {
		c.doubt(whyState)
		return
	}
	l.words = append(l.words, w)
}

// numbers reads WatchlistData: numbers of hits, or the hits themselves as a text.
func (c *check) numbers(l *list, m node) {
	data := c.open(m)
	switch {
	case data.empty():
	case data.kind == '{':
		c.once(data)
		c.numbersOf(l, data)
		for _, member := range data.kids {
			_, known := countNames[member.fold]
			if !known && (c.open(member).kind == '{' || c.open(member).kind == '[' || aboutHits(member.fold)) {
				c.unexpected(l, member)
			}
		}
	case data.kind == '"':
		c.pairs(l, data.text())
	default:
		c.doubt(whyField)
		c.search(l, data)
	}
}

// unexpected doubts the check because of an unknown member that can be about hits.
func (c *check) unexpected(l *list, m node) {
	opened := c.open(m)
	switch {
	case opened.empty() || opened.text() == "0" || opened.text() == "false":
	case aboutHits(m.fold), c.evidence(opened), readWord(opened.text()).hit():
		c.doubt(whyField)
		c.search(l, opened)
	}
}

// numbersOf reads the numbers of hits among an object's members.
func (c *check) numbersOf(l *list, object node) {
	var all numbers
	found := false
	for _, member := range object.kids {
		kind, ok := countNames[member.fold]
		if !ok {
			continue
		}
		found = true
		value := c.open(member)
		n, readable := readCount(value.text())
		if !readable && !value.empty() {
			c.doubt(whyField)
		}
		if readable {
			i := index(kind)
			all.number[i], all.known[i] = max(all.number[i], n), true
		}
	}
	if found {
		l.numbers = append(l.numbers, all)
	}
}

func index(kind Kind) int {
	for i := range kinds {
		if kinds[i] == kind {
			return i
		}
	}
	return -1
}

// pairs reads the text of the older source: a list's name and an address, with
// | between them and tabs between the pairs.
func (c *check) pairs(l *list, text string) {
	for pair := range strings.SplitSeq(text, "\t") {
		pair = strings.TrimSpace(pair)
		if pair == "" {
			continue
		}
		name, url, ok := strings.Cut(pair, "|")
		name = strings.TrimSpace(name)
		if !ok || name == "" {
			c.doubt(whyField)
			continue
		}
		raw, _ := jsontext.AppendQuote(nil, pair) // bytes that are not UTF-8 become U+FFFD
		l.hits = append(l.hits, Hit{Kind: Watchlist, Source: l.name, Raw: raw, List: name, URL: strings.TrimSpace(url)})
	}
}

// hitDetails reads WatchlistHitDetails, in which the vendor sends hits in one
// place and their numbers in another.
func (c *check) hitDetails(l *list, m node) {
	details := c.open(m)
	if details.empty() {
		return
	}
	if details.kind == '[' && slices.ContainsFunc(details.kids, c.isScalar) {
		c.doubt(whyHit)
	}
	if details.kind != '{' && details.kind != '[' || !c.hitLists(l, details) {
		c.doubt(whyField)
		c.search(l, details)
	}
}

// isScalar reports whether a value is neither an object, nor a list, nor empty.
func (c *check) isScalar(m node) bool {
	n := c.open(m)
	return n.kind != '{' && n.kind != '[' && !n.empty()
}

// hitLists reads lists and numbers of hits wherever they are in a value, and
// reports whether there are any.
func (c *check) hitLists(l *list, n node) (found bool) {
	if n.kind == '[' {
		for _, element := range n.kids {
			found = c.hitLists(l, c.open(element)) || found
		}
		return found
	}
	c.once(n)
	before := len(l.numbers)
	c.numbersOf(l, n)
	found = len(l.numbers) > before
	for _, member := range n.kids {
		_, number := countNames[member.fold]
		kind, known := hitNames[member.fold]
		opened := c.open(member)
		switch {
		case number:
		case known:
			found = true
			c.hits(l, kind, opened)
		case strings.HasSuffix(member.fold, "results") && !opened.empty(), opened.kind == '[' && holdsObjects(opened) && !c.evidence(opened):
			found = true
			c.doubt(whyHit)
			c.hits(l, otherKind(member.name()), opened)
		case opened.kind == '{' || opened.kind == '[':
			found = c.hitLists(l, opened) || found
		default:
			c.unexpected(l, member)
		}
	}
	return found
}

func holdsObjects(array node) bool {
	for _, element := range array.kids {
		if element.kind == '{' && len(element.kids) > 0 {
			return true
		}
	}
	return false
}

// otherKind makes the kind of an unknown list of hits from the list's name.
func otherKind(name string) Kind {
	if len(name) > len("_results") && strings.EqualFold(name[len(name)-len("_results"):], "_results") {
		return Kind(name[:len(name)-len("_results")])
	}
	return ""
}

// hits reads a list of hits, or a single hit that is not in a list.
func (c *check) hits(l *list, kind Kind, n node) {
	switch {
	case n.empty():
	case n.kind != '[':
		c.hit(l, kind, n)
	default:
		for _, element := range n.kids {
			if element.kind != 'n' {
				c.hit(l, kind, c.open(element))
			}
		}
	}
}

func (c *check) hit(l *list, kind Kind, n node) {
	if n.kind != '{' || n.empty() {
		c.doubt(whyHit)
	}
	if !n.empty() {
		l.hits = append(l.hits, Hit{Kind: kind, Source: l.name, Raw: n.raw})
	}
}

// search lists everything that looks like a hit in a value of an unknown form. The
// check is in doubt already.
func (c *check) search(l *list, m node) {
	n := c.open(m)
	switch n.kind {
	case '[':
		for _, element := range n.kids {
			c.search(l, element)
		}
	case '{':
		c.searchObject(l, n)
	case '"':
		if w := readWord(n.text()); w.hit() {
			l.words = append(l.words, w)
		}
	}
}

func (c *check) searchObject(l *list, n node) {
	if n.named(subjectNames) {
		l.hits = append(l.hits, Hit{Source: l.name, Raw: n.raw})
		return
	}
	if name := folded(n.textOf("fieldname")); name != "" {
		n = node{kind: '{', kids: renamed(n.kids, name)}
	}
	c.numbersOf(l, n)
	for _, kid := range n.kids {
		kind, list := hitNames[kid.fold]
		switch {
		case kid.fold == "inputfields" || kid.fold == "errors":
		case list:
			c.hits(l, kind, c.open(kid))
		case kid.fold == "watchlistdata" && c.open(kid).kind == '"':
			c.pairs(l, kid.text())
		case strings.HasSuffix(kid.fold, "results") && c.open(kid).kind == '[' && holdsHits(c.open(kid)):
			c.hits(l, otherKind(kid.name()), c.open(kid))
		default:
			c.search(l, kid)
		}
	}
}

// renamed gives the data of an appended field the field's own name.
func renamed(kids []node, name string) []node {
	all := make([]node, len(kids))
	for i, kid := range kids {
		if kid.fold == "data" {
			kid.fold = name
		}
		all[i] = kid
	}
	return all
}

func (n node) named(names map[string]bool) bool {
	for _, kid := range n.kids {
		if names[kid.fold] {
			return true
		}
	}
	return false
}

func holdsHits(array node) bool {
	for _, element := range array.kids {
		if element.named(subjectNames) {
			return true
		}
	}
	return false
}
