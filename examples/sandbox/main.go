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
		os.Exit(1)
	}
}

// run serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("sandbox", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	address := flags.String("addr", "127.0.0.1:8080", "the address to listen on")
	clients := flags.Int("clients", 25, "how many end clients the live account has")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		flags.SetOutput(out)
		flags.Usage()
		return nil
	}
	if err != nil {
		return err
	}
	if *clients < 0 {
		return errors.New("-clients must not be negative")
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
	fmt.Fprint(out, `
# Then, for example:
#   go run ./examples/quickstart
#   curl -s "$TRULIOO_TOKEN_URL" -d grant_type=client_credentials -d "client_id=$TRULIOO_CLIENT_ID" --data-urlencode "client_secret=$TRULIOO_CLIENT_SECRET"
#   curl -s "$TRULIOO_BASE_URL/v2/query/clients?limit=2" -H "Authorization: Bearer $TOKEN"
`)
}

// quote makes one word of a POSIX shell, whatever the secret holds.
func quote(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
