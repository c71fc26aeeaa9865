// Nightly brings a table of profiles up to date with the account, and prints which
// clients are new, modified or gone. An unchanged client costs no request. Run it again
// after an interruption: its work so far is kept.
//
// It reads the TRULIOO_ variables of a client, and DATABASE (an SQLite file, or
// postgres://...). It exits with 1 if a client failed; the next run tries it again.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
)

func main() {
	flag.Parse() // there are none: a wrong one exits with 2
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := night(ctx); err != nil {
		log.Fatal(err)
	}
}

func night(ctx context.Context) error {
	client, err := trulioo.NewClientFromEnv()
	if err != nil {
		return err
	}
	store, err := trusql.Open(ctx, os.Getenv("DATABASE"))
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	profiles, err := store.Profiles("the account")
	if err != nil {
		return err
	}
	report, err := profiles.Sync(ctx, client, &trusql.SyncOptions{FullServiceDetails: true, OnChange: func(_ context.Context, c trusql.Change) error {
		fmt.Println(c.Kind, c.ClientID) // to your own system; it can come twice
		return nil
	}})
	fmt.Printf("%+v\n", report)
	return err
}
