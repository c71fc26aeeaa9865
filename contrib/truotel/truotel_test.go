package truotel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truotel"
	"github.com/trulioo-go/trulioo/truliootest"
)

// seen is an Observer with the SDK behind it, in memory.
type seen struct {
	*truotel.Observer
	tracers  *sdktrace.TracerProvider
	exporter *tracetest.InMemoryExporter
	reader   *sdkmetric.ManualReader
}

func observe(t *testing.T) *seen {
	t.Helper()
	s := &seen{exporter: tracetest.NewInMemoryExporter(), reader: sdkmetric.NewManualReader()}
	s.tracers = sdktrace.NewTracerProvider(sdktrace.WithSyncer(s.exporter))
	var err error
	s.Observer, err = truotel.NewObserver(truotel.WithTracerProvider(s.tracers),
		truotel.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(s.reader))))
	require.NoError(t, err)
	return s
}

// spans are those that have ended, by their beginning, each as "name{attributes}
// under name".
func (s *seen) spans(t *testing.T) []string {
	t.Helper()
	stubs := s.exporter.GetSpans()
	slices.SortStableFunc(stubs, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	names := map[trace.SpanID]string{}
	for _, span := range stubs {
		names[span.SpanContext.SpanID()] = span.Name
	}
	var texts []string
	for _, span := range stubs {
		text := span.Name + attributes(attribute.NewSet(span.Attributes...))
		if span.Status.Code == codes.Error {
			text += " error"
		}
		if span.Parent.IsValid() {
			text += " under " + names[span.Parent.SpanID()]
		}
		texts = append(texts, text)
	}
	return texts
}

// points are a metric's data points, as "{attributes} count", sorted.
func (s *seen) points(t *testing.T, name string) []string {
	t.Helper()
	var texts []string
	for _, m := range s.metrics(t) {
		if m.Name != name {
			continue
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				texts = append(texts, fmt.Sprint(attributes(p.Attributes), " ", p.Value))
			}
		case metricdata.Histogram[float64]:
			require.Equal(t, "s", m.Unit)
			for _, p := range data.DataPoints {
				texts = append(texts, fmt.Sprint(attributes(p.Attributes), " ", p.Count))
			}
		default:
			t.Fatalf("%s is a %T", name, data)
		}
	}
	slices.Sort(texts)
	return texts
}

func (s *seen) metrics(t *testing.T) []metricdata.Metrics {
	t.Helper()
	var all metricdata.ResourceMetrics
	require.NoError(t, s.reader.Collect(t.Context(), &all))
	if len(all.ScopeMetrics) == 0 {
		return nil
	}
	require.Len(t, all.ScopeMetrics, 1)
	return all.ScopeMetrics[0].Metrics
}

func attributes(set attribute.Set) string {
	var texts []string
	for _, kv := range set.ToSlice() {
		value := kv.Value.String()
		if kv.Key == "server.port" { // another one in each run
			value = "PORT"
		}
		texts = append(texts, string(kv.Key)+"="+value)
	}
	return "{" + strings.Join(texts, " ") + "}"
}

func TestCallHasASpanForEachExchange(t *testing.T) {
	t.Parallel()
	s, srv := observe(t), truliootest.NewServer(t)
	srv.Fail(truliootest.GetClient, truliootest.Answer(503, ""), truliootest.Times(2))
	client := srv.Client(trulioo.WithObserver(s), trulioo.WithRetry(trulioo.RetryPolicy{MinWait: time.Millisecond, MaxWait: time.Millisecond}))
	_, err := client.Clients.Get(t.Context(), srv.Live.IDs()[0], nil)
	require.NoError(t, err)

	require.Equal(t, []string{
		"trulioo get client{trulioo.environment=live trulioo.operation=get client trulioo.request.id=req-4}",
		"trulioo fetch token{trulioo.environment=live trulioo.request.id=req-1} under trulioo get client",
		"POST{http.request.method=POST http.response.status_code=200 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=fetch token trulioo.request.id=req-1} under trulioo fetch token",
		"GET{error.type=503 http.request.method=GET http.response.status_code=503 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=get client trulioo.request.id=req-2} error under trulioo get client",
		"GET{error.type=503 http.request.method=GET http.request.resend_count=1 http.response.status_code=503 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=get client trulioo.request.id=req-3} error under trulioo get client",
		"GET{http.request.method=GET http.request.resend_count=2 http.response.status_code=200 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=get client trulioo.request.id=req-4} under trulioo get client",
	}, s.spans(t))
	for _, span := range s.exporter.GetSpans() {
		assert.Equal(t, trace.SpanKindClient, span.SpanKind, span.Name)
		assert.NotEmpty(t, span.InstrumentationScope.SchemaURL)
		assert.False(t, span.EndTime.Before(span.StartTime))
	}
	require.Equal(t, []string{"{trulioo.environment=live trulioo.operation=get client} 1"}, s.points(t, "trulioo.client.call.duration"))
	require.Equal(t, []string{
		"{error.type=503 http.request.method=GET http.response.status_code=503 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=get client} 2",
		"{http.request.method=GET http.response.status_code=200 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=get client} 1",
		"{http.request.method=POST http.response.status_code=200 server.address=127.0.0.1 server.port=PORT trulioo.environment=live trulioo.operation=fetch token} 1",
	}, s.points(t, "http.client.request.duration"))
	require.Equal(t, []string{"{trulioo.environment=live} 1"}, s.points(t, "trulioo.client.token.refreshes"))
}

