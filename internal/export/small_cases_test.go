package export

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// everything runs all of the small cases, which takes hours; also by the variable
// TRULIOO_EVERY_SMALL_CASE.
var everything = flag.Bool("everything", os.Getenv("TRULIOO_EVERY_SMALL_CASE") != "", "run every small case, which takes hours")

// The small cases: every account of up to 6 rows, on pages of 2, with every
// combination of changes, each before any request.

// dateKind is the date that the server filters by.
type dateKind int

const (
	byCreated  dateKind = iota
	byModified          // moves to the present when a row is modified
	byThird             // the same, and no row shows it
)

// smallRow is a row of the scripted server. Dates are seconds; 0 means no date.
type smallRow struct {
	id               byte
	created, changed int64
	filter           int64 // the date that the server filters by
}

// list is how the scripted server behaves.
type smallList struct {
	by         dateKind
	inclusive  bool
	descending bool
	ties       int // 0: by id, 1: by id downwards, 2: the other way at each request
	refused    int // pages from this number on are refused; 0 means none
}

// changeKind is what can happen to an account.
type changeKind byte

const (
	insert     changeKind = iota // a row with the present as its date
	insertBare                   // a row without a date
	remove
	modify
	lose    // its date
	gain    // a date in the past
	gainNow // a date that is the present
)

type change struct {
	kind changeKind
	row  int // of those at the start
	at   int // before which request
}

func (c change) String() string {
	return fmt.Sprintf("%s %d before request %d",
		[...]string{"insert", "insert without a date", "delete", "modify", "lose date", "gain old date", "gain date"}[c.kind], c.row, c.at)
}

const (
	smallPage  = 2
	firstTime  = 1_000_000
	presentDay = firstTime + 1000
)

// times are those that a row can have at the start: none, two moments long past, one just past.
var times = [...]int64{0, firstTime, firstTime + 100, firstTime + 200}

// smallServer is the list in memory.
type smallServer struct {
	smallList
	rows       []smallRow
	script     []change
	world      TimeRange
	requests   int
	throughout map[byte]bool // the rows that were in the world at every moment
	exempt     map[byte]bool // those that came into the past
	clock      int64
	newest     byte
	log        []string
	trace      bool
	found      []smallRow // of the last answer
}

func newSmallServer(list smallList, shape []int64, script []change, world TimeRange) *smallServer {
	s := &smallServer{smallList: list, script: script, world: world, clock: presentDay, throughout: map[byte]bool{}, exempt: map[byte]bool{}}
	for i, at := range shape {
		row := smallRow{id: byte('a' + i), created: at, changed: at, filter: at}
		if list.by == byThird && at > 0 {
			row.filter = 2*firstTime - at // the other way round
		}
		s.rows = append(s.rows, row)
	}
	s.newest = byte('a' + len(shape)) //nolint:gosec // a small number
	for _, row := range s.rows {
		if s.in(row, world) {
			s.throughout[row.id] = true
		}
	}
	return s
}

func (s *smallServer) in(row smallRow, r TimeRange) bool {
	if r.From == 0 && r.To == Forever {
		return true
	}
	from, to := r.From, r.To
	if s.inclusive {
		from--
		if to < Forever {
			to++
		}
	}
	return row.filter != 0 && (r.From == 0 || row.filter >= from) && row.filter <= to
}

