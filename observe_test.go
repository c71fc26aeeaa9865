package trulioo_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
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

// steps is an observer that notes every step.
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

// exchanges is an observer that notes where each exchange went and how long it took. Of
// other steps it notes the environment.
type exchanges struct {
	mu           sync.Mutex
	seen         []string
	took         []time.Duration
	environments map[trulioo.StepKind]trulioo.Environment
}

func (e *exchanges) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	begun := time.Now()
	return ctx, func(o trulioo.Outcome) {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.environments == nil {
			e.environments = map[trulioo.StepKind]trulioo.Environment{}
		}
		e.environments[step.Kind] = step.Environment
		if step.Kind != trulioo.StepAttempt {
			if step.Attempt != 0 || step.Method != "" || step.Host != "" || step.Port != 0 {
				e.seen = append(e.seen, fmt.Sprintf("%s has what an exchange has: %+v", step.Kind, step))
			}
			return
		}
		e.took = append(e.took, time.Since(begun))
		e.seen = append(e.seen, fmt.Sprintf("%s #%d %s %s:%d %d %t", step.Operation, step.Attempt, step.Method, step.Host, step.Port, o.StatusCode, o.Err == nil))
	}
}

// An attempt is one exchange that took place, by whatever way it came to be. The
// address of an object store can tell whose files it holds.
func TestObserver_sees_where_each_exchange_goes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do   func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error
		want []string // HOST:PORT is the API's
		code int      // 0 for a success
	}{
		"the first call": {
			do: func(t *testing.T, _ *truliootest.Server, client *trulioo.Client) error {
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 200 true"},
		},
		"a 401, and the request sent again with another token": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, ""), truliootest.Times(1))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 401 false",
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #2 GET HOST:PORT 200 true",
			},
		},
		"a 401 that stays": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, ""))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 401 false",
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #2 GET HOST:PORT 401 false",
			},
			code: 401,
		},
		"a redirect within the API": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.ListWorkflows, truliootest.Redirect(307, srv.BaseURL+"/v2/query/workflows"), truliootest.Times(1))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 307 true", "list workflows #2 GET HOST:PORT 200 true",
			},
		},
		"a redirect to an object store": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.SetFiles(truliootest.Files{Redirect: true})
				_, err := client.Files.Save(t.Context(), srv.Live.FileKeys(srv.Live.IDs()[0])[0], io.Discard)
				return err
			},
			want: []string{
				"fetch token #1 POST HOST:PORT 200 true", "download file #1 GET HOST:PORT 302 true", "download file #2 GET :0 200 true",
			},
		},
		"a redirect that is not followed": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.ListWorkflows, truliootest.Redirect(302, "http://localhost:1/"))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 302 true"},
			code: 302,
		},
		"a body that is cut off, and another try": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.ListWorkflows, truliootest.Truncate(10), truliootest.Times(1))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{
				"fetch token #1 POST HOST:PORT 200 true", "list workflows #1 GET HOST:PORT 200 false", "list workflows #2 GET HOST:PORT 200 true",
			},
		},
		"credentials that are refused: no exchange with the API": {
			do: func(t *testing.T, srv *truliootest.Server, client *trulioo.Client) error {
				srv.Fail(truliootest.FetchToken, truliootest.Answer(400, ""))
				_, err := client.Workflows.List(t.Context(), nil)
				return err
			},
			want: []string{"fetch token #1 POST HOST:PORT 400 false"},
			code: -1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			base, err := url.Parse(srv.BaseURL)
			require.NoError(t, err)
			observer := &exchanges{}
			client := srv.Client(trulioo.WithObserver(observer))
			t.Cleanup(client.CloseIdleConnections)
			err = tt.do(t, srv, client)
			var api *trulioo.APIError
			switch {
			case tt.code == 0:
				require.NoError(t, err)
			case tt.code > 0:
				require.ErrorAs(t, err, &api)
				assert.Equal(t, tt.code, api.StatusCode)
			default:
				require.Error(t, err)
			}
			address := strings.NewReplacer("HOST", base.Hostname(), "PORT", base.Port())
			for i := range tt.want {
				tt.want[i] = address.Replace(tt.want[i])
			}
			assert.Equal(t, tt.want, observer.seen)
		})
	}
}

