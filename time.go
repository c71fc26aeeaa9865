package trulioo

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// Time is a time of the API, in UTC. The zero Time means that the API sent none.
//
// Decoding takes the forms that the API and comparable ones send: integers of seconds
// or, from 100,000,000,000 on, of milliseconds, and beyond the year 9999 of
// microseconds or nanoseconds; the same as decimals or in a string; RFC 3339 strings,
// with a zone such as +0000 too, where a missing zone means UTC; and
// [2024,6,1,9,30,0,0], from the year to the nanosecond. Null, 0, "" and anything that
// cannot be read give the zero Time and no error, since one odd date must not lose a
// profile; Raw keeps the text.
type Time struct{ time.Time }

// From here on a number is milliseconds: as seconds it would be the year 5138,
// and as milliseconds it is 1973.
const firstMillis = 100_000_000_000

// From here on a number is microseconds, or nanoseconds: in the next larger unit it
// would be the year 10000, which no Time can be, and in this one it is 1978.
const (
	firstMicros = 253_402_300_800_000
	firstNanos  = firstMicros * 1000
)

// Formats of times in strings. The vendor's transaction records have no zone.
var timeLayouts = [...]string{time.RFC3339, "2006-01-02T15:04:05Z0700", withoutZone, time.DateTime, time.DateOnly}

const withoutZone = "2006-01-02T15:04:05"

// UnmarshalJSON reads any of the forms and never fails.
func (t *Time) UnmarshalJSON(data []byte) error {
	if array := bytes.TrimSpace(data); len(array) > 0 && array[0] == '[' {
		t.Time = dateParts(array)
		return nil
	}
	if digits := len(data) > 0 && data[0] != '"'; digits {
		if n, err := strconv.ParseInt(string(data), 10, 64); err == nil {
			t.Time = unixTime(n)
			return nil
		}
	}
	if usual, ok := usualTime(data); ok {
		t.Time = usual
		return nil
	}
	t.Time = parseTime(wire.Text(data))
	return nil
}

// usualTime reads RFC 3339 in quotes, and the same without a zone, as nearly all
// strings of times are. Nothing that it reads is read otherwise by parseTime.
func usualTime(quoted []byte) (time.Time, bool) {
	const longest = len("2006-01-02T15:04:05.000000000+00:00")
	if len(quoted) < 2+len(withoutZone) || len(quoted) > 2+longest || quoted[0] != '"' {
		return time.Time{}, false
	}
	var room [longest + 1]byte
	text := append(room[:0], quoted[1:len(quoted)-1]...)
	if len(text) == len(withoutZone) {
		text = append(text, 'Z')
	}
	var t time.Time
	if t.UnmarshalText(text) != nil {
		return time.Time{}, false
	}
	return inRange(t.UTC()), true
}

// MarshalJSON writes null for the zero Time, an integer of seconds or of
// milliseconds where that is exact, as the API does, and else an RFC 3339
// string. Each decodes to the same instant.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	seconds, millis, nanos := t.Unix(), t.UnixMilli(), t.Nanosecond()
	switch {
	case nanos == 0 && seconds != 0 && abs(seconds) < firstMillis:
		return strconv.AppendInt(nil, seconds, 10), nil
	case nanos%1e6 == 0 && abs(seconds) < firstMillis && abs(millis) >= firstMillis:
		return strconv.AppendInt(nil, millis, 10), nil
	}
	return t.UTC().AppendFormat(nil, `"`+time.RFC3339Nano+`"`), nil
}

// dateParts reads [year, month, day, hour, minute, second, nanosecond], of which
// all after the day may be left out, as Java's Jackson writes a LocalDateTime.
func dateParts(array []byte) time.Time {
	var parts []int
	if json.Unmarshal(array, &parts) != nil || len(parts) < 3 || len(parts) > 7 {
		return time.Time{}
	}
	parts = append(parts, 0, 0, 0, 0)
	month, day := time.Month(parts[1]), parts[2]
	t := time.Date(parts[0], month, day, parts[3], parts[4], parts[5], parts[6], time.UTC)
	if t.Month() != month || t.Day() != day { // 13 is no month, and 31 June no day
		return time.Time{}
	}
	return inRange(t)
}

func parseTime(text string) time.Time {
	text = strings.TrimSpace(text)
	if len(text) > 4 && text[4] == '-' { // all layouts have it there, and few numbers
		layouts := timeLayouts[:]
		if n := len(withoutZone); len(text) == n && text[n-1] != 'Z' {
			layouts = layouts[2:] // those that fail cost the most
		}
		for _, layout := range layouts {
			if t, err := time.Parse(layout, text); err == nil {
				return inRange(t.UTC())
			}
		}
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return unixTime(n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return unixDecimal(f)
	}
	return time.Time{}
}

func unixTime(n int64) time.Time {
	switch {
	case n == 0:
		return time.Time{}
	case abs(n) < firstMillis:
		return time.Unix(n, 0).UTC()
	case abs(n) < firstMicros:
		return time.UnixMilli(n).UTC()
	case abs(n) < firstNanos:
		return time.UnixMicro(n).UTC()
	default:
		return inRange(time.Unix(0, n).UTC())
	}
}

// unixDecimal keeps microseconds: a float has no more at this magnitude.
func unixDecimal(f float64) time.Time {
	whole, fraction := math.Modf(f)
	if math.IsNaN(f) || math.Abs(f) >= 1e18 {
		return time.Time{}
	}
	if fraction == 0 || math.Abs(f) >= firstMillis {
		return unixTime(int64(whole))
	}
	return inRange(time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1e3).UTC())
}

// inRange drops a time that RFC 3339 cannot express, so that each Time can be encoded.
func inRange(t time.Time) time.Time {
	if year := t.Year(); year < 0 || year > 9999 {
		return time.Time{}
	}
	return t
}

func abs(n int64) int64 {
	if n < 0 && n != math.MinInt64 {
		return -n
	}
	if n == math.MinInt64 {
		return math.MaxInt64
	}
	return n
}
