package truotel

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/trulioo-go/trulioo"
)

const (
	operationKey = attribute.Key("trulioo.operation")
	resultKey    = attribute.Key("trulioo.webhook.result")
	eventTypeKey = attribute.Key("trulioo.event.type")
)

// attributesOf are what a span and a metric have from the start.
func attributesOf(step trulioo.Step) []attribute.KeyValue {
	switch step.Kind {
	case trulioo.StepCall:
		return []attribute.KeyValue{operationKey.String(step.Operation)}
	case trulioo.StepAttempt:
		return []attribute.KeyValue{operationKey.String(step.Operation), semconv.HTTPRequestMethodKey.String(method(step))}
	default:
		return nil
	}
}

// method is known from the operation: all but a token fetch is a GET.
func method(step trulioo.Step) string {
	if step.Operation == trulioo.OperationFetchToken {
		return "POST"
	}
	return "GET"
}

// resends are for the span alone: as a metric's attribute they would say nothing.
func resends(step trulioo.Step) []attribute.KeyValue {
	if step.Kind != trulioo.StepAttempt || step.Attempt < 2 {
		return nil
	}
	return []attribute.KeyValue{semconv.HTTPRequestResendCount(step.Attempt - 1)}
}

// outcomeAttributes are what is known at the end. A call's status is that of
// its last exchange, which has it already.
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
	case errors.Is(out.Err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(out.Err, context.Canceled):
		return "canceled"
	default:
		return fmt.Sprintf("%T", out.Err)
	}
}