// A caller's span is above the call's.
func TestCallIsBelowTheCallersSpan(t *testing.T) {
	t.Parallel()
	s, srv := observe(t), truliootest.NewServer(t)
	ctx, span := s.tracers.Tracer("test").Start(t.Context(), "import")
	_, err := srv.Client(trulioo.WithObserver(s)).Workflows.List(ctx, nil)
	require.NoError(t, err)
	span.End()
	require.Contains(t, s.spans(t), "trulioo list workflows{trulioo.environment=live trulioo.operation=list workflows trulioo.request.id=req-2} under import")
}

func TestErrorsHaveAType(t *testing.T) {
	t.Parallel()
	once := trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1})
	for want, c := range map[string]struct {
		effect truliootest.Effect
		ctx    func(context.Context) (context.Context, context.CancelFunc)
		says   string
	}{
		"404":                     {effect: truliootest.Answer(404, "")},
		"429":                     {effect: truliootest.Answer(429, "")},
		"*trulioo.TransportError": {effect: truliootest.Reset(), says: "trulioo: get client (live, v2, "},
		"*trulioo.DecodeError":    {effect: truliootest.Answer(200, "[]"), says: "trulioo: get client (live, v2, "},
		"timeout": {effect: truliootest.Hang(), says: "trulioo: get client (live, v2, ", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 100*time.Millisecond)
		}},
		"canceled": {effect: truliootest.Hang(), says: "trulioo: get client (live, v2, ", ctx: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(50*time.Millisecond, cancel)
			return ctx, cancel
		}},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			s, srv := observe(t), truliootest.NewServer(t)
			client := srv.Client(trulioo.WithObserver(s), once)
			_, err := client.Workflows.List(t.Context(), nil) // the token is there
			require.NoError(t, err)
			srv.Fail(truliootest.GetClient, c.effect)
			ctx, cancel := t.Context(), context.CancelFunc(func() {})
			if c.ctx != nil {
				ctx, cancel = c.ctx(ctx)
			}
			defer cancel()
			_, err = client.Clients.Get(ctx, "id", nil)
			require.Error(t, err)
			require.Condition(t, func() bool {
				return slices.ContainsFunc(s.spans(t), func(span string) bool {
					return strings.HasPrefix(span, "trulioo get client{error.type="+want+" ") && strings.HasSuffix(span, "} error")
				})
			}, "%v", s.spans(t))
			require.Contains(t, s.points(t, "trulioo.client.call.duration"), "{error.type="+want+" trulioo.environment=live trulioo.operation=get client} 1")
			for _, span := range s.exporter.GetSpans() {
				if span.Name == "trulioo get client" {
					require.True(t, strings.HasPrefix(span.Status.Description, c.says), span.Status.Description)
					require.Equal(t, c.says == "", span.Status.Description == "", "a status speaks for itself")
				}
			}
		})
	}
}

