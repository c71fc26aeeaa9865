// Quickstart counts the workflows and clients of an account and shows one
// profile. Without TRULIOO_CLIENT_ID it asks a sandbox in its own process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart failed:", explain(err))
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

const usage = `Usage: quickstart [-show]

Counts the workflows and clients of an account and shows one profile: of your
account where TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET are set, else of a
sandbox of its own. TRULIOO_ENVIRONMENT (live, test; default live),
TRULIOO_API_VERSION (v1, v2; default v2), TRULIOO_BASE_URL and TRULIOO_TOKEN_URL
(default: the vendor's) choose which. All times are in UTC.

Exit codes: 0 done, 1 failed, 2 wrong flags.

Flags:
`

// errUsage means that the flags are wrong.
var errUsage = errors.New("see -help")

// run is the program without the process around it.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	show := flags.Bool("show", false, "print the values of a real account too")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
		return nil
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("%q is not a flag", flags.Arg(0))
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, errUsage)
	}

	client, stop, err := connect(out) //nolint:contextcheck // nothing is sent yet
	if err != nil {
		return err
	}
	defer stop()
	sandbox := os.Getenv("TRULIOO_CLIENT_ID") == ""
	if sandbox || *show {
		return tour(ctx, client, out, nil)
	}
	if err := tour(ctx, client, out, trulioo.Mask); err != nil {
		return err
	}
	fmt.Fprintln(out, "values are masked; -show prints them")
	return nil
}

// connect gives the client of the environment's credentials or, without any,
// of a sandbox that stop ends.
func connect(out io.Writer) (client *trulioo.Client, stop func(), err error) {
	if os.Getenv("TRULIOO_CLIENT_ID") != "" {
		client, err = trulioo.NewClientFromEnv()
		return client, func() {}, err
	}
	fmt.Fprintln(out, "using the built-in sandbox (set TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET for your account)")
	sandbox, err := truliootest.Start(truliootest.WithSeed(2)) // the newest profile of this seed has files and hits
	if err != nil {
		return nil, nil, err
	}
	client, err = trulioo.NewClient(sandbox.Options()...)
	return client, sandbox.Close, err
}

// tour is the core of the example: three calls and a download.
func tour(ctx context.Context, client *trulioo.Client, out io.Writer, mask func(string) string) error {
	workflows, err := client.Workflows.List(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "workflows: %d\n", workflows.TotalElements)

	clients, err := client.Clients.List(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "clients: %d\n", clients.TotalElements)
	if len(clients.Data) == 0 {
		fmt.Fprintln(out, "there is no profile to show yet")
		return nil
	}

	id := pick(clients.Data).ID
	profile, err := client.Clients.Get(ctx, id, &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s\n", profile.Text(mask))

	if files := profile.Files(); len(files) > 0 {
		saved, err := client.Files.Save(ctx, files[0].Key, io.Discard)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "downloaded the first file: %d bytes\n", saved.Size)
	}
	return nil
}

// pick prefers a client who finished: there is more to see.
func pick(clients []*trulioo.EndClient) *trulioo.EndClient {
	for _, c := range clients {
		if c.Status == trulioo.StatusAccepted {
			return c
		}
	}
	return clients[0]
}

// explain makes one sentence of an error, with advice where there is some.
func explain(err error) string {
	switch {
	case errors.Is(err, trulioo.ErrUnauthorized):
		return err.Error() + "; check TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET"
	case errors.Is(err, trulioo.ErrNotFound):
		return err.Error() + "; check TRULIOO_BASE_URL, TRULIOO_ENVIRONMENT and TRULIOO_API_VERSION"
	}
	return err.Error()
}
