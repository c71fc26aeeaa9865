// A program of a user of truotel.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truotel"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	srv, err := truliootest.Start()
	if err != nil {
		log.Fatal(err)
	}
	observer, err := truotel.NewObserver()
	if err != nil {
		log.Fatal(err)
	}
	client, err := trulioo.NewClient(append(srv.Options(), trulioo.WithObserver(observer))...)
	if err != nil {
		log.Fatal(err)
	}
	page, err := client.Workflows.List(context.Background(), nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("observed a list of", len(page.Data), "workflows")
}
