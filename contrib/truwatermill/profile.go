package truwatermill

import (
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/trulioo-go/trulioo"
)

// FetchProfile gives a handler for a watermill Router, from the topic of
// Publish to one of profiles. For a FLOW_END it gets the end client's profile,
// from the environment that the event names, and publishes it: the payload
// is the API's answer and decodes with json.Unmarshal into a trulioo.Profile,
// the metadata is that of the event, and the id is "profile-" and the event's
// key, since a broker that drops copies may do so across topics.
//
// All other events are acknowledged, and nothing is published for them. Among them
// are ABANDONED, whose profile is not complete, and MANUALLY_ACCEPTED and its kin,
// which come after the profile has been published. Write a handler of these few lines
// if you want a profile for them, too.
//
// An error means that nothing was published, and the broker delivers the event again.
// This helps where the API cannot be reached. It never helps for a message that is not
// an event, an event without a client id, and an end client who is not found;
// Permanent tells these apart. Not found is the API's own word only, and not a
// gateway's 404 or page. A profile is never dropped silently for a 404: the event can
// be early, or of another account.
//
// The profile is as of the fetch. An event that is delivered twice makes two
// messages with one id. opts may be nil.
func FetchProfile(client *trulioo.Client, opts *trulioo.GetOptions) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		ev, err := ParseMessage(msg)
		if err != nil {
			return nil, err
		}
		if ev.Type != trulioo.EventFlowEnd {
			return nil, nil
		}
		profile, err := client.ForEvent(ev).Clients.Get(msg.Context(), ev.ClientID, opts)
		if err != nil {
			return nil, err
		}
		payload, err := profile.MarshalJSON()
		if err != nil {
			return nil, err
		}
		out := message.NewMessage("profile-"+ev.Key(), payload)
		out.Metadata = metadata(ev)
		return []*message.Message{out}, nil
	}
}

// Permanent reports whether an error of FetchProfile or ParseMessage comes back
// with each delivery of the message: it is not an event, its event has no client
// id, or the API does not know the end client. It is a filter for watermill's
// middleware.PoisonQueueWithFilter, which moves the message to a topic of its
// own. Put middleware.Retry inside it, for an end client that is known late.
func Permanent(err error) bool {
	if _, ok := errors.AsType[*trulioo.ArgumentError](err); ok {
		return true
	}
	decode, ok := errors.AsType[*trulioo.DecodeError](err)
	notAnEvent := ok && decode.Attempts == 0 // a broken answer of the API has some
	return notAnEvent || errors.Is(err, trulioo.ErrNotFound)
}
