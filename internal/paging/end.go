package paging

import (
	"errors"
	"hash/maphash"
)

// maxEmptyPages is how many empty pages may come in a row before the list counts as
// broken.
const maxEmptyPages = 10

// ErrRepeated and ErrOnlyEmpty say that the pages of a list contradict each
// other, so that going on could lose or repeat rows.
var (
	ErrRepeated  = errors.New("the server repeats a page")
	ErrOnlyEmpty = errors.New("the server sends only empty pages")
)

// Counts are the counts of a page of a list.
type Counts struct {
	Rows          int  // on this page
	TotalElements int  // rows in the whole list
	TotalPages    int  // pages in the whole list
	Last          bool // no page comes after this one
}

// EndDetector says page after page whether the list goes on. It believes no
// single word of the server: last, totalPages and totalElements must agree before
// a page with rows is the end, and an empty page is the end only where the counts
// say so.
type EndDetector struct {
	start  int
	number int // of the page that comes next
	seen   int // rows before it, those before start by estimate
	empty  int // empty pages in a row
	seed   maphash.Seed
	pages  map[uint64]int // by a digest of the ids, how far from the list's end each page began
}

// NewEndDetector makes the detector for a list that is read from page start on.
func NewEndDetector(start int) EndDetector { return EndDetector{start: start, number: start} }

// More takes the next page, of which id gives the ids of the rows, and reports
// whether another one follows.
func (d *EndDetector) More(page Counts, id func(row int) string) (more bool, err error) {
	if page.Rows == 0 {
		more, err = d.moreAfterEmpty(page)
	} else {
		more, err = d.moreAfterRows(page, id)
	}
	d.number++
	return more, err
}

func (d *EndDetector) moreAfterRows(page Counts, id func(row int) string) (bool, error) {
	if d.pages == nil {
		d.seed, d.pages = maphash.MakeSeed(), map[uint64]int{}
		d.seen = d.start * page.Rows
	}
	// Rows that others push down by adding new ones come again as far from the
	// list's end as before. A server that goes in circles counts nothing new.
	digest, left := d.digest(page.Rows, id), page.TotalElements-d.seen
	if before, known := d.pages[digest]; known && left < before {
		return false, ErrRepeated
	}
	d.pages[digest] = left
	d.empty = 0
	d.seen += page.Rows
	end := page.Last && d.number+1 >= page.TotalPages && d.seen >= page.TotalElements
	return !end, nil
}

func (d *EndDetector) digest(rows int, id func(row int) string) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	for row := range rows {
		_, _ = h.WriteString(id(row))
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (d *EndDetector) moreAfterEmpty(page Counts) (bool, error) {
	d.empty++
	complete := d.seen >= page.TotalElements
	switch {
	case d.number+1 >= page.TotalPages && (complete || d.empty > 1):
		return false, nil
	case d.empty < maxEmptyPages:
		return true, nil
	case complete:
		return false, nil
	}
	return false, ErrOnlyEmpty
}
