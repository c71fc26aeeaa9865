package trulioo_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// pipes is a listener without sockets, for servers in a synctest bubble.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }

// serveInMemory serves the handler until the test ends, and gives a way to connect.
func serveInMemory(t *testing.T, h http.Handler) func() net.Conn {
	t.Helper()
	listener := &pipes{make(chan net.Conn), make(chan struct{})}
	server := &http.Server{Handler: h} //nolint:gosec // without timeouts, as many run theirs
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		assert.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	return func() net.Conn {
		near, far := net.Pipe()
		listener.conns <- far
		return near
	}
}

// drip sends the header of a callback and the first bytes of its body.
func drip(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"token\":")
	require.NoError(t, err)
}

func statusOf(t *testing.T, conn net.Conn) int {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// Trap: a body that drips is held, unverified, for as long as its sender likes.
func TestWebhookBodyThatDrips(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		connect := serveInMemory(t, newHook(t, nil2(t)))
		begun := time.Now()
		conns := make([]net.Conn, 50)
		for i := range conns {
			conns[i] = connect()
			drip(t, conns[i])
		}
		for range 3 { // a byte now and then does not help
			pass(3 * time.Second)
			_, err := io.WriteString(conns[0], " ")
			require.NoError(t, err)
		}
		for _, conn := range conns {
			assert.Equal(t, http.StatusRequestTimeout, statusOf(t, conn))
			require.NoError(t, conn.Close())
		}
		assert.Equal(t, 10*time.Second, time.Since(begun))
		pass(time.Second) // net/http waits half a second before it closes
	})
}

// The deadline is of the body: a function may take its time, what stands around the
// handler does not hear of an end of the request, and a connection is good for the next one.
func TestWebhookReadDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHook(t, func(context.Context, *trulioo.Event) error { pass(30 * time.Second); return nil })
		connect := serveInMemory(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			assert.NoError(t, r.Context().Err())
		}))
		conn := connect()
		defer func() { _ = conn.Close() }()
		for i := range 3 {
			body := callback(fmt.Sprintf(`,"userId":"%d"`, i))
			_, err := fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-Trulioo-Signature: %s\r\nContent-Length: %d\r\n\r\n%s",
				sign([]byte(body), hookSecret), len(body), body)
			require.NoError(t, err)
			assert.Equal(t, 200, statusOf(t, conn))
		}
	})
}

// Shutdown sees bodies that are being read, and does not wait for their senders.
func TestWebhookShutdownCutsBodies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHook(t, nil2(t))
		connect := serveInMemory(t, h)
		conn := connect()
		defer func() { _ = conn.Close() }()
		drip(t, conn)
		synctest.Wait()
		begun := time.Now()
		require.NoError(t, h.Shutdown(t.Context()))
		assert.Zero(t, time.Since(begun))
		assert.Equal(t, 503, statusOf(t, conn))
		pass(time.Second) // net/http waits half a second before it closes
	})
}

// Trap: a function that overwrites its event commits the key of another.
func TestWebhookFunctionOverwritesTheEvent(t *testing.T) {
	t.Parallel()
	for name, overwrite := range map[string]func(*trulioo.Event){
		"with nothing":       func(ev *trulioo.Event) { *ev = trulioo.Event{} },
		"with another event": func(ev *trulioo.Event) { _ = json.Unmarshal([]byte(callback(`,"flowId":"other"`)), ev) },
		"its type":           func(ev *trulioo.Event) { ev.Type = trulioo.EventAbandoned },
		"its bytes":          func(ev *trulioo.Event) { clear(ev.Raw) },
	} {
		for _, fails := range []int64{0, 1} {
			c, seen := &counted{}, &recorded{}
			c.fails.Store(fails)
			h := newHook(t, func(ctx context.Context, ev *trulioo.Event) error {
				overwrite(ev)
				return c.fn(ctx, ev)
			}, trulioo.WithWebhookObserver(seen))
			for range 4 {
				post(t, h, callback(`,"event":{"type":"FLOW_END"}`))
			}
			assert.Equal(t, fails+1, c.runs.Load(), name)
			for _, out := range seen.outcomes {
				assert.Equal(t, trulioo.EventFlowEnd, out.EventType, name)
			}
			require.NoError(t, h.Shutdown(t.Context()), "nothing is left in flight")
		}
	}
}

