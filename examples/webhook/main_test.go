package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// environment sets the variables of the example and empties the others.
func environment(t *testing.T, values map[string]string) {
	t.Helper()
	for _, name := range []string{
		"TRULIOO_CLIENT_ID", "TRULIOO_CLIENT_SECRET", "TRULIOO_ENVIRONMENT", "TRULIOO_API_VERSION",
		"TRULIOO_BASE_URL", "TRULIOO_TOKEN_URL", "TRULIOO_WEBHOOK_TOKEN", "TRULIOO_WEBHOOK_SECRET", "TRULIOO_WEBHOOK_TOKEN_PREVIOUS", "TRULIOO_WEBHOOK_SECRET_PREVIOUS",
	} {
		t.Setenv(name, values[name])
	}
}

func TestDemo(t *testing.T) { //nolint:paralleltest // it sets the environment
	environment(t, nil)
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out, io.Discard))
	var kinds []trulioo.EventType
	var comments []string
	for text := range strings.Lines(out.String()) {
		var l line
		if strings.HasPrefix(text, "#") {
			comments = append(comments, text)
			continue
		}
		require.NoError(t, json.Unmarshal([]byte(text), &l))
		kinds = append(kinds, l.Type)
		assert.Equal(t, l.Type == trulioo.EventFlowEnd, l.Profile != nil)
	}
	assert.Equal(t, []trulioo.EventType{"FLOW_START", "STEP_INIT", "STEP_SUBMIT", "SERVICE_INIT", "SERVICE_SUBMIT", "FLOW_END"}, kinds)
	assert.Contains(t, comments[0], "using the built-in sandbox")
	assert.Contains(t, comments[len(comments)-1], "refused with status 401")
	assert.NotContains(t, out.String(), "Ada", "nothing personal")
}

func TestReceivesUntilStopped(t *testing.T) { //nolint:paralleltest // it sets the environment
	sandbox := truliootest.NewServer(t)
	environment(t, map[string]string{
		"TRULIOO_CLIENT_ID": sandbox.ClientID, "TRULIOO_CLIENT_SECRET": sandbox.ClientSecret,
		"TRULIOO_BASE_URL": sandbox.BaseURL, "TRULIOO_TOKEN_URL": sandbox.TokenURL,
		"TRULIOO_WEBHOOK_TOKEN": truliootest.WebhookToken, "TRULIOO_WEBHOOK_TOKEN_PREVIOUS": "an-old-one", "TRULIOO_WEBHOOK_SECRET": truliootest.WebhookSecret,
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out bytes.Buffer
	reader, log := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-addr", "127.0.0.1:0"}, &out, log)
		_ = log.Close()
	}()
	lines := bufio.NewScanner(reader)
	require.True(t, lines.Scan())
	address, ok := strings.CutPrefix(lines.Text(), "listening on ")
	require.True(t, ok, lines.Text())
	go func() { _, _ = io.Copy(io.Discard, reader) }()

	target := "http://" + address + "/"
	require.NoError(t, sandbox.Handshake(ctx, target))
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: sandbox.Test.IDs()[0], Test: true})
	require.NoError(t, sandbox.SendEvent(ctx, target, ev))
	require.Error(t, sandbox.Handshake(ctx, target+"elsewhere"), "at / only")
	stop()
	require.NoError(t, <-ended)
	var l line
	require.NoError(t, json.Unmarshal(out.Bytes(), &l))
	assert.True(t, l.Test)
	require.NotNil(t, l.Profile, "fetched from the environment that the event names")
	assert.NotEmpty(t, l.Profile.Status)
}

func TestRefusesToStart(t *testing.T) { //nolint:paralleltest // it sets the environment
	environment(t, map[string]string{"TRULIOO_WEBHOOK_TOKEN": "t "})
	require.ErrorContains(t, run(t.Context(), nil, io.Discard, io.Discard), "TRULIOO_WEBHOOK_TOKEN")
	environment(t, map[string]string{"TRULIOO_WEBHOOK_TOKEN": "t", "TRULIOO_CLIENT_ID": "id"})
	require.ErrorContains(t, run(t.Context(), nil, io.Discard, io.Discard), "TRULIOO_CLIENT_SECRET")
	environment(t, map[string]string{"TRULIOO_CLIENT_ID": "id", "TRULIOO_CLIENT_SECRET": "secret"})
	require.ErrorContains(t, run(t.Context(), nil, io.Discard, io.Discard), "TRULIOO_WEBHOOK_SECRET")
	environment(t, map[string]string{"TRULIOO_WEBHOOK_TOKEN": "t"})
	require.Error(t, run(t.Context(), []string{"-addr", "256.0.0.1:x"}, io.Discard, io.Discard))
	for _, wrong := range [][]string{{"-nonsense"}, {"-addr"}, {"start"}} {
		require.ErrorIs(t, run(t.Context(), wrong, io.Discard, io.Discard), errUsage)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, io.Discard, &help))
	for _, told := range []string{"TRULIOO_WEBHOOK_TOKEN", "TRULIOO_CLIENT_ID", "_PREVIOUS", "127.0.0.1:8081", "UTC", "Exit codes"} {
		assert.Contains(t, help.String(), told)
	}
}

// The service itself is as short as its page says.
func TestServiceIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("service.go")
	require.NoError(t, err)
	assert.LessOrEqual(t, bytes.Count(text, []byte("\n")), 40)
}

// An event that has begun when the stop signal comes is finished and acknowledged.
func TestStopFinishesWhatHasBegun(t *testing.T) { //nolint:paralleltest // it sets the environment
	environment(t, map[string]string{"TRULIOO_WEBHOOK_TOKEN": truliootest.WebhookToken})
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	finished := false
	served := make(chan error, 1)
	go func() {
		served <- service(ctx, listener, func(context.Context, *trulioo.Event) error {
			stop()
			<-ctx.Done()
			finished = true
			return nil
		})
	}()
	vendor := &truliootest.Sender{Token: truliootest.WebhookToken, Attempts: 1}
	require.NoError(t, vendor.SendEvent(t.Context(), "http://"+listener.Addr().String()+"/", truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{})))
	require.NoError(t, <-served)
	assert.True(t, finished)
}
