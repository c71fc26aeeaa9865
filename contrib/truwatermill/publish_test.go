package truwatermill_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/truliootest"
)

// recorder is a publisher that keeps its messages, or fails.
type recorder struct {
	topic    string
	messages []*message.Message
	err      error
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	r.topic = topic
	r.messages = append(r.messages, messages...)
	return r.err
}

func (*recorder) Close() error { return nil }

// deliver sends a callback through a WebhookHandler, as the vendor would.
func deliver(t *testing.T, publisher message.Publisher, ev *trulioo.Event, retry int) (status int, body []byte) {
	t.Helper()
	handler, err := trulioo.NewWebhookHandler(truwatermill.Publish(publisher, eventsTopic),
		trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))
	require.NoError(t, err)
	sender := &truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret}
	body, err = sender.Body(ev, retry)
	require.NoError(t, err)
	header := http.Header{"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sender.Sign(body)}}
	status, _, _ = handler.Handle(t.Context(), header, body)
	return status, body
}

func TestPublish(t *testing.T) {
	t.Parallel()
	for _, ev := range truliootest.EveryEvent(truliootest.EventSpec{ClientID: "client-1", FlowID: "flow-1", Test: true}) {
		t.Run(string(ev.Type), func(t *testing.T) {
			t.Parallel()
			var published recorder
			status, body := deliver(t, &published, ev, 2)
			assert.Equal(t, http.StatusOK, status)
			require.Len(t, published.messages, 1)
			msg := published.messages[0]
			assert.Equal(t, eventsTopic, published.topic)
			assert.Equal(t, ev.Key(), msg.UUID)
			assert.Equal(t, message.Metadata{"type": string(ev.Type), "flow": "flow-1", "client": "client-1", "test": "true"}, msg.Metadata)
			_, bounded := msg.Context().Deadline()
			assert.True(t, bounded, "the context is the handler's")

			var sent, got map[string]any
			require.NoError(t, json.Unmarshal(body, &sent))
			require.NoError(t, json.Unmarshal(msg.Payload, &got))
			require.Equal(t, truliootest.WebhookToken, sent["token"])
			delete(sent, "token")
			assert.Equal(t, sent, got, "all but the token")

			parsed, err := truwatermill.ParseMessage(msg)
			require.NoError(t, err)
			assert.Equal(t, ev.Key(), parsed.Key())
			assert.Equal(t, ev.Type, parsed.Type)
			assert.Equal(t, 2, parsed.Retry)
		})
	}
}

// The counter of a second delivery is in the payload, and not in the id.
func TestPublishGivesCopiesOneID(t *testing.T) {
	t.Parallel()
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})
	var published recorder
	for retry := range 2 {
		status, _ := deliver(t, &published, ev, retry)
		require.Equal(t, http.StatusOK, status)
	}
	require.Len(t, published.messages, 2)
	assert.Equal(t, published.messages[0].UUID, published.messages[1].UUID)
	assert.NotEqual(t, published.messages[0].Payload, published.messages[1].Payload)
}

// A header of a broker cannot hold everything that a callback can.
func TestPublishLeavesOutMetadataThatBrokersCannotCarry(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"empty": "", "line break": "a\r\nNats-Msg-Id: b", "space": "a b", "control": "a\x00", "delete": "a\x7f",
		"not ASCII": "é", "long": strings.Repeat("a", 257),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var published recorder
			err := truwatermill.Publish(&published, eventsTopic)(t.Context(), &trulioo.Event{ClientID: value, FlowID: value, Type: trulioo.EventType(value)})
			require.NoError(t, err)
			assert.Equal(t, message.Metadata{"test": "false"}, published.messages[0].Metadata)
			parsed, err := truwatermill.ParseMessage(published.messages[0])
			require.NoError(t, err)
			assert.Equal(t, value, parsed.ClientID, "the payload has it")
		})
	}
	var published recorder
	longest := strings.Repeat("~", 256)
	require.NoError(t, truwatermill.Publish(&published, eventsTopic)(t.Context(), &trulioo.Event{ClientID: longest, FlowID: "!"}))
	assert.Equal(t, message.Metadata{"test": "false", "client": longest, "flow": "!"}, published.messages[0].Metadata)
}

func TestPublishFails(t *testing.T) {
	t.Parallel()
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})
	down := &recorder{err: errors.New("down")}
	require.ErrorIs(t, truwatermill.Publish(down, eventsTopic)(t.Context(), ev), down.err)
	status, _ := deliver(t, down, ev, 0)
	assert.Equal(t, http.StatusInternalServerError, status, "the vendor sends again")

	var published recorder
	broken := &trulioo.Event{Raw: json.RawMessage(`{"token":"t"`)}
	require.Error(t, truwatermill.Publish(&published, eventsTopic)(t.Context(), broken))
	assert.Empty(t, published.messages)
}

// A 200 without a broker would lose the event.
func TestBrokerThatIsDownIsAnError(t *testing.T) {
	t.Parallel()
	brokers(t, func(t *testing.T, b broker) {
		ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})
		p := publisher(t, b)
		b.Stop(t)
		status, _ := deliver(t, p, ev, 0)
		assert.Equal(t, http.StatusInternalServerError, status)
		b.Start(t)
		status, _ = deliver(t, p, ev, 1)
		assert.Equal(t, http.StatusOK, status)
		checkStored(t, []*trulioo.Event{ev}, b.Stored(t, eventsTopic))
	})
}

// An event that the broker takes for too large is an error too: NATS takes 1 MiB
// with the headers by default, a WebhookHandler 1 MiB without.
func TestEventOverTheBrokersCapIsAnError(t *testing.T) {
	t.Parallel()
	b := newJetStream(t)
	large := truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{
		Fields: map[string]any{"formData": strings.Repeat("x", 1<<20)},
	})
	err := truwatermill.Publish(publisher(t, b), eventsTopic)(context.Background(), large) //nolint:usetesting // as in a program
	require.Error(t, err)
	assert.Empty(t, b.Stored(t, eventsTopic))
}

func TestParseMessage(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"", "null", "[]", `{"id":"a"`, `{"id":"a","id":"b"}`} {
		_, err := truwatermill.ParseMessage(message.NewMessage("id", []byte(payload)))
		var decode *trulioo.DecodeError
		require.ErrorAs(t, err, &decode, payload)
		assert.True(t, truwatermill.Permanent(err))
	}
}

// Every body that a receiver accepts as an event arrives with its key and without its token.
func FuzzPublish(f *testing.F) {
	f.Add([]byte(`{"id":"c","type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":1718011363},"token":"secret","retry":1}`))
	f.Add([]byte(`{"token":{"token":"x"},"flowId":"a\r\nb","test":"TRUE","serviceData":{"fullServiceDetails":{}}}`))
	f.Add([]byte("\xef\xbb\xbf{}"))
	f.Fuzz(func(t *testing.T, body []byte) {
		ev, err := trulioo.ParseEvent(body)
		if err != nil {
			return
		}
		var published recorder
		require.NoError(t, truwatermill.Publish(&published, eventsTopic)(t.Context(), ev))
		msg := published.messages[0]
		parsed, err := truwatermill.ParseMessage(msg)
		require.NoError(t, err)
		assert.Equal(t, ev.Key(), msg.UUID)
		assert.Equal(t, ev.Key(), parsed.Key())
		_, found := parsed.Field("token")
		assert.False(t, found)
	})
}
