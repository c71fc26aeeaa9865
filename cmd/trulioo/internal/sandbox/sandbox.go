// Package sandbox is an account of invented people that needs no network: the
// fake server of truliootest with a log of requests, and people who go
// through its workflows while it runs.
package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// Settings shape a sandbox. The zero value makes one in memory that never fails.
type Settings struct {
	Address string        // host and port to listen on; "" means in memory
	Clients int           // in the live account
	Latency time.Duration // of every request but those for tokens
	Failing float64       // the part of the requests that fail, 0 to 1
	Status  int           // their status; 0 means 503
	Log     io.Writer     // gets a line for each request; nil for no log
}

// Sandbox is a running sandbox.
type Sandbox struct {
	*truliootest.Server

	settings Settings
	logMu    sync.Mutex
}

// Clients is how many clients a sandbox has by default: enough for some pages and for a
// picture of a month.
const Clients = 240

// Start starts a sandbox. The people are the same each time, so that an id that was
// listed can be looked up later.
func Start(s Settings) (*Sandbox, error) {
	box := &Sandbox{settings: s}
	opts := []truliootest.Option{
		truliootest.WithLive(account(s.Clients, 2)),
		truliootest.WithTest(truliootest.NewAccount(truliootest.AccountSpec{Clients: 20, Seed: 3, Spacing: 3 * time.Hour, Mocks: true})),
	}
	if s.Address == "" {
		opts = append(opts, truliootest.InMemory())
	} else {
		opts = append(opts, truliootest.WithAddress(s.Address))
	}
	server, err := truliootest.Start(opts...)
	if err != nil {
		return nil, err
	}
	box.Server = server
	server.Fail(truliootest.Any, truliootest.Handle(box.handle))
	return box, nil
}

func account(clients int, seed uint64) *truliootest.Account {
	return truliootest.NewAccount(truliootest.AccountSpec{Clients: clients, Seed: seed, Spacing: 3 * time.Hour})
}

// handle fails or serves every request, and logs it.
func (b *Sandbox) handle(w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := &noted{ResponseWriter: w}
	begun := time.Now()
	defer func() { b.log(r, answer, time.Since(begun)) }()
	if b.settings.Latency > 0 && !strings.HasSuffix(b.TokenURL, r.URL.Path) {
		late := time.NewTimer(b.settings.Latency)
		defer late.Stop()
		select {
		case <-late.C:
		case <-r.Context().Done(): // nobody waits for it
			return
		}
	}
	switch {
	case b.settings.Failing > 0 && rand.Float64() < b.settings.Failing: //nolint:gosec // no secret
		b.fail(answer)
	default:
		next.ServeHTTP(answer, r)
	}
}

func (b *Sandbox) fail(w http.ResponseWriter) {
	status := b.settings.Status
	if status == 0 {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"message":"the sandbox was told to fail"}`)
}

// log writes the time, the status, the method and the path. The query is left
// out for tokens only: the older endpoint has the secret in it.
func (b *Sandbox) log(r *http.Request, answer *noted, took time.Duration) {
	if b.settings.Log == nil {
		return
	}
	target := r.URL.EscapedPath()
	if r.URL.RawQuery != "" && r.Method == http.MethodGet {
		target += "?" + r.URL.RawQuery
	}
	b.logMu.Lock()
	defer b.logMu.Unlock()
	fmt.Fprintf(b.settings.Log, "%s %d %-4s %s %v\n", time.Now().UTC().Format(time.TimeOnly), answer.status, r.Method, target, took.Round(100*time.Microsecond))
}

// noted remembers the status.
type noted struct {
	http.ResponseWriter
	status int
}

// Unwrap lets http.ResponseController flush and hijack.
func (n *noted) Unwrap() http.ResponseWriter { return n.ResponseWriter }

// WriteHeader notes the status.
func (n *noted) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Write notes a 200 where no status was set.
func (n *noted) Write(p []byte) (int, error) {
	if n.status == 0 {
		n.status = http.StatusOK
	}
	return n.ResponseWriter.Write(p)
}

// Walk lets new people go through a workflow until ctx ends. Each time that every has
// passed, one event happens and is sent to the webhook at target. An event that is not
// acknowledged is reported to failed, and the next one is sent anyway.
func (b *Sandbox) Walk(ctx context.Context, target string, every time.Duration, failed func(error)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	sender := b.Sender()
	sender.Attempts = 2
	for n := 0; ; n++ {
		id := b.Live.Insert(time.Now())
		flow := b.flowOf(id)
		for _, kind := range visit(n) {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			event := truliootest.NewEvent(kind, truliootest.EventSpec{ClientID: id, FlowID: flow, Time: time.Now()})
			if err := sender.SendEvent(ctx, target, event); err != nil && ctx.Err() == nil {
				failed(err)
			}
		}
	}
}

// visit gives the events of the n-th visitor; each third one waits for a person to
// decide.
func visit(n int) []trulioo.EventType {
	kinds := []trulioo.EventType{
		trulioo.EventFlowStart, trulioo.EventStepInit, trulioo.EventStepSubmit,
		trulioo.EventServiceInit, trulioo.EventServiceSubmit, trulioo.EventFlowEnd,
	}
	if n%3 == 2 {
		kinds = append(kinds, trulioo.EventNoteAdded, trulioo.EventManuallyAccepted)
	}
	return kinds
}

// flowOf is the workflow that a client has been through, or any.
func (b *Sandbox) flowOf(id string) string {
	var profile trulioo.Profile
	if raw, ok := b.Live.Profile(id, false); ok && json.Unmarshal(raw, &profile) == nil {
		for flow := range profile.FlowData {
			return flow
		}
	}
	if flows := b.Live.FlowIDs(); len(flows) > 0 {
		return flows[0]
	}
	return ""
}
