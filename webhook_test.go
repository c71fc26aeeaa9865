package trulioo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// hookFunc is the function of a WebhookHandler.
type hookFunc func(context.Context, *trulioo.Event) error

func accept(context.Context, *trulioo.Event) error { return nil }

// newHook makes a handler with both checks, unless told otherwise.
func newHook(tb testing.TB, fn hookFunc, opts ...trulioo.WebhookOption) *trulioo.WebhookHandler {
	tb.Helper()
	both := []trulioo.WebhookOption{trulioo.WithVerificationToken(hookToken), trulioo.WithSigningSecret(hookSecret)}
	h, err := trulioo.NewWebhookHandler(fn, append(both, opts...)...)
	require.NoError(tb, err)
	return h
}

// callback is a body with the right token.
func callback(fields string) string {
	return `{"token":"` + hookToken + `","type":"EVENT_CALLBACK","id":"c1"` + fields + `}`
}

// post sends a signed body to the handler, unless edit changes the request.
func post(tb testing.TB, h http.Handler, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Trulioo-Signature", sign([]byte(body), hookSecret))
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// hookErrors collects the errors of the error hook.
type hookErrors struct {
	mu   sync.Mutex
	errs []error
}

func (e *hookErrors) option() trulioo.WebhookOption {
	return trulioo.WithErrorHook(func(_ context.Context, err error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.errs = append(e.errs, err)
	})
}

func (e *hookErrors) all() []error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.errs)
}

func setHeader(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

// TestWebhookAnswers is about the order of the checks: each request is wrong in
// everything that is checked after the deciding check.
func TestWebhookAnswers(t *testing.T) {
	t.Parallel()
	get := func(r *http.Request) { r.Method = http.MethodGet }
	text := setHeader("Content-Type", "text/plain")
	unsigned := setHeader("X-Trulioo-Signature")
	long := strings.Repeat(" ", 1<<10)
	for _, tc := range []struct {
		name   string
		body   string
		edit   []func(*http.Request)
		status int
		ran    int
	}{
		{"method first", long, []func(*http.Request){get, text, unsigned}, 405, 0},
		{"then content type", long, []func(*http.Request){text, unsigned}, 415, 0},
		{"then size", long, []func(*http.Request){unsigned}, 413, 0},
		{"then size, length not said", long, []func(*http.Request){unsigned, func(r *http.Request) { r.ContentLength = -1 }}, 413, 0},
		{"then signature", "not JSON", []func(*http.Request){unsigned}, 401, 0},
		{"then JSON", "not JSON", nil, 400, 0},
		{"JSON, but no object", `[]`, nil, 400, 0},
		{"null", `null`, nil, 400, 0},
		{"two objects", callback("") + callback(""), nil, 400, 0},
		{"cut off", callback("")[:20], nil, 400, 0},
		{"empty", "", nil, 400, 0},
		{"a name twice", callback(`,"id":"c2"`), nil, 400, 0},
		{"an event's name twice", callback(`,"event":{"type":"FLOW_END","type":"FLOW_START"}`), nil, 400, 0},
		{"then token", `{"token":"wrong","type":"url_verification"}`, nil, 401, 0},
		{"handshake without a challenge", `{"token":"` + hookToken + `","type":"url_verification"}`, nil, 400, 0},
		{"handshake with a number", `{"token":"` + hookToken + `","type":"url_verification","challenge":1}`, nil, 400, 0},
		{"no event", callback(""), nil, 200, 1},
		{"event null", callback(`,"event":null`), nil, 200, 1},
		{"event of another kind", callback(`,"event":[1]`), nil, 200, 1},
		{"unknown type", callback(`,"event":{"type":"SOMETHING_NEW"}`), nil, 200, 1},
		{"parameters of the media type", callback(""), []func(*http.Request){setHeader("Content-Type", "Application/JSON; charset=utf-8")}, 200, 1},
		{"a kin of JSON", callback(""), []func(*http.Request){setHeader("Content-Type", "application/cloudevents+json")}, 200, 1},
		{"no media type", callback(""), []func(*http.Request){setHeader("Content-Type")}, 415, 0},
		{"a list of media types", callback(""), []func(*http.Request){setHeader("Content-Type", "application/x, application/y+json")}, 415, 0},
		{"a byte order mark", "\ufeff" + callback(""), nil, 200, 1},
		{"as large as may be", callback(strings.Repeat(" ", 1000-len(callback("")))), nil, 200, 1},
		{"a byte larger", callback(strings.Repeat(" ", 1001-len(callback("")))), nil, 413, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			ran := 0
			h := newHook(t, func(context.Context, *trulioo.Event) error { ran++; return nil }, trulioo.WithMaxBodyBytes(1000))
			w := post(t, h, tc.body, tc.edit...)
			assert.Equal(t, tc.status, w.Code)
			assert.Equal(t, tc.ran, ran)
			assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
			assert.True(t, json.Valid(w.Body.Bytes()))
			if tc.status == 405 {
				assert.Equal(t, "POST", w.Header().Get("Allow"))
				return
			}
			// The same request without net/http's server gets the same answer.
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Trulioo-Signature", sign([]byte(tc.body), hookSecret))
			for _, e := range tc.edit {
				e(r)
			}
			other := newHook(t, accept, trulioo.WithMaxBodyBytes(1000))
			status, _, answer := other.Handle(t.Context(), r.Header, []byte(tc.body))
			assert.Equal(t, tc.status, status)
			assert.Equal(t, w.Body.String(), string(answer))
		})
	}
}

