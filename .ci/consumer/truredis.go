// A program of a user of truredis. It hears that Redis is not there and goes on without
// it.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/redis/go-redis/v9"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truredis"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	srv, err := truliootest.Start()
	if err != nil {
		log.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	store, err := truredis.NewTokenStore(rdb, truredis.WithEncryptionKeys(make([]byte, 32)))
	if err != nil {
		log.Fatal(err)
	}
	client, err := trulioo.NewClient(append(srv.Options(), trulioo.WithTokenStore(store))...)
	if err != nil {
		log.Fatal(err)
	}
	page, err := client.Workflows.List(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listed", len(page.Data), "workflows without Redis")
}
