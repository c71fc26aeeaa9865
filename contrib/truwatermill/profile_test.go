package truwatermill_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/message/router/middleware"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/truliootest"
)

// messageOf is the message of an event, as Publish makes it.
func messageOf(t *testing.T, ev *trulioo.Event) *message.Message {
	t.Helper()
	var published recorder
	require.NoError(t, truwatermill.Publish(&published, eventsTopic)(t.Context(), ev))
	return published.messages[0]
}

// once is a client that leaves the retries to the broker.
var once = trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1})

func TestFetchProfile(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	for _, where := range []struct {
		name    string
		test    bool
		account *truliootest.Account
	}{{"live", false, srv.Live}, {"test", true, srv.Test}} {
		t.Run(where.name, func(t *testing.T) {
			t.Parallel()
			id := where.account.IDs()[0]
			ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: id, FlowID: "flow-1", Test: where.test})
			for _, full := range []bool{false, true} {
				fetch := truwatermill.FetchProfile(srv.Client(), &trulioo.GetOptions{FullServiceDetails: full})
				out, err := fetch(messageOf(t, ev))
				require.NoError(t, err)
				require.Len(t, out, 1)
				want, ok := where.account.Profile(id, full)
				require.True(t, ok)
				assert.JSONEq(t, string(want), string(out[0].Payload))
				assert.Equal(t, "profile-"+ev.Key(), out[0].UUID)
				assert.Equal(t, messageOf(t, ev).Metadata, out[0].Metadata)
				var profile trulioo.Profile
				require.NoError(t, json.Unmarshal(out[0].Payload, &profile))
				assert.Equal(t, id, profile.ID)
			}
		})
	}
}

// Nothing but the end of a flow costs a call.
func TestFetchProfileLetsOtherEventsPass(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	fetch := truwatermill.FetchProfile(srv.Client(), nil)
	events := truliootest.EveryEvent(truliootest.EventSpec{ClientID: srv.Live.IDs()[0]})
	events = append(events, truliootest.NewEvent("SOMETHING_NEW", truliootest.EventSpec{}), &trulioo.Event{})
	fetched := 0
	for _, ev := range events {
		out, err := fetch(messageOf(t, ev))
		require.NoError(t, err)
		fetched += len(out)
	}
	assert.Equal(t, 1, fetched)
	assert.Equal(t, 1, srv.Count(truliootest.GetClient))
}

func TestFetchProfileFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client    string
		payload   string
		effect    truliootest.Effect
		permanent bool
	}{
		"not an event":         {payload: "[]", permanent: true},
		"no client id":         {payload: `{"event":{"type":"FLOW_END"}}`, permanent: true},
		"not found":            {client: "nobody", permanent: true},
		"not found by code":    {effect: truliootest.Answer(400, `{"code":4100}`), permanent: true},
		"busy":                 {effect: truliootest.Answer(503, "<html>busy</html>")},
		"too many requests":    {effect: truliootest.Answer(429, "")},
		"not authorised":       {effect: truliootest.Answer(403, `{}`)},
		"reset":                {effect: truliootest.Reset()},
		"a gateway's 404":      {effect: truliootest.Answer(404, "<html>no such page</html>")},
		"an empty 404":         {effect: truliootest.Answer(404, "")},
		"a 404 of the API":     {effect: truliootest.Answer(404, `{"message":"no such client"}`), permanent: true},
		"a page with 200":      {effect: truliootest.Answer(200, "<!DOCTYPE html><html>rejected</html>")},
		"an empty object":      {effect: truliootest.Answer(200, `{}`)},
		"an error with 200":    {effect: truliootest.Answer(200, `{"errorMessage":"m"}`)},
		"not found with 200":   {effect: truliootest.Answer(200, `{"code":4100}`), permanent: true},
		"another's profile":    {effect: truliootest.Answer(200, `{"id":"another"}`)},
		"not a profile":        {effect: truliootest.Answer(200, `[]`)},
		"cut off without sign": {effect: truliootest.Truncate(20)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			if c.client == "" {
				c.client = srv.Live.IDs()[0]
			}
			msg := messageOf(t, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: c.client}))
			if c.payload != "" {
				msg.Payload = []byte(c.payload)
			}
			srv.Fail(truliootest.GetClient, c.effect)
			out, err := truwatermill.FetchProfile(srv.Client(once), nil)(msg)
			require.Error(t, err)
			assert.Empty(t, out)
			assert.Equal(t, c.permanent, truwatermill.Permanent(err), "%v", err)
		})
	}
	assert.False(t, truwatermill.Permanent(nil))
	assert.False(t, truwatermill.Permanent(errors.New("the broker's")))
}