func (s *smallServer) change(c change) {
	if s.trace {
		s.log = append(s.log, c.String())
	}
	s.clock += 10
	at := slices.IndexFunc(s.rows, func(r smallRow) bool { return r.id == byte('a'+c.row) }) //nolint:gosec // a small number
	switch c.kind {
	case insert:
		s.rows = append(s.rows, smallRow{s.newest, s.clock, s.clock, s.clock})
		s.newest++
	case insertBare:
		s.rows = append(s.rows, smallRow{id: s.newest})
		s.newest++
	case remove:
		if at >= 0 {
			s.rows = slices.Delete(s.rows, at, at+1)
		}
	case modify:
		if at >= 0 && s.rows[at].filter != 0 {
			s.rows[at].changed = s.clock
			if s.by != byCreated {
				s.rows[at].filter = s.clock
			}
		}
	case lose:
		if at >= 0 {
			s.rows[at].created, s.rows[at].changed, s.rows[at].filter = 0, 0, 0
		}
	case gain, gainNow:
		if at >= 0 && s.rows[at].filter == 0 {
			when := int64(firstTime + 50)
			if c.kind == gainNow {
				when = s.clock
			} else {
				s.exempt[s.rows[at].id] = true
			}
			s.rows[at].created, s.rows[at].changed, s.rows[at].filter = when, when, when
		}
	}
	for id := range s.throughout {
		i := slices.IndexFunc(s.rows, func(r smallRow) bool { return r.id == id })
		if i < 0 || !s.in(s.rows[i], s.world) {
			delete(s.throughout, id)
		}
	}
}

var errRefusedPage = errors.New("no page so far in")

// list is one answer, of one moment.
func (s *smallServer) list(_ context.Context, r TimeRange, number int) (*Page[byte], error) {
	for len(s.script) > 0 && s.script[0].at <= s.requests {
		s.change(s.script[0])
		s.script = s.script[1:]
	}
	s.requests++
	if number < 0 || number > 40 {
		panic("a page that cannot be")
	}
	if s.refused > 0 && number >= s.refused {
		return nil, errRefusedPage
	}
	found := s.found[:0]
	for _, row := range s.rows {
		if s.in(row, r) {
			found = append(found, row)
		}
	}
	s.found = found
	s.sort(found)
	n := len(found)
	page := &Page[byte]{Total: n, Pages: (n + smallPage - 1) / smallPage, Last: (number+1)*smallPage >= n}
	for _, row := range found[min(number*smallPage, n):min((number+1)*smallPage, n)] {
		page.Rows = append(page.Rows, Row[byte]{string(row.id), unix(row.created), unix(row.changed), row.id})
	}
	if s.trace {
		s.note(r, number, page)
	}
	return page, nil
}

func (s *smallServer) note(r TimeRange, number int, page *Page[byte]) {
	var ids strings.Builder
	for _, row := range page.Rows {
		ids.WriteString(row.ID)
	}
	s.log = append(s.log, fmt.Sprintf("%d: [%d,%d] page %d: %q of %d", s.requests-1, r.From, r.To, number, ids.String(), page.Total))
}

// sort is by insertion: a goroutine asks for each page, and its stack should not have to grow.
func (s *smallServer) sort(rows []smallRow) {
	for i := range rows {
		for j := i; j > 0 && s.compare(&rows[j-1], &rows[j]) > 0; j-- {
			rows[j-1], rows[j] = rows[j], rows[j-1]
		}
	}
}

func (s *smallServer) compare(a, b *smallRow) int {
	sign := int64(1)
	if s.descending {
		sign = -1
	}
	if a.created != b.created {
		return int(sign * (a.created - b.created))
	}
	if s.ties == 1 || s.ties == 2 && s.requests%2 == 0 {
		sign = -sign
	}
	return int(sign) * (int(a.id) - int(b.id))
}

func unix(second int64) time.Time {
	if second == 0 {
		return time.Time{}
	}
	return time.Unix(second, 0)
}

// outcome is how a scan of a small case ended.
type outcome struct {
	times  map[byte]int
	report Report
	err    error
	at     []Position // of the rows, in their order
	order  []byte
}

func (s *smallServer) config(filter, slice TimeRange, resume Position) Config[byte] {
	return Config[byte]{
		List: s.list, Refused: func(err error) bool { return errors.Is(err, errRefusedPage) },
		Scale: func(int) int { return 1 }, Filter: filter, Slice: slice, Resume: resume,
	}
}

