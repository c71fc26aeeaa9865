package term

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"strings"
)

// Rows writes rows as they come, in one of the forms.
type Rows interface {
	Row(raw json.RawMessage, fields []string) error
	End() error
}

// NewJSON writes one JSON array of the server's own rows.
func NewJSON(w io.Writer) Rows { return &jsonRows{w: w} }

// NewNDJSON writes the server's own rows, one on a line.
func NewNDJSON(w io.Writer) Rows { return &ndjsonRows{w} }

// NewCSV writes fields below a head.
func NewCSV(w io.Writer, head []string) Rows { return &csvRows{w: csv.NewWriter(w), head: head} }

type jsonRows struct {
	w     io.Writer
	begun bool
}

func (r *jsonRows) Row(raw json.RawMessage, _ []string) error {
	before := "[\n"
	if r.begun {
		before = ",\n"
	}
	r.begun = true
	_, err := r.w.Write(append([]byte(before), compact(raw)...))
	return err
}

func (r *jsonRows) End() error {
	after := "\n]\n"
	if !r.begun {
		after = "[]\n"
	}
	_, err := io.WriteString(r.w, after)
	return err
}

type ndjsonRows struct{ w io.Writer }

func (r *ndjsonRows) Row(raw json.RawMessage, _ []string) error {
	_, err := r.w.Write(append(compact(raw), '\n'))
	return err
}

func (r *ndjsonRows) End() error { return nil }

type csvRows struct {
	w     *csv.Writer
	head  []string
	begun bool
}

func (r *csvRows) Row(_ json.RawMessage, fields []string) error {
	if err := r.begin(); err != nil {
		return err
	}
	safe := make([]string, len(fields))
	for i, field := range fields {
		safe[i] = Spreadsheet(field)
	}
	if err := r.w.Write(safe); err != nil {
		return err
	}
	r.w.Flush()
	return r.w.Error()
}

func (r *csvRows) begin() error {
	if r.begun {
		return nil
	}
	r.begun = true
	return r.w.Write(r.head)
}

func (r *csvRows) End() error {
	if err := r.begin(); err != nil {
		return err
	}
	r.w.Flush()
	return r.w.Error()
}

// Spreadsheet puts an apostrophe before a text that a spreadsheet would run as a formula.
// A number or a telephone number stays as it is.
func Spreadsheet(value string) string {
	if formula(value) {
		return "'" + value
	}
	return value
}

// FromSpreadsheet takes the apostrophe of Spreadsheet away again.
func FromSpreadsheet(value string) string {
	if formula(value) && value[0] == '\'' {
		return value[1:]
	}
	return value
}

// formula reports whether a spreadsheet would run a value, with or without apostrophes
// before it, so that entered apostrophes and ours can be told apart.
func formula(value string) bool {
	value = strings.TrimLeft(value, "'")
	if value == "" || !strings.ContainsRune("=+-@\t\r", rune(value[0])) {
		return false
	}
	number := strings.ContainsRune("+-", rune(value[0])) && strings.Trim(value[1:], "0123456789 .()") == ""
	return !number
}

// compact removes the white space between tokens, so that a row is a line.
func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return []byte("null")
	}
	return b.Bytes()
}
