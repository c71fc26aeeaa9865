package trulioo_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

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
			"attempt list workflows #1 0 *trulioo.AuthError",
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
