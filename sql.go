package trulioo

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// Time, Cursor and Slice are values of database/sql. Their zero values are
// NULL in both directions, so a column for one of them can be null.

// Value gives the time in UTC for a timestamp column, and NULL for the zero
// Time. PostgreSQL keeps microseconds of it.
func (t Time) Value() (driver.Value, error) {
	if t.IsZero() {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	return t.UTC(), nil
}

// Scan reads a timestamp of any zone; the text of one, as SQLite drivers return
// it; or a number as the API sends it, seconds or milliseconds. NULL and "" are
// the zero Time. Anything else is an *ArgumentError: a database should not hold a
// time that cannot be read.
func (t *Time) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v.UTC()
	case int64:
		t.Time = unixTime(v)
	case float64:
		t.Time = unixDecimal(v)
	case string:
		return t.scanText(v)
	case []byte:
		return t.scanText(string(v))
	default:
		return cannotScan("Time", src)
	}
	return nil
}

// scannedLayouts are how SQLite drivers write a timestamp: the text of
// time.Time, and SQLite's own forms with a zone.
var scannedLayouts = [...]string{
	"2006-01-02 15:04:05.999999999 -0700 MST", "2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999-07", "2006-01-02 15:04Z07:00",
}

func (t *Time) scanText(text string) error {
	text = strings.TrimSpace(text)
	if text == "" || text == "0" {
		t.Time = time.Time{}
		return nil
	}
	if parsed := parseTime(text); !parsed.IsZero() {
		t.Time = parsed
		return nil
	}
	for _, layout := range scannedLayouts {
		if parsed, err := time.Parse(layout, text); err == nil {
			t.Time = parsed.UTC()
			return nil
		}
	}
	return &ArgumentError{Argument: "Time", Reason: "the text in the database is not a time"}
}

// Value gives the cursor's JSON, for a json, jsonb or text column, and NULL for
// the beginning.
func (c Cursor) Value() (driver.Value, error) { return jsonValue(c.IsZero(), c) }

// Scan reads what Value gave. NULL is the beginning. Anything else is an
// *ArgumentError.
func (c *Cursor) Scan(src any) error {
	return scanJSON("Cursor", src, c.UnmarshalJSON, func() { *c = Cursor{} })
}

// Value gives the slice's JSON, for a json, jsonb or text column, and NULL for
// the whole account.
func (s Slice) Value() (driver.Value, error) { return jsonValue(s.IsZero(), s) }

// Scan reads what Value gave. NULL is the whole account. Anything else is an
// *ArgumentError.
func (s *Slice) Scan(src any) error {
	return scanJSON("Slice", src, s.UnmarshalJSON, func() { *s = Slice{} })
}

// jsonValue is a string: pgx sends bytes to a text column as bytea.
func jsonValue(null bool, v interface{ MarshalJSON() ([]byte, error) }) (driver.Value, error) {
	if null {
		return nil, nil //nolint:nilnil // NULL is a value
	}
	text, err := v.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return string(text), nil
}

func scanJSON(argument string, src any, unmarshal func([]byte) error, null func()) error {
	switch v := src.(type) {
	case nil:
		null()
		return nil
	case string:
		return unmarshal([]byte(v))
	case []byte:
		return unmarshal(v)
	}
	return cannotScan(argument, src)
}

func cannotScan(argument string, src any) error {
	return &ArgumentError{Argument: argument, Reason: fmt.Sprintf("cannot be read from a database value of type %T", src)}
}