// Trap: a missing body limit lets anybody fill the memory.
func TestWebhookTrapNoSizeLimit(t *testing.T) {
	t.Parallel()
	h := newHook(t, accept)
	body := &endless{}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body)
	r.ContentLength = -1
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, 413, w.Code)
	assert.LessOrEqual(t, body.read, 2<<20)

	body.read, r.ContentLength = 0, 10<<20
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	assert.Equal(t, 413, w.Code)
	assert.Zero(t, body.read, "a length that is too large is not even read")

	assert.Equal(t, 413, post(t, h, strings.Repeat(" ", 10<<20)).Code)
	assert.Equal(t, 200, post(t, h, strings.Repeat(" ", 1<<20-len(callback("")))+callback("")).Code, "exactly 1 MiB")
	assert.Equal(t, 413, post(t, h, strings.Repeat(" ", 1<<20+1-len(callback("")))+callback("")).Code, "one more")
}

type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// A body that breaks off is not taken for a whole one, and a length that is
// only claimed does not get its memory.
func TestWebhookBodyBreaksOff(t *testing.T) {
	t.Parallel()
	h := newHook(t, accept)
	w := post(t, h, callback(""), func(r *http.Request) {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader(callback("")), errReader{}))
	})
	assert.Equal(t, 400, w.Code)
	w = post(t, h, callback(""), func(r *http.Request) { r.ContentLength = 1 << 20 })
	assert.Equal(t, 200, w.Code)
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestWebhookHandshake(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"url_verification", "URL_VERIFICATION", "Url_Verification", `url\u005fverification`} {
		for _, challenge := range []string{`"abc"`, `""`, `"é😀\u2028<&>"`, `"\ud83d\ude00\"\\\n"`, `"\ud83d"`, "\"\u2028 \x7f\""} {
			body := `{"challenge": ` + challenge + `, "type":"` + kind + `","token":"` + hookToken + `"}`
			w := post(t, newHook(t, nil2(t)), body)
			assert.Equal(t, 200, w.Code)
			assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
			assert.Equal(t, `{"challenge":`+challenge+`}`, w.Body.String(), "the very bytes")
		}
	}
}