// The subscriber's end is the call's end.
func TestFetchProfileHeedsTheMessagesContext(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	msg := messageOf(t, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: srv.Live.IDs()[0]}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	msg.SetContext(ctx)
	srv.Fail(truliootest.GetClient, truliootest.Handle(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := truwatermill.FetchProfile(srv.Client(once), nil)(msg)
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, truwatermill.Permanent(err))
}

// The consumer on the brokers publishes each profile once the API answers, sets aside
// messages that never work, and goes on with the rest.
func TestRouter(t *testing.T) {
	t.Parallel()
	brokers(t, func(t *testing.T, b broker) {
		srv := truliootest.NewServer(t)
		busy := srv.Fail(truliootest.GetClient, truliootest.Answer(503, ""), truliootest.Times(2))
		build := func(kind trulioo.EventType, id string, test bool) *trulioo.Event {
			return truliootest.NewEvent(kind, truliootest.EventSpec{ClientID: id, Test: test})
		}
		live := build(trulioo.EventFlowEnd, srv.Live.IDs()[0], false)
		missing := build(trulioo.EventFlowEnd, "nobody", false)
		test := build(trulioo.EventFlowEnd, srv.Test.IDs()[1], true)
		p := publisher(t, b)
		for _, ev := range []*trulioo.Event{
			build(trulioo.EventFlowStart, srv.Live.IDs()[0], false), live, missing,
			build(trulioo.EventAbandoned, srv.Live.IDs()[2], false), test,
		} {
			require.NoError(t, truwatermill.Publish(p, eventsTopic)(t.Context(), ev))
		}
		require.NoError(t, p.Publish(eventsTopic, message.NewMessage("foreign", []byte("not an event"))))

		run(t, b, p, truwatermill.FetchProfile(srv.Client(once), nil))
		profiles := receiveFrom(t, b, profilesTopic, 2)
		poison := receiveFrom(t, b, poisonTopic, 2)
		assert.Equal(t, 2, busy.Hits(), "the broker delivered again what failed")
		for _, ev := range []*trulioo.Event{live, test} {
			msg := profiles["profile-"+ev.Key()]
			require.NotNil(t, msg)
			var profile trulioo.Profile
			require.NoError(t, json.Unmarshal(msg.Payload, &profile))
			assert.Equal(t, ev.ClientID, profile.ID)
			assert.Equal(t, "FLOW_END", msg.Metadata.Get(truwatermill.MetadataType))
		}
		require.Contains(t, poison, "foreign")
		require.Contains(t, poison, missing.Key())
		assert.NotContains(t, poison[missing.Key()].Metadata.Get(middleware.ReasonForPoisonedKey), "nobody")
	})
}

// run has a Router with the handler until the test ends.
func run(t *testing.T, b broker, p message.Publisher, handler message.HandlerFunc) {
	t.Helper()
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: patience}, watermill.NopLogger{})
	require.NoError(t, err)
	poison, err := middleware.PoisonQueueWithFilter(p, poisonTopic, truwatermill.Permanent)
	require.NoError(t, err)
	router.AddMiddleware(poison)
	router.AddHandler("profiles", eventsTopic, b.Subscriber(t), profilesTopic, p, handler)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(context.WithoutCancel(t.Context())) }()
	t.Cleanup(func() {
		assert.NoError(t, router.Close())
		assert.NoError(t, <-ended)
	})
}

// receiveFrom waits for n messages of a topic, by their ids: what was delivered
// again comes in any order.
func receiveFrom(t *testing.T, b broker, topic string, n int) map[string]*message.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	incoming, err := b.Subscriber(t).Subscribe(ctx, topic)
	require.NoError(t, err)
	received := make(map[string]*message.Message, n)
	for len(received) < n {
		msg, ok := <-incoming
		require.True(t, ok, "%d of %d messages came", len(received), n)
		received[msg.UUID] = msg
		msg.Ack()
	}
	return received
}
