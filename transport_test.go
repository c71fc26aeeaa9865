package trulioo_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func TestRetry_statuses(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]struct {
		attempts int
		is       error
	}{
		400: {1, nil}, 401: {1, trulioo.ErrUnauthorized}, 403: {1, trulioo.ErrForbidden}, 404: {1, trulioo.ErrNotFound},
		408: {4, nil}, 409: {1, trulioo.ErrConflict}, 413: {1, trulioo.ErrTooLarge}, 415: {1, nil}, 418: {1, nil},
		429: {4, trulioo.ErrRateLimited}, 500: {4, trulioo.ErrServer}, 501: {1, trulioo.ErrServer}, 502: {4, trulioo.ErrServer},
		503: {4, trulioo.ErrServer}, 504: {4, trulioo.ErrServer}, 599: {1, trulioo.ErrServer}, 300: {1, nil}, 302: {1, nil},
		519: {1, trulioo.ErrServer}, 520: {4, trulioo.ErrServer}, 525: {4, trulioo.ErrServer}, 530: {4, trulioo.ErrServer}, 531: {1, trulioo.ErrServer},
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				srv.Fail(truliootest.GetClient, truliootest.Answer(status, `{"code":4109,"message":"said"}`))
				_, err := srv.Client().Clients.Get(t.Context(), "x", nil)
				// An exhausted retry policy must not lose the last answer.
				var api *trulioo.APIError
				require.ErrorAs(t, err, &api)
				assert.Equal(t, status, api.StatusCode)
				assert.Equal(t, want.attempts, api.Attempts)
				assert.Equal(t, "get client", api.Operation)
				assert.Equal(t, "4109", api.Code)
				assert.Equal(t, "said", api.Message)
				assert.JSONEq(t, `{"code":4109,"message":"said"}`, string(api.Body()))
				assert.NotContains(t, err.Error(), "said")
				if want.is != nil {
					require.ErrorIs(t, err, want.is)
				}
			})
		})
	}
}

func TestAPIError_reads_what_it_can(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body, code, message string
		is                  error
	}{
		"number":        {`{"code":4100,"message":"m"}`, "4100", "m", trulioo.ErrNotFound},
		"string":        {`{"errorCode":"4101","errorMessage":"m"}`, "4101", "m", trulioo.ErrNotFound},
		"nested":        {`{"error":{"code":4000,"detail":"m"}}`, "4000", "m", trulioo.ErrNotFound},
		"oauth":         {`{"error":"invalid_request","error_description":"m"}`, "invalid_request", "m", nil},
		"html":          {`<html>Bad Gateway</html>`, "", "", nil},
		"nothing":       {``, "", "", nil},
		"an array":      {`[1]`, "", "", nil},
		"null":          {`null`, "", "", nil},
		"other code":    {`{"code":4110}`, "4110", "", nil},
		"untidy fields": {`{"code":null,"message":{"a":1}}`, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.GetClient, truliootest.Answer(400, tt.body).Header("X-Request-Id", "req-7"))
			_, err := srv.Client().Clients.Get(t.Context(), "x", nil)
			var api *trulioo.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, tt.code, api.Code)
			assert.Equal(t, tt.message, api.Message)
			assert.Equal(t, "req-7", api.RequestID)
			assert.Equal(t, tt.body, string(api.Body()))
			if tt.is != nil {
				require.ErrorIs(t, err, tt.is)
			} else {
				require.NotErrorIs(t, err, trulioo.ErrNotFound)
			}
		})
	}
}

func TestAPIError_body_is_capped(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.GetClient, truliootest.Answer(400, string(make([]byte, 1<<20))))
	_, err := srv.Client().Clients.Get(t.Context(), "x", nil)
	var api *trulioo.APIError
	require.ErrorAs(t, err, &api)
	assert.Len(t, api.Body(), 64<<10)
}