// Trap: of two handlers on one deduper the second is told that the first one's
// work was its own.
func TestWebhookHandlersOnOneDeduper(t *testing.T) {
	t.Parallel()
	var shared trulioo.MemoryDeduper
	mail, store, again := &counted{}, &counted{}, &counted{}
	handlers := []*trulioo.WebhookHandler{
		newHook(t, mail.fn, trulioo.WithDeduper(&shared), trulioo.WithHandlerName("mail")),
		newHook(t, store.fn, trulioo.WithDeduper(&shared), trulioo.WithHandlerName("store")),
		newHook(t, again.fn, trulioo.WithDeduper(&shared), trulioo.WithHandlerName("store")), // another process
	}
	for range 2 {
		for _, h := range handlers {
			assert.Equal(t, 200, post(t, h, callback("")).Code)
		}
	}
	assert.EqualValues(t, 1, mail.runs.Load())
	assert.EqualValues(t, 1, store.runs.Load())
	assert.Zero(t, again.runs.Load())
	var refused *trulioo.ArgumentError
	_, err := trulioo.NewWebhookHandler(accept, trulioo.WithInsecureNoVerification(), trulioo.WithHandlerName(""))
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "WithHandlerName", refused.Argument)
}

func zipped(t testing.TB, body string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, err := io.WriteString(zip, body)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return out.String()
}

// A body that something on the way has compressed is read: its signature is that of the
// compressed or of the plain bytes, and the cap counts the plain ones.
func TestWebhookGzip(t *testing.T) {
	t.Parallel()
	body := callback(`,"event":{"type":"FLOW_END"}`)
	bomb := zipped(t, callback(strings.Repeat(" ", 10<<20)))
	for name, tc := range map[string]struct {
		sent, coding, signed string
		status               int
	}{
		"signed as it came":     {zipped(t, body), "gzip", zipped(t, body), 200},
		"signed before":         {zipped(t, body), "gzip", body, 200},
		"an old name":           {zipped(t, body), "X-GZIP", body, 200},
		"already decompressed":  {body, "gzip", body, 200},
		"identity":              {body, "identity", body, 200},
		"no header":             {zipped(t, body), "", zipped(t, body), 400},
		"not signed":            {zipped(t, body), "gzip", "another", 401},
		"twice":                 {zipped(t, zipped(t, body)), "gzip, gzip", body, 415},
		"brotli":                {body, "br", body, 415},
		"cut off":               {zipped(t, body)[:40], "gzip", zipped(t, body)[:40], 400},
		"cut off, not signed":   {zipped(t, body)[:40], "gzip", body, 401},
		"garbage behind":        {zipped(t, body) + "x", "gzip", zipped(t, body) + "x", 400},
		"a bomb":                {bomb, "gzip", bomb, 413},
		"a bomb, not signed":    {bomb, "gzip", "another", 401},
		"as large as may be":    {zipped(t, body+strings.Repeat(" ", 2000-len(body))), "gzip", body + strings.Repeat(" ", 2000-len(body)), 200},
		"one byte over the cap": {zipped(t, body+strings.Repeat(" ", 2001-len(body))), "gzip", zipped(t, body+strings.Repeat(" ", 2001-len(body))), 413},
	} {
		var raw string
		h := newHook(t, func(_ context.Context, ev *trulioo.Event) error { raw = string(ev.Raw); return nil }, trulioo.WithMaxBodyBytes(2000))
		if name == "a bomb" || name == "a bomb, not signed" {
			h = newHook(t, nil2(t))
		}
		header := http.Header{"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sign([]byte(tc.signed), hookSecret)}}
		if tc.coding != "" {
			header["Content-Encoding"] = []string{tc.coding}
		}
		w := post(t, h, tc.sent, func(r *http.Request) { r.Header = header })
		assert.Equal(t, tc.status, w.Code, name)
		if tc.status == 200 {
			assert.Equal(t, body, strings.TrimSpace(raw), name)
		}
		status, _, _ := newHook(t, accept, trulioo.WithMaxBodyBytes(2000)).Handle(t.Context(), header, []byte(tc.sent))
		if !strings.HasPrefix(name, "a bomb") {
			assert.Equal(t, tc.status, status, name)
		}
	}
}

// Trap: a delivery that somebody recorded is sent again when the deduper has
// forgotten it.
func TestWebhookMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		errs := &hookErrors{}
		c := &counted{}
		h := newHook(t, c.fn, trulioo.WithMaxAge(24*time.Hour), errs.option())
		now := time.Now().Unix()
		for ts, want := range map[string]int{
			fmt.Sprint(now):               200,
			fmt.Sprint(now + 3600):        200, // a clock that is ahead
			fmt.Sprint(now - 86400):       200,
			fmt.Sprint(now - 86401):       401,
			fmt.Sprint((now - 10) * 1000): 200, // in milliseconds
			`"` + fmt.Sprint(now) + `"`:   200,
			"0":                           401,
			"null":                        401,
			"-1":                          401,
			`"soon"`:                      401,
		} {
			assert.Equal(t, want, post(t, h, callback(`,"event":{"type":"FLOW_END","ts":`+ts+`}`)).Code, ts)
		}
		assert.Equal(t, 401, post(t, h, callback("")).Code, "nobody says when")
		for _, err := range errs.all() {
			require.ErrorIs(t, err, trulioo.ErrWebhookTooOld)
		}
		handshake := `{"token":"` + hookToken + `","type":"url_verification","challenge":"x"}`
		assert.Equal(t, 200, post(t, h, handshake).Code, "a handshake has no time")

		old := callback(`,"event":{"type":"FLOW_END","ts":` + fmt.Sprint(now) + `}`)
		runs := c.runs.Load()
		pass(25 * time.Hour)
		assert.Equal(t, 401, post(t, h, old).Code, "the deduper has forgotten it")
		assert.Equal(t, runs, c.runs.Load())
	})
	var refused *trulioo.ArgumentError
	_, err := trulioo.NewWebhookHandler(accept, trulioo.WithInsecureNoVerification(), trulioo.WithMaxAge(0))
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "WithMaxAge", refused.Argument)
}

