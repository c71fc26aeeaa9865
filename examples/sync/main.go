// Sync keeps a folder of profiles up to date: run it every night. Only clients
// that are new or have changed cost a request for their profile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/signal"

	"github.com/trulioo-go/trulioo"
)

func main() {
	flag.Parse() // there are none: a wrong one exits with 2
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	client, err := trulioo.NewClientFromEnv()
	if err == nil {
		err = sync(ctx, client, "sync-out")
	}
	if err != nil {
		log.Fatal(err) //nolint:gocritic // there is nothing left to do
	}
}

// sync brings the folder up to date. It can be killed at any moment and run again: the
// profiles that it has kept stay, and those that failed are fetched again.
func sync(ctx context.Context, client *trulioo.Client, dir string) error {
	s, err := openStore(dir)
	if err != nil {
		return err
	}
	before, listed, failed := maps.Clone(s.modified), map[string]bool{}, 0
	var report trulioo.ExportReport
	for item, err := range client.Clients.Export(ctx, &trulioo.ExportOptions{
		Skip: func(row *trulioo.EndClient) bool {
			listed[row.ID] = true
			kept, known := before[row.ID]
			return known && !row.LastModified.IsZero() && kept == row.LastModified.Unix()
		},
		OnReport: func(r trulioo.ExportReport) { report = r },
	}) {
		switch {
		case err != nil:
			return err
		case item.Err != nil:
			failed++ // it is not kept, so the next run tries it again
		default:
			if err := s.put(item); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d kept, %d gone, %d failed, proven: %v\n", len(s.modified), gone(s, listed, report), failed, report.Proven)
	if failed > 0 {
		return errors.New("some clients failed; run it again")
	}
	return nil
}

// gone counts the clients that are kept and no longer listed. It trusts only a list that
// is proven to be whole.
func gone(s *store, listed map[string]bool, report trulioo.ExportReport) (n int) {
	for id := range s.modified {
		if report.Proven && !listed[id] {
			n++
		}
	}
	return n
}