// nil2 gives a function that must not be called.
func nil2(t *testing.T) hookFunc {
	return func(context.Context, *trulioo.Event) error { t.Error("the function ran"); return nil }
}

func TestWebhookHandshakeIsVerifiedFirst(t *testing.T) {
	t.Parallel()
	h := newHook(t, nil2(t))
	body := `{"type":"url_verification","challenge":"canary-challenge","token":"wrong"}`
	for _, w := range []*httptest.ResponseRecorder{
		post(t, h, body),
		post(t, h, strings.Replace(body, "wrong", hookToken, 1), setHeader("X-Trulioo-Signature", strings.Repeat("0", 64))),
	} {
		assert.Equal(t, 401, w.Code)
		assert.NotContains(t, w.Body.String(), "canary")
	}
}

// Trap: the token is compared loosely. encoding/json would accept the name "TOKEN", and
// the last of two.
func TestWebhookTokenIsExact(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		member string
		status int
	}{
		"right":           {`"token":"` + hookToken + `"`, 200},
		"escaped name":    {`"\u0074oken":"` + hookToken + `"`, 200},
		"escaped value":   {`"token":"\u0076` + hookToken[1:] + `"`, 200},
		"missing":         {`"a":1`, 401},
		"empty":           {`"token":""`, 401},
		"wrong":           {`"token":"` + hookToken + `x"`, 401},
		"a prefix":        {`"token":"` + hookToken[:5] + `"`, 401},
		"other case":      {`"token":"` + strings.ToUpper(hookToken) + `"`, 401},
		"name's case":     {`"Token":"` + hookToken + `"`, 401},
		"null":            {`"token":null`, 401},
		"a number":        {`"token":42`, 401},
		"in an array":     {`"token":["` + hookToken + `"]`, 401},
		"deeper":          {`"event":{"token":"` + hookToken + `"}`, 401},
		"twice":           {`"token":"wrong","token":"` + hookToken + `"`, 400},
		"twice, reversed": {`"token":"` + hookToken + `","token":"wrong"`, 400},
		"twice, escaped":  {`"token":"wrong","\u0074oken":"` + hookToken + `"`, 400},
		"twice, by case":  {`"token":"wrong","Token":"` + hookToken + `"`, 401},
	} {
		h, err := trulioo.NewWebhookHandler(accept, trulioo.WithVerificationToken("42", hookToken))
		require.NoError(t, err)
		assert.Equal(t, tc.status, post(t, h, `{`+tc.member+`,"id":"c1"}`).Code, name)
	}
}

// Trap: signatures compared as strings, upper-case hex refused, the first
// secret only, and hmac.Equal(nil, nil), which is true.
func TestWebhookTrapSignatureCompare(t *testing.T) {
	t.Parallel()
	body := callback("")
	good, old := sign([]byte(body), hookSecret), sign([]byte(body), "the-old-secret-of-the-account")
	for name, tc := range map[string]struct {
		signatures []string
		status     int
	}{
		"right":             {[]string{good}, 200},
		"upper case":        {[]string{strings.ToUpper(good)}, 200},
		"the second secret": {[]string{old}, 200},
		"missing":           {nil, 401},
		"empty":             {[]string{""}, 401},
		"not hex":           {[]string{strings.Repeat("x", 64)}, 401},
		"short":             {[]string{good[:62]}, 401},
		"odd":               {[]string{good[:63]}, 401},
		"long":              {[]string{good + "00"}, 401},
		"prefixed":          {[]string{"sha256=" + good}, 401},
		"of another body":   {[]string{sign([]byte(body+" "), hookSecret)}, 401},
		"of another secret": {[]string{sign([]byte(body), "another")}, 401},
		"two headers":       {[]string{good, good}, 401},
	} {
		h := newHook(t, accept, trulioo.WithSigningSecret(hookSecret, "the-old-secret-of-the-account"))
		assert.Equal(t, tc.status, post(t, h, body, setHeader("X-Trulioo-Signature", tc.signatures...)).Code, name)
		if len(tc.signatures) == 1 {
			err := trulioo.VerifySignature([]byte(body), tc.signatures[0], hookSecret, "the-old-secret-of-the-account")
			assert.Equal(t, tc.status == 401, errors.Is(err, trulioo.ErrWebhookSignature), name)
		}
	}
}

