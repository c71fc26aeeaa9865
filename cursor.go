package trulioo

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/redact"
)

// span is a range of whole seconds, both of them in it. It is asked for by the
// second before and the second after, so that two spans that meet leave no gap
// if the server's bounds are exclusive, and overlap if they are inclusive.
type span struct {
	from int64 // 0 is open: also what the server takes to be before all time
	to   int64 // forever is open
}

const forever = math.MaxInt64

// bounds are the span's as List takes them.
func (s span) bounds() (after, before time.Time) {
	if s.from > 0 {
		after = time.Unix(s.from-1, 0)
	}
	if s.to < forever {
		before = time.Unix(s.to+1, 0)
	}
	return after, before
}

func (s span) empty() bool { return s.from > s.to }

// cut divides the span into n parts at most; one part means that it cannot be cut.
func (s span) cut(n int) []span {
	from := max(s.from, 1) // what is before 1970 stays with the first part
	seconds := s.to - from + 1
	n = int(min(int64(n), seconds))
	if n < 2 {
		return []span{s}
	}
	parts := make([]span, n)
	for i := range parts {
		parts[i] = span{from + seconds/int64(n)*int64(i), from + seconds/int64(n)*int64(i+1) - 1}
	}
	parts[0].from, parts[n-1].to = s.from, s.to
	return parts
}

// window is the filter's bounds in whole seconds, widened as List does.
func (f *ClientFilter) window() span {
	w := span{0, forever}
	if !f.After.IsZero() {
		w.from = f.After.Unix() + 1
	}
	if !f.Before.IsZero() {
		w.to = f.Before.Add(time.Second-time.Nanosecond).Unix() - 1
	}
	return w
}

func (f *ClientFilter) list(s span, page int) *ClientListOptions {
	o := &ClientListOptions{Limit: maxLimit, Page: page, Statuses: f.Statuses, FlowID: f.FlowID}
	o.After, o.Before = s.bounds()
	return o
}

func (f *ClientFilter) check() error {
	o := ClientListOptions{After: f.After, Before: f.Before, Statuses: f.Statuses, FlowID: f.FlowID}
	if err, ok := o.check().(*ArgumentError); ok { //nolint:errorlint // it is made there and bare
		return &ArgumentError{Argument: strings.Replace(err.Argument, "ClientListOptions", "ExportOptions.Filter", 1), Reason: err.Reason}
	}
	return nil
}

// digest tells filters apart without showing them.
func (f *ClientFilter) digest() string {
	statuses := slices.Compact(slices.Sorted(slices.Values(f.Statuses)))
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v %q %q", f.window(), statuses, f.FlowID))
	return hex.EncodeToString(sum[:8])
}

// Cursor is how far an export has come: a small JSON value, to be kept after
// what came before it is safe. Its zero value is the beginning, and null in
// JSON. It holds the last client's id and date.
type Cursor struct {
	place

	// In span everything up to this client has been yielded; where id is "", nothing
	// of it is known to be. Before span there is nothing left.
	span
	created Time
	id      string
}

// place is what a cursor or a slice belongs to.
type place struct {
	environment Environment
	version     APIVersion
	filter      string // its digest
}

const cursorVersion = 1

// cursorJSON is also the form of a Slice, which has no client.
type cursorJSON struct {
	Version     int         `json:"version"`
	Environment Environment `json:"environment"`
	APIVersion  APIVersion  `json:"apiVersion"`
	Filter      string      `json:"filter"`
	From        int64       `json:"from,omitempty"` // UNIX seconds
	To          int64       `json:"to,omitempty"`   // UNIX seconds; absent is open
	Created     Time        `json:"created,omitzero"`
	ID          string      `json:"id,omitempty"`
}

// IsZero reports whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// MarshalJSON writes the cursor.
func (c Cursor) MarshalJSON() ([]byte, error) {
	if c.IsZero() {
		return []byte("null"), nil
	}
	return marshalPlace(c.place, c.span, c.created, c.id)
}

// UnmarshalJSON reads what MarshalJSON wrote. What it did not is an
// *ArgumentError.
func (c *Cursor) UnmarshalJSON(data []byte) error {
	*c = Cursor{}
	if string(data) == "null" {
		return nil
	}
	j, err := unmarshalPlace("Cursor", data)
	if err != nil {
		return err
	}
	*c = Cursor{place{j.Environment, j.APIVersion, j.Filter}, span{j.From, j.To}, j.Created, j.ID}
	return nil
}

// Format prints the type's name only: a cursor holds a client's id.
func (c Cursor) Format(s fmt.State, _ rune) { redact.Format(s, "trulioo.Cursor") }

// LogValue is the type's name, for slog.
func (c Cursor) LogValue() slog.Value { return redact.Value("trulioo.Cursor") }

// yielded reports whether the client, found in s, came before or at the cursor.
func (c *Cursor) yielded(s span, client *EndClient) bool {
	return c.id != "" && c.from <= s.from && s.to <= c.to && c.before(client)
}

// before compares in the order of an export.
func (c *Cursor) before(client *EndClient) bool {
	return cmp.Or(client.Created.Compare(c.created.Time), strings.Compare(client.ID, c.id)) <= 0
}

func compareClients(a, b *EndClient) int {
	return cmp.Or(a.Created.Compare(b.Created.Time), strings.Compare(a.ID, b.ID))
}

// Slice is a piece of the account's time as a small JSON value, so that an
// export can be divided among processes. ClientsService.Slices makes them, and
// ExportOptions.Slice takes one. Its zero value is the whole account, and null
// in JSON.
type Slice struct {
	place
	span
}

// IsZero reports whether the slice is the whole account.
func (s Slice) IsZero() bool { return s == Slice{} }

// MarshalJSON writes the slice.
func (s Slice) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return marshalPlace(s.place, s.span, Time{}, "")
}

// UnmarshalJSON reads what MarshalJSON wrote. What it did not is an
// *ArgumentError.
func (s *Slice) UnmarshalJSON(data []byte) error {
	*s = Slice{}
	if string(data) == "null" {
		return nil
	}
	j, err := unmarshalPlace("Slice", data)
	if err != nil {
		return err
	}
	*s = Slice{place{j.Environment, j.APIVersion, j.Filter}, span{j.From, j.To}}
	return nil
}

func marshalPlace(p place, s span, created Time, id string) ([]byte, error) {
	j := cursorJSON{cursorVersion, p.environment, p.version, p.filter, s.from, s.to, created, id}
	if s.to == forever {
		j.To = 0
	}
	return json.Marshal(j)
}

func unmarshalPlace(argument string, data []byte) (*cursorJSON, error) {
	j := new(cursorJSON)
	if json.Unmarshal(data, j) != nil || j.From < 0 || j.To < 0 {
		return nil, &ArgumentError{Argument: argument, Reason: "is none that this library wrote"}
	}
	if j.Version != cursorVersion {
		return nil, &ArgumentError{Argument: argument, Reason: "is of another version of the library"}
	}
	if j.To == 0 {
		j.To = forever
	}
	return j, nil
}

// check refuses a place that belongs to something else.
func (p place) check(argument string, now place) error {
	what := ""
	switch {
	case p.environment != now.environment:
		what = "environment"
	case p.version != now.version:
		what = "API version"
	case p.filter != now.filter:
		what = "filter or slice"
	default:
		return nil
	}
	return &ArgumentError{Argument: argument, Reason: "is of another " + what}
}
