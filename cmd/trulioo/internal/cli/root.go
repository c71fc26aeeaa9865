// Package cli holds the commands: their flags and arguments, and their output.
package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// app is one run of the program.
type app struct {
	in       io.Reader
	out, err *term.Screen
	ask      *term.Asker

	account     string // --account
	environment string // --environment
	sandbox     bool   // --sandbox
	running     bool   // the command line was understood
}

// Main runs the program and gives its exit code.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second Ctrl-C ends the process whatever it is doing.
	context.AfterFunc(ctx, stop)
	a := &app{in: os.Stdin, out: term.Of(os.Stdout), err: term.Of(os.Stderr)}
	a.ask = term.NewAsker(a.in, a.err)
	return a.run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root() //nolint:contextcheck // a sandbox listens until it is closed
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if !a.running {
		err = commandLineError(command, args, err)
	}
	code := exitCode(ctx, err)
	if text := explain(err); text != "" && code != exitInterrupted {
		fmt.Fprintf(a.err, "%s: %s\n", command.CommandPath(), text)
	}
	if code == exitUsage {
		fmt.Fprintf(a.err, "see %q\n", command.CommandPath()+" --help")
	}
	return code
}

const rootLong = `Look up, export, receive and inspect what people submitted through the workflows of a Trulioo account.
It is not made, supported or endorsed by Trulioo.

The account is the first of these that there is: the invented people of --sandbox, in this process, without a network or credentials;
--account NAME, which "trulioo login" has put into the system's keyring; the account of TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET,
with TRULIOO_ENVIRONMENT, TRULIOO_API_VERSION, TRULIOO_BASE_URL and TRULIOO_TOKEN_URL; the default account of "trulioo login".
All times are UTC.

Exit codes: 0 done; 1 failed; 2 the command line is wrong; 3 done, but some failed; 130 stopped by Ctrl-C.
NO_COLOR turns colours off. Results go to the standard output, and everything else to the standard error.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "trulioo",
		Short: "Use a Trulioo account from a terminal or a browser",
		Long:  rootLong,
		Example: `  trulioo clients --sandbox --status ACCEPTED --limit 5
  trulioo inspect --sandbox`,
		Args:                       noArguments,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Version:                    version(),
	}
	root.SetVersionTemplate("{{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&a.account, "account", "", "the `name` of an account of \"trulioo login\"")
	flags.BoolVar(&a.sandbox, "sandbox", false, "use invented people in place of an account")
	flags.StringVar(&a.environment, "environment", "", "live or test, in place of the account's own")
	root.MarkFlagsMutuallyExclusive("account", "sandbox")
	completeFlag(root, "environment", "live", "test")
	completeLogins(root)
	root.AddGroup(
		&cobra.Group{ID: "read", Title: "Look up:"},
		&cobra.Group{ID: "keep", Title: "Export:"},
		&cobra.Group{ID: "hook", Title: "Receive:"},
		&cobra.Group{ID: "account", Title: "Accounts:"},
		&cobra.Group{ID: "more", Title: "More:"},
	)
	root.SetHelpCommandGroupID("more")
	root.SetCompletionCommandGroupID("more")
	a.add(root, "read", a.workflows(), a.clients(), a.get(), a.find(), a.inspect())
	a.add(root, "keep", a.files(), a.bundle(), a.export(), a.sync())
	a.add(root, "hook", a.listen(), a.trigger(), a.replay())
	a.add(root, "account", a.login(), a.logout(), a.whoami())
	a.add(root, "more", a.doctor(), a.sandboxCommand(), a.man())
	return root
}

// add adds commands below the root.
func (a *app) add(root *cobra.Command, group string, commands ...*cobra.Command) {
	for _, command := range commands {
		command.GroupID = group
		if command.Args == nil {
			command.Args = noArguments
		}
		run := command.RunE
		command.RunE = func(cmd *cobra.Command, args []string) error {
			a.running = true
			if a.environment != "" && a.environment != string(trulioo.Live) && a.environment != string(trulioo.Test) {
				return usage("--environment must be live or test")
			}
			return run(cmd, args)
		}
		root.AddCommand(command)
	}
}

// version is the module's version, as go install records it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
