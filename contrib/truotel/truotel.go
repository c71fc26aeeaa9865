// Package truotel shows what package trulioo does in OpenTelemetry: a span for
// each call, with one below it for each HTTP exchange, and metrics.
//
//	observer, err := truotel.NewObserver()
//	client, err := trulioo.NewClientFromEnv(trulioo.WithObserver(observer))
//	handler, err := trulioo.NewWebhookHandlerFromEnv(handle, trulioo.WithWebhookObserver(observer))
//
// # Spans
//
//	trulioo <operation>      client    one call, such as "trulioo get client", its retries and waits included
//	GET, POST, HEAD          client    one HTTP exchange of a call or of a token fetch, without the waits before it
//	trulioo fetch token      client    one token fetch, which may be on behalf of other calls too
//	trulioo transfer file    client    the bytes of one file, from the answer's header to their end
//	trulioo wait             internal  a wait for the rate limit, for the end of a 429 pause, or for an export's pace
//	trulioo receive webhook  server    one webhook request; internal below a span of this process
//
// # Metrics
//
//	trulioo.client.call.duration      histogram, s    by trulioo.operation, trulioo.environment, error.type
//	http.client.request.duration      histogram, s    by trulioo.operation, trulioo.environment, http.request.method,
//	                                                  server.address, server.port, http.response.status_code, error.type
//	trulioo.client.throttle.duration  histogram, s    the waits, by trulioo.environment; its count is that of the throttles
//	trulioo.client.token.refreshes    counter         by trulioo.environment, error.type
//	trulioo.webhook.duration          histogram, s    by trulioo.webhook.result, trulioo.event.type, http.response.status_code, error.type
//
// # Attributes
//
// The attributes http.request.method, http.request.resend_count,
// http.response.status_code, server.address, server.port and error.type have the
// meaning of the semantic conventions of HTTP clients; error.type is the status
// where there is one. server.address and server.port are missing where a file
// comes from an object store. The others are trulioo.operation;
// trulioo.environment, which is live or test; trulioo.webhook.result; and
// trulioo.event.type, which is missing where the library does not know the event.
// All of these have few values. Spans alone have trulioo.request.id, the server's
// id of a request, and http.response.body.size, the bytes of a file that came, all of
// them or those before it broke off.
//
// No attribute holds an id of a client, a key, token or personal value. The
// conventions ask for url.full, which holds such ids, so it is missing.
package truotel

import (
	"context"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/trulioo-go/trulioo"
)

const scope = "github.com/trulioo-go/trulioo/contrib/truotel"

// Observer is a trulioo.Observer that makes spans and metrics. One can serve
// any number of clients and webhook handlers.
type Observer struct {
	tracer trace.Tracer
	meters meters
}

var _ trulioo.Observer = (*Observer)(nil)

// Option sets one thing of an Observer.
type Option func(*config)

type config struct {
	tracers trace.TracerProvider
	meters  metric.MeterProvider
}

// WithTracerProvider sends spans to p in place of otel.GetTracerProvider.
func WithTracerProvider(p trace.TracerProvider) Option { return func(c *config) { c.tracers = p } }

// WithMeterProvider sends metrics to p in place of otel.GetMeterProvider.
func WithMeterProvider(p metric.MeterProvider) Option { return func(c *config) { c.meters = p } }

// NewObserver makes an Observer. The error is a *trulioo.ArgumentError for a
// nil provider, or else the meter provider's own.
func NewObserver(opts ...Option) (*Observer, error) {
	c := &config{tracers: otel.GetTracerProvider(), meters: otel.GetMeterProvider()}
	for _, o := range opts {
		if o != nil {
			o(c)
		}
	}
	switch {
	case c.tracers == nil:
		return nil, &trulioo.ArgumentError{Argument: "WithTracerProvider", Reason: "must not be nil"}
	case c.meters == nil:
		return nil, &trulioo.ArgumentError{Argument: "WithMeterProvider", Reason: "must not be nil"}
	}
	meters, err := newMeters(c.meters.Meter(scope, metric.WithSchemaURL(semconv.SchemaURL)))
	if err != nil {
		return nil, err
	}
	return &Observer{c.tracers.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)), meters}, nil
}

// Start implements trulioo.Observer.
func (o *Observer) Start(ctx context.Context, step trulioo.Step) (context.Context, func(trulioo.Outcome)) {
	begun := time.Now()
	known := attributesOf(step)
	ctx, span := o.tracer.Start(ctx, spanName(step), trace.WithTimestamp(begun), trace.WithSpanKind(spanKind(ctx, step)),
		trace.WithAttributes(known...), trace.WithAttributes(resends(step)...))
	return ctx, func(out trulioo.Outcome) {
		learnt := outcomeAttributes(step, out)
		span.SetAttributes(learnt...)
		span.SetAttributes(ofTheSpan(step, out)...)
		if failed(step, out) {
			span.SetStatus(codes.Error, description(out))
		}
		ended := time.Now()
		span.End(trace.WithTimestamp(ended))
		o.meters.record(ctx, step, ended.Sub(begun), attribute.NewSet(append(slices.Clip(known), learnt...)...))
	}
}

func spanName(step trulioo.Step) string {
	if step.Kind == trulioo.StepAttempt {
		return step.Method
	}
	return "trulioo " + step.Operation
}

func spanKind(ctx context.Context, step trulioo.Step) trace.SpanKind {
	switch step.Kind {
	case trulioo.StepCall, trulioo.StepAttempt, trulioo.StepToken, trulioo.StepTransfer:
		return trace.SpanKindClient
	case trulioo.StepWebhook:
		// Below the span of an HTTP server's own instrumentation the kind is internal.
		if above := trace.SpanContextFromContext(ctx); !above.IsValid() || above.IsRemote() {
			return trace.SpanKindServer
		}
	}
	return trace.SpanKindInternal
}

// failed follows the conventions: an answer below 500 is the sender's fault, and not an
// error of a server's span.
func failed(step trulioo.Step, out trulioo.Outcome) bool {
	return out.Err != nil && (step.Kind != trulioo.StepWebhook || out.StatusCode >= 500)
}

// description describes an error beyond its status. The errors of package trulioo
// print nothing personal.
func description(out trulioo.Outcome) string {
	if out.StatusCode != 0 {
		return ""
	}
	return out.Err.Error()
}
