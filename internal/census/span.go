package census

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"
)

// Span is a range of whole seconds, both of them in it. It is asked for by the
// second before and the second after, so that two spans that meet leave no gap
// if the server's bounds are exclusive, and overlap if they are inclusive.
type Span struct {
	From int64 // 0 is open: also what the server takes to be before all time
	To   int64 // Forever is open
}

// Forever is later than everything.
const Forever = math.MaxInt64

// Window is the span between two times, each of them rounded to the second that
// leaves more of it. The zero time is open.
func Window(after, before time.Time) Span {
	w := Span{0, Forever}
	if !after.IsZero() {
		w.From = after.Unix() + 1
	}
	if !before.IsZero() {
		w.To = before.Add(time.Second-time.Nanosecond).Unix() - 1
	}
	return w
}

// Bounds are the times that the span is asked for by.
func (s Span) Bounds() (after, before time.Time) {
	if s.From > 0 {
		after = time.Unix(s.From-1, 0)
	}
	if s.To < Forever {
		before = time.Unix(s.To+1, 0)
	}
	return after, before
}

func (s Span) empty() bool { return s.From > s.To }

// cut divides the span into n parts at most; one part means that it cannot be cut.
func (s Span) cut(n int) []Span {
	from := max(s.From, 1) // what is before 1970 stays with the first part
	seconds := s.To - from + 1
	n = int(min(int64(n), seconds))
	if n < 2 {
		return []Span{s}
	}
	parts := make([]Span, n)
	for i := range parts {
		parts[i] = Span{from + seconds/int64(n)*int64(i), from + seconds/int64(n)*int64(i+1) - 1}
	}
	parts[0].From, parts[n-1].To = s.From, s.To
	return parts
}

// Mark is how far the reading has come. In Span every row up to that of this
// date and id has been delivered; where ID is "", nothing of it is known to be.
// Before Span there is nothing left. The zero value is the beginning.
type Mark struct {
	Span    Span
	Created time.Time
	ID      string
}

// passed reports whether the row, found in s, came before or at the mark.
func (m Mark) passed(s Span, row *Row) bool {
	return m.ID != "" && m.Span.From <= s.From && s.To <= m.Span.To &&
		order(row.Created, row.ID, m.Created, m.ID) <= 0
}

// inOrder sorts rows as they are delivered: by date, then by id.
func inOrder(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int { return order(a.Created, a.ID, b.Created, b.ID) })
}

func order(a time.Time, aID string, b time.Time, bID string) int {
	return cmp.Or(a.Compare(b), strings.Compare(aID, bID))
}
