// Webhook stores the vendor's events in a database, answers, and then works on each
// until that succeeds: here it prints the status of the profile.
//
// It reads TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET, the TRULIOO_ variables of a
// client, DATABASE (an SQLite file, or postgres://...) and LISTEN, such as :8080. Ctrl-C
// ends it; a kill loses nothing.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := trulioo.NewClientFromEnv()
	must(err)
	store, err := trusql.Open(ctx, os.Getenv("DATABASE"))
	must(err)
	inbox, err := store.Inbox(&trusql.InboxOptions{OnError: func(_ context.Context, err error) { log.Print(err) }})
	must(err)
	handler, err := trulioo.NewWebhookHandlerFromEnv(inbox.Receive)
	must(err)
	server := &http.Server{Addr: os.Getenv("LISTEN"), Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { log.Print(server.ListenAndServe()) }()
	must(inbox.Run(ctx, func(ctx context.Context, ev *trulioo.Event) error {
		profile, err := client.ForEvent(ev).Clients.Get(ctx, ev.ClientID, nil)
		if err == nil {
			fmt.Println(ev.ClientID, ev.Type, profile.Status)
		}
		return err // it comes again: in a second, in two, in four
	}))
	must(server.Shutdown(context.WithoutCancel(ctx)))
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