// Retry-After: 86400 waits a day in retryablehttp, and a huge value overflows
// to a negative wait and spins.
func TestTrap_retry_after_is_clamped(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]struct {
		attempts int
		wait     time.Duration
	}{
		"86400":                   {1, 0},
		"9223372036854775807":     {1, 0},
		"99999999999999999999999": {1, 0},
		"61":                      {1, 0},
		"0":                       {2, 0},
		"3":                       {2, 3 * time.Second},
		"60":                      {2, time.Minute},
		" 3 ":                     {2, 3 * time.Second},
	} {
		for _, status := range []int{429, 503} {
			t.Run(value+" "+strconv.Itoa(status), func(t *testing.T) {
				t.Parallel()
				inBubble(t, func(t *testing.T, srv *truliootest.Server) {
					client := srv.Client()
					_, err := client.Workflows.List(t.Context(), nil)
					require.NoError(t, err)
					id := srv.Live.IDs()[0]
					srv.Fail(truliootest.GetClient, truliootest.Answer(status, "{}").RetryAfter(value), truliootest.Times(1))
					begun := time.Now()
					_, err = client.Clients.Get(t.Context(), id, nil)
					waited := time.Since(begun)
					assert.Equal(t, want.attempts, srv.Count(truliootest.GetClient))
					if want.attempts == 1 {
						var api *trulioo.APIError
						require.ErrorAs(t, err, &api)
						assert.Equal(t, status == 429, errors.Is(err, trulioo.ErrRateLimited))
						assert.Positive(t, api.RetryAfter)
						assert.Zero(t, waited)
						return
					}
					require.NoError(t, err)
					assert.GreaterOrEqual(t, waited, want.wait)
					assert.LessOrEqual(t, waited, want.wait+want.wait/10, "at most a tenth on top, so that not all come at once")
				})
			})
		}
	}
}

func TestRetryAfter_date_and_nonsense(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client := srv.Client()
		get := func(effect truliootest.Effect) time.Duration {
			srv.Fail(truliootest.ListWorkflows, effect, truliootest.Times(1))
			begun := time.Now()
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			return time.Since(begun)
		}
		waited := get(truliootest.Answer(503, "").RetryAfterDate(10 * time.Second))
		assert.InDelta(t, 10*time.Second, waited, float64(time.Second), "a date has whole seconds")
		assert.Zero(t, get(truliootest.Answer(503, "").RetryAfterDate(-time.Hour)))
		srv.Fail(truliootest.GetClient, truliootest.Answer(400, "").RetryAfterDate(-time.Hour), truliootest.Times(1))
		_, err := client.Clients.Get(t.Context(), "x", nil)
		var api *trulioo.APIError
		require.ErrorAs(t, err, &api)
		assert.Zero(t, api.RetryAfter)
		for _, nonsense := range []string{"soon", "-5", "1.5.0", "1e1", "0x10"} {
			waited = get(truliootest.Answer(503, "").RetryAfter(nonsense))
			assert.Positive(t, waited)
			assert.LessOrEqual(t, waited, 200*time.Millisecond, "our own first wait")
		}
	})
}

// retryablehttp's own backoff has no jitter: all that failed together come back together.
func TestTrap_waits_have_full_jitter(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 8, MaxWait: time.Second}))
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		seen := map[time.Duration]bool{}
		bounds := []time.Duration{200, 400, 800, 1000, 1000, 1000, 1000}
		for n := 1; n <= len(bounds); n++ {
			srv.Fail(truliootest.ListWorkflows, truliootest.Answer(500, ""), truliootest.Times(n))
			begun := time.Now()
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
			waited := time.Since(begun)
			var bound time.Duration
			for _, b := range bounds[:n] {
				bound += b * time.Millisecond
			}
			assert.Positive(t, waited)
			assert.LessOrEqual(t, waited, bound)
			seen[waited] = true
		}
		assert.Len(t, seen, len(bounds))
	})
}

