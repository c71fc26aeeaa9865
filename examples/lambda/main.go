// Lambda receives the vendor's events in an AWS Lambda function behind an API
// Gateway HTTP API or a function URL. httpadapter turns each invocation into a
// request of net/http, base64 included, so this code is the same as that of any
// server.
//
// It reads TRULIOO_WEBHOOK_TOKEN and TRULIOO_WEBHOOK_SECRET and, for the
// profiles, the variables of trulioo.NewClientFromEnv.
package main

import (
	"context"
	"log"
	"log/slog"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/awslabs/aws-lambda-go-api-proxy/httpadapter"

	"github.com/trulioo-go/trulioo"
)

func main() {
	logger := slog.New(slog.NewJSONHandler(os.Stdout, nil))
	handler, err := newHandler(logger)
	if err != nil {
		log.Fatal(err)
	}
	lambda.Start(httpadapter.NewV2(handler).ProxyWithContext)
}

// newHandler makes the handler once in each environment that Lambda starts, which then
// handles one event at a time. Environments share no memory: without a shared Deduper,
// such as that of truredis, an event can run once in each of them.
func newHandler(logger *slog.Logger) (http.Handler, error) {
	client, err := trulioo.NewClientFromEnv()
	if err != nil {
		return nil, err
	}
	return trulioo.NewWebhookHandlerFromEnv(func(ctx context.Context, ev *trulioo.Event) error {
		if ev.Type != trulioo.EventFlowEnd {
			return nil
		}
		profile, err := client.ForEvent(ev).Clients.Get(ctx, ev.ClientID, nil)
		if err != nil {
			return err // answered with a 500: the vendor sends the event again
		}
		logger.InfoContext(ctx, "flow ended", "status", profile.Status, "checks", len(profile.Services()))
		return nil
	}, trulioo.WithWebhookLogger(logger))
}
