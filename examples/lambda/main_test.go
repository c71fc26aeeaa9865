package main

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net/http"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// invocation is a callback as Lambda gets it, in the two forms of its body.
func invocation(t *testing.T, sender *truliootest.Sender, ev *trulioo.Event, encoded bool) events.APIGatewayV2HTTPRequest {
	t.Helper()
	body, err := sender.Body(ev, 0)
	require.NoError(t, err)
	req := events.APIGatewayV2HTTPRequest{
		Version: "2.0", RawPath: "/", Body: string(body),
		Headers: map[string]string{"content-type": "application/json", "x-trulioo-signature": sender.Sign(body)},
	}
	req.RequestContext.HTTP.Method = http.MethodPost
	if encoded {
		req.Body, req.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	return req
}

func TestInvocations(t *testing.T) { //nolint:paralleltest // it sets the environment
	sandbox := truliootest.NewServer(t)
	for name, value := range map[string]string{
		"TRULIOO_CLIENT_ID": sandbox.ClientID, "TRULIOO_CLIENT_SECRET": sandbox.ClientSecret,
		"TRULIOO_BASE_URL": sandbox.BaseURL, "TRULIOO_TOKEN_URL": sandbox.TokenURL,
		"TRULIOO_ENVIRONMENT": "", "TRULIOO_API_VERSION": "",
		"TRULIOO_WEBHOOK_TOKEN": truliootest.WebhookToken, "TRULIOO_WEBHOOK_SECRET": truliootest.WebhookSecret,
		"TRULIOO_WEBHOOK_TOKEN_PREVIOUS": "", "TRULIOO_WEBHOOK_SECRET_PREVIOUS": "",
	} {
		t.Setenv(name, value)
	}
	var log bytes.Buffer
	handler, err := newHandler(slog.New(slog.NewJSONHandler(&log, nil)))
	require.NoError(t, err)
	proxy := httpadapter.NewV2(handler)
	forger := &truliootest.Sender{Token: truliootest.WebhookToken, Secret: "a secret that was guessed"}
	for name, tc := range map[string]struct {
		sender  *truliootest.Sender
		client  string
		encoded bool
		status  int
	}{
		"plain":             {sandbox.Sender(), sandbox.Live.IDs()[0], false, 200},
		"base64":            {sandbox.Sender(), sandbox.Live.IDs()[1], true, 200},
		"forged":            {forger, sandbox.Live.IDs()[2], false, 401},
		"no such client":    {sandbox.Sender(), "nobody", true, 500},
		"forged and base64": {forger, sandbox.Live.IDs()[2], true, 401},
	} {
		log.Reset()
		ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: tc.client})
		answer, err := proxy.ProxyWithContext(t.Context(), invocation(t, tc.sender, ev, tc.encoded))
		require.NoError(t, err, name)
		assert.Equal(t, tc.status, answer.StatusCode, name)
		assert.Equal(t, "application/json", answer.Headers["Content-Type"], name)
		assert.Equal(t, tc.status == 200, bytes.Contains(log.Bytes(), []byte("flow ended")), name)
		assert.NotContains(t, log.String(), tc.client, "nothing personal is logged")
	}
}

func TestNoVariables(t *testing.T) { //nolint:paralleltest // it sets the environment
	for _, name := range []string{"TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET", "TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET"} {
		t.Setenv(name, "")
	}
	_, err := newHandler(slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "TRULIOO_CLIENT_ID")
}