func (s *smallServer) scan(filter, slice TimeRange, resume Position, beside bool) outcome {
	o := outcome{times: map[byte]int{}}
	c := s.config(filter, slice, resume)
	if beside {
		c.BesideFrom = 2
	}
	c.Deliver = func(_ context.Context, row Row[byte], at Position, before bool) error {
		if !before {
			o.times[row.Value]++
			o.order = append(o.order, row.Value)
			o.at = append(o.at, at)
		}
		return nil
	}
	o.report, o.err = New(c).Run(context.Background())
	return o
}

// whatIsWrong checks an outcome against the promise; "" means that it is right.
func (s *smallServer) whatIsWrong(o outcome, excused func(id byte) bool) string {
	if o.err != nil {
		return "an error: " + o.err.Error()
	}
	for id, n := range o.times {
		if n > 1 {
			return fmt.Sprintf("%c twice", id)
		}
	}
	for id := range s.throughout {
		if o.times[id] == 0 && (excused == nil || !excused(id)) {
			if o.report.Proven {
				return fmt.Sprintf("%c LOST in silence", id)
			}
			return fmt.Sprintf("%c lost, and not proven", id)
		}
	}
	if !o.report.Proven {
		return "not proven: " + o.report.Reason
	}
	most := 12*int(s.newest-'a') + 60 // by the rows that there ever were
	if s.by == byThird {
		most += 2 * 31 // the ends of the list are looked for where no row shows its date
	}
	if s.requests > most {
		return fmt.Sprintf("%d requests", s.requests)
	}
	return ""
}

// shapes are all accounts of n rows: which of the times each row has.
func shapes(n int) [][]int64 {
	all := [][]int64{{}}
	for range n {
		var longer [][]int64
		for _, shape := range all {
			for i, at := range times {
				if len(shape) == 0 || slices.Index(times[:], shape[len(shape)-1]) <= i {
					longer = append(longer, append(slices.Clone(shape), at))
				}
			}
		}
		all = longer
	}
	return all
}

// scripts calls yield with every script of n changes before the requests up to
// last. Changes that change nothing, such as those of a row that is gone, are left out.
func scripts(shape []int64, n, last int, yield func([]change)) {
	const gone = -1
	script, dates := make([]change, n), slices.Clone(shape)
	var next func(i, at int)
	try := func(i int, c change, date int64) {
		before := dates[c.row]
		script[i], dates[c.row] = c, date
		next(i+1, c.at)
		dates[c.row] = before
	}
	next = func(i, at int) {
		if i == n {
			yield(script)
			return
		}
		for ; at <= last; at++ {
			for _, kind := range []changeKind{insert, insertBare} {
				script[i] = change{kind, 0, at}
				next(i+1, at)
			}
			for row, date := range dates {
				switch date {
				case gone:
				case 0:
					try(i, change{remove, row, at}, gone)
					try(i, change{gain, row, at}, 1)
					try(i, change{gainNow, row, at}, 1)
				default:
					try(i, change{remove, row, at}, gone)
					try(i, change{modify, row, at}, date)
					try(i, change{lose, row, at}, 0)
				}
			}
		}
	}
	next(0, 0)
}

// tally counts cases and keeps the first of each kind that went wrong.
type tally struct {
	cases, requests atomic.Int64
	mu              sync.Mutex
	wrong           map[string]int
	examples        []string
}

func (t *tally) fail(wrong, example string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.wrong == nil {
		t.wrong = map[string]int{}
	}
	_, kind, _ := strings.Cut(wrong, " ") // without the id or the number
	if t.wrong[kind]++; t.wrong[kind] == 1 {
		t.examples = append(t.examples, wrong+"\n"+example)
		if *everything {
			fmt.Fprintln(os.Stderr, wrong+"\n"+example)
		}
	}
}

