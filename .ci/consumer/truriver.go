// A program of a user of truriver, who has no PostgreSQL yet.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truriver"
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
	// The pool connects when it is used.
	pool, err := pgxpool.New(context.Background(), "postgres://nobody@127.0.0.1:1/none")
	if err != nil {
		log.Fatal(err)
	}
	exporter, err := truriver.New(pool, client)
	if err != nil {
		log.Fatal(err)
	}
	if err := river.AddWorkerSafely(river.NewWorkers(), exporter); err != nil {
		log.Fatal(err)
	}
	fmt.Println("a worker of the queue", truriver.Queue)
}