func TestFailedTokenFetchIsCounted(t *testing.T) {
	t.Parallel()
	s, srv := observe(t), truliootest.NewServer(t)
	_, err := srv.Client(trulioo.WithObserver(s), trulioo.WithCredentials(srv.ClientID, "wrong")).Workflows.List(t.Context(), nil)
	require.ErrorIs(t, err, trulioo.ErrUnauthorized)
	require.Equal(t, []string{"{error.type=400 trulioo.environment=live} 1"}, s.points(t, "trulioo.client.token.refreshes"))
	require.Contains(t, s.spans(t), "trulioo fetch token{error.type=400 trulioo.environment=live trulioo.request.id=req-1} error under trulioo list workflows")
}

// The wait that a 429 asks for shows as a span, and in the throttle metric.
// A transfer has a span of its own, and one that breaks off after the header ends it
// as an error, with the bytes that came and for as long as they took.
func TestTransfersHaveASpan(t *testing.T) {
	t.Parallel()
	const size = 50_000
	for name, c := range map[string]struct {
		effect truliootest.Effect
		bytes  int
		took   time.Duration
		failed string
	}{
		"whole":    {truliootest.Pass(), size, 0, ""},
		"cut":      {truliootest.Cut(20_000), 20_000, 0, "error.type=*trulioo.TransportError "},
		"stalling": {truliootest.Stall(20_000, 3*time.Second), size, 3 * time.Second, ""},
		"silent":   {truliootest.Stall(20_000, 0), 20_000, 5 * time.Second, "error.type=timeout "},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, srv := observe(t), truliootest.NewServer(t, truliootest.InMemory(), truliootest.WithFiles(truliootest.Files{Size: size, ETag: truliootest.NoETag}))
			srv.Fail(truliootest.DownloadFile, c.effect)
			client := srv.Client(trulioo.WithObserver(s), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1, IdleTimeout: 5 * time.Second}))
			_, err := client.Files.Save(t.Context(), srv.Live.FileKeys(srv.Live.IDs()[0])[0], io.Discard)
			require.Equal(t, c.failed != "", err != nil, name)
			want := fmt.Sprintf("trulioo transfer file{%shttp.response.body.size=%d trulioo.environment=live}", c.failed, c.bytes)
			if c.failed != "" {
				want += " error"
			}
			require.Contains(t, s.spans(t), want, name)
			for _, span := range s.exporter.GetSpans() {
				if span.Name == "trulioo transfer file" {
					assert.Equal(t, trace.SpanKindClient, span.SpanKind)
					assert.Equal(t, c.took, span.EndTime.Sub(span.StartTime), name)
				}
			}
			for _, m := range s.metrics(t) {
				assert.NotContains(t, fmt.Sprint(m.Data), "body.size", "a metric's attributes have few values")
			}
		})
	}
}

func TestThrottlesAreMeasured(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, srv := observe(t), truliootest.NewServer(t, truliootest.InMemory())
		srv.Fail(truliootest.ListWorkflows, truliootest.Answer(429, "").RetryAfter("3"), truliootest.Times(1))
		_, err := srv.Client(trulioo.WithObserver(s)).Workflows.List(t.Context(), nil)
		require.NoError(t, err)
		require.Contains(t, s.spans(t), "trulioo wait{trulioo.environment=live} under trulioo list workflows")
		require.Equal(t, []string{"{trulioo.environment=live} 1"}, s.points(t, "trulioo.client.throttle.duration"))
		for _, m := range s.metrics(t) {
			if m.Name == "trulioo.client.throttle.duration" || m.Name == "trulioo.client.call.duration" {
				sum := m.Data.(metricdata.Histogram[float64]).DataPoints[0].Sum
				assert.GreaterOrEqual(t, sum, 3.0, m.Name)
				assert.Less(t, sum, 4.0, m.Name)
			}
			if m.Name == "http.client.request.duration" {
				for _, p := range m.Data.(metricdata.Histogram[float64]).DataPoints {
					assert.Zero(t, p.Sum, "an exchange does not last as long as the wait before it")
				}
			}
		}
	})
}

// receiver is a webhook handler whose function does what the test says.
func receiver(t *testing.T, s *seen, fn func(context.Context, *trulioo.Event) error) func(ctx context.Context, body string) int {
	t.Helper()
	h, err := trulioo.NewWebhookHandler(fn, trulioo.WithVerificationToken("token"), trulioo.WithWebhookObserver(s))
	require.NoError(t, err)
	return func(ctx context.Context, body string) int {
		status, _, _ := h.Handle(ctx, http.Header{"Content-Type": {"application/json"}}, []byte(body))
		return status
	}
}