// whole runs every script of changes on every given list.
func (t *tally) whole(list smallList, shape []int64, changes int, filter TimeRange, beside bool) {
	quiet := newSmallServer(list, shape, nil, filter)
	if wrong := quiet.whatIsWrong(quiet.scan(filter, filter, Position{}, beside), nil); wrong != "" {
		t.fail(wrong, fmt.Sprintf("%+v %v", list, shape))
	}
	if changes == 0 {
		t.cases.Add(1)
		return
	}
	scripts(shape, changes, quiet.requests+2, func(script []change) {
		s := newSmallServer(list, shape, script, filter)
		o := s.scan(filter, filter, Position{}, beside)
		t.cases.Add(1)
		t.requests.Add(int64(s.requests))
		if wrong := s.whatIsWrong(o, nil); wrong != "" {
			s := newSmallServer(list, shape, slices.Clone(script), filter)
			s.trace = true
			again := s.scan(filter, filter, Position{}, beside)
			t.fail(wrong, fmt.Sprintf("%+v %v\n%s\n%s %+v", list, shape, strings.Join(s.log, "\n"), string(again.order), again.report))
		}
	})
}

// inParallel runs jobs on all processors. All of them take hours: the order is then
// mixed, and how far it is goes to stderr, so that a run that is cut off says what it has shown.
func inParallel(jobs []func()) {
	if *everything {
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
	}
	var all sync.WaitGroup
	next := atomic.Int64{}
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(jobs) {
					return
				}
				if *everything && i%(len(jobs)/20+1) == 0 {
					fmt.Fprintf(os.Stderr, "%s: %d of %d accounts on lists\n", time.Now().Format(time.TimeOnly), i, len(jobs))
				}
				jobs[i]()
			}
		})
	}
	all.Wait()
}

func (t *tally) report(test *testing.T) {
	test.Helper()
	test.Logf("%d cases, %.1f requests each", t.cases.Load(), float64(t.requests.Load())/math.Max(1, float64(t.cases.Load())))
	assert.Empty(test, t.wrong, "%s", strings.Join(t.examples, "\n\n"))
}

func lists() []smallList {
	var all []smallList
	for by := byCreated; by <= byThird; by++ {
		for _, inclusive := range []bool{false, true} {
			for _, descending := range []bool{false, true} {
				for ties := range 3 {
					all = append(all, smallList{by: by, inclusive: inclusive, descending: descending, ties: ties})
				}
			}
		}
	}
	return all
}

var open = TimeRange{0, Forever}

// smallPart is a part of the small cases: a number of changes, in accounts of up to a
// number of rows, and the share of the accounts and lists that is taken.
type smallPart struct{ changes, rows, every int }

func (p smallPart) String() string { return fmt.Sprintf("%d changes in %d rows", p.changes, p.rows) }

// CI runs some cases of each size. A night runs every account with one change, and a
// regular part of those with more. All cases with three changes in six rows would be a
// hundred thousand million.
var (
	partOfCI    = []smallPart{{0, 6, 5}, {1, 6, 151}, {2, 2, 499}}
	allOfANight = []smallPart{{0, 6, 1}, {1, 6, 1}, {2, 4, 23}, {3, 3, 61}}
)

// Every account on every list, with changes before every request. The list is read
// after the ranges, or beside them.
func TestEverySmallCase(t *testing.T) {
	t.Parallel()
	parts := partOfCI
	if *everything {
		parts = allOfANight
	}
	for _, part := range parts {
		for _, beside := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v, beside %v", part, beside), func(t *testing.T) {
				t.Parallel()
				var all tally
				var jobs []func()
				n := 0
				for rows := range part.rows + 1 {
					for _, shape := range shapes(rows) {
						for _, list := range lists() {
							if n++; n%(part.every*oneOf) == 0 {
								jobs = append(jobs, func() { all.whole(list, shape, part.changes, open, beside) })
							}
						}
					}
				}
				inParallel(jobs)
				all.report(t)
			})
		}
	}
}
