package trulioo_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

func ExampleNewWebhookHandler() {
	handler, err := trulioo.NewWebhookHandler(
		func(_ context.Context, ev *trulioo.Event) error {
			fmt.Println("received", ev.Type, "test:", ev.Test)
			return nil // acknowledged; an error makes the vendor send it again
		},
		trulioo.WithVerificationToken(truliootest.WebhookToken), // from the workflow builder
		trulioo.WithSigningSecret(truliootest.WebhookSecret),    // from the vendor
	)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("POST /trulioo", handler)

	// The vendor sends the handshake, an event, and the same event again.
	server := httptest.NewServer(mux)
	defer server.Close()
	vendor := truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret}
	ctx, target := context.Background(), server.URL+"/trulioo"
	fmt.Println("handshake:", vendor.Handshake(ctx, target))
	ev := truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{Test: true})
	fmt.Println("first:", vendor.SendEvent(ctx, target, ev))
	fmt.Println("again:", vendor.SendEvent(ctx, target, ev))
	// Output:
	// handshake: <nil>
	// received FLOW_END test: true
	// first: <nil>
	// again: <nil>
}

// Where there is no http.Handler, such as in an AWS Lambda function, pass the
// header and the raw body on.
func ExampleWebhookHandler_Handle() {
	handler, err := trulioo.NewWebhookHandler(
		func(_ context.Context, ev *trulioo.Event) error {
			fmt.Println("received", ev.Type)
			return nil
		},
		trulioo.WithSigningSecret(truliootest.WebhookSecret),
	)
	if err != nil {
		log.Fatal(err)
	}
	vendor := truliootest.Sender{Secret: truliootest.WebhookSecret}
	body, err := vendor.Body(truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{}), 0)
	if err != nil {
		log.Fatal(err)
	}
	header := http.Header{
		"content-type":        {"application/json"},
		"x-trulioo-signature": {vendor.Sign(body)},
	}
	status, _, answer := handler.Handle(context.Background(), header, body)
	fmt.Println(status, string(answer))
	status, _, answer = handler.Handle(context.Background(), header, append(body, ' '))
	fmt.Println(status, string(answer))
	// Output:
	// received FLOW_END
	// 200 {"status":"ok"}
	// 401 {"error":"unauthorized"}
}

func ExampleParseEvent() {
	body := []byte(`{"id":"667b1c2f","event":{"type":"STEP_SUBMIT","ts":1718011363},` +
		`"formData":[{"role":"first_name","value":["Ada"]}]}`)
	ev, err := trulioo.ParseEvent(body)
	if err != nil {
		log.Fatal(err)
	}
	value, ok := ev.Field("formData", "0", "value", "0")
	fmt.Println(ev.Type, ev.ClientID, string(value), ok)
	fmt.Println(ev) // an event is personal data
	// Output:
	// STEP_SUBMIT 667b1c2f "Ada" true
	// trulioo.Event[redacted]
}