// Trap: the signature is checked over a body that was decoded and encoded again.
func TestWebhookTrapReserialisedBody(t *testing.T) {
	t.Parallel()
	var raw json.RawMessage
	h := newHook(t, func(_ context.Context, ev *trulioo.Event) error { raw = ev.Raw; return nil })
	body := "\n{ \"token\" :\"" + hookToken + "\",\t\"x\" : 1.50 , \"id\":\"\\u00e9\" }\r\n "
	assert.Equal(t, 200, post(t, h, body).Code)
	assert.Equal(t, body, string(raw), "Raw is the exact bytes")
}

// Trap: a library with an empty secret verifies everything.
func TestWebhookTrapEmptySecret(t *testing.T) {
	t.Parallel()
	some := trulioo.WithVerificationToken("t")
	for name, tc := range map[string]struct {
		opts     []trulioo.WebhookOption
		argument string
	}{
		"nothing":           {nil, "WithVerificationToken"},
		"empty secret":      {[]trulioo.WebhookOption{trulioo.WithSigningSecret("")}, "WithSigningSecret"},
		"no secret":         {[]trulioo.WebhookOption{trulioo.WithSigningSecret()}, "WithSigningSecret"},
		"one empty secret":  {[]trulioo.WebhookOption{trulioo.WithSigningSecret("a-whole-secret", "")}, "WithSigningSecret"},
		"short secret":      {[]trulioo.WebhookOption{trulioo.WithSigningSecret("a-whole-secret", "seven77")}, "WithSigningSecret"},
		"beside a token":    {[]trulioo.WebhookOption{some, trulioo.WithSigningSecret("")}, "WithSigningSecret"},
		"empty token":       {[]trulioo.WebhookOption{trulioo.WithVerificationToken("")}, "WithVerificationToken"},
		"no token":          {[]trulioo.WebhookOption{trulioo.WithVerificationToken()}, "WithVerificationToken"},
		"one empty token":   {[]trulioo.WebhookOption{trulioo.WithVerificationToken("a", "")}, "WithVerificationToken"},
		"insecure and more": {[]trulioo.WebhookOption{some, trulioo.WithInsecureNoVerification()}, "WithInsecureNoVerification"},
		"nil deduper":       {[]trulioo.WebhookOption{some, trulioo.WithDeduper(nil)}, "WithDeduper"},
		"body limit":        {[]trulioo.WebhookOption{some, trulioo.WithMaxBodyBytes(0)}, "WithMaxBodyBytes"},
		"timeout":           {[]trulioo.WebhookOption{some, trulioo.WithHandlerTimeout(0)}, "WithHandlerTimeout"},
		"logger":            {[]trulioo.WebhookOption{some, trulioo.WithWebhookLogger(nil)}, "WithWebhookLogger"},
		"observer":          {[]trulioo.WebhookOption{some, trulioo.WithWebhookObserver(nil)}, "WithWebhookObserver"},
		"hook":              {[]trulioo.WebhookOption{some, trulioo.WithErrorHook(nil)}, "WithErrorHook"},
	} {
		h, err := trulioo.NewWebhookHandler(accept, tc.opts...)
		assert.Nil(t, h, name)
		var refused *trulioo.ArgumentError
		require.ErrorAs(t, err, &refused, name)
		assert.Equal(t, tc.argument, refused.Argument, name)
	}
	_, err := trulioo.NewWebhookHandler(nil, some)
	require.Error(t, err)
	for _, secrets := range [][]string{nil, {""}, {"a-whole-secret", ""}, {"seven77"}} {
		var refused *trulioo.ArgumentError
		require.ErrorAs(t, trulioo.VerifySignature(nil, "", secrets...), &refused)
	}
}

