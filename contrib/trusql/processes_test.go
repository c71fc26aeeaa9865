//go:build unix

package trusql_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
	"github.com/trulioo-go/trulioo/internal/loopback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// settings are the settings of a worker process, which it gets in its environment.
type settings struct {
	Name     string
	Database string
	Log      string // a file to which it appends the events that it has handled

	BaseURL, TokenURL, ID, Secret string // it syncs this account in place of receiving events
}

// work is the whole life of a process that receives events and works on them,
// until its input ends or it is killed.
func work(text string) int {
	var s settings
	err := json.Unmarshal([]byte(text), &s)
	switch {
	case err != nil:
	case s.BaseURL != "":
		err = syncOnce(context.Background(), s)
	default:
		err = receive(context.Background(), s)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

func receive(ctx context.Context, s settings) error {
	store, err := trusql.Open(ctx, s.Database)
	if err != nil {
		return err
	}
	inbox, err := store.Inbox(&trusql.InboxOptions{Timeout: time.Millisecond, OnError: func(_ context.Context, err error) {
		fmt.Fprintln(os.Stderr, s.Name, err) // a reason, should the test fail
	}})
	if err != nil {
		return err
	}
	log, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	handler, err := trulioo.NewWebhookHandler(inbox.Receive, trulioo.WithVerificationToken(truliootest.WebhookToken))
	if err != nil {
		return err
	}
	listener, err := loopback.Listen(ctx)
	if err != nil {
		return err
	}
	go func() { _ = http.Serve(listener, handler) }() //nolint:gosec // a test's own sender
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(listener.Addr())
	return inbox.Run(ctx, func(_ context.Context, ev *trulioo.Event) error {
		_, err := fmt.Fprintf(log, "%s %s\n", s.Name, ev.ClientID) // one write: it is there whole or not at all
		return err
	})
}

// syncOnce is a night that does not come to its end.
func syncOnce(ctx context.Context, s settings) error {
	store, err := trusql.Open(ctx, s.Database)
	if err != nil {
		return err
	}
	profiles, err := store.Profiles("live")
	if err != nil {
		return err
	}
	client, err := trulioo.NewClient(trulioo.WithCredentials(s.ID, s.Secret), trulioo.WithBaseURL(s.BaseURL), trulioo.WithTokenURL(s.TokenURL))
	if err != nil {
		return err
	}
	_, err = profiles.Sync(ctx, client, &trusql.SyncOptions{FullServiceDetails: true})
	return err
}

// process is a worker process of a test.
type process struct {
	cmd *exec.Cmd
	out io.Reader
	url string
}

// startProcess starts a process that receives events.
func startProcess(t *testing.T, s settings) *process {
	t.Helper()
	p := spawn(t, s)
	lines := bufio.NewScanner(p.out)
	require.True(t, lines.Scan(), "the process has ended")
	p.url = "http://" + lines.Text()
	return p
}

func spawn(t *testing.T, s settings) *process {
	t.Helper()
	text, err := json.Marshal(s) //nolint:gosec // the fake server's secret
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.CommandContext(context.WithoutCancel(t.Context()), self)}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	_, err = p.cmd.StdinPipe() // so that it does not end at once
	require.NoError(t, err)
	p.out, err = p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	return p
}

// kill is a SIGKILL.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL)
	_ = p.cmd.Wait() // says that it was killed
}

// vendor delivers events to processes that come and go.
type vendor struct {
	client *http.Client
	urls   []atomic.Pointer[string]
	sent   atomic.Int64
}

// deliver sends an event until it is acknowledged.
func (v *vendor) deliver(ctx context.Context, event, first int) error {
	for attempt := 0; ; attempt++ {
		url := v.urls[(first+attempt)%len(v.urls)].Load()
		if status, err := v.post(ctx, *url, event, attempt); err == nil && status == http.StatusOK {
			v.sent.Add(1)
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("event %d: %w", event, ctx.Err())
		case <-time.After(10 * time.Millisecond << min(attempt, 5)):
		}
	}
}

