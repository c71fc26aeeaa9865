package callback_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// receiver makes a receiver that verifies with a token and a secret, and gives its
// deliveries.
func receiver(t *testing.T, target, token string) (address string, seen func() []callback.Delivery) {
	t.Helper()
	var mu sync.Mutex
	var all []callback.Delivery
	r, err := callback.New(target, func(d callback.Delivery) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, d)
	}, func(fn func(context.Context, *trulioo.Event) error, opts ...trulioo.WebhookOption) (*trulioo.WebhookHandler, error) {
		return trulioo.NewWebhookHandler(fn, append(opts, trulioo.WithVerificationToken(token), trulioo.WithSigningSecret(truliootest.WebhookSecret))...)
	})
	require.NoError(t, err)
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return server.URL, func() []callback.Delivery {
		server.Config.SetKeepAlivesEnabled(false)
		mu.Lock()
		defer mu.Unlock()
		return all
	}
}

// The headers and the exact bytes are forwarded, odd spacing included.
func TestForwardedAsItCame(t *testing.T) {
	t.Parallel()
	var got http.Header
	var body strings.Builder
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		buffer := make([]byte, r.ContentLength)
		n, _ := r.Body.Read(buffer)
		body.Write(buffer[:n])
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(app.Close)
	address, seen := receiver(t, app.URL, "t")
	sent := `{ "id" : "c1",  "token":"t", "event":{"type":"FLOW_END","ts":1718011363}, "x": "<&\u2028>" }`
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(sent))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	request.Header.Set("X-Trulioo-Signature", (&truliootest.Sender{Secret: truliootest.WebhookSecret}).Sign([]byte(sent)))
	request.Header.Set("X-Something", "of the vendor")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, sent, body.String())
	for _, name := range []string{"Content-Type", "X-Trulioo-Signature", "X-Something"} {
		assert.Equal(t, request.Header.Get(name), got.Get(name))
	}
	require.Eventually(t, func() bool { return len(seen()) == 1 }, waitFor, tick)
	assert.Equal(t, http.StatusAccepted, seen()[0].Forward.Status)
	assert.True(t, (&seen()[0]).Verified())
}

// The vendor gets the status of the program under development.
func TestAProgramThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status, want int
	}{"fails": {500, 500}, "redirects": {302, 500}, "accepts": {204, 200}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls++
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
			}))
			t.Cleanup(app.Close)
			address, _ := receiver(t, app.URL, truliootest.WebhookToken)
			sender := &truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret}
			status, err := sender.Deliver(t.Context(), address, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{}), 0)
			require.NoError(t, err)
			assert.Equal(t, c.want, status)
			assert.Equal(t, 1, calls)
		})
	}
}

// Kept and sent again, a callback is the vendor's own; no file has the token.
func TestKeptWithoutTheToken(t *testing.T) {
	t.Parallel()
	for _, token := range []string{"t0ken", `with "quotes" and \`, "<&>", "Zoë,日本"} {
		address, seen := receiver(t, "", token)
		sender := &truliootest.Sender{Token: token, Secret: truliootest.WebhookSecret}
		event := truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{Fields: map[string]any{"again": "the " + token + " in a text"}})
		require.NoError(t, sender.SendEvent(t.Context(), address, event))
		require.Eventually(t, func() bool { return len(seen()) == 1 }, waitFor, tick)
		delivery := seen()[0]
		dir := filepath.Join(t.TempDir(), "kept")
		folder, err := callback.OpenFolder(dir, "a")
		require.NoError(t, err)
		require.NoError(t, folder.Add(delivery))
		require.NoError(t, folder.Add(callback.Delivery{Body: []byte("{}"), Status: 401}), "what is not verified is not kept")

		all, err := folder.All(token, truliootest.WebhookSecret)
		require.NoError(t, err)
		require.Len(t, all, 1)
		assert.Equal(t, string(delivery.Body), string(all[0].Body))
		assert.Equal(t, delivery.Header.Get("X-Trulioo-Signature"), all[0].Header.Get("X-Trulioo-Signature"))
		assert.Equal(t, "STEP_SUBMIT", all[0].EventType)
		require.NoError(t, trulioo.VerifySignature(all[0].Body, all[0].Header.Get("X-Trulioo-Signature"), truliootest.WebhookSecret))

		// Another token than then: signed anew, so that it verifies all the same.
		all, err = folder.All("a new token", "a new secret")
		require.NoError(t, err)
		assert.False(t, all[0].Original)
		require.NoError(t, trulioo.VerifySignature(all[0].Body, all[0].Header.Get("X-Trulioo-Signature"), "a new secret"))
		require.NoError(t, folder.Close())

		_, err = callback.OpenFolder(dir, "b")
		require.ErrorContains(t, err, "another account")
		_, err = callback.ReadFolder(t.TempDir(), "a")
		require.Error(t, err)
		files, err := filepath.Glob(filepath.Join(dir, "2*.json"))
		require.NoError(t, err)
		require.Len(t, files, 1)
		data, err := os.ReadFile(files[0])
		require.NoError(t, err)
		assert.NotContains(t, string(data), `"token\":\"`+token)
		assert.NotContains(t, string(callback.WithoutToken(delivery.Event, delivery.Body)), `"token":"`+token)
	}
}

func TestOtherFoldersAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.txt"), nil, 0o600))
	_, err := callback.OpenFolder(dir, "a")
	require.ErrorContains(t, err, "other things")
	own := filepath.Join(t.TempDir(), "own")
	folder, err := callback.OpenFolder(own, "a")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(own, "20240101.json"), []byte("{}"), 0o600))
	_, err = folder.All("", "")
	require.Error(t, err)
	require.NoError(t, folder.Close())
}

// A body over the limit and an empty one are answered and shown.
func TestStrangeBodies(t *testing.T) {
	t.Parallel()
	address, seen := receiver(t, "", "t")
	for _, body := range []string{"", "null", "[]", "{", strings.Repeat("x", 2<<20)} {
		response, err := http.Post(address, "application/json", strings.NewReader(body)) //nolint:gosec,noctx // the test's own server
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		assert.NotEqual(t, http.StatusOK, response.StatusCode)
	}
	require.Eventually(t, func() bool { return len(seen()) == 5 }, waitFor, tick)
	for _, d := range seen() {
		assert.False(t, d.Verified())
	}
}

func TestTheLogRemembersTheLast(t *testing.T) {
	t.Parallel()
	log := &callback.Log{}
	deliveries, stop := log.Watch()
	for range 400 {
		log.Add(callback.Delivery{}) // the watcher reads none: nobody waits for it
	}
	assert.Len(t, log.Last(), 300)
	assert.Equal(t, 400, log.Last()[0].N)
	_, found := log.Find(100)
	assert.False(t, found)
	d, found := log.Find(101)
	assert.True(t, found)
	assert.Equal(t, 101, d.N)
	assert.Equal(t, 1, (<-deliveries).N)
	stop()
	log.Add(callback.Delivery{})
}

// The receiver reports a delivery after it has answered.
const (
	waitFor = 30 * time.Second
	tick    = time.Millisecond
)
