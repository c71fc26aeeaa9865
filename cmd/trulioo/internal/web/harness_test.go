package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/sandbox"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/web"
	"github.com/trulioo-go/trulioo/truliootest"
)

// page is a running page of a sandbox, with a receiver of callbacks.
type page struct {
	*web.Server
	box      *sandbox.Sandbox
	client   *trulioo.Client
	receiver *httptest.Server
	origin   string
	first    string // the address that works once
}

// open starts a page that ends with the test.
func open(t *testing.T, change ...func(*web.Settings)) *page {
	t.Helper()
	// The exports of whoever runs the tests are not the test's.
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	box, err := sandbox.Start(sandbox.Settings{Clients: sandbox.Clients})
	require.NoError(t, err)
	t.Cleanup(box.Close)
	log := &callback.Log{}
	receiver, err := callback.New("", log.Add, func(fn func(context.Context, *trulioo.Event) error, opts ...trulioo.WebhookOption) (*trulioo.WebhookHandler, error) {
		return trulioo.NewWebhookHandler(fn, append(opts, trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))...)
	})
	require.NoError(t, err)
	hook := httptest.NewServer(receiver)
	t.Cleanup(hook.Close)
	settings := web.Settings{
		Client: box.Client(), Account: "sandbox", Digest: "sandbox-live", Callbacks: log, Hook: hook.URL + "/",
		Again: func(ctx context.Context, d callback.Delivery) (int, error) {
			return callback.Post(ctx, hook.Client(), hook.URL, d.Header, d.Body)
		},
	}
	for _, edit := range change {
		edit(&settings)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server, err := web.New(listener, settings)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
	return &page{server, box, settings.Client, hook, "http://" + listener.Addr().String(), server.Address()}
}

// enter is a browser without a screen that was let in.
func (p *page) enter(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second, Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	status, _ := get(t, client, p.first)
	require.Equal(t, http.StatusOK, status)
	return client
}

// get gets a page whole.
func get(t *testing.T, client *http.Client, address string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	return do(t, client, request)
}

func do(t *testing.T, client *http.Client, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := client.Do(request)
	require.NoError(t, err)
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode, string(data)
}

// post sends a form as the page does.
func (p *page) post(t *testing.T, client *http.Client, path string, header map[string]string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.origin+path, strings.NewReader(""))
	require.NoError(t, err)
	for name, value := range header {
		request.Header.Set(name, value)
	}
	return do(t, client, request)
}

// someone is a client with files, and their first name.
func (p *page) someone(t *testing.T) (id, name string) {
	t.Helper()
	for _, id := range p.box.Live.IDs() {
		if len(p.box.Live.FileKeys(id)) < 2 {
			continue
		}
		profile, err := p.client.Clients.Get(t.Context(), id, nil)
		require.NoError(t, err)
		if values := profile.Values(trulioo.RoleFirstName); len(values) > 0 && len(profile.Notes) > 0 {
			return id, values[0].Value
		}
	}
	t.Fatal("the sandbox has nobody with files and a note")
	return "", ""
}
