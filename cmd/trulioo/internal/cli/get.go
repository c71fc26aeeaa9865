package cli

import (
	"context"
	"fmt"
	"regexp"
	"strings"

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
		Long: `Shows one end client's profile. Values that people entered, and names on watchlists, are masked unless --show is given; in a pipe
too, since a pipe often ends on a screen. --raw writes the API's answer byte for byte. With - the id is read from the standard input,
and stays out of the shell's history.`,
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
			if show {
				return a.printProfile(p, nil)
			}
			fmt.Fprintln(a.err, "values are masked; --show prints them")
			return a.printProfile(p, trulioo.Mask)
		})
	}
	return command
}

// withProfile gets the client of an id.
func (a *app) withProfile(ctx context.Context, id string, use func(*access, *trulioo.Profile) error) error {
	x, err := a.open(ctx)
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

// clientID is the argument, or a line of the standard input where that is "-".
func (a *app) clientID(ctx context.Context, argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	return a.ask.Ask(ctx, "id", false)
}

// outcomeColumn finds the outcome of a screening or a check in Profile.Text.
var outcomeColumn = regexp.MustCompile(`^(  .* )(clear|potential hit|confirmed hit|unknown|match|no match|no outcome)( +\d{4}-| +at no)`)

var outcomeStyles = map[string]term.Style{
	"clear": term.Green, "match": term.Green, "potential hit": term.Red, "confirmed hit": term.Red, "no match": term.Red,
	"unknown": term.Yellow, "no outcome": term.Faint,
}

// printProfile prints a profile as wide as the screen, with titles and outcomes that stand out.
func (a *app) printProfile(p *trulioo.Profile, mask func(string) string) error {
	_, err := fmt.Fprintln(a.out, a.out.Paint(term.Bold, term.Clean(p.ID)))
	for line := range strings.Lines(p.Text(mask)) {
		line = term.Cut(strings.TrimSuffix(line, "\n"), a.out.Width)
		switch parts := outcomeColumn.FindStringSubmatchIndex(line); {
		case line != "" && line[0] >= 'A' && line[0] <= 'Z':
			line = a.out.Paint(term.Bold, line)
		case parts != nil:
			word := line[parts[4]:parts[5]]
			line = line[:parts[4]] + a.out.Paint(outcomeStyles[word], word) + line[parts[5]:]
		}
		if _, failed := fmt.Fprintln(a.out, line); err == nil {
			err = failed
		}
	}
	return err
}