// A deadline that falls into the wait must not lose the 429 that caused it.
func TestTrap_wait_that_cannot_finish_is_not_begun(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			client := srv.Client()
			srv.Fail(truliootest.ListWorkflows, truliootest.Answer(status, "").RetryAfter("5"))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			begun := time.Now()
			_, err := client.Workflows.List(ctx, nil)
			assert.Zero(t, time.Since(begun))
			require.ErrorIs(t, err, context.DeadlineExceeded)
			var api *trulioo.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, status, api.StatusCode)
			assert.Equal(t, 1, api.Attempts)
			assert.Equal(t, 5*time.Second, api.RetryAfter)
		})
	}
}

func TestRetry_cancel_during_the_wait_keeps_the_answer(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		inBubble(t, func(t *testing.T, srv *truliootest.Server) {
			client := srv.Client()
			srv.Fail(truliootest.ListWorkflows, truliootest.Answer(status, "").RetryAfter("5"))
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Second, cancel)
			begun := time.Now()
			_, err := client.Workflows.List(ctx, nil)
			assert.Equal(t, 2*time.Second, time.Since(begun))
			require.ErrorIs(t, err, context.Canceled)
			var api *trulioo.APIError
			require.ErrorAs(t, err, &api)
			assert.Equal(t, status, api.StatusCode)
		})
	}
}

// Only an attempt that the caller or our own limits cut short is reported with an earlier
// answer.
func TestRetry_tells_the_last_failure(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(503, ""), truliootest.Times(1))
		srv.Fail(truliootest.ListWorkflows, truliootest.Reset())
		_, err := srv.Client().Workflows.List(t.Context(), nil)
		var transport *trulioo.TransportError
		require.ErrorAs(t, err, &transport)
		assert.Equal(t, 4, transport.Attempts)
		require.NotErrorIs(t, err, trulioo.ErrServer)
	})
}

func TestContext_that_has_ended_sends_nothing(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := client.Workflows.List(ctx, nil)
	require.ErrorIs(t, err, context.Canceled)
	var transport *trulioo.TransportError
	require.ErrorAs(t, err, &transport)
	assert.Equal(t, "list workflows", transport.Operation)
	assert.Zero(t, srv.Count(truliootest.ListWorkflows))
}

// retryablehttp is done when the header is there: a body that breaks is the
// caller's "unexpected EOF". And JSON that ends early on a clean connection looks whole.
func TestTrap_cut_off_json_is_tried_again(t *testing.T) {
	t.Parallel()
	for name, effect := range map[string]truliootest.Effect{
		"reset before the answer": truliootest.Reset(),
		"reset in the body":       truliootest.ResetAfter(100),
		"short":                   truliootest.Cut(100),
		"chunked":                 truliootest.CutChunked(100),
		"clean-looking":           truliootest.Truncate(100),
		"empty":                   truliootest.Answer(200, ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				client := srv.Client()
				fault := srv.Fail(truliootest.GetClient, effect, truliootest.Times(1))
				profile, err := client.Clients.Get(t.Context(), srv.Live.IDs()[0], nil)
				require.NoError(t, err)
				assert.NotEmpty(t, profile.ID)
				assert.Equal(t, 2, srv.Count(truliootest.GetClient))
				assert.Equal(t, 1, fault.Hits())

				srv.Fail(truliootest.GetClient, effect)
				_, err = client.Clients.Get(t.Context(), srv.Live.IDs()[0], nil)
				assert.Equal(t, 4, attemptsOf(t, err))
			})
		})
	}
}

// attemptsOf is the number of attempts in the typed error.
func attemptsOf(t *testing.T, err error) int {
	t.Helper()
	if transport, ok := errors.AsType[*trulioo.TransportError](err); ok {
		return transport.Attempts
	}
	var decode *trulioo.DecodeError
	require.ErrorAs(t, err, &decode)
	return decode.Attempts
}