func TestWebhookInsecure(t *testing.T) {
	t.Parallel()
	h, err := trulioo.NewWebhookHandler(accept, trulioo.WithInsecureNoVerification(), nil)
	require.NoError(t, err)
	assert.Equal(t, 200, post(t, h, `{"id":"c1"}`, setHeader("X-Trulioo-Signature")).Code)
}

// Trap: an error that carries the right HMAC, or an answer that tells what was wrong.
func TestWebhookTrapErrorsTellNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	errs := &hookErrors{}
	h := newHook(t, func(context.Context, *trulioo.Event) error { return errors.New("canary of the caller") },
		errs.option(), trulioo.WithWebhookLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	body := callback(`,"event":{"type":"canary-type","user":"canary-user"},"challenge":"canary"`)
	wrongToken := strings.Replace(body, hookToken, "wrong", 1)
	answers := map[int]string{}
	for _, w := range []*httptest.ResponseRecorder{
		post(t, h, body),
		post(t, h, wrongToken),
		post(t, h, body, setHeader("X-Trulioo-Signature", strings.Repeat("0", 64))),
		post(t, h, body, setHeader("X-Trulioo-Signature")),
		post(t, h, `{"canary":`), post(t, h, `["canary"]`), post(t, h, `{"canary":1,"canary":2}`),
	} {
		if known, ok := answers[w.Code]; ok {
			assert.Equal(t, known, w.Body.String(), "one answer for each status")
		}
		answers[w.Code] = w.Body.String()
	}
	assert.Equal(t, []int{400, 401, 500}, slices.Sorted(maps.Keys(answers)))
	require.Len(t, errs.all(), 7)
	text := log.String() + fmt.Sprint(answers) + fmt.Sprint(trulioo.VerifySignature([]byte(body), "00", hookSecret))
	for _, err := range errs.all() {
		text += fmt.Sprintf("%v %+v %#v %s %q %d", err, err, err, err, err, err)
	}
	for _, secret := range []string{"canary", hookToken, hookSecret, sign([]byte(body), hookSecret), sign([]byte(wrongToken), hookSecret)} {
		assert.NotContains(t, text, secret)
	}
	require.ErrorContains(t, errors.Unwrap(errs.all()[0]), "canary of the caller", "the cause is there for those who ask")
	require.ErrorIs(t, errs.all()[1], trulioo.ErrWebhookToken)
	require.ErrorIs(t, errs.all()[2], trulioo.ErrWebhookSignature)
	var decode *trulioo.DecodeError
	assert.ErrorAs(t, errs.all()[4], &decode)
}

func TestWebhookPrintsNoSecret(t *testing.T) {
	t.Parallel()
	opts := []trulioo.WebhookOption{trulioo.WithVerificationToken(hookToken), trulioo.WithSigningSecret(hookSecret)}
	h, err := trulioo.NewWebhookHandler(accept, opts...)
	require.NoError(t, err)
	ev, err := trulioo.ParseEvent([]byte(callback(`,"userId":"canary","event":{"type":"FLOW_END"}`)))
	require.NoError(t, err)
	for _, v := range []any{h, *h, opts, opts[0], ev, *ev, []any{*ev}, struct{ E trulioo.Event }{*ev}} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		text := fmt.Sprintf("%v %+v %#v %s %d %x", v, v, v, v, v, v) + log.String()
		for _, secret := range []string{hookToken, hookSecret, "canary", "c1", fmt.Sprintf("%x", hookToken), "FLOW_END"} {
			assert.NotContains(t, text, secret)
		}
	}
}

type panicValue string

