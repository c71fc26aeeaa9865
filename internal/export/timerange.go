package export

import (
	"math"
	"time"
)

// TimeRange is a range of whole seconds, both of them in it. It is asked for by
// the second before and the second after, so that two ranges that meet leave no
// gap if the server's bounds are exclusive, and overlap if they are inclusive.
type TimeRange struct {
	From int64 // UNIX seconds; 0 is open, and takes in dates that the server puts before 1970
	To   int64 // UNIX seconds; Forever is open
}

// Forever is later than everything.
const Forever = math.MaxInt64

// Between is the range between two times. Each is rounded to the second that makes
// the range larger. The zero time is open.
func Between(after, before time.Time) TimeRange {
	r := TimeRange{0, Forever}
	if !after.IsZero() {
		r.From = after.Unix() + 1
	}
	if !before.IsZero() {
		r.To = before.Add(time.Second-time.Nanosecond).Unix() - 1
	}
	return r
}

// Bounds are the times that the range is asked for by.
func (r TimeRange) Bounds() (after, before time.Time) {
	if r.From > 0 {
		after = time.Unix(r.From-1, 0)
	}
	if r.To < Forever {
		before = time.Unix(r.To+1, 0)
	}
	return after, before
}

func (r TimeRange) empty() bool { return r.From > r.To }

// cut divides the range into n parts at most; one part means that it cannot be
// cut. latest is the latest second that is expected to have rows: the seconds
// after it stay with the last part, as those before 1970 do with the first.
func (r TimeRange) cut(n int, latest int64) []TimeRange {
	from, to := max(r.From, 1), r.To
	if to == Forever {
		to = max(latest+1, from)
		if from == latest+1 { // inclusive bounds show the latest second again, but not from the next one on
			return []TimeRange{{r.From, from}, {from + 1, Forever}}
		}
	}
	seconds := to - from + 1
	n = int(min(int64(n), seconds))
	if n < 2 {
		return []TimeRange{r}
	}
	parts := make([]TimeRange, n)
	for i := range parts {
		parts[i] = TimeRange{from + seconds/int64(n)*int64(i), from + seconds/int64(n)*int64(i+1) - 1}
	}
	parts[0].From, parts[n-1].To = r.From, r.To
	return parts
}