func TestDecode_what_is_no_json_is_final(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"trailing": `{"id":"a"} x`, "two values": `{"id":"a"}{"id":"b"}`, "broken": `{"id" "a"}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := truliootest.NewServer(t)
			srv.Fail(truliootest.GetClient, truliootest.Answer(200, text))
			_, err := srv.Client().Clients.Get(t.Context(), "x", nil)
			var decode *trulioo.DecodeError
			require.ErrorAs(t, err, &decode)
			assert.Equal(t, "get client", decode.Operation)
			assert.Equal(t, 1, decode.Attempts)
			assert.Equal(t, 1, srv.Count(truliootest.GetClient))
		})
	}
}

// 1 MB of gzip became 1 GiB; io.LimitReader would have cut it in silence.
func TestTrap_answers_are_capped_after_decompression(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	client := srv.Client(trulioo.WithMaxResponseBytes(1 << 20))
	for name, effect := range map[string]truliootest.Effect{
		"gzip bomb":        truliootest.GzipBomb(1 << 30),
		"declared length":  truliootest.Answer(200, `{"x":"`+string(make([]byte, 1<<20))+`"}`),
		"one byte too big": truliootest.Answer(200, `"`+string(make([]byte, 1<<20-1))+`"`),
	} {
		fault := srv.Fail(truliootest.GetClient, effect)
		_, err := client.Clients.Get(t.Context(), "x", nil)
		require.ErrorIs(t, err, trulioo.ErrTooLarge, name)
		assert.Equal(t, 1, fault.Hits(), name)
		fault.Stop()
	}
}

// The cap itself still fits, whether or not the server tells the length.
// An answer of unknown length is not read beyond the cap: its end may never come.
func TestTrap_answers_without_an_end_are_left_at_the_cap(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client := srv.Client(trulioo.WithMaxResponseBytes(1 << 20))
		var sent atomic.Int64
		srv.Fail(truliootest.GetClient, truliootest.Handle(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			for piece := make([]byte, 64<<10); sent.Load() < 64<<20; sent.Add(int64(len(piece))) {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		}))
		_, err := client.Clients.Get(t.Context(), "x", nil)
		require.ErrorIs(t, err, trulioo.ErrTooLarge)
		assert.Less(t, sent.Load(), int64(2<<20))
	})
}

func TestAnswerOfExactlyTheCapIsRead(t *testing.T) {
	t.Parallel()
	const body = `{"a":"0123456789"}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "chunked") {
			w.(http.Flusher).Flush() // no Content-Length
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(srv.Close)
	for _, path := range []string{"declared", "chunked"} {
		for short := range int64(2) {
			client, err := trulioo.NewClient(
				trulioo.WithBaseURL(srv.URL),
				trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "t"})),
				trulioo.WithMaxResponseBytes(int64(len(body))-short),
			)
			require.NoError(t, err)
			t.Cleanup(client.CloseIdleConnections)
			got, err := client.GetJSON(t.Context(), path, nil)
			if short > 0 {
				require.ErrorIs(t, err, trulioo.ErrTooLarge, path)
				continue
			}
			require.NoError(t, err, path)
			assert.JSONEq(t, body, string(got), path)
		}
	}
}

func TestGzip_is_asked_for_and_read(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithGzip())
	page, err := srv.Client().Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.NotEmpty(t, page.Data)
	lists := requestsOf(srv, truliootest.ListClients)
	require.Len(t, lists, 1)
	assert.Equal(t, "gzip", lists[0].Header.Get("Accept-Encoding"))
	assert.Equal(t, "trulioo-go", lists[0].Header.Get("User-Agent"))
	assert.Equal(t, "application/json", lists[0].Header.Get("Accept"))
}

func TestAttemptTimeout(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]trulioo.Option{
		"of the policy":          trulioo.WithRetry(trulioo.RetryPolicy{AttemptTimeout: time.Second}),
		"of the caller's client": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, func(t *testing.T, srv *truliootest.Server) {
				if opt == nil {
					opt = trulioo.WithHTTPClient(&http.Client{Transport: srv.HTTPClient().Transport, Timeout: time.Second})
				}
				client := srv.Client(opt)
				id := srv.Live.IDs()[0]
				_, err := client.Clients.Get(t.Context(), id, nil)
				require.NoError(t, err)

				srv.Fail(truliootest.GetClient, truliootest.Hang(), truliootest.Times(1))
				begun := time.Now()
				_, err = client.Clients.Get(t.Context(), id, nil)
				require.NoError(t, err)
				assert.InDelta(t, time.Second, time.Since(begun), float64(200*time.Millisecond))

				// The reading of the body is inside it, too.
				srv.Fail(truliootest.GetClient, truliootest.Stall(100, 0))
				_, err = client.Clients.Get(t.Context(), id, nil)
				var transport *trulioo.TransportError
				require.ErrorAs(t, err, &transport)
				assert.Equal(t, 4, transport.Attempts)
				assert.Equal(t, "timed out", transport.Reason)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		})
	}
}

