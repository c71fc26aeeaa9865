package truwatermill_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/truliootest"
)

// The channel in memory stands in for a broker. The README has a real one.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	vendor, err := truliootest.Start()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer vendor.Close()

	// The receiver.
	handler, err := trulioo.NewWebhookHandler(truwatermill.Publish(broker, "events"),
		trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))
	if err != nil {
		fmt.Println(err)
		return
	}
	receiver := httptest.NewServer(handler)
	defer receiver.Close()

	// The consumer, which can be another process.
	router := message.NewDefaultRouter(watermill.NopLogger{})
	router.AddHandler("profiles", "events", broker, "profiles", broker, truwatermill.FetchProfile(vendor.Client(), nil))
	go func() { _ = router.Run(ctx) }()
	defer func() { _ = router.Close() }()

	id := vendor.Live.IDs()[0]
	for _, ev := range truliootest.FlowEvents(truliootest.EventSpec{ClientID: id}) {
		if err := vendor.SendEvent(ctx, receiver.URL, ev); err != nil {
			fmt.Println(err)
			return
		}
	}
	profiles, err := broker.Subscribe(ctx, "profiles")
	if err != nil {
		fmt.Println(err)
		return
	}
	profile := <-profiles
	profile.Ack()
	fmt.Println(profile.Metadata.Get(truwatermill.MetadataType), profile.Metadata.Get(truwatermill.MetadataClient) == id)
	// Output: FLOW_END true
}

// A consumer of one's own, on the topic of Publish.
func ExampleParseMessage() {
	ctx := context.Background()
	broker := gochannel.NewGoChannel(gochannel.Config{Persistent: true}, watermill.NopLogger{})
	publish := truwatermill.Publish(broker, "events")
	if err := publish(ctx, truliootest.NewEvent(trulioo.EventAbandoned, truliootest.EventSpec{ClientID: "667b1c2f"})); err != nil {
		fmt.Println(err)
		return
	}

	messages, err := broker.Subscribe(ctx, "events")
	if err != nil {
		fmt.Println(err)
		return
	}
	msg := <-messages
	ev, err := truwatermill.ParseMessage(msg)
	if err != nil {
		fmt.Println(err)
		return
	}
	msg.Ack()
	fmt.Println(ev.Type, ev.ClientID, ev.Key() == msg.UUID)
	// Output: ABANDONED 667b1c2f true
}
