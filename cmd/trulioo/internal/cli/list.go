package cli

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/dates"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// listing holds the flags that the two lists share.
type listing struct {
	json, ndjson, csv bool
	watch             bool
	interval          time.Duration
	limit             int
}

func (l *listing) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVar(&l.json, "json", false, "print one JSON array of the server's own rows")
	flags.BoolVar(&l.ndjson, "ndjson", false, "print the server's own rows, one on a line")
	flags.BoolVar(&l.csv, "csv", false, "print comma-separated values below a head")
	flags.BoolVar(&l.watch, "watch", false, "go on, and print the rows that are new or changed, until Ctrl-C")
	flags.DurationVar(&l.interval, "interval", 10*time.Second, "how often --watch asks")
	flags.IntVar(&l.limit, "limit", 0, "at most this many rows; 0 means all")
	command.MarkFlagsMutuallyExclusive("json", "ndjson", "csv")
	command.MarkFlagsMutuallyExclusive("json", "watch")
}

func (l *listing) check() error {
	switch {
	case l.limit < 0:
		return usage("--limit must not be negative")
	case l.interval < time.Second:
		return usage("--interval must be at least 1s")
	}
	return nil
}

// row is one line of a list, in every form.
type row struct {
	id, edition string // by which --watch tells rows and their changes apart
	raw         json.RawMessage
	fields      []string    // for CSV
	cells       []term.Cell // for the table
}

// print prints a list as it comes, once or again and again.
func (a *app) print(ctx context.Context, l *listing, head []string, columns []term.Column, list func() iter.Seq2[row, error]) error {
	rows := l.form(a.out, head, columns)
	seen := map[string]string{}
	for {
		if err := onePass(rows, seen, l.limit, list()); err != nil {
			return err
		}
		if !l.watch {
			return rows.end()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(l.interval):
		}
	}
}

func onePass(rows printed, seen map[string]string, limit int, list iter.Seq2[row, error]) error {
	n := 0
	for r, err := range list {
		if err != nil {
			return err
		}
		if was, known := seen[r.id]; !known || was != r.edition {
			seen[r.id] = r.edition
			if err := rows.row(r); err != nil {
				return err
			}
		}
		if n++; n == limit {
			break
		}
	}
	return nil
}

// printed is a form to print in.
type printed struct {
	row func(row) error
	end func() error
}

func (l *listing) form(out *term.Screen, head []string, columns []term.Column) printed {
	var rows term.Rows
	switch {
	case l.json:
		rows = term.NewJSON(out)
	case l.ndjson:
		rows = term.NewNDJSON(out)
	case l.csv:
		rows = term.NewCSV(out, head)
	default:
		table := term.NewTable(out, columns...)
		return printed{func(r row) error { return table.Row(r.cells...) }, func() error { return nil }}
	}
	return printed{func(r row) error { return rows.Row(r.raw, r.fields) }, rows.End}
}

func (a *app) workflows() *cobra.Command {
	l := &listing{}
	command := &cobra.Command{
		Use:   "workflows",
		Short: "List the account's workflows",
		Long:  `Lists the workflows as they come. --workflow of the other commands takes their id.`,
		Example: `  trulioo workflows --sandbox
  trulioo workflows --csv > workflows.csv`,
	}
	l.flags(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := l.check(); err != nil {
			return err
		}
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		columns := []term.Column{{Title: "id", Width: 24}, {Title: "about", Width: 10}, {Title: "published", Width: 9}, {Title: "created", Width: 16}, {Title: "name"}}
		return a.print(cmd.Context(), l, []string{"id", "name", "corporate", "published", "created"}, columns, func() iter.Seq2[row, error] {
			return rowsOf(x.client.Workflows.All(cmd.Context(), nil), workflowRow)
		})
	}
	return command
}

func workflowRow(w *trulioo.Workflow) row {
	about, published := "people", "yes"
	if w.Corporate {
		about = "businesses"
	}
	if !w.Published {
		published = "no"
	}
	return row{
		id: w.ID, edition: string(w.Raw), raw: w.Raw,
		fields: []string{w.ID, w.Name, strconv.FormatBool(w.Corporate), strconv.FormatBool(w.Published), stamp(w.Created)},
		cells:  []term.Cell{{Text: w.ID}, {Text: about}, {Text: published}, {Text: minute(w.Created)}, {Text: w.Name}},
	}
}

