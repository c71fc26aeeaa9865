package truotel

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/trulioo-go/trulioo"
)

// requestDuration is the metric's name in the semantic conventions.
const requestDuration = "http.client.request.duration"

// meters are the metrics. A histogram of durations also counts.
type meters struct {
	calls, attempts, throttles, webhooks metric.Float64Histogram
	tokens                               metric.Int64Counter
}

func newMeters(m metric.Meter) (meters, error) {
	var errs []error
	// The bounds that the conventions advise for HTTP, and more for retries that wait.
	bounds := []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 30, 60}
	histogram := func(name, description string) metric.Float64Histogram {
		h, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(description),
			metric.WithExplicitBucketBoundaries(bounds...))
		errs = append(errs, err)
		return h
	}
	counter := func(name, unit, description string) metric.Int64Counter {
		c, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(description))
		errs = append(errs, err)
		return c
	}
	return meters{
		calls:     histogram("trulioo.client.call.duration", "Duration of calls of the API, retries and waits included."),
		attempts:  histogram(requestDuration, "Duration of HTTP client requests."),
		throttles: histogram("trulioo.client.throttle.duration", "Waits for the rate limit, for the end of a 429 pause, or for an export's pace."),
		tokens:    counter("trulioo.client.token.refreshes", "{refresh}", "Token fetches, each with its retries."),
		webhooks:  histogram("trulioo.webhook.duration", "Duration of webhook requests, from the first byte to the answer."),
	}, errors.Join(errs...)
}

func (m *meters) record(ctx context.Context, step trulioo.Step, took time.Duration, attrs attribute.Set) {
	with := metric.WithAttributeSet(attrs)
	switch step.Kind {
	case trulioo.StepCall:
		m.calls.Record(ctx, took.Seconds(), with)
	case trulioo.StepAttempt:
		m.attempts.Record(ctx, took.Seconds(), with)
	case trulioo.StepThrottle:
		m.throttles.Record(ctx, took.Seconds(), with)
	case trulioo.StepToken:
		m.tokens.Add(ctx, 1, with)
	case trulioo.StepWebhook:
		m.webhooks.Record(ctx, took.Seconds(), with)
	}
}