func TestPause_after_429_is_everybodys(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		live := srv.Client()
		test, err := live.With(trulioo.WithEnvironment(trulioo.Test))
		require.NoError(t, err)
		_, err = live.Workflows.List(t.Context(), nil)
		require.NoError(t, err)

		var mu sync.Mutex
		var arrivals []time.Duration
		begun := time.Now()
		srv.Fail(truliootest.ListClients, truliootest.Answer(429, "").RetryAfter("5"), truliootest.Times(1))
		srv.Fail(truliootest.ListClients, truliootest.Handle(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
			mu.Lock()
			arrivals = append(arrivals, time.Since(begun))
			mu.Unlock()
			next.ServeHTTP(w, r)
		}))
		for _, err := range together(20, func(i int) error {
			pass(time.Duration(i) * 10 * time.Millisecond)
			client := live
			if i%2 == 1 {
				client = test
			}
			_, err := client.Clients.List(t.Context(), nil)
			return err
		}) {
			require.NoError(t, err)
		}
		require.Len(t, arrivals, 20)
		for _, at := range arrivals {
			assert.GreaterOrEqual(t, at, 5*time.Second)
			assert.Less(t, at, 6*time.Second)
		}
		assert.Greater(t, slices.Max(arrivals)-slices.Min(arrivals), 50*time.Millisecond, "spread over a tenth of the pause")

		// One who cannot wait for the end of a pause is told so at once.
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(429, "").RetryAfter("50"), truliootest.Times(1))
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = live.Workflows.List(short, nil)
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		_, err = test.Clients.List(short, nil)
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Len(t, arrivals, 20)
		var api *trulioo.APIError
		require.ErrorAs(t, err, &api)
		assert.Zero(t, api.Attempts, "nothing was sent")
		assert.Positive(t, api.RetryAfter)
	})
}

func TestPause_is_not_shortened_by_a_later_429(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		client := srv.Client()
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		srv.Fail(truliootest.ListClients, truliootest.Answer(429, "").RetryAfter("20"), truliootest.Times(1))
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(429, "").RetryAfter("1").Delayed(time.Second), truliootest.Times(1))
		begun := time.Now()
		for _, err := range together(2, func(i int) error {
			if i == 0 {
				_, err := client.Clients.List(t.Context(), nil)
				return err
			}
			_, err := client.Workflows.List(t.Context(), nil)
			assert.GreaterOrEqual(t, time.Since(begun), 20*time.Second)
			return err
		}) {
			require.NoError(t, err)
		}
	})
}

func TestWithRateLimit(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, srv *truliootest.Server) {
		live := srv.Client(trulioo.WithRateLimit(10, 2))
		test, err := live.With(trulioo.WithEnvironment(trulioo.Test))
		require.NoError(t, err)
		begun := time.Now()
		for i := range 12 {
			client := live
			if i%2 == 1 {
				client = test
			}
			_, err := client.Workflows.List(t.Context(), nil)
			require.NoError(t, err)
		}
		assert.Equal(t, time.Second, time.Since(begun), "two at once, ten more at ten a second, for both together")

		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, err = live.Workflows.List(ctx, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, trulioo.ErrRateLimited)
		assert.Equal(t, 12, srv.Count(truliootest.ListWorkflows))

		// A wait that was given up takes nothing from the others.
		begun = time.Now()
		_, err = live.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		assert.Equal(t, 100*time.Millisecond, time.Since(begun))
	})
}

