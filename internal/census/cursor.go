package census

import (
	"encoding/json"
	"errors"
	"time"
)

// Place is what a cursor belongs to, each in the caller's words.
type Place struct {
	Environment string
	APIVersion  string
	Filter      string // a digest
}

// Differs says in what the place is not that of now; "" where they are the same.
func (p Place) Differs(now Place) string {
	switch {
	case p.Environment != now.Environment:
		return "environment"
	case p.APIVersion != now.APIVersion:
		return "API version"
	case p.Filter != now.Filter:
		return "filter or slice"
	}
	return ""
}

// Cursor is a mark in a place, as a small JSON value. One without an id can be
// a piece of the list as well.
type Cursor struct {
	Place
	Mark
}

const cursorVersion = 1

type cursorJSON struct {
	Version     int       `json:"version"`
	Environment string    `json:"environment"`
	APIVersion  string    `json:"apiVersion"`
	Filter      string    `json:"filter"`
	From        int64     `json:"from,omitempty"` // UNIX seconds
	To          int64     `json:"to,omitempty"`   // UNIX seconds; absent is open
	Created     time.Time `json:"created,omitzero"`
	ID          string    `json:"id,omitempty"`
}

// MarshalJSON writes the cursor; null is the zero value.
func (c Cursor) MarshalJSON() ([]byte, error) {
	if c == (Cursor{}) {
		return []byte("null"), nil
	}
	j := cursorJSON{cursorVersion, c.Environment, c.APIVersion, c.Filter, c.Span.From, c.Span.To, c.Created, c.ID}
	if j.To == Forever {
		j.To = 0
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON wrote. The error is a constant text.
func (c *Cursor) UnmarshalJSON(data []byte) error {
	*c = Cursor{}
	if string(data) == "null" {
		return nil
	}
	var j cursorJSON
	if json.Unmarshal(data, &j) != nil || j.From < 0 || j.To < 0 {
		return errors.New("is none that this library wrote")
	}
	if j.Version != cursorVersion {
		return errors.New("is of another version of the library")
	}
	if j.To == 0 {
		j.To = Forever
	}
	*c = Cursor{Place{j.Environment, j.APIVersion, j.Filter}, Mark{Span{j.From, j.To}, j.Created, j.ID}}
	return nil
}