// Neither the fetch of a token nor a wait is part of an exchange, and where
// nothing was sent there is none.
func TestObserver_an_exchange_is_without_the_waits_before_it(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		observer := &exchanges{}
		client := srv.Client(trulioo.WithObserver(observer), trulioo.WithRateLimit(0.1, 1), trulioo.WithEnvironment(trulioo.Test))
		srv.Fail(truliootest.FetchToken, truliootest.Pass().Delayed(3*time.Second))
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(429, "").RetryAfter("20").Delayed(time.Second), truliootest.Times(1))
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(401, "").Delayed(time.Second), truliootest.Times(1))
		srv.Fail(truliootest.ListWorkflows, truliootest.Pass().Delayed(time.Second))
		begun := time.Now()
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Greater(t, time.Since(begun), 29*time.Second, "20 s of pause, 3 s and 3 s for tokens, 3 s of exchanges")
		_, err = client.Files.Save(t.Context(), srv.Test.FileKeys(srv.Test.IDs()[0])[0], io.Discard)
		require.NoError(t, err)
		s := time.Second
		assert.Equal(t, []time.Duration{3 * s, s, s, 3 * s, s, 0}, observer.took)
		assert.Equal(t, map[trulioo.StepKind]trulioo.Environment{
			trulioo.StepCall: trulioo.Test, trulioo.StepAttempt: trulioo.Test, trulioo.StepToken: trulioo.Test,
			trulioo.StepThrottle: trulioo.Test, trulioo.StepTransfer: trulioo.Test,
		}, observer.environments)

		before := len(observer.seen)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = client.Workflows.List(ctx, nil) // the rate limit asks for 10 s
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		ended, end := context.WithCancel(t.Context())
		end()
		_, err = client.Workflows.List(ended, nil)
		require.ErrorIs(t, err, context.Canceled)
		assert.Empty(t, observer.seen[before:])
	})
}

// An export that was told to go slower waits before its exchanges, not in them.
func TestObserver_an_exchange_is_without_an_exports_pace(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		observer := &exchanges{}
		srv.Fail(truliootest.GetClient, truliootest.Answer(429, "").RetryAfter("0").Delayed(time.Second), truliootest.Every(5))
		srv.Fail(truliootest.GetClient, truliootest.Pass().Delayed(time.Second))
		n := 0
		for item, err := range srv.Client(trulioo.WithObserver(observer)).Clients.Export(t.Context(), nil) {
			require.NoError(t, err)
			require.NoError(t, item.Err)
			n++
		}
		require.Equal(t, 40, n)
		assert.Greater(t, len(observer.took), 50)
		for i, took := range observer.took {
			assert.LessOrEqual(t, took, time.Second, observer.seen[i])
		}
		assert.Contains(t, observer.environments, trulioo.StepThrottle, "so that there was a pace")
	}, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 40})))
}

// requestIDs is an observer that notes the request ids of calls.
type requestIDs struct{ seen []string }

func (r *requestIDs) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	return ctx, func(o trulioo.Outcome) {
		if step.Kind == trulioo.StepCall {
			r.seen = append(r.seen, o.RequestID)
		}
	}
}

// The server chooses the request ids that go into logs and traces.
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
		assert.Equal(t, trulioo.Live, step.Environment)
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
		`level=WARN msg="trulioo call" .* reason="status 503 Service Unavailable, retry after 10m0s"`:                                                {effect: truliootest.Answer(503, "MARK").RetryAfter("600")},
		`level=WARN msg="trulioo call" .* reason="connection reset"`:                                                                                 {effect: truliootest.Reset()},
		`level=WARN msg="trulioo call" .* reason="an HTML page instead of JSON"`:                                                                     {effect: truliootest.Answer(200, "<html>MARK")},
		`level=WARN msg="trulioo call" .* reason="status 404 Not Found, an HTML page instead of JSON, not an answer of the API: check the base URL"`: {effect: truliootest.Answer(404, "<html>MARK")},
		`level=DEBUG msg="trulioo call" .* reason=canceled`:                                                                                          {effect: truliootest.Hang(), leave: true},
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