func TestRetry_off(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	srv.Fail(truliootest.ListWorkflows, truliootest.Answer(503, ""))
	client := srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
	_, err := client.Workflows.List(t.Context(), nil)
	require.ErrorIs(t, err, trulioo.ErrServer)
	assert.Equal(t, 1, srv.Count(truliootest.ListWorkflows))

	// A wait that is not to come cannot outlast anything.
	srv.Fail(truliootest.ListClients, truliootest.Answer(503, "").RetryAfter("30"))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	_, err = client.Clients.List(ctx, nil)
	require.ErrorIs(t, err, trulioo.ErrServer)
	require.NotErrorIs(t, err, context.DeadlineExceeded)
	assert.Equal(t, 1, srv.Count(truliootest.ListClients))
}

func TestTransportError_keeps_the_causes_but_no_address(t *testing.T) {
	t.Parallel()
	quick := trulioo.WithRetry(trulioo.RetryPolicy{MinWait: time.Nanosecond, MaxWait: time.Nanosecond})

	t.Run("a certificate that is not trusted is final", func(t *testing.T) {
		t.Parallel()
		srv := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(srv.Close)
		client, err := trulioo.NewClient(trulioo.WithCredentials("id", "secret"), trulioo.WithBaseURL(srv.URL), trulioo.WithTokenURL(srv.URL), quick)
		require.NoError(t, err)
		_, err = client.Workflows.List(t.Context(), nil)
		var unknown x509.UnknownAuthorityError
		require.ErrorAs(t, err, &unknown)
		var auth *trulioo.AuthError
		require.ErrorAs(t, err, &auth)
		assert.Equal(t, 1, auth.Attempts)
		var address *url.Error
		require.NotErrorAs(t, err, &address)
		assert.Contains(t, err.Error(), "not trusted")
	})

	for name, distrusted := range map[string]error{
		"authority": x509.UnknownAuthorityError{}, "name": x509.HostnameError{Certificate: &x509.Certificate{}, Host: "host"},
		"certificate": x509.CertificateInvalidError{Reason: x509.Expired},
	} {
		t.Run("nor is it tried again where a foreign transport distrusts the "+name, func(t *testing.T) {
			t.Parallel()
			attempts := 0
			foreign := roundTripper(func(*http.Request) (*http.Response, error) {
				attempts++
				return nil, distrusted
			})
			client, err := trulioo.NewClient(trulioo.WithTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "token"})),
				trulioo.WithHTTPClient(&http.Client{Transport: foreign}), quick)
			require.NoError(t, err)
			_, err = client.Workflows.List(t.Context(), nil)
			require.Error(t, err)
			assert.Equal(t, 1, attempts)
		})
	}

	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		srv := truliootest.NewServer(t)
		client := srv.Client(quick)
		_, err := client.Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		srv.Close()
		_, err = client.Workflows.List(t.Context(), nil)
		var transport *trulioo.TransportError
		require.ErrorAs(t, err, &transport)
		assert.Equal(t, 4, transport.Attempts)
		assert.Equal(t, "connection refused", transport.Reason)
		var address *url.Error
		require.NotErrorAs(t, err, &address)
		assert.Equal(t, "trulioo: list workflows (live, v2, 127.0.0.1): connection refused (4 attempts)", err.Error())
	})

	t.Run("a foreign transport's error with an address frozen into its text", func(t *testing.T) {
		t.Parallel()
		foreign := roundTripper(func(req *http.Request) (*http.Response, error) {
			return nil, errors.New("cannot reach " + req.URL.String())
		})
		client, err := trulioo.NewClient(trulioo.WithCredentials("MARK", "MARK secret"), trulioo.WithAPIVersion(trulioo.V1),
			trulioo.WithHTTPClient(&http.Client{Transport: foreign}), quick)
		require.NoError(t, err)
		_, err = client.Workflows.List(t.Context(), nil)
		require.Error(t, err)
		for e := err; e != nil; e = errors.Unwrap(e) {
			assert.NotContains(t, e.Error(), "MARK")
		}
	})
}
