package truwatermill_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truwatermill"
	"github.com/trulioo-go/trulioo/truliootest"
)

const (
	stormEvents = 20_000
	early       = 100 // sent to the first receiver, and again to the second
	outage      = 2 * time.Second
)

// 20,000 webhooks; the broker is stopped for 2 seconds and the receiver is
// killed. After the sender's retries every event is in the stream, and all
// copies of one have its key for an id.
func TestAStormOfDuplicates(t *testing.T) {
	t.Parallel()
	brokers(t, func(t *testing.T, b broker) {
		events := manyEvents(stormEvents)
		line := &line{t: t, broker: b, at: map[int64]func(){}}
		line.receiver = line.start()
		sender := &truliootest.Sender{
			Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret, Attempts: 12,
			HTTPClient: &http.Client{Timeout: 10 * time.Second, Transport: line.transport()},
		}
		const target = "http://receiver.test/"
		require.NoError(t, sender.SendEvents(t.Context(), target, events[:early], truliootest.Disorder{}))

		line.at[stormEvents/3] = line.stopBroker
		line.at[stormEvents*2/3] = line.killReceiver
		err := sender.SendEvents(t.Context(), target, events[early:],
			truliootest.Disorder{Duplicates: 0.02, Shuffle: true, Concurrent: 64})
		line.disasters.Wait()
		require.NoError(t, err)
		assert.EqualValues(t, 2, line.struck.Load(), "both disasters were in the middle")

		// The second receiver's process has not seen these.
		require.NoError(t, sender.SendEvents(t.Context(), target, events[:early], truliootest.Disorder{}))
		stored := b.Stored(t, eventsTopic)
		t.Logf("%d events in %d deliveries, %d not acknowledged at once, %d messages stored",
			len(events), line.acknowledged.Load()+line.refused.Load(), line.refused.Load(), len(stored))
		assert.Positive(t, line.refused.Load(), "the outage was felt")
		checkStored(t, events, stored)
		if b.Name() == "jetstream" {
			assert.Len(t, stored, len(events), "JetStream drops what it has by the id")
		} else {
			assert.GreaterOrEqual(t, len(stored), len(events)+early, "Redis keeps copies, each with the id")
		}
	})
}

// checkStored wants each event, by the key of what is in the stream, and no other.
func checkStored(t *testing.T, events []*trulioo.Event, stored []*message.Message) {
	t.Helper()
	missing := make(map[string]*trulioo.Event, len(events))
	known := make(map[string]bool, len(events))
	for _, ev := range events {
		missing[ev.Key()], known[ev.Key()] = ev, true
	}
	require.Len(t, known, len(events), "no two events are alike")
	for _, msg := range stored {
		ev, err := truwatermill.ParseMessage(msg)
		require.NoError(t, err)
		require.Equal(t, ev.Key(), msg.UUID, "the id is that of the content")
		require.True(t, known[msg.UUID])
		require.NotContains(t, string(msg.Payload), truliootest.WebhookToken)
		require.Equal(t, ev.ClientID, msg.Metadata.Get(truwatermill.MetadataClient))
		delete(missing, msg.UUID)
	}
	assert.Empty(t, missing, "events that are in no message")
}

// manyEvents are small: there are many.
func manyEvents(n int) []*trulioo.Event {
	kinds := []trulioo.EventType{trulioo.EventFlowStart, trulioo.EventStepInit, trulioo.EventFlowEnd, trulioo.EventAbandoned}
	events := make([]*trulioo.Event, n)
	for i := range events {
		events[i] = truliootest.NewEvent(kinds[i%len(kinds)], truliootest.EventSpec{
			ClientID: fmt.Sprintf("client-%05d", i/len(kinds)), Test: i%2 == 0,
		})
	}
	return events
}

// line is the way from the sender to a receiver's process and the broker.
type line struct {
	t        *testing.T
	broker   broker
	receiver *process
	address  atomic.Value // string, of the receiver that lives

	at           map[int64]func() // called after this many acknowledgements
	acknowledged atomic.Int64
	refused      atomic.Int64
	struck       atomic.Int64
	disasters    sync.WaitGroup
}

type process struct{ *exec.Cmd }

// start runs this binary as a receiver and reads its address.
func (l *line) start() *process {
	l.t.Helper()
	program, err := os.Executable()
	require.NoError(l.t, err)
	p := &process{exec.Command(program)} //nolint:noctx // this binary, ended by its kill
	p.Env = append(os.Environ(), envBroker+"="+l.broker.Name(), envAddress+"="+l.broker.Address())
	p.Stderr = os.Stderr
	_, err = p.StdinPipe() // its end is how the receiver learns of ours
	require.NoError(l.t, err)
	out, err := p.StdoutPipe()
	require.NoError(l.t, err)
	require.NoError(l.t, p.Start())
	l.t.Cleanup(p.kill)
	address, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(l.t, err)
	l.address.Store(strings.TrimSpace(address))
	return p
}

func (p *process) kill() {
	_ = p.Process.Kill()
	_ = p.Wait()
}

// transport dials whichever receiver lives, and counts its answers.
func (l *line) transport() http.RoundTripper {
	dialer := &net.Dialer{}
	base := &http.Transport{
		MaxIdleConnsPerHost: 128,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, l.address.Load().(string))
		},
	}
	l.t.Cleanup(base.CloseIdleConnections)
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		resp, err := base.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusOK {
			l.refused.Add(1)
			return resp, err
		}
		if strike := l.at[l.acknowledged.Add(1)]; strike != nil {
			l.disasters.Go(strike)
		}
		return resp, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func (l *line) stopBroker() {
	l.broker.Stop(l.t)
	<-time.After(outage)
	l.broker.Start(l.t)
	l.struck.Add(1)
}

func (l *line) killReceiver() {
	l.receiver.kill()
	l.receiver = l.start()
	l.struck.Add(1)
}