func callback(id, kind string) string {
	return fmt.Sprintf(`{"id":%q,"token":"token","type":"EVENT_CALLBACK","event":{"type":%q,"ts":1718011363}}`, id, kind)
}

func TestWebhookOutcomes(t *testing.T) {
	t.Parallel()
	s := observe(t)
	deliver := receiver(t, s, func(_ context.Context, ev *trulioo.Event) error {
		switch ev.ClientID {
		case "fails":
			return errors.New("client fails has a bad name")
		case "panics":
			panic("client panics too")
		}
		return nil
	})
	ctx := t.Context()
	require.Equal(t, 200, deliver(ctx, callback("a", "FLOW_END")))
	require.Equal(t, 200, deliver(ctx, callback("a", "FLOW_END")))
	require.Equal(t, 200, deliver(ctx, callback("b", "flow_end")))
	require.Equal(t, 200, deliver(ctx, callback("a", "MADE_UP_4711")))
	require.Equal(t, 200, deliver(ctx, callback("a", "")))
	require.Equal(t, 500, deliver(ctx, callback("fails", "STEP_SUBMIT")))
	require.Equal(t, 500, deliver(ctx, callback("panics", "STEP_SUBMIT")))
	require.Equal(t, 401, deliver(ctx, `{"token":"guessed"}`))
	require.Equal(t, 400, deliver(ctx, `{`))
	require.Equal(t, 200, deliver(ctx, `{"token":"token","type":"url_verification","challenge":"c"}`))

	require.Equal(t, []string{
		"{error.type=400 http.response.status_code=400 trulioo.webhook.result=refused} 1",
		"{error.type=401 http.response.status_code=401 trulioo.webhook.result=refused} 1",
		"{error.type=500 http.response.status_code=500 trulioo.event.type=STEP_SUBMIT trulioo.webhook.result=failed} 1",
		"{error.type=500 http.response.status_code=500 trulioo.event.type=STEP_SUBMIT trulioo.webhook.result=panicked} 1",
		"{http.response.status_code=200 trulioo.event.type=FLOW_END trulioo.webhook.result=duplicate} 1",
		"{http.response.status_code=200 trulioo.event.type=FLOW_END trulioo.webhook.result=handled} 2",
		"{http.response.status_code=200 trulioo.webhook.result=handled, without a type} 1",
		"{http.response.status_code=200 trulioo.webhook.result=handled} 1",
		"{http.response.status_code=200 trulioo.webhook.result=handshake} 1",
	}, s.points(t, "trulioo.webhook.duration"))
	for _, span := range s.exporter.GetSpans() {
		require.Equal(t, "trulioo receive webhook", span.Name)
		require.Equal(t, trace.SpanKindServer, span.SpanKind)
		bad := strings.Contains(attributes(attribute.NewSet(span.Attributes...)), "status_code=500")
		require.Equal(t, bad, span.Status.Code == codes.Error, "what a sender did wrong is no error of this server")
	}
}

// The calls that a webhook's function makes are below its span; the webhook's
// is below an HTTP server's own, and is then not a second server span.
func TestWebhookIsALinkInTheChain(t *testing.T) {
	t.Parallel()
	s, srv := observe(t), truliootest.NewServer(t)
	client := srv.Client(trulioo.WithObserver(s))
	deliver := receiver(t, s, func(ctx context.Context, _ *trulioo.Event) error {
		_, err := client.Workflows.List(ctx, nil)
		return err
	})
	ctx, span := s.tracers.Tracer("test").Start(t.Context(), "POST /trulioo")
	require.Equal(t, 200, deliver(ctx, callback("a", "FLOW_END")))
	span.End()
	spans := strings.Join(s.spans(t), "\n")
	require.Contains(t, spans, "trulioo.webhook.result=handled} under POST /trulioo")
	require.Contains(t, spans, "trulioo list workflows{trulioo.environment=live trulioo.operation=list workflows trulioo.request.id=req-2} under trulioo receive webhook")

	above := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}, TraceFlags: trace.FlagsSampled, Remote: true})
	require.Equal(t, 200, deliver(trace.ContextWithRemoteSpanContext(t.Context(), above), callback("b", "FLOW_END")))
	var kinds []trace.SpanKind
	for _, span := range s.exporter.GetSpans() {
		if span.Name == "trulioo receive webhook" {
			kinds = append(kinds, span.SpanKind)
		}
	}
	require.Equal(t, []trace.SpanKind{trace.SpanKindInternal, trace.SpanKindServer}, kinds)
}

