// Sandbox serves a fake Export API until it is interrupted, and prints the
// environment variables that make curl, the other examples or a program in any
// language use it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "sandbox failed:", err)
	}
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		os.Exit(1)
	}
}

const usage = `Usage: sandbox [-addr host:port] [-clients n]

Serves a fake Export API with invented people, under /export and /wfs/export,
until Ctrl-C, and prints variables and curl commands to paste. It reads no
variables. All times are in UTC.

Exit codes: 0 stopped, 1 failed, 2 wrong flags.

Flags:
`

// errUsage means that the flags are wrong.
var errUsage = errors.New("see -help")

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Usage = func() {}
	address := flags.String("addr", "127.0.0.1:8080", "the `host:port` to listen on; port 0 takes a free one")
	clients := flags.Int("clients", 25, "how many end clients the live account has; the test account has 5")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		fmt.Fprint(out, usage)
		flags.PrintDefaults()
		return nil
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", err, errUsage)
	case flags.NArg() > 0:
		return fmt.Errorf("%q is no flag: %w", flags.Arg(0), errUsage)
	case *clients < 0:
		return fmt.Errorf("-clients must not be negative: %w", errUsage)
	}

	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: *clients, Seed: 1})
	srv, err := truliootest.Start(truliootest.WithAddress(*address), truliootest.WithLive(account)) //nolint:contextcheck // Start only listens
	if err != nil {
		return err
	}
	defer srv.Close()
	introduce(out, srv)
	<-ctx.Done()
	return nil
}

// introduce prints what to paste.
func introduce(out io.Writer, srv *truliootest.Server) {
	fmt.Fprintf(out, "# The sandbox has %d clients and runs until Ctrl-C. Paste this into another shell:\n\n", srv.Live.Len())
	for _, variable := range [][2]string{
		{"TRULIOO_CLIENT_ID", srv.ClientID},
		{"TRULIOO_CLIENT_SECRET", srv.ClientSecret},
		{"TRULIOO_BASE_URL", srv.BaseURL},
		{"TRULIOO_TOKEN_URL", srv.TokenURL},
	} {
		fmt.Fprintf(out, "export %s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Fprint(out, curls(srv))
	fmt.Fprint(out, "\n# Or: go run ./examples/quickstart\n")
}

// curls are a token, a list, a profile and a file, as a shell takes them.
func curls(srv *truliootest.Server) string {
	text := `
TOKEN=$(curl -s "$TRULIOO_TOKEN_URL" -d grant_type=client_credentials -d "client_id=$TRULIOO_CLIENT_ID" --data-urlencode "client_secret=$TRULIOO_CLIENT_SECRET" | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
curl -s "$TRULIOO_BASE_URL/v2/query/clients?limit=2" -H "Authorization: Bearer $TOKEN"
`
	id, key := sample(srv.Live)
	if id == "" {
		return text + "# There is nobody whose profile or file could be asked for.\n"
	}
	return text + `curl -s "$TRULIOO_BASE_URL/v2/query/client/` + id + `?includeFullServiceDetails=true" -H "Authorization: Bearer $TOKEN"
curl -s -G "$TRULIOO_BASE_URL/v2/query/file" --data-urlencode ` + quote("key="+key) + ` -H "Authorization: Bearer $TOKEN" -o photo.jpg
`
}

// sample is the newest client with a file, and the key of that.
func sample(account *truliootest.Account) (id, key string) {
	for _, id := range slices.Backward(account.IDs()) {
		if keys := account.FileKeys(id); len(keys) > 0 {
			return id, keys[0]
		}
	}
	return "", ""
}

// quote makes one word of a POSIX shell, whatever the secret holds.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
