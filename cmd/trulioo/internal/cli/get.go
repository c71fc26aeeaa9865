package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

const idArgument = "the end client's id, or - to read it from the standard input"

func (a *app) get() *cobra.Command {
	var show, raw bool
	command := &cobra.Command{
		Use:   "get ID",
		Short: "Show one end client: what was entered, screened, checked and uploaded",
		Long: `Shows one end client's profile. Values that people entered, and names on watchlists, are masked unless --show says otherwise; in a
pipe too, since a pipe often ends on a screen. --raw writes the API's answer byte for byte. With - the id is read from the standard
input, and so stays out of the shell's history.`,
		Example: `  trulioo get 665f1b1c2d3e4f5a6b7c8d9e
  trulioo get 665f1b1c2d3e4f5a6b7c8d9e --show
  trulioo clients --sandbox --limit 1 --csv | tail -1 | cut -d, -f1 | trulioo get - --sandbox
  trulioo get - --raw < id.txt | jq .status`,
		Args: oneArgument(idArgument),
	}
	command.Flags().BoolVar(&show, "show", false, "print values as they were entered")
	command.Flags().BoolVar(&raw, "raw", false, "write the API's answer as it came, nothing masked")
	command.MarkFlagsMutuallyExclusive("show", "raw")
	command.RunE = func(cmd *cobra.Command, args []string) error {
		return a.withProfile(cmd.Context(), args[0], func(_ *access, p *trulioo.Profile) error {
			if raw {
				_, err := a.out.Write(p.Raw)
				return err
			}
			printer := &profilePrinter{out: a.out, show: show}
			printer.profile(p)
			if !show {
				fmt.Fprintln(a.err, "values are masked; --show prints them")
			}
			return printer.err
		})
	}
	return command
}

// withProfile gets the client of an id.
func (a *app) withProfile(ctx context.Context, id string, use func(*access, *trulioo.Profile) error) error {
	x, err := a.open() //nolint:contextcheck // a sandbox listens until it is closed
	if err != nil {
		return err
	}
	defer x.close() //nolint:contextcheck // a sandbox listens until it is closed
	if id, err = a.clientID(ctx, id); err != nil {
		return err
	}
	p, err := x.client.Clients.Get(ctx, id, &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		return err
	}
	return use(x, p)
}

// clientID is the argument, or what is read where that is "-".
func (a *app) clientID(ctx context.Context, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	return a.ask.Ask(ctx, "id", false)
}

// profilePrinter prints a profile for people.
type profilePrinter struct {
	out  *term.Screen
	show bool
	err  error
}

func (p *profilePrinter) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.out, format+"\n", args...)
	}
}

// title begins a section.
func (p *profilePrinter) title(text string) { p.line("\n%s", p.out.Paint(term.Bold, text)) }

// pair is a name and what belongs to it.
func (p *profilePrinter) pair(name, value string) {
	p.line("  %s %s", term.Pad(term.Cut(term.Clean(name), 28), 28), p.fit(value, 31))
}

// fit cuts a value to what is left of the line.
func (p *profilePrinter) fit(value string, used int) string {
	value = term.Clean(value)
	if p.out.Width == 0 {
		return value
	}
	return term.Cut(value, max(10, p.out.Width-used))
}

func (p *profilePrinter) secret(value string) string {
	if p.show {
		return value
	}
	return trulioo.Mask(value)
}

func (p *profilePrinter) profile(profile *trulioo.Profile) {
	p.line("%s  %s", p.out.Paint(term.Bold, term.Clean(profile.ID)), p.out.Paint(statusStyle(profile.Status), term.Clean(string(profile.Status))))
	by := ""
	if profile.StatusManuallyChanged {
		by = ", status set by hand"
	}
	p.line("created %s, changed %s%s", minute(profile.Created), minute(profile.LastModified), by)
	p.entered(profile)
	p.screenings(profile)
	p.checks(profile)
	p.files(profile)
	p.notes(profile)
}

// entered prints each field, by flow and field; answers that differ between
// flows are one below the other.
func (p *profilePrinter) entered(profile *trulioo.Profile) {
	p.title("Entered")
	n := 0
	for _, answer := range answers(profile) {
		n++
		p.pair(label(answer.Field), p.secret(answer.Value))
	}
	if n == 0 {
		p.line("  nothing")
	}
}

// checks prints each check with its data sources.
func (p *profilePrinter) checks(profile *trulioo.Profile) {
	services := profile.Services()
	if len(services) == 0 {
		return
	}
	p.title("Checks")
	screenings := profile.Screenings()
	for _, service := range services {
		name := service.NodeTitle
		if name == "" {
			name = string(service.NodeType)
		}
		word, style := matchWord(service.Match)
		for _, s := range screenings {
			if screened := s.Service; screened.FlowID == service.FlowID && screened.NodeID == service.NodeID && screened.Timestamp == service.Timestamp {
				// "match" means clear here, and would be read as the opposite.
				word, style = s.Outcome.String(), outcomeStyle(s.Outcome)
			}
		}
		p.line("  %s %s  %s", term.Pad(term.Cut(term.Clean(name), 28), 28), p.out.Paint(style, term.Pad(word, 13)), minute(service.Timestamp))
		details, err := service.Details()
		if errors.Is(err, trulioo.ErrNoDetails) {
			continue
		}
		if err != nil {
			p.line("    the record cannot be read")
			continue
		}
		for _, source := range details.Record.DatasourceResults {
			p.source(source)
		}
	}
}

func (p *profilePrinter) source(source trulioo.DatasourceResult) {
	matched, differ := 0, ""
	for _, field := range source.DatasourceFields {
		switch field.Status {
		case trulioo.MatchStatusMatch:
			matched++
		case trulioo.MatchStatusNoMatch:
			differ += " " + term.Clean(field.FieldName)
		}
	}
	text := fmt.Sprintf("%d of %d fields match", matched, len(source.DatasourceFields))
	if len(source.DatasourceFields) == 0 {
		text = "no fields"
	}
	if differ != "" {
		text += "; not:" + differ
	}
	p.line("    %s %s", term.Pad(term.Cut(term.Clean(source.DatasourceName), 26), 26), p.fit(text, 31))
	for _, problem := range source.Errors {
		p.line("    %s %s", term.Pad("", 26), p.out.Paint(term.Red, p.fit("error "+problem.Code+" "+problem.Message, 31)))
	}
}

func matchWord(match *bool) (string, term.Style) {
	switch {
	case match == nil:
		return "no outcome", term.Faint
	case *match:
		return "match", term.Green
	}
	return "no match", term.Red
}

func (p *profilePrinter) files(profile *trulioo.Profile) {
	files := profile.Files()
	if len(files) == 0 {
		return
	}
	p.title("Files")
	for _, ref := range files {
		p.line("  %s", p.fit(p.secret(ref.Name()), 2))
	}
}

func (p *profilePrinter) notes(profile *trulioo.Profile) {
	if len(profile.Notes)+len(profile.Tasks) > 0 {
		p.title("Notes and tasks")
	}
	for _, note := range profile.Notes {
		p.line("  %s %s", minute(note.Created), p.fit(p.secret(note.Text), 19))
	}
	for _, task := range profile.Tasks {
		state := "open"
		if task.Resolved {
			state = "done"
		}
		p.line("  %s %s: %s", minute(task.Created), state, p.fit(p.secret(task.Text), 25))
	}
}
