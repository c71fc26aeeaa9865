package export

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trulioo-go/trulioo/internal/wire"
)

// Position is how far the reading has come. In Range every row up to the one of this
// date and id has been delivered; where ID is "", no row of it is known to be.
// Before Range nothing is left. The zero value is the beginning.
type Position struct {
	Range   TimeRange
	Created time.Time
	ID      string
}

// passed reports whether a row that was found in r came before or at the
// position. A row without a date may have come into the range since.
func (p Position) passed(r TimeRange, created time.Time, id string) bool {
	return p.ID != "" && p.Range.From <= r.From && r.To <= p.Range.To &&
		(!created.IsZero() || p.Created.IsZero()) && order(created, id, p.Created, p.ID) <= 0
}

// inOrder sorts rows as they are delivered: by date, then by id.
func inOrder[V any](rows []Row[V]) {
	slices.SortFunc(rows, func(a, b Row[V]) int { return order(a.Created, a.ID, b.Created, b.ID) })
}

func order(a time.Time, aID string, b time.Time, bID string) int {
	return cmp.Or(a.Compare(b), strings.Compare(aID, bID))
}

// Scope says what a cursor belongs to, each part in the caller's words.
type Scope struct {
	Environment string
	APIVersion  string
	Filter      string // a digest
}

// Differs names the part in which the scope is not the same as now; "" where all are
// the same.
func (s Scope) Differs(now Scope) string {
	switch {
	case s.Environment != now.Environment:
		return "environment"
	case s.APIVersion != now.APIVersion:
		return "API version"
	case s.Filter != now.Filter:
		return "filter or slice"
	}
	return ""
}

// Cursor is a position in a scope, as a small JSON value. One without an id can
// be a piece of the list as well.
type Cursor struct {
	Scope
	Position
}

const cursorVersion = 2

type cursorJSON struct {
	Version     int       `json:"version"`
	Environment string    `json:"environment"`
	APIVersion  string    `json:"apiVersion"`
	Filter      string    `json:"filter"`
	From        int64     `json:"from,omitzero"` // UNIX seconds
	To          int64     `json:"to,omitzero"`   // UNIX seconds; open where it is absent
	Created     time.Time `json:"created,omitzero"`
	ID          string    `json:"id,omitzero"`
}

// MarshalJSON writes the cursor; null is the zero value.
func (c Cursor) MarshalJSON() ([]byte, error) {
	if c == (Cursor{}) {
		return []byte("null"), nil
	}
	j := cursorJSON{
		cursorVersion, c.Environment, c.APIVersion, c.Filter,
		c.Range.From, c.Range.To, c.Created, c.ID,
	}
	if j.To == Forever {
		j.To = 0
	}
	return wire.Marshal(j)
}

// UnmarshalJSON reads the output of MarshalJSON. The error is a constant text.
func (c *Cursor) UnmarshalJSON(data []byte) error {
	*c = Cursor{}
	if string(data) == "null" {
		return nil
	}
	var j cursorJSON
	if json.Unmarshal(data, &j) != nil || j.From < 0 || j.To < 0 {
		return errors.New("was not written by this library")
	}
	if j.Version != cursorVersion {
		return errors.New("was written by another version of the library")
	}
	if j.To == 0 {
		j.To = Forever
	}
	*c = Cursor{
		Scope:    Scope{j.Environment, j.APIVersion, j.Filter},
		Position: Position{TimeRange{j.From, j.To}, j.Created, j.ID},
	}
	return nil
}
