// A program of a user of truwatermill, with the broker in memory.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	ctx := context.Background()
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	sent := truliootest.FlowEvents(truliootest.EventSpec{ClientID: "65f1a2b3c4d5e6f708192a3b"})
	if err := truwatermill.Publish(broker, "events")(ctx, sent[0]); err != nil {
		log.Fatal(err)
	}
	messages, err := broker.Subscribe(ctx, "events")
	if err != nil {
		log.Fatal(err)
	}
	message := <-messages
	message.Ack()
	got, err := truwatermill.ParseMessage(message)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("received", got.Type)
}