func TestWebhookNilContexts(t *testing.T) {
	t.Parallel()
	errs := &hookErrors{}
	h := newHook(t, nil2(t), errs.option())
	status, header, answer := h.Handle(nil, nil, nil) //nolint:staticcheck // the mistake under test
	assert.Equal(t, 500, status)
	assert.Equal(t, "application/json", header.Get("Content-Type"))
	assert.True(t, json.Valid(answer))
	var refused *trulioo.ArgumentError
	require.Len(t, errs.all(), 1)
	require.ErrorAs(t, errs.all()[0], &refused)
	require.ErrorAs(t, h.Shutdown(nil), &refused) //nolint:staticcheck // as above
	assert.Equal(t, "ctx", refused.Argument)

	var d trulioo.MemoryDeduper
	claim, state, err := d.Reserve(nil, "a", time.Minute) //nolint:staticcheck // a context that is not used
	require.NoError(t, err)
	assert.Equal(t, trulioo.DedupNew, state)
	require.NoError(t, d.Commit(nil, "a", claim)) //nolint:staticcheck // as above
}

func TestZeroMemoryDeduper(t *testing.T) {
	t.Parallel()
	var d trulioo.MemoryDeduper
	require.Error(t, d.Commit(t.Context(), "a", "1"))
	claim, _ := reserve(t, &d, "a")
	require.NoError(t, d.Commit(t.Context(), "a", claim))
	_, state := reserve(t, &d, "a")
	assert.Equal(t, trulioo.DedupDone, state)
}

