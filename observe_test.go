package trulioo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// steps is an observer that writes down what it sees.
type steps struct {
	mu   sync.Mutex
	seen []string
}

func (s *steps) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	return ctx, func(o trulioo.Outcome) {
		s.mu.Lock()
		defer s.mu.Unlock()
		line := string(step.Kind) + " " + step.Operation
		if step.Attempt > 0 {
			line += " #" + strconv.Itoa(step.Attempt)
		}
		line += " " + strconv.Itoa(o.StatusCode)
		if o.Err != nil {
			line += fmt.Sprintf(" %T", o.Err)
		}
		s.seen = append(s.seen, line)
	}
}

func TestObserver_sees_every_step(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		observer := &steps{}
		client := srv.Client(trulioo.WithObserver(observer))
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(429, "").RetryAfter("1"), truliootest.Times(1))
		srv.Fail(truliootest.ListWorkflows, truliootest.Truncate(10), truliootest.Times(1))
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		_, err = client.Clients.Get(t.Context(), "nobody", nil)
		require.ErrorIs(t, err, trulioo.ErrNotFound)
		file, err := client.Files.Download(t.Context(), srv.Live.FileKeys(srv.Live.IDs()[0])[0])
		require.NoError(t, err)
		require.NoError(t, file.Body.Close())
		assert.Equal(t, []string{
			"attempt fetch token #1 200",
			"token fetch token 200",
			"attempt list workflows #1 429 *trulioo.APIError",
			"throttle wait 0",
			"attempt list workflows #2 200 *trulioo.DecodeError",
			"attempt list workflows #3 200",
			"call list workflows 200",
			"attempt get client #1 404 *trulioo.APIError",
			"call get client 404 *trulioo.APIError",
			"attempt download file #1 200",
			"call download file 200", "transfer transfer file 0",
		}, observer.seen)
	})
}

func TestObserver_sees_why_there_is_no_token(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.FetchToken, truliootest.Answer(401, ""))
		observer := &steps{}
		_, err := srv.Client(trulioo.WithObserver(observer)).Workflows.List(t.Context(), nil)
		require.ErrorIs(t, err, trulioo.ErrUnauthorized)
		assert.Equal(t, []string{
			"attempt fetch token #1 401 *trulioo.AuthError",
			"token fetch token 401 *trulioo.AuthError",
			"call list workflows 0 *trulioo.AuthError",
		}, observer.seen)
	})
}

// requestIDs is an observer of the ids that calls come back with.
type requestIDs struct{ seen []string }

func (r *requestIDs) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	return ctx, func(o trulioo.Outcome) {
		if step.Kind == trulioo.StepCall {
			r.seen = append(r.seen, o.RequestID)
		}
	}
}

// Whatever the server calls an id goes into logs and traces.
func TestObserver_sees_only_ids_fit_for_a_log(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	long := strings.Repeat("x", 128)
	for id, want := range map[string]string{
		"": "", "req 7~": "req 7~", long: long, long + "x": "", "a\nb": "", "caf\u00e9": "",
	} {
		saying := roundTripper(func(req *http.Request) (*http.Response, error) {
			resp, err := http.DefaultTransport.RoundTrip(req)
			if err == nil {
				resp.Header.Set("X-Request-Id", id)
			}
			return resp, err
		})
		observer := &requestIDs{}
		_, err := srv.Client(trulioo.WithObserver(observer), trulioo.WithHTTPClient(&http.Client{Transport: saying})).Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, []string{want}, observer.seen)
	}
}

// A single answer's metadata, without an Observer.
func TestObserveCalls(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MinWait: 1}))
	srv.Fail(truliootest.GetClient, truliootest.Answer(503, ""), truliootest.Times(2))
	var seen []string
	ctx := trulioo.ObserveCalls(t.Context(), func(step trulioo.Step, o trulioo.Outcome) {
		seen = append(seen, fmt.Sprintf("%s %s %d %d %t %t", step.Kind, step.Operation, o.StatusCode, o.Attempts, o.RequestID != "", o.Err == nil))
	})
	_, err := client.Clients.Get(ctx, srv.Live.IDs()[0], nil)
	require.NoError(t, err)
	_, err = client.Clients.Get(ctx, "nobody", nil)
	require.Error(t, err)
	_, err = client.Workflows.List(ctx, nil)
	require.NoError(t, err)
	_, err = client.Files.Save(ctx, srv.Live.FileKeys(srv.Live.IDs()[0])[0], io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"call get client 200 3 true true", "call get client 404 1 true false", "call list workflows 200 1 true true", "call download file 200 1 true true",
	}, seen)
	assert.Equal(t, t.Context(), trulioo.ObserveCalls(t.Context(), nil))
}

// The log says why in constant words. Somebody who leaves is no failure.
func TestLogSaysWhy(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		effect truliootest.Effect
		leave  bool
	}{
		`level=WARN msg="trulioo call" .* reason="status 503 Service Unavailable, to be asked again after 10m0s"`:                                     {effect: truliootest.Answer(503, "MARK").RetryAfter("600")},
		`level=WARN msg="trulioo call" .* reason="connection reset"`:                                                                                  {effect: truliootest.Reset()},
		`level=WARN msg="trulioo call" .* reason="an HTML page in place of JSON"`:                                                                     {effect: truliootest.Answer(200, "<html>MARK")},
		`level=WARN msg="trulioo call" .* reason="status 404 Not Found, an HTML page in place of JSON, not an answer of the API: check the base URL"`: {effect: truliootest.Answer(404, "<html>MARK")},
		`level=DEBUG msg="trulioo call" .* reason=canceled`:                                                                                           {effect: truliootest.Hang(), leave: true},
	} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			var log bytes.Buffer
			client := srv.Client(trulioo.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
			srv.Fail(truliootest.GetClient, c.effect)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.leave {
				time.AfterFunc(time.Second, cancel)
			}
			_, err := client.Clients.Get(ctx, "MARK", nil)
			require.Error(t, err)
			assert.Regexp(t, want, log.String())
			assert.NotContains(t, log.String(), "MARK")
			if c.leave {
				assert.NotContains(t, log.String(), "WARN")
			}
		})
	}
}
