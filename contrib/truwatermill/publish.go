// Package truwatermill puts Trulioo webhook events into a message broker, by
// way of github.com/ThreeDotsLabs/watermill: Kafka, NATS JetStream, RabbitMQ,
// Redis Streams, SQL, Google Pub/Sub, SQS and others.
//
// [Publish] is the function of a receiver: the vendor gets a 200 when the broker has
// the event, and otherwise sends it again.
// [FetchProfile] is a consumer that turns the end of a flow into a profile.
// [ParseMessage] is for consumers of your own.
//
// Delivery is at least once. Every copy of an event has one message id,
// trulioo.Event.Key, for the broker or the consumer to drop copies by.
package truwatermill

import (
	"context"
	"strconv"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/trulioo-go/trulioo"
)

// The metadata of a message, for routing and for partition keys. A value that is empty,
// longer than 256 bytes or not of visible ASCII characters is left out, since not
// every broker can carry it; the payload has it.
const (
	MetadataType   = "type"   // trulioo.Event.Type, such as "FLOW_END"
	MetadataFlow   = "flow"   // trulioo.Event.FlowID
	MetadataClient = "client" // trulioo.Event.ClientID
	MetadataTest   = "test"   // "true" for an event of the test environment, else "false"
)

// Publish gives a function for trulioo.NewWebhookHandler that publishes each
// event to a topic. Its error is the publisher's, and it returns nil only when the
// publisher has returned nil. Choose a publisher that waits for the broker to confirm;
// the README says which ones do.
//
// The message's id is trulioo.Event.Key. Its payload is the callback without
// the verification token, which is a credential; it holds what the end client entered.
// Its context is the handler's, with a deadline of 8 s: a publisher that has timeouts
// of its own should give up before that.
func Publish(publisher message.Publisher, topic string) func(context.Context, *trulioo.Event) error {
	return func(ctx context.Context, ev *trulioo.Event) error {
		payload, err := ev.MarshalJSON()
		if err != nil {
			return err
		}
		msg := message.NewMessageWithContext(ctx, ev.Key(), payload)
		msg.Metadata = metadata(ev)
		return publisher.Publish(topic, msg)
	}
}

// ParseMessage decodes the event of a message that Publish made. It has the
// fields and the key that the receiver saw. The error is a *trulioo.DecodeError; it
// comes again with each delivery.
func ParseMessage(msg *message.Message) (*trulioo.Event, error) {
	return trulioo.ParseEvent(msg.Payload)
}

func metadata(ev *trulioo.Event) message.Metadata {
	md := message.Metadata{MetadataTest: strconv.FormatBool(ev.Test)}
	for name, value := range map[string]string{
		MetadataType:   string(ev.Type),
		MetadataFlow:   ev.FlowID,
		MetadataClient: ev.ClientID,
	} {
		if carriable(value) {
			md.Set(name, value)
		}
	}
	return md
}

// carriable reports whether any broker's header takes a value as it is: SQS
// refuses an empty one, NATS turns line breaks into spaces.
func carriable(value string) bool {
	hidden := func(r rune) bool { return r <= ' ' || r > '~' }
	return value != "" && len(value) <= 256 && !strings.ContainsFunc(value, hidden)
}