// Trap: "for ever", written as the longest duration, overflows.
func TestWebhookMemoryForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pass(time.Hour) // so that a sum with the time that has passed is one
		for _, forEver := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - time.Second, math.MaxInt64 / 2} {
			d := trulioo.NewMemoryDeduper(math.MaxInt, forEver)
			claim, state, err := d.Reserve(t.Context(), "a", forEver)
			require.NoError(t, err)
			require.Equal(t, trulioo.DedupNew, state)
			pass(time.Hour)
			_, state, err = d.Reserve(t.Context(), "a", forEver)
			require.NoError(t, err)
			assert.Equal(t, trulioo.DedupInFlight, state, "the lease")
			require.NoError(t, d.Commit(t.Context(), "a", claim))
			pass(time.Hour)
			_, state, err = d.Reserve(t.Context(), "a", forEver)
			require.NoError(t, err)
			assert.Equal(t, trulioo.DedupDone, state, "the memory")

			leased := &scripted{Deduper: d}
			h := newHook(t, func(ctx context.Context, _ *trulioo.Event) error { return ctx.Err() }, trulioo.WithDeduper(leased),
				trulioo.WithHandlerTimeout(forEver), trulioo.WithMaxBodyBytes(math.MaxInt64), trulioo.WithMaxAge(forEver))
			body := callback(`,"event":{"ts":` + fmt.Sprint(time.Now().Unix()) + `}`)
			assert.Equal(t, 200, post(t, h, body).Code)
			require.Len(t, leased.leases, 1)
			assert.GreaterOrEqual(t, leased.leases[0], forEver)
			assert.Equal(t, 200, post(t, h, body).Code)
			assert.Equal(t, 401, post(t, h, callback("")).Code, "an event that does not say when may be older than for ever")
		}
	})
}

// A function that ends its goroutine has failed: the vendor gets a 500, and the
// error hook and the observers hear of it.
func TestWebhookGoexitIsHeard(t *testing.T) {
	t.Parallel()
	errs, seen := &hookErrors{}, &recorded{}
	h := newHook(t, func(context.Context, *trulioo.Event) error { runtime.Goexit(); return nil },
		errs.option(), trulioo.WithWebhookObserver(seen))
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	body := callback("")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Trulioo-Signature", sign([]byte(body), hookSecret))
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, 500, resp.StatusCode)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = h.Handle(t.Context(), req.Header, []byte(body))
	}()
	<-ended
	require.NoError(t, h.Shutdown(t.Context()))
	srv.Close()
	require.Len(t, errs.all(), 2)
	require.Len(t, seen.outcomes, 2)
	for i, err := range errs.all() {
		var failed *trulioo.WebhookError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, "run", failed.Step)
		require.ErrorContains(t, errors.Unwrap(failed), "Goexit")
		assert.Equal(t, trulioo.Outcome{StatusCode: 500, Result: "failed", Err: err}, seen.outcomes[i])
	}
}

// A body that a platform has encoded is named: the sender's status stays what it is.
func TestWebhookBase64(t *testing.T) {
	t.Parallel()
	body := callback(`,"event":{"type":"FLOW_END"}`)
	encoded := base64.StdEncoding.EncodeToString([]byte(body))
	for name, tc := range map[string]struct {
		body, signed string
		status       int
		hint         bool
		is           error
	}{
		"signature of the JSON":   {encoded, body, 401, true, trulioo.ErrWebhookSignature},
		"signature of the base64": {encoded, encoded, 400, true, nil},
		"with space around":       {"\n" + encoded + "\n", body, 401, true, trulioo.ErrWebhookSignature},
		"short":                   {base64.StdEncoding.EncodeToString([]byte(`{ }`)), body, 401, true, trulioo.ErrWebhookSignature},
		"other base64":            {base64.StdEncoding.EncodeToString([]byte("hello, world")), body, 401, false, trulioo.ErrWebhookSignature},
		"JSON":                    {body, "another", 401, false, trulioo.ErrWebhookSignature},
		"empty":                   {"", body, 401, false, trulioo.ErrWebhookSignature},
		"text":                    {"text", "text", 400, false, nil},
	} {
		errs := &hookErrors{}
		h := newHook(t, nil2(t), errs.option())
		status, _, _ := h.Handle(t.Context(), http.Header{
			"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sign([]byte(tc.signed), hookSecret)},
		}, []byte(tc.body))
		assert.Equal(t, tc.status, status, name)
		require.Len(t, errs.all(), 1)
		assert.Equal(t, tc.hint, strings.Contains(errs.all()[0].Error(), "if it is base64"), name)
		if tc.is != nil {
			require.ErrorIs(t, errs.all()[0], tc.is, name)
		}
	}
}

