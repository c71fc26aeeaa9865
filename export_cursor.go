package trulioo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	list "github.com/trulioo-go/trulioo/internal/export"
	"github.com/trulioo-go/trulioo/internal/wire"
)

// Slices cuts the account, or what a filter leaves of it, into slices of at most
// size clients each, without delivering any. A slice is a second at least, and has
// more clients where one second has more. Each can be exported by another process,
// with ExportOptions.Slice and the same Filter, in any order and again after a
// failure. The last one must wait for the others to be done: it finds the clients
// that moved meanwhile, and those without a date. A client can be in two slices, so
// the results of all slices need the client's id as their key.
func (s *ClientsService) Slices(ctx context.Context, filter ClientFilter, size int) ([]Slice, error) {
	if size < 1 {
		return nil, &ArgumentError{Argument: "size", Reason: "must be positive"}
	}
	x, err := newExport(ctx, s.client, &ExportOptions{Filter: filter, Concurrency: 1})
	if err != nil {
		return nil, err
	}
	ranges, err := x.scanner.Cut(ctx, size)
	if err != nil {
		return nil, listError(err)
	}
	cut := make([]Slice, len(ranges))
	for i, r := range ranges {
		cut[i] = Slice{list.Cursor{Scope: x.scope, Position: list.Position{Range: r}}}
	}
	return cut, nil
}

// Slice is a piece of the account's time as a small JSON value, so that an
// export can be divided among processes. ClientsService.Slices makes them, and
// ExportOptions.Slice takes one. Its zero value is the whole account, and null
// in JSON.
type Slice struct{ of list.Cursor }

// IsZero reports whether the slice is the whole account.
func (s Slice) IsZero() bool { return s == Slice{} }

// MarshalJSON writes the slice.
func (s Slice) MarshalJSON() ([]byte, error) { return s.of.MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON wrote. Anything else is an
// *ArgumentError.
func (s *Slice) UnmarshalJSON(data []byte) error { return unmarshalCursor("Slice", &s.of, data) }

// Cursor is how far an export has come, as a small JSON value. Save it after the
// items up to it are safe. Its zero value is the beginning, and null in JSON. It
// holds the last client's id and date.
//
//trulioo:redact
type Cursor struct{ at list.Cursor }

// IsZero reports whether the cursor is the beginning.
func (c Cursor) IsZero() bool { return c == Cursor{} }

// MarshalJSON writes the cursor.
func (c Cursor) MarshalJSON() ([]byte, error) { return c.at.MarshalJSON() }

// UnmarshalJSON reads what MarshalJSON wrote. Anything else is an
// *ArgumentError.
func (c *Cursor) UnmarshalJSON(data []byte) error { return unmarshalCursor("Cursor", &c.at, data) }

func unmarshalCursor(argument string, c *list.Cursor, data []byte) error {
	if err := c.UnmarshalJSON(data); err != nil {
		return &ArgumentError{Argument: argument, Reason: err.Error()}
	}
	return nil
}

// between is the time that the filter chooses.
func (f *ClientFilter) between() list.TimeRange { return list.Between(f.After, f.Before) }

// digest tells filters apart without showing them. It is made from all fields, so
// that none can be forgotten; times and statuses count by what they choose.
func (f *ClientFilter) digest() string {
	same := *f
	r := f.between()
	same.After, same.Before = time.Unix(max(r.From, 0), 0).UTC(), time.Unix(min(r.To, 1<<40), 0).UTC()
	same.Statuses = slices.Compact(slices.Sorted(slices.Values(f.Statuses)))
	text, err := wire.Marshal(same)
	if err != nil {
		// JSON cannot hold a time beyond the year 9999, but a filter can.
		text = fmt.Append(nil, same)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// scope is the environment, version and filter that the cursors of an export belong to.
func (o *ExportOptions) scope(c *config) list.Scope {
	return list.Scope{Environment: string(c.environment), APIVersion: string(c.version), Filter: o.Filter.digest()}
}

// reading gives the part of the list that an export reads, and the scope of its cursors.
func (o *ExportOptions) reading(c *config) (list.Config[*EndClient], list.Scope, error) {
	r := list.Config[*EndClient]{Filter: o.Filter.between(), Slice: o.Filter.between(), Resume: o.Resume.at.Position}
	scope := o.scope(c)
	if err := o.Filter.check("ExportOptions.Filter"); err != nil {
		return r, scope, err
	}
	if !o.Slice.IsZero() {
		if other := o.Slice.of.Differs(scope); other != "" {
			return r, scope, &ArgumentError{Argument: "ExportOptions.Slice", Reason: "belongs to another " + other}
		}
		r.Slice = o.Slice.of.Range
		sliced := o.Filter
		sliced.After, sliced.Before = r.Slice.Bounds()
		scope.Filter = sliced.digest()
	}
	if other := o.Resume.at.Differs(scope); other != "" && !o.Resume.IsZero() {
		return r, scope, &ArgumentError{Argument: "ExportOptions.Resume", Reason: "belongs to another " + other}
	}
	return r, scope, nil
}
