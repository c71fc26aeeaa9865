package trulioo

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo/internal/transport"
)

// Dialect holds the guesses about requests that the vendor's documentation
// leaves open, one field for each guess. The zero value of a field is the library's
// guess. Client.Diagnose asks an account which of them hold and gives the line
// that sets the others; docs/guesses.md in the repository has the sources.
type Dialect struct {
	// TimeUnit is the unit of the bounds of a list, After and Before. "" is
	// TimeUnitSeconds: the vendor's page says "UNIX timestamp", and its sample
	// answers hold seconds.
	TimeUnit TimeUnit
	// Statuses is how several statuses are sent. "" is StatusesComma: the
	// vendor's page has a plural name and a string.
	Statuses StatusesForm
	// WorkflowsPath is the path of the list of workflows below the version. "" is
	// "query/workflows": the vendor's page shows the parameters and the answer
	// but not the path.
	WorkflowsPath string
}

// TimeUnit is the unit of a time in a request.
type TimeUnit string

// The units of a time in a request.
const (
	TimeUnitSeconds      TimeUnit = "seconds"
	TimeUnitMilliseconds TimeUnit = "milliseconds"
)

// StatusesForm is how several statuses stand in a query.
type StatusesForm string

// The forms of several statuses in a query.
const (
	StatusesComma    StatusesForm = "comma"    // statuses=ACCEPTED,REJECTED
	StatusesRepeated StatusesForm = "repeated" // statuses=ACCEPTED&statuses=REJECTED
)

// WithDialect replaces the library's guesses about requests. Each field has an
// environment variable, for programs that are not recompiled:
// TRULIOO_TIME_UNIT, TRULIOO_STATUSES and TRULIOO_WORKFLOWS_PATH.
func WithDialect(d Dialect) Option {
	return option("WithDialect", func(c *config) { c.dialect = d })
}

// checkDialect names the variable where a variable set the field.
func (c *config) checkDialect() error {
	field := func(name string) string { return cmp.Or(c.given["WithDialect."+name], "WithDialect."+name) }
	d := c.dialect
	switch {
	case d.TimeUnit != "" && d.TimeUnit != TimeUnitSeconds && d.TimeUnit != TimeUnitMilliseconds:
		return &ArgumentError{Argument: field("TimeUnit"), Reason: "must be seconds or milliseconds"}
	case d.Statuses != "" && d.Statuses != StatusesComma && d.Statuses != StatusesRepeated:
		return &ArgumentError{Argument: field("Statuses"), Reason: "must be comma or repeated"}
	case d.WorkflowsPath != "" && !transport.Below(d.WorkflowsPath):
		return &ArgumentError{Argument: field("WorkflowsPath"), Reason: "must be relative, without a query, a fragment or dot segments"}
	}
	return nil
}

// workflows is the route of the list of workflows.
func (d Dialect) workflows() route {
	r := routes.workflows
	r.path = cmp.Or(d.WorkflowsPath, r.path)
	return r
}

// setTime writes a bound, which is a whole second.
func (d Dialect) setTime(query url.Values, name string, t time.Time) {
	seconds := t.Unix()
	if d.TimeUnit == TimeUnitMilliseconds {
		query.Set(name, strconv.FormatInt(seconds*1000, 10))
		return
	}
	query.Set(name, strconv.FormatInt(seconds, 10))
}

// setStatuses writes the statuses to filter by.
func (d Dialect) setStatuses(query url.Values, statuses []Status) {
	words := make([]string, len(statuses))
	for i, s := range statuses {
		words[i] = string(s)
	}
	if d.Statuses != StatusesRepeated {
		words = []string{strings.Join(words, ",")}
	}
	query["statuses"] = words
}
