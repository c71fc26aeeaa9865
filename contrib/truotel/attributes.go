package truotel

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/trulioo-go/trulioo"
)

const (
	operationKey   = attribute.Key("trulioo.operation")
	environmentKey = attribute.Key("trulioo.environment")
	requestIDKey   = attribute.Key("trulioo.request.id")
	resultKey      = attribute.Key("trulioo.webhook.result")
	eventTypeKey   = attribute.Key("trulioo.event.type")
)

// attributesOf are the attributes that a span and a metric have from the start.
func attributesOf(step trulioo.Step) []attribute.KeyValue {
	attrs := make([]attribute.KeyValue, 0, 8)
	if step.Environment != "" {
		attrs = append(attrs, environmentKey.String(string(step.Environment)))
	}
	switch step.Kind {
	case trulioo.StepCall:
		attrs = append(attrs, operationKey.String(step.Operation))
	case trulioo.StepAttempt:
		attrs = append(attrs, operationKey.String(step.Operation), semconv.HTTPRequestMethodKey.String(step.Method))
		if step.Host != "" {
			attrs = append(attrs, semconv.ServerAddress(step.Host), semconv.ServerPort(step.Port))
		}
	}
	return attrs
}

// resends are for the span alone: as a metric's attribute they would say nothing.
func resends(step trulioo.Step) []attribute.KeyValue {
	if step.Kind != trulioo.StepAttempt || step.Attempt < 2 {
		return nil
	}
	return []attribute.KeyValue{semconv.HTTPRequestResendCount(step.Attempt - 1)}
}

// ofTheSpan are the attributes known at the end that are for the span alone: the
// request's id and a file's bytes have many values.
func ofTheSpan(step trulioo.Step, out trulioo.Outcome) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if out.RequestID != "" {
		attrs = append(attrs, requestIDKey.String(out.RequestID))
	}
	if step.Kind == trulioo.StepTransfer {
		attrs = append(attrs, semconv.HTTPResponseBodySizeKey.Int64(out.Bytes))
	}
	return attrs
}

// outcomeAttributes are the attributes known at the end. A call has no status of its
// own: the span of its last exchange has it already.
func outcomeAttributes(step trulioo.Step, out trulioo.Outcome) []attribute.KeyValue {
	var attrs []attribute.KeyValue
	if out.StatusCode != 0 && (step.Kind == trulioo.StepAttempt || step.Kind == trulioo.StepWebhook) {
		attrs = append(attrs, semconv.HTTPResponseStatusCode(out.StatusCode))
	}
	if step.Kind == trulioo.StepWebhook {
		attrs = append(attrs, resultKey.String(out.Result))
		if out.EventType != "" {
			attrs = append(attrs, eventTypeKey.String(string(out.EventType)))
		}
	}
	if out.Err != nil {
		attrs = append(attrs, semconv.ErrorTypeKey.String(errorType(out)))
	}
	return attrs
}

// errorType is the status, or a word, or the name of the error's type.
func errorType(out trulioo.Outcome) string {
	switch {
	case out.StatusCode >= 400:
		return strconv.Itoa(out.StatusCode)
	case errors.Is(out.Err, context.DeadlineExceeded), errors.Is(out.Err, os.ErrDeadlineExceeded): // the latter where a file stalls
		return "timeout"
	case errors.Is(out.Err, context.Canceled):
		return "canceled"
	default:
		return fmt.Sprintf("%T", out.Err)
	}
}
