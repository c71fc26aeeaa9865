package trulioo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The whole account: every client once, however the account changes meanwhile.
func ExampleClientsService_Export() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()

	profiles := 0
	for item, err := range srv.Client().Clients.Export(context.Background(), &trulioo.ExportOptions{Concurrency: 16}) {
		if err != nil {
			fmt.Println("the export ended:", err)
			return
		}
		if item.Err != nil {
			fmt.Println("one client could not be fetched:", item.Err)
			continue
		}
		profiles++ // item.Profile.Raw is the server's JSON
	}
	fmt.Println(profiles, "profiles")
	// Output: 25 profiles
}

// Finds the clients that have changed since a time, whatever the webhook said, for events
// that never came. The others cost a part of a page of the list, and no profile.
func ExampleClientsService_Export_missedEvents() {
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, End: time.Now().AddDate(0, -1, 0)})
	srv, err := truliootest.Start(truliootest.WithLive(account))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	outage := time.Now().Add(-time.Hour)
	ids := account.IDs()
	account.SetStatus(ids[4], "DECLINED", time.Now())
	account.SetStatus(ids[40], "ACCEPTED", time.Now())

	handle := func(p *trulioo.Profile) { fmt.Println(p.ID == ids[4] || p.ID == ids[40], p.Status) }
	unchanged := func(row *trulioo.EndClient) bool {
		return row.LastModified.Before(outage) && !row.LastModified.IsZero()
	}
	for item, err := range srv.Client().Clients.Export(context.Background(), &trulioo.ExportOptions{Skip: unchanged}) {
		if err != nil {
			fmt.Println("the export ended:", err)
			return
		}
		if item.Err != nil {
			fmt.Println("one client could not be fetched:", item.Err)
			continue
		}
		handle(item.Profile) // as its event would have been
	}
	fmt.Println(srv.Count(truliootest.GetClient), "profiles fetched")
	// Unordered output:
	// true DECLINED
	// true ACCEPTED
	// 2 profiles fetched
}

// A cursor is saved with the clients that have been handled, and the next process goes on
// from it. Skip leaves out those that were handled after the cursor was last saved.
func ExampleClientsService_Export_resume() {
	srv, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	client := srv.Client()

	done := map[string]bool{}
	var saved []byte
	for item, err := range client.Clients.Export(context.Background(), nil) {
		if err != nil {
			fmt.Println(err)
			return
		}
		done[item.Client.ID] = true
		if len(done) == 8 {
			saved, _ = json.Marshal(item.Cursor)
		}
		if len(done) == 10 {
			break // as a crash would, two clients after the cursor was saved
		}
	}

	var cursor trulioo.Cursor
	if err := json.Unmarshal(saved, &cursor); err != nil {
		fmt.Println(err)
		return
	}
	again := 0
	opts := &trulioo.ExportOptions{Resume: cursor, Skip: func(row *trulioo.EndClient) bool { return done[row.ID] }}
	for _, err := range client.Clients.Export(context.Background(), opts) {
		if err != nil {
			fmt.Println(err)
			return
		}
		again++
	}
	fmt.Println(len(done), "before,", again, "after")
	// Output: 10 before, 15 after
}

// Slices divide an export among processes: each is a small JSON value, for a job
// of its own. The last one waits for the others.
func ExampleClientsService_Slices() {
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 1000})
	srv, err := truliootest.Start(truliootest.WithLive(account))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer srv.Close()
	client := srv.Client()

	slices, err := client.Clients.Slices(context.Background(), trulioo.ClientFilter{}, 200)
	if err != nil {
		fmt.Println(err)
		return
	}
	clients := map[string]bool{}
	for _, slice := range slices {
		opts := &trulioo.ExportOptions{Slice: slice, SummariesOnly: true}
		for item, err := range client.Clients.Export(context.Background(), opts) {
			if err != nil {
				fmt.Println(err)
				return
			}
			clients[item.Client.ID] = true
		}
	}
	fmt.Println(len(clients), "clients")
	// Output: 1000 clients
}
