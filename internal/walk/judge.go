package walk

import (
	"errors"
	"hash/maphash"
)

// maxEmptyPages is how many may come in a row before the list is taken to be broken.
const maxEmptyPages = 10

// The pages of a list contradict each other, so that going on could lose or
// repeat rows.
var (
	ErrRepeated  = errors.New("the server repeats a page")
	ErrOnlyEmpty = errors.New("the server sends only empty pages")
)

// Counts is what a page of a list says.
type Counts struct {
	Rows          int  // on this page
	TotalElements int  // rows in the whole list
	TotalPages    int  // pages in the whole list
	Last          bool // no page comes after this one
}

// Judge says page after page whether the list goes on. No single word of the
// server is believed: last, totalPages and totalElements must agree before a
// page with rows is the end, and an empty page is one only where the counts say so.
type Judge struct {
	start  int
	number int // of the page in hand
	seen   int // rows up to it, those before start by estimate
	empty  int // empty pages in a row
	seed   maphash.Seed
	pages  map[uint64]int // by a digest of the ids, how far from the list's end each page began
}

// From is the judge of a list that is read from page start on.
func From(start int) Judge { return Judge{start: start, number: start} }

// More reports whether a page comes after the one in hand, of which id gives the
// ids of the rows, and goes on to it.
func (j *Judge) More(page Counts, id func(row int) string) (more bool, err error) {
	if page.Rows == 0 {
		more, err = j.judgeEmpty(page)
	} else {
		more, err = j.judgeRows(page, id)
	}
	j.number++
	return more, err
}

func (j *Judge) judgeRows(page Counts, id func(row int) string) (bool, error) {
	if j.pages == nil {
		j.seed, j.pages = maphash.MakeSeed(), map[uint64]int{}
		j.seen = j.start * page.Rows
	}
	// Rows that others push down by adding new ones come again as far from the
	// list's end as before. A server that goes in circles counts nothing new.
	digest, left := j.digest(page.Rows, id), page.TotalElements-j.seen
	if before, known := j.pages[digest]; known && left < before {
		return false, ErrRepeated
	}
	j.pages[digest] = left
	j.empty = 0
	j.seen += page.Rows
	end := page.Last && j.number+1 >= page.TotalPages && j.seen >= page.TotalElements
	return !end, nil
}

func (j *Judge) digest(rows int, id func(row int) string) uint64 {
	var h maphash.Hash
	h.SetSeed(j.seed)
	for row := range rows {
		_, _ = h.WriteString(id(row))
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}

func (j *Judge) judgeEmpty(page Counts) (bool, error) {
	j.empty++
	complete := j.seen >= page.TotalElements
	switch {
	case j.number+1 >= page.TotalPages && (complete || j.empty > 1):
		return false, nil
	case j.empty < maxEmptyPages:
		return true, nil
	case complete:
		return false, nil
	}
	return false, ErrOnlyEmpty
}
