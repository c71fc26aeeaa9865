package truwatermill_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/internal/loopback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// These variables make a process of this binary a receiver, and name its broker.
const (
	envBroker  = "TRUWATERMILL_TEST_BROKER"
	envAddress = "TRUWATERMILL_TEST_ADDRESS"
)

func TestMain(m *testing.M) {
	if os.Getenv(envBroker) == "" {
		os.Exit(m.Run())
	}
	if err := receive(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// receive is a receiver's process: it prints its address and serves until its
// parent is gone or kills it.
func receive() error {
	publisher, err := publisherTo(os.Getenv(envBroker), os.Getenv(envAddress))
	if err != nil {
		return err
	}
	handler, err := trulioo.NewWebhookHandler(truwatermill.Publish(publisher, eventsTopic),
		trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))
	if err != nil {
		return err
	}
	listener, err := loopback.Listen(context.Background()) // it is killed, and nobody answers in its place
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = srv.Close()
	}()
	_ = srv.Serve(listener)
	return nil
}