// Trap: a panic in the function kills the server, and its value reaches the log.
func TestWebhookTrapPanic(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	errs := &hookErrors{}
	panics := true
	h := newHook(t, func(context.Context, *trulioo.Event) error {
		if panics {
			panic(panicValue("canary of a person"))
		}
		return nil
	}, errs.option(), trulioo.WithWebhookLogger(slog.New(slog.NewTextHandler(&log, nil))))
	assert.Equal(t, 500, post(t, h, callback("")).Code)
	var failed *trulioo.WebhookError
	require.Len(t, errs.all(), 1)
	require.ErrorAs(t, errs.all()[0], &failed)
	assert.Equal(t, "run", failed.Step)
	assert.Equal(t, "trulioo_test.panicValue", failed.PanicType)
	assert.Contains(t, string(failed.Stack), "TestWebhookTrapPanic")
	assert.Contains(t, log.String(), "TestWebhookTrapPanic", "the stack is logged")
	assert.NotContains(t, log.String()+fmt.Sprintf("%+v", failed), "canary")
	panics = false
	assert.Equal(t, 200, post(t, h, callback("")).Code, "the next delivery runs")
}

// A function ended by runtime.Goexit, as t.FailNow does, has failed.
func TestWebhookGoexit(t *testing.T) {
	t.Parallel()
	runs := 0
	h := newHook(t, func(context.Context, *trulioo.Event) error {
		runs++
		if runs == 1 {
			runtime.Goexit()
		}
		return nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		post(t, h, callback(""))
	}()
	<-done
	assert.Equal(t, 200, post(t, h, callback("")).Code)
	assert.Equal(t, 2, runs)
	require.NoError(t, h.Shutdown(t.Context()))
}

// An error hook that panics does not cost an event.
func TestWebhookHookPanics(t *testing.T) {
	t.Parallel()
	fails := true
	h := newHook(t, func(context.Context, *trulioo.Event) error {
		if fails {
			return errors.New("once")
		}
		return nil
	}, trulioo.WithErrorHook(func(context.Context, error) { panic("in the hook") }))
	assert.Equal(t, 500, post(t, h, callback("")).Code)
	fails = false
	assert.Equal(t, 200, post(t, h, callback("")).Code)
}

func TestWebhookDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHook(t, func(ctx context.Context, _ *trulioo.Event) error {
			<-ctx.Done()
			return ctx.Err()
		})
		begun := time.Now()
		assert.Equal(t, 500, post(t, h, callback("")).Code)
		assert.Equal(t, 8*time.Second, time.Since(begun))
	})
}

// The work goes on when the sender hangs up, and ends with the caller's context in Handle.
func TestWebhookContext(t *testing.T) {
	t.Parallel()
	type key struct{}
	gone, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	cancel()
	var value any
	var ended error
	fn := func(ctx context.Context, _ *trulioo.Event) error {
		value, ended = ctx.Value(key{}), ctx.Err()
		return ended
	}
	w := post(t, newHook(t, fn), callback(""), func(r *http.Request) { *r = *r.WithContext(gone) })
	assert.Equal(t, 200, w.Code)
	assert.Equal(t, "value", value)
	require.NoError(t, ended)

	header := http.Header{"content-type": {"application/json"}, "x-trulioo-signature": {sign([]byte(callback("")), hookSecret)}}
	status, _, _ := newHook(t, fn).Handle(gone, header, []byte(callback("")))
	assert.Equal(t, 500, status)
	require.ErrorIs(t, ended, context.Canceled)
}

// Handle keeps nothing of the caller's buffer, and gives it no constant to change.
func TestWebhookHandleCopies(t *testing.T) {
	t.Parallel()
	var kept *trulioo.Event
	h := newHook(t, func(_ context.Context, ev *trulioo.Event) error { kept = ev; return nil })
	body := []byte(callback(`,"serviceData":{"fullServiceDetails":{"a":1}}`))
	header := http.Header{"Content-Type": {"application/json"}, "X-Trulioo-Signature": {sign(body, hookSecret)}}
	status, _, answer := h.Handle(t.Context(), header, body)
	assert.Equal(t, 200, status)
	want := string(body)
	clear(body)
	clear(answer)
	assert.Equal(t, want, string(kept.Raw))
	assert.JSONEq(t, `{"a":1}`, string(kept.ServiceData.FullServiceDetails))
	_, _, answer = h.Handle(t.Context(), header, []byte(want))
	assert.JSONEq(t, `{"status":"ok"}`, string(answer))
}