func (v *vendor) post(ctx context.Context, url string, event, retry int) (int, error) {
	body := fmt.Sprintf(`{"id":"client-%d","token":%q,"type":"EVENT_CALLBACK","event":{"type":"FLOW_END","ts":1718011363},"retry":%d}`,
		event, truliootest.WebhookToken, retry)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := v.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// deliverTwice delivers every event to two of the processes.
func (v *vendor) deliverTwice(ctx context.Context, events int) error {
	errs := make([]error, 2*events)
	slots := make(chan struct{}, 24)
	var all sync.WaitGroup
	for i := range errs {
		slots <- struct{}{}
		all.Go(func() {
			event, again := i/2, i%2
			errs[i] = v.deliver(ctx, event, event+again)
			<-slots
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// killedEvents is how many events TestKilledAtAnyMoment delivers. The nightly run
// delivers 10,000, which takes minutes: SQLite syncs each transaction to the disk.
func killedEvents() int {
	if n, err := strconv.Atoi(os.Getenv("TRULIOO_INBOX_EVENTS")); err == nil {
		return n
	}
	return 1000
}

// Events come twice each to two processes, which are killed again and
// again at any moment: each event is handled, and none twice except those that a process
// was handling when it was killed.
func TestKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, address string) {
		const kills = 6
		events := killedEvents()
		log := t.TempDir() + "/handled"
		start := func(n int) *process {
			return startProcess(t, settings{Name: strconv.Itoa(n), Database: address, Log: log})
		}
		v := &vendor{client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 24}}, urls: make([]atomic.Pointer[string], 2)}
		defer v.client.CloseIdleConnections()
		processes := make([]*process, len(v.urls))
		killed := map[string]bool{}
		names := 0
		renew := func(i int) {
			processes[i] = start(names)
			names++
			v.urls[i].Store(&processes[i].url)
		}
		for i := range processes {
			renew(i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
		defer cancel()
		delivered := make(chan error, 1)
		go func() { delivered <- v.deliverTwice(ctx, events) }()
		for kill := range kills {
			until := int64((kill + 1) * 2 * events / (kills + 1))
			require.Eventually(t, func() bool { return v.sent.Load() >= until }, 5*time.Minute, time.Millisecond)
			i := kill % len(processes)
			name := names - len(processes) // the older one
			processes[i].kill()
			killed[strconv.Itoa(name)] = true
			renew(i)
		}
		require.NoError(t, <-delivered, "each delivery was acknowledged in the end")

		inbox := newInbox(t, address, nil)
		require.Eventually(t, func() bool {
			s, err := inbox.Status(t.Context())
			return err == nil && s.Waiting == 0
		}, 5*time.Minute, 20*time.Millisecond, "what the dead had in hand comes to the living")
		assert.Equal(t, events, status(t, inbox).Done)
		assert.Zero(t, status(t, inbox).Dead)

		content, err := os.ReadFile(log)
		require.NoError(t, err)
		byLiving, byDead := map[string]int{}, map[string]int{}
		for line := range strings.Lines(string(content)) {
			name, client, ok := strings.Cut(strings.TrimSpace(line), " ")
			require.True(t, ok, line)
			if killed[name] {
				byDead[client]++
			} else {
				byLiving[client]++
			}
		}
		lost, doubled, again := 0, 0, 0
		for event := range events {
			client := fmt.Sprintf("client-%d", event)
			n, dead := byLiving[client], byDead[client]
			switch {
			case n+dead == 0:
				lost++
			case n > 1:
				doubled++
			case n+dead > 1:
				again++
			}
		}
		t.Logf("%d events, %d kills, %d handled by the dead, %d of them again", events, kills, len(byDead), again)
		assert.Zero(t, lost, "lost")
		assert.Zero(t, doubled, "twice where its process lived")
		assert.LessOrEqual(t, again, kills*8, "only what was in hand when one was killed")
	})
}
