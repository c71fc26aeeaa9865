package cli

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/trulioo-go/trulioo"
)

// The exit codes, which the help of the root documents.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitSome        = 3
	exitInterrupted = 130
)

// usageError is a command line that cannot be meant. Its text never repeats a
// value: people paste secrets and personal data into the wrong place.
type usageError struct{ reason string }

func (e *usageError) Error() string { return e.reason }

func usage(reason string) error { return &usageError{reason} }

// errSome means that the work is done except for some clients.
var errSome = errors.New("some clients failed; run it again to try those again")

// errSomeFiles means that some files of a client are there and some are not.
var errSomeFiles = errors.New("some files failed; run it again to try those again")

func exitCode(ctx context.Context, err error) int {
	switch {
	case errors.As(err, new(*usageError)):
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errSome), errors.Is(err, errSomeFiles):
		return exitSome
	}
	return exitFailed
}

// explain makes one sentence of an error, with advice where there is some. Paths are
// left out of file errors, since the names of files are personal.
func explain(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "the database refused: SQLSTATE " + refused.Code
	}
	if errors.As(err, new(*pgconn.ConnectError)) {
		return "the database cannot be reached, or refuses the user"
	}
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Op + ": " + at.Err.Error()
	}
	if at, ok := errors.AsType[*os.LinkError](err); ok {
		return at.Op + ": " + at.Err.Error()
	}
	if reason, ok := errors.AsType[*url.Error](err); ok {
		return "there was no answer: " + explain(reason.Err)
	}
	text := strings.TrimPrefix(err.Error(), "trulioo: ")
	switch {
	case errors.As(err, new(*trulioo.AuthError)) && errors.Is(err, trulioo.ErrUnauthorized):
		return text + "; check the credentials: \"trulioo whoami\" says which ones are used"
	case errors.Is(err, trulioo.ErrNotFound):
		return text + "; check the id, and with \"trulioo whoami\" the account and its environment"
	}
	return text
}

// commandLineError says what is wrong with the command line, in words that hold
// none of its values.
func commandLineError(command *cobra.Command, args []string, err error) error {
	if _, ours := err.(*usageError); ours { //nolint:errorlint // a flag's error that wraps one holds the value
		return err
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		if name := unknown.GetSpecifiedName(); len(name) > 1 {
			return usage("there is no flag --" + name)
		}
		return usage("there is no such short flag")
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return usage("--" + missing.GetSpecifiedName() + " needs a value")
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		return usage("--" + wrong.GetFlag().Name + " " + reason(wrong.Unwrap()))
	}
	if errors.As(err, new(*pflag.InvalidSyntaxError)) {
		return usage("a flag is malformed")
	}
	if strings.HasPrefix(err.Error(), "unknown command") {
		return usage(unknownCommand(command, args))
	}
	return usage(group(err.Error()))
}

// group says which flags go together, in a shorter way than Cobra. Cobra's own texts
// hold names of flags only.
func group(text string) string {
	_, rest, found := strings.Cut(text, "[")
	names, rest, closed := strings.Cut(rest, "]")
	if !found || !closed {
		return text
	}
	flags := "--" + strings.ReplaceAll(names, " ", ", --")
	if strings.Contains(rest, "is required") {
		return "one of " + flags + " is needed"
	}
	return "only one of " + flags + " can be given"
}

// reason is why a flag's value is refused, where one of our own types says so.
func reason(err error) string {
	if errors.As(err, new(*usageError)) {
		return err.Error()
	}
	return "cannot have this value"
}

func unknownCommand(command *cobra.Command, args []string) string {
	at := slices.IndexFunc(args, func(arg string) bool { return !strings.HasPrefix(arg, "-") })
	if at >= 0 {
		if near := command.Root().SuggestionsFor(args[at]); len(near) > 0 {
			return "there is no such command; did you mean " + strings.Join(near, " or ") + "?"
		}
	}
	return "there is no such command"
}

// noArguments is for commands that have flags only.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		return usage(unknownCommand(cmd, args))
	}
	return usage("it takes no arguments beside its flags")
}

// oneArgument is for commands about one thing.
func oneArgument(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || args[0] == "" {
			return usage("it takes one argument: " + what)
		}
		return nil
	}
}