// recorded is an Observer that remembers.
type recorded struct {
	mu       sync.Mutex
	outcomes []trulioo.Outcome
}

type observedKey struct{}

func (o *recorded) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	if step != (trulioo.Step{Kind: trulioo.StepWebhook, Operation: "receive webhook"}) {
		panic("not a webhook's step")
	}
	return context.WithValue(ctx, observedKey{}, true), func(out trulioo.Outcome) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.outcomes = append(o.outcomes, out)
	}
}

func TestWebhookObserver(t *testing.T) {
	t.Parallel()
	seen := &recorded{}
	fails := true
	h := newHook(t, func(ctx context.Context, _ *trulioo.Event) error {
		assert.Equal(t, true, ctx.Value(observedKey{}))
		if fails {
			return errors.New("x")
		}
		return nil
	}, trulioo.WithWebhookObserver(seen))
	body := callback(`,"event":{"type":"flow_end"}`)
	post(t, h, body)
	fails = false
	post(t, h, body)
	post(t, h, body)
	post(t, h, "x", setHeader("X-Trulioo-Signature"))
	post(t, h, `{"token":"`+hookToken+`","type":"url_verification","challenge":"x"}`)
	post(t, h, callback(`,"event":{"type":"canary-type"}`))
	require.NoError(t, h.Shutdown(t.Context()))
	post(t, h, body)
	var got []string
	for _, o := range seen.outcomes {
		got = append(got, fmt.Sprint(o.StatusCode, " ", o.Result, " ", o.EventType, " ", o.Err != nil))
	}
	assert.Equal(t, []string{
		"500 failed FLOW_END true", "200 handled FLOW_END false", "200 duplicate FLOW_END false",
		"401 refused  true", "200 handshake  false", "200 handled  false", "503 shutting down FLOW_END false",
	}, got)
}

func TestWebhookLogIsAnAllowList(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h := newHook(t, accept, trulioo.WithWebhookLogger(slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
	for _, kind := range []string{"FLOW_END", "canary-type"} {
		log.Reset()
		post(t, h, callback(`,"userId":"canary","event":{"type":"`+kind+`"}`))
		var line map[string]any
		require.NoError(t, json.Unmarshal(log.Bytes(), &line))
		want := []string{"duration", "event_type", "level", "msg", "operation", "result", "status", "time"}
		if kind != "FLOW_END" {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "event_type" })
		}
		assert.Equal(t, want, slices.Sorted(maps.Keys(line)))
		assert.NotContains(t, log.String(), "canary")
	}
}

func TestWebhookShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHook(t, func(context.Context, *trulioo.Event) error { pass(3 * time.Second); return nil })
		first := make(chan int, 1)
		go func() { first <- post(t, h, callback("")).Code }()
		synctest.Wait()

		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, h.Shutdown(short), context.DeadlineExceeded)
		w := post(t, h, callback(`,"flowId":"another"`))
		assert.Equal(t, 503, w.Code)
		assert.NotEmpty(t, w.Header().Get("Retry-After"))
		handshake := `{"token":"` + hookToken + `","type":"url_verification","challenge":"x"}`
		assert.Equal(t, 200, post(t, h, handshake).Code)

		require.NoError(t, h.Shutdown(t.Context()))
		assert.Equal(t, 200, <-first, "what was in flight was finished")
		require.NoError(t, h.Shutdown(t.Context()), "again")
	})
}
