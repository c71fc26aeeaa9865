// A program of a user of the core and of its fake server.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	srv, err := truliootest.Start()
	if err != nil {
		log.Fatal(err)
	}
	client, err := trulioo.NewClient(srv.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	n := 0
	for _, err := range client.Clients.All(context.Background(), nil) {
		if err != nil {
			log.Fatal(err)
		}
		n++
	}
	fmt.Println("listed", n, "clients")
}
