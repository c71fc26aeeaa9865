package truliootest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// receiver starts a real handler and gives the events that it ran.
func receiver(t *testing.T, fn func(*trulioo.Event) error) (target string, ran func() []*trulioo.Event) {
	t.Helper()
	var mu sync.Mutex
	var events []*trulioo.Event
	h, err := trulioo.NewWebhookHandler(func(_ context.Context, ev *trulioo.Event) error {
		mu.Lock()
		events = append(events, ev)
		mu.Unlock()
		return fn(ev)
	}, trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))
	require.NoError(t, err)
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL, func() []*trulioo.Event {
		mu.Lock()
		defer mu.Unlock()
		return events
	}
}

func fine(*trulioo.Event) error { return nil }

func TestSendEventRetriesWithACounter(t *testing.T) {
	t.Parallel()
	failures := 2
	target, ran := receiver(t, func(*trulioo.Event) error {
		if failures > 0 {
			failures--
			return errors.New("not yet")
		}
		return nil
	})
	sender := &truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret, Wait: time.Millisecond}
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})
	require.NoError(t, sender.SendEvent(t.Context(), target, ev))
	require.Len(t, ran(), 3)
	for i, got := range ran() {
		assert.Equal(t, i, got.Retry)
		assert.Equal(t, ev.Key(), got.Key())
	}
}

func TestSendEventGivesUp(t *testing.T) {
	t.Parallel()
	target, ran := receiver(t, func(*trulioo.Event) error { return errors.New("never") })
	sender := &truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret, Wait: time.Millisecond, Attempts: 3}
	err := sender.SendEvent(t.Context(), target, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{}))
	var given *truliootest.NotAcknowledged
	require.ErrorAs(t, err, &given)
	assert.Equal(t, truliootest.NotAcknowledged{Status: 500, Attempts: 3}, *given)
	assert.Len(t, ran(), 3)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, sender.SendEvent(ctx, target, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})), context.Canceled)
}

func TestSendEventForged(t *testing.T) {
	t.Parallel()
	target, ran := receiver(t, fine)
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})
	for _, s := range []truliootest.Sender{
		{},
		{Token: truliootest.WebhookToken},
		{Secret: truliootest.WebhookSecret},
		{Token: truliootest.WebhookToken, Secret: "another"},
		{Token: "another", Secret: truliootest.WebhookSecret},
	} {
		status, err := s.Deliver(t.Context(), target, ev, 0)
		require.NoError(t, err)
		assert.Equal(t, http.StatusUnauthorized, status)
	}
	assert.Empty(t, ran())
}

func TestSendEventsDisordered(t *testing.T) {
	t.Parallel()
	target, ran := receiver(t, fine)
	events := append(truliootest.EveryEvent(truliootest.EventSpec{}), truliootest.FlowEvents(truliootest.EventSpec{})...)
	sender := (&truliootest.Server{}).Sender()
	sender.Wait = time.Millisecond
	require.NoError(t, sender.SendEvents(t.Context(), target, events,
		truliootest.Disorder{Duplicates: 1, Shuffle: true, Concurrent: 4, Seed: 7}))
	require.Len(t, ran(), len(events), "each once, though each was sent twice")
	var sent, got []string
	for i, ev := range ran() {
		sent, got = append(sent, events[i].Key()), append(got, ev.Key())
	}
	assert.ElementsMatch(t, sent, got)
	assert.NotEqual(t, sent, got, "shuffled")
}

func TestSendEventsJoinsErrors(t *testing.T) {
	t.Parallel()
	target, _ := receiver(t, func(ev *trulioo.Event) error {
		if ev.Type == trulioo.EventFlowEnd {
			return errors.New("no")
		}
		return nil
	})
	sender := (&truliootest.Server{}).Sender()
	sender.Attempts, sender.Wait = 2, time.Millisecond
	err := sender.SendEvents(t.Context(), target, truliootest.FlowEvents(truliootest.EventSpec{}), truliootest.Disorder{})
	var given *truliootest.NotAcknowledged
	require.ErrorAs(t, err, &given)
	assert.Equal(t, 1, strings.Count(err.Error(), "not acknowledged"))
}

func TestServerSends(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	target, ran := receiver(t, fine)
	require.NoError(t, srv.Handshake(t.Context(), target))
	require.NoError(t, srv.SendEvent(t.Context(), target, truliootest.NewEvent(trulioo.EventFlowStart, truliootest.EventSpec{})))
	assert.Len(t, ran(), 1, "a handshake is not an event")
}

// TestHandshakeSaysWhy has a receiver for each mistake that a receiver can make.
func TestHandshakeSaysWhy(t *testing.T) {
	t.Parallel()
	answer := func(status int, media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for want, h := range map[string]http.HandlerFunc{
		"token or the signing secret": answer(401, "application/json", "{}"),
		"status 404":                  answer(404, "text/plain", "not here"),
		"Content-Type":                answer(200, "text/plain", `{"challenge":"x"}`),
		"not a JSON object":           answer(200, "application/json", `challenge`),
		"no challenge":                answer(200, "application/json", `{"status":"ok"}`),
		"came back changed":           answer(200, "application/json", `{"challenge":"x"}`),
	} {
		server := httptest.NewServer(h)
		err := (&truliootest.Sender{}).Handshake(t.Context(), server.URL)
		server.Close()
		require.ErrorContains(t, err, want)
	}
	gone := truliootest.NewServer(t)
	gone.Close()
	require.ErrorContains(t, (&truliootest.Sender{}).Handshake(t.Context(), gone.BaseURL), "no answer")
}

// Trap: an encoder that escapes for HTML hides a receiver that checks the
// signature of a body which it has encoded again.
func TestSenderEscapesNothing(t *testing.T) {
	t.Parallel()
	text := "<b>&'\u2028\u2029 \u00e9 😀"
	ev := truliootest.NewEvent(trulioo.EventNoteAdded, truliootest.EventSpec{User: text, Fields: map[string]any{"note": map[string]any{"text": text}}})
	sender := &truliootest.Sender{Token: "token<&>of the builder", Secret: truliootest.WebhookSecret}
	body, err := sender.Body(ev, 1)
	require.NoError(t, err)
	assert.Equal(t, 2, strings.Count(string(body), text), string(body))
	assert.Contains(t, string(body), `"token":"token<&>of the builder"`)
	assert.NotContains(t, string(body), `\u`)
	assert.NotContains(t, string(body), "\n")
	again, err := trulioo.ParseEvent(body)
	require.NoError(t, err)
	assert.Equal(t, ev.Key(), again.Key())
}

// A refusal's advice names the raw body, which receivers get wrong most often.
func TestSenderNamesTheRawBody(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }))
	t.Cleanup(server.Close)
	sender := &truliootest.Sender{Secret: "s", Attempts: 1}
	require.ErrorContains(t, sender.SendEvent(t.Context(), server.URL, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})), "raw body")
	require.ErrorContains(t, sender.Handshake(t.Context(), server.URL), "raw body")
}
