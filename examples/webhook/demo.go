package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// demo runs the receiver in this process, and sends it the vendor's callbacks.
func demo(ctx context.Context, out io.Writer) error {
	sandbox, err := truliootest.Start() //nolint:contextcheck // it only listens
	if err != nil {
		return err
	}
	defer sandbox.Close() //nolint:contextcheck // it ends what Start began
	r := &receiver{out: out, client: sandbox.Client()}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() {
		served <- service(ctx, listener, r.receive,
			trulioo.WithVerificationToken(truliootest.WebhookToken), trulioo.WithSigningSecret(truliootest.WebhookSecret))
	}()
	err = scenes(ctx, out, sandbox, "http://"+listener.Addr().String()+"/")
	stop()
	if err != nil {
		return err
	}
	return <-served
}

// scenes sends a receiver the callbacks that the vendor would send.
func scenes(ctx context.Context, out io.Writer, sandbox *truliootest.Server, target string) error {
	say := func(text string) { _, _ = fmt.Fprintln(out, "#", text) }
	say("using the built-in sandbox")
	if err := sandbox.Handshake(ctx, target); err != nil {
		return err
	}
	say("the handshake was answered")

	say("a whole flow:")
	events := truliootest.FlowEvents(truliootest.EventSpec{ClientID: sandbox.Live.IDs()[0], FlowID: sandbox.Live.FlowIDs()[0]})
	for _, ev := range events {
		if err := sandbox.SendEvent(ctx, target, ev); err != nil {
			return err
		}
	}

	if err := sandbox.SendEvent(ctx, target, events[len(events)-1]); err != nil {
		return err
	}
	say("the last one again: acknowledged, and not run")

	forger := truliootest.Sender{Token: truliootest.WebhookToken, Secret: "a secret that was guessed"}
	status, err := forger.Deliver(ctx, target, truliootest.NewEvent(trulioo.EventManuallyAccepted, truliootest.EventSpec{}), 0)
	if err != nil {
		return err
	}
	say(fmt.Sprintf("a forged one: refused with status %d", status))
	return nil
}