// No id, key, token, secret, address or personal name is exported, whether a call succeeds or fails.
func TestNothingPersonalIsExported(t *testing.T) {
	t.Parallel()
	s, srv := observe(t), truliootest.NewServer(t)
	ctx, id := t.Context(), srv.Live.IDs()[0]
	fileKey := srv.Live.FileKeys(id)[0]
	client := srv.Client(trulioo.WithObserver(s), trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 2, MinWait: time.Millisecond, MaxWait: time.Millisecond}))
	work := func() {
		profile, err := client.Clients.Get(ctx, id, nil)
		if err == nil {
			require.NotEmpty(t, profile.ID)
		}
		if file, err := client.Files.Download(ctx, fileKey); err == nil {
			require.NoError(t, file.Body.Close())
		}
		_, _ = client.GetJSON(ctx, "query/client/"+id, nil)
	}
	work()
	said := `{"message": "client ` + id + ` is unknown"}`
	for _, effect := range []truliootest.Effect{
		truliootest.Answer(500, said).Header("X-Request-Id", "request-4711"), truliootest.Answer(404, said), truliootest.Reset(),
		truliootest.Cut(10), truliootest.Redirect(307, "http://127.0.0.1:1/"+id), truliootest.Answer(401, said),
	} {
		fault := srv.Fail(truliootest.Any, effect)
		work()
		fault.Stop()
	}
	deliver := receiver(t, s, func(context.Context, *trulioo.Event) error { return errors.New("client " + id) })
	deliver(ctx, callback(id, "FLOW_END"))
	deliver(ctx, callback(id, id))
	deliver(ctx, `{"token": "`+id+`"}`)

	require.Greater(t, len(s.exporter.GetSpans()), 40)
	var all strings.Builder
	for _, span := range s.exporter.GetSpans() {
		fmt.Fprintln(&all, span.Name, span.Attributes, span.Status, span.Events, span.Links)
	}
	require.Contains(t, all.String(), "request-4711", "a request's id is for the server's support")
	require.NotContains(t, fmt.Sprintf("%+v", s.metrics(t)), "request-4711", "in a metric it would be a series of its own")
	fmt.Fprintf(&all, "%+v\n", s.metrics(t))
	for what, secret := range map[string]string{
		"id": id, "file key": fileKey, "credentials": srv.ClientID, "secret": srv.ClientSecret, "token": srv.Token(),
		"port": "127.0.0.1:", "URL": "http:", "server's words": "unknown",
	} {
		assert.NotContains(t, all.String(), secret, what)
	}
	keys := []string{"error.type", "http.request.method", "http.request.resend_count", "http.response.status_code",
		"http.response.body.size", "server.address", "server.port", "trulioo.environment", "trulioo.event.type", "trulioo.operation", "trulioo.request.id", "trulioo.webhook.result"}
	for _, span := range s.exporter.GetSpans() {
		for _, kv := range span.Attributes {
			assert.Contains(t, keys, string(kv.Key))
		}
	}
}

func TestProvidersAreChecked(t *testing.T) {
	t.Parallel()
	for _, option := range []truotel.Option{truotel.WithTracerProvider(nil), truotel.WithMeterProvider(nil)} {
		_, err := truotel.NewObserver(option)
		wrong, ok := errors.AsType[*trulioo.ArgumentError](err)
		require.True(t, ok)
		require.True(t, strings.HasPrefix(wrong.Argument, "With"))
	}
	_, err := truotel.NewObserver(nil, truotel.WithMeterProvider(brokenMeters{}))
	require.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("no counters here")

// brokenMeters is a provider whose counters cannot be made.
type brokenMeters struct{ noop.MeterProvider }

func (brokenMeters) Meter(string, ...metric.MeterOption) metric.Meter { return brokenMeter{} }

type brokenMeter struct{ noop.Meter }

func (brokenMeter) Int64Counter(string, ...metric.Int64CounterOption) (metric.Int64Counter, error) {
	return nil, errBroken
}
