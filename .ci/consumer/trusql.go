// A program of a user of trusql, whose first event is handled from SQLite.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
)

func main() {
	folder, err := os.MkdirTemp("", "trusql-")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx, stop := context.WithCancel(context.Background())
	store, err := trusql.Open(ctx, filepath.Join(folder, "trulioo.db"))
	if err != nil {
		log.Fatal(err)
	}
	inbox, err := store.Inbox(nil)
	if err != nil {
		log.Fatal(err)
	}
	handler, err := trulioo.NewWebhookHandler(inbox.Receive, trulioo.WithVerificationToken("token"))
	if err != nil {
		log.Fatal(err)
	}
	handler.Handle(ctx, http.Header{"Content-Type": {"application/json"}},
		[]byte(`{"id":"c","token":"token","type":"EVENT_CALLBACK","event":{"type":"FLOW_END"}}`))
	handled := 0
	err = inbox.Run(ctx, func(context.Context, *trulioo.Event) error {
		handled++
		stop()
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("handled", handled, "event of the inbox")
}
