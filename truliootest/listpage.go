package truliootest

import (
	"math/rand/v2"
	"net/url"
	"strconv"
)

// page is one page of a list.
type page struct {
	number, limit int
	how           Listing
}

// readPage silently falls back to 20 rows and the first page for any value that it
// does not accept, as the vendor does.
func readPage(query url.Values, how Listing) page {
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > 50 {
		limit = 20
	}
	if how.MaxLimit > 0 {
		limit = min(limit, how.MaxLimit)
	}
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil || number < 0 {
		number = 0
	}
	return page{number: number, limit: limit, how: how}
}

// random reports whether the envelope needs a random source.
func (p page) random() bool { return p.how.Last == Random || p.how.TotalPages == Random }

// window is the range of rows on the page, and how many pages there are.
func (p page) window(rows int) (from, to, pages int) {
	full := (rows + p.limit - 1) / p.limit
	at, pages := p.number, full
	if at >= p.how.RepeatFrom && p.how.RepeatFrom > 0 {
		at = p.how.RepeatFrom - 1
	}
	if n := p.how.EmptyEvery; n >= 2 {
		pages += max(full-1, 0) / (n - 1)
		if at%n == n-1 && at < pages {
			return 0, 0, pages
		}
		at -= at / n
	}
	if at >= full {
		return 0, 0, pages
	}
	from = at * p.limit
	return from, min(from+p.limit, rows), pages
}

// render writes the envelope and the rows of the page.
func (p page) render(rows int, d Dialect, rng *rand.Rand, appendRow func([]byte, int) []byte) []byte {
	from, to, pages := p.window(rows)
	last := p.number >= pages-1
	if p.how.RepeatFrom > 0 {
		last = false
	}
	switch p.how.Last.told(rng) {
	case Low:
		last = false
	case High:
		last = true
	case Truth, Random:
	}
	switch p.how.TotalPages.told(rng) {
	case Low:
		pages = max(pages-1, 0)
	case High:
		pages++
	case Truth, Random:
	}
	b := make([]byte, 0, 256+(to-from)*320)
	b = append(b, `{"totalElements":`...)
	b = d.appendNumber(b, int64(rows))
	b = append(b, `,"totalPages":`...)
	b = d.appendNumber(b, int64(pages))
	b = append(b, `,"number":`...)
	b = d.appendNumber(b, int64(p.number))
	b = append(b, `,"numberOfElements":`...)
	b = d.appendNumber(b, int64(to-from))
	b = append(b, `,"last":`...)
	b = strconv.AppendBool(b, last)
	b = append(b, `,"first":`...)
	b = strconv.AppendBool(b, p.number == 0)
	b = d.appendUnknown(b)
	b = append(b, `,"data":[`...)
	for k := from; k < to; k++ {
		b = appendRow(comma(b), k)
	}
	return append(b, "]}"...)
}

// told is the lie of one answer.
func (l Lie) told(rng *rand.Rand) Lie {
	if l == Random {
		return Lie(rng.IntN(3))
	}
	return l
}