// Handle gives the whole answer of net/http's server.
func TestWebhookHandleGivesTheHeader(t *testing.T) {
	t.Parallel()
	h := newHook(t, accept)
	require.NoError(t, h.Shutdown(t.Context()))
	for _, body := range []string{callback(""), "x", `{"token":"` + hookToken + `","type":"url_verification","challenge":"x"}`} {
		w := post(t, h, body)
		status, header, answer := h.Handle(t.Context(), http.Header{
			"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sign([]byte(body), hookSecret)},
		}, []byte(body))
		assert.Equal(t, w.Code, status)
		assert.Equal(t, w.Header(), header)
		assert.Equal(t, w.Body.String(), string(answer))
	}
}

// A null in a caller's struct leaves the field as it is, as encoding/json does.
func TestEventFieldThatIsNull(t *testing.T) {
	t.Parallel()
	var message struct {
		Pointer *trulioo.Event
		Value   trulioo.Event
		After   int
	}
	message.Value.ClientID = "before"
	require.NoError(t, json.Unmarshal([]byte(`{"Pointer":null,"Value": null,"After":1}`), &message))
	assert.Nil(t, message.Pointer)
	assert.Equal(t, "before", message.Value.ClientID)
	assert.Equal(t, 1, message.After)
}

// An event that does not say what happened is handled, and the log warns. Every
// other request is at Info.
func TestWebhookEventWithoutATypeWarns(t *testing.T) {
	t.Parallel()
	for fields, level := range map[string]string{
		"":                                "WARN",
		`,"event":{}`:                     "WARN",
		`,"event":{"type":null}`:          "WARN",
		`,"event":{"type":"FLOW_END"}`:    "INFO",
		`,"event":{"type":"UNKNOWN_ONE"}`: "INFO",
	} {
		var log bytes.Buffer
		h := newHook(t, accept, trulioo.WithWebhookLogger(slog.New(slog.NewJSONHandler(&log, nil))))
		assert.Equal(t, 200, post(t, h, callback(fields)).Code)
		var line struct{ Level, Result string }
		require.NoError(t, json.Unmarshal(log.Bytes(), &line))
		assert.Equal(t, level, line.Level, fields)
		assert.Equal(t, level == "WARN", line.Result == "handled, without a type")
	}
}

// Trap: a token-only handler builds a callback before it looks at the token. A
// megabyte of any form, from a sender who has proved nothing, costs about its
// own bytes.
func TestWebhookUnverifiedCallbacksCostLittle(t *testing.T) { //nolint:paralleltest // it counts what all tests allocate
	h, err := trulioo.NewWebhookHandler(nil2(t), trulioo.WithVerificationToken(hookToken))
	require.NoError(t, err)
	const size = 1 << 20
	fill := func(opening, unit, closing string) string {
		return opening + strings.Repeat(unit, (size-len(opening)-len(closing)-len(`,"token":"wrong"}`))/len(unit)) + closing
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, start := range map[string]string{
		"numbers":       fill(`{"a":[0`, `,0`, `]`),
		"empty objects": fill(`{"serviceData":{"a":[{}`, `,{}`, `]}`),
		"deep":          fill(`{"a":`+strings.Repeat("[", 5000)+"0", ` `, strings.Repeat("]", 5000)),
		"members":       fill(`{"a":{"b":0`, `,"b":0`, `}`),
		"notes":         fill(`{"notes":[{}`, `,{"a":1}`, `]`),
		"one string":    fill(`{"a":"`, `x`, `"`),
		"top level":     fill(`{"a":0`, `,"b":0`, ``),
	} {
		for _, body := range []string{start + `,"token":"wrong"}`, start + "}", start} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			status, _, _ := h.Handle(t.Context(), header, []byte(body))
			runtime.ReadMemStats(&after)
			assert.Contains(t, []int{400, 401}, status, name)
			// Handle's own copy of the body is the one; what is built of it would be another.
			assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(size+size/2), name)
		}
	}
}