func (a *app) clients() *cobra.Command {
	l := &listing{}
	var filter filterFlags
	command := &cobra.Command{
		Use:   "clients",
		Short: "List the account's end clients",
		Long: `Lists the people and businesses that went through the account's workflows, newest first, as they come; "trulioo get" shows one.
A list that is read while the account changes can miss a client or show one twice; "trulioo export" does not.`,
		Example: `  trulioo clients --sandbox --status ACCEPTED,PENDING_REVIEW --limit 10
  trulioo clients --after 7d --json | jq -r '.[].id'
  trulioo clients --after 2026-11-01 --before 2026-12-01 --csv > november.csv
  trulioo clients --after 1h --watch`,
	}
	l.flags(command)
	filter.flags(command.Flags())
	completeStatuses(command)
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := l.check(); err != nil {
			return err
		}
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		options := &trulioo.ClientListOptions{After: filter.after.Time, Before: filter.before.Time, Statuses: filter.statuses(), FlowID: filter.workflow}
		columns := []term.Column{{Title: "id", Width: 24}, {Title: "status", Width: 14}, {Title: "created", Width: 16}, {Title: "changed", Width: 16}, {Title: "by hand"}}
		return a.print(cmd.Context(), l, clientFields, columns, func() iter.Seq2[row, error] {
			return rowsOf(x.client.Clients.All(cmd.Context(), options), clientRow)
		})
	}
	return command
}

var clientFields = []string{"id", "status", "created", "lastModified", "profileType", "statusManuallyChanged", "user", "ownerIds"}

func clientRow(c *trulioo.EndClient) row {
	byHand := ""
	if c.StatusManuallyChanged {
		byHand = "yes"
	}
	return row{
		id: c.ID, edition: string(c.Raw), raw: c.Raw,
		fields: []string{c.ID, string(c.Status), stamp(c.Created), stamp(c.LastModified), string(c.ProfileType), strconv.FormatBool(c.StatusManuallyChanged), c.User, strings.Join(c.OwnerIDs, " ")},
		cells:  []term.Cell{{Text: c.ID}, {Text: string(c.Status), Style: statusStyle(c.Status)}, {Text: minute(c.Created)}, {Text: minute(c.LastModified)}, {Text: byHand}},
	}
}

// rowsOf turns the items of a list into rows.
func rowsOf[T any](list iter.Seq2[*T, error], make func(*T) row) iter.Seq2[row, error] {
	return func(yield func(row, error) bool) {
		for item, err := range list {
			if err != nil {
				yield(row{}, err)
				return
			}
			if !yield(make(item), nil) {
				return
			}
		}
	}
}

func statusStyle(s trulioo.Status) term.Style {
	switch s {
	case trulioo.StatusAccepted, trulioo.StatusCompleted:
		return term.Green
	case trulioo.StatusRejected, trulioo.StatusFailed:
		return term.Red
	case trulioo.StatusPending, trulioo.StatusPendingReview:
		return term.Yellow
	}
	return term.Faint
}

// stamp is a time for programs; minute is one for people.
func stamp(t trulioo.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func minute(t trulioo.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// filterFlags choose clients.
type filterFlags struct {
	after, before timeFlag
	status        []string
	workflow      string
}

func (f *filterFlags) flags(flags *pflag.FlagSet) {
	flags.Var(&f.after, "after", "only clients after this `time`, such as 2026-11-01, 7d or 2026-11-01T12:00:00Z")
	flags.Var(&f.before, "before", "only clients before this `time`")
	flags.StringSliceVar(&f.status, "status", nil, "only clients of these `statuses`, such as ACCEPTED,REJECTED")
	flags.StringVar(&f.workflow, "workflow", "", "only clients of the workflow of this `id`")
}

func (f *filterFlags) statuses() []trulioo.Status {
	var statuses []trulioo.Status
	for _, word := range f.status {
		if word = strings.ToUpper(strings.TrimSpace(word)); word != "" && !slices.Contains(statuses, trulioo.Status(word)) {
			statuses = append(statuses, trulioo.Status(word))
		}
	}
	return statuses
}

func (f *filterFlags) filter() trulioo.ClientFilter {
	return trulioo.ClientFilter{After: f.after.Time, Before: f.before.Time, Statuses: f.statuses(), FlowID: f.workflow}
}

// timeFlag is a time as people type it.
type timeFlag struct{ time.Time }

// Set reads a time.
func (t *timeFlag) Set(text string) (err error) {
	if t.Time, err = dates.Parse(text, time.Now()); err != nil {
		return usage(err.Error())
	}
	return nil
}

// String is empty without a time, so that the help shows no default.
func (t *timeFlag) String() string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Type is the flag's word in the help.
func (t *timeFlag) Type() string { return "time" }
