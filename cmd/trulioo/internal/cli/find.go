package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// sought is the email, external id or name to look for.
type sought struct {
	email, external, name bool
	value                 string
}

func (s *sought) question() string {
	switch {
	case s.email:
		return "email"
	case s.external:
		return "external id"
	}
	return "name"
}

// is reports whether a record fits: an email or an external id as a whole, a
// name by each of its words, all without regard to case.
func (s *sought) is(r exportstore.Record) bool {
	switch {
	case s.email:
		return among(r.Email, s.value)
	case s.external:
		return among(r.ExternalID, s.value)
	}
	names := strings.ToLower(strings.Join([]string{r.FullName, r.FirstName, r.LastName, r.CompanyName}, " "))
	for word := range strings.FieldsSeq(strings.ToLower(s.value)) {
		if !strings.Contains(names, word) {
			return false
		}
	}
	return true
}

func among(column, value string) bool {
	for part := range strings.SplitSeq(column, exportstore.Several) {
		if strings.EqualFold(strings.TrimSpace(part), value) {
			return true
		}
	}
	return false
}

func (a *app) find() *cobra.Command {
	var s sought
	var in string
	var show bool
	command := &cobra.Command{
		Use:   "find",
		Short: "Find an end client by email, external id or name",
		Long: `Looks for end clients by what they entered. The API cannot search, so this looks through an export made before (--in), which takes a
moment, or else through the account, which takes a request for each client and is slow where there are many. The command asks for the
email, id or name, or reads it from the standard input. It is never an argument: other users can see arguments, and they stay in the
shell's history. Names and emails of the clients found are masked unless --show is given.`,
		Example: `  trulioo find --email --in backup
  trulioo find --external-id --in people.db < number.txt
  trulioo find --name --sandbox --show`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("the email, id or name is not an argument: the command asks for it, or reads it from the standard input")
			}
			return nil
		},
	}
	flags := command.Flags()
	flags.BoolVar(&s.email, "email", false, "look for an email address")
	flags.BoolVar(&s.external, "external-id", false, "look for the customer number of your own system")
	flags.BoolVar(&s.name, "name", false, "look for the words of a name")
	flags.StringVar(&in, "in", "", "look through this `place`: a folder, a .db, .csv or .parquet file, or the address of a PostgreSQL")
	flags.BoolVar(&show, "show", false, "print names and emails as they were entered")
	command.MarkFlagsOneRequired("email", "external-id", "name")
	command.MarkFlagsMutuallyExclusive("email", "external-id", "name")
	command.RunE = func(cmd *cobra.Command, _ []string) error { return a.search(cmd.Context(), &s, in, show) }
	return command
}

// errNobody is exit code 1: scripts ask whether somebody is there.
var errNobody = errors.New("nobody was found")

func (a *app) search(ctx context.Context, s *sought, in string, show bool) (err error) {
	if in != "" {
		if err := checkPlace(in); err != nil {
			return err
		}
	}
	if s.value, err = a.ask.Ask(ctx, s.question(), false); err != nil {
		return err
	}
	if s.value = strings.TrimSpace(s.value); s.value == "" {
		return usage("there is nothing to look for")
	}
	table := a.foundTable(show)
	found := 0
	each := func(r exportstore.Record) error {
		if !s.is(r) {
			return nil
		}
		found++
		return table(r)
	}
	if in != "" {
		err = lookIn(ctx, in, each)
	} else {
		err = a.lookThrough(ctx, each)
	}
	if err == nil && found == 0 {
		err = errNobody
	}
	return err
}

func (a *app) foundTable(show bool) func(exportstore.Record) error {
	table := term.NewTable(a.out, term.Column{Title: "id", Width: 24}, term.Column{Title: "status", Width: 14},
		term.Column{Title: "created", Width: 16}, term.Column{Title: "name", Width: 24}, term.Column{Title: "email"})
	return func(r exportstore.Record) error {
		name := r.FullName
		for _, other := range []string{strings.TrimSpace(r.FirstName + " " + r.LastName), r.CompanyName} {
			if name == "" {
				name = other
			}
		}
		email := r.Email
		if !show {
			name, email = trulioo.Mask(name), trulioo.Mask(email)
		}
		return table.Row(term.Cell{Text: r.ClientID}, term.Cell{Text: r.Status, Style: statusStyle(trulioo.Status(r.Status))},
			term.Cell{Text: minute(trulioo.Time{Time: r.Created})}, term.Cell{Text: name}, term.Cell{Text: email})
	}
}

// lookIn reads an export.
func lookIn(ctx context.Context, in string, each func(exportstore.Record) error) error {
	records, end, err := exportstore.Read(ctx, in)
	if err != nil {
		return err
	}
	for r, readErr := range records {
		if err = readErr; err == nil {
			err = each(r)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, end())
}

// lookThrough reads the account.
func (a *app) lookThrough(ctx context.Context, each func(exportstore.Record) error) error {
	x, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer x.close() //nolint:contextcheck // a sandbox listens until it is closed
	fmt.Fprintln(a.err, "looking through the account takes a request for each client; \"trulioo export\" once, and then --in, is faster")
	meter := term.NewProgress(a.err)
	defer meter.End()
	failed := 0
	options := &trulioo.ExportOptions{OnProgress: func(p trulioo.ExportProgress) { a.showProgress(meter, p) }}
	for item, err := range x.client.Clients.Export(ctx, options) {
		if err != nil {
			return err
		}
		if item.Err != nil {
			failed++
			continue
		}
		if err := each(exportstore.NewRecord(x.digest, item.Client, item.Profile, false)); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d clients could not be looked at: %w", failed, errSome)
	}
	return nil
}
