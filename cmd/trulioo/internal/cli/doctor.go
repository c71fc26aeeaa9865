package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/account"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

func (a *app) doctor() *cobra.Command {
	var asJSON, save bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Ask the account which of the library's guesses about the API hold",
		Long: `The vendor's documentation leaves things open, which the library guesses. This asks the account, with a few dozen small requests that
change nothing: credentials and scope, live and test, both versions, paging, time bounds, filters, files, and the server's clock. Below
a guess that does not hold stand the line of Go and the variable that set it right. --save keeps these settings with an account of
"trulioo login". The report holds nothing personal and no secret, so it can be shared; --json is for a bug report. The exit code is 3
where a guess does not hold or could not be checked.`,
		Example: `  trulioo doctor --sandbox
  trulioo doctor --account acme --save
  trulioo doctor --json > doctor.json`,
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	command.Flags().BoolVar(&save, "save", false, "keep the settings that were found with the account of \"trulioo login\"")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		x, err := a.open(cmd.Context())
		if err != nil {
			return err
		}
		defer x.close()
		if save && x.login == "" {
			return usage("--save needs an account of \"trulioo login\"")
		}
		fmt.Fprintln(a.err, "asking; this takes a few dozen requests")
		report, err := x.client.Diagnose(cmd.Context())
		if err != nil {
			return err
		}
		if asJSON {
			encoder := json.NewEncoder(a.out)
			encoder.SetIndent("", "  ")
			err = encoder.Encode(report)
		} else {
			err = a.printDiagnosis(report)
		}
		if err != nil {
			return err
		}
		if save {
			if err := saveDialect(x.login, report.Dialect); err != nil {
				return err
			}
		}
		return verdict(report)
	}
	return command
}

func saveDialect(name string, d trulioo.Dialect) error {
	book, err := account.Open()
	if err != nil {
		return err
	}
	return book.SetDialect(name, d)
}

// verdict is exit code 3 unless everything holds, and 1 where no question was answered.
func verdict(report *trulioo.Diagnosis) error {
	held, rest := 0, 0
	for _, f := range report.Findings {
		if f.Verdict == trulioo.VerdictHolds {
			held++
		} else {
			rest++
		}
	}
	switch {
	case rest == 0:
		return nil
	case held == 0:
		return fmt.Errorf("no question was answered: %s", report.Findings[0].Detail)
	}
	return &someFindings{rest}
}

// someFindings is exit code 3.
type someFindings struct{ n int }

func (e *someFindings) Error() string {
	return fmt.Sprintf("guesses that do not hold or could not be checked: %d", e.n)
}

// Is gives it the exit code of errSome.
func (e *someFindings) Is(target error) bool { return target == errSome }

func (a *app) printDiagnosis(d *trulioo.Diagnosis) error {
	fmt.Fprintf(a.out, "%s, %s, %s: %d requests\n", term.Clean(d.Host), d.Environment, d.APIVersion, d.Requests)
	table := term.NewTable(a.out, term.Column{Title: "about", Width: 18}, term.Column{Title: "verdict", Width: 17}, term.Column{Title: "guess"})
	for _, f := range d.Findings {
		style := term.Yellow
		switch f.Verdict {
		case trulioo.VerdictHolds:
			style = term.Green
		case trulioo.VerdictDiffers:
			style = term.Red
		}
		text := f.Guess
		if f.Verdict != trulioo.VerdictHolds && f.Detail != "" {
			text += ": " + f.Detail
		}
		if err := table.Row(term.Cell{Text: f.Topic}, term.Cell{Text: string(f.Verdict), Style: style}, term.Cell{Text: text}); err != nil {
			return err
		}
		for _, line := range []string{f.Setting, f.Env} {
			if line != "" {
				fmt.Fprintf(a.out, "%s%s\n", strings.Repeat(" ", 39), line)
			}
		}
	}
	return nil
}
