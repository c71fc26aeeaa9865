package inbox_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/trusql"
	"github.com/trulioo-go/trulioo/internal/loopback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// program builds one of the two and gives its command for a server and a database.
func program(t *testing.T, name string, srv *truliootest.Server, database string) func() *exec.Cmd {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".exe")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./"+name).CombinedOutput()
	require.NoError(t, err, string(built))
	return func() *exec.Cmd {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path)
		cmd.Env = append(os.Environ(), srv.Environ()...)
		cmd.Env = append(cmd.Env, "DATABASE="+database,
			"TRULIOO_WEBHOOK_TOKEN="+truliootest.WebhookToken, "TRULIOO_WEBHOOK_SECRET="+truliootest.WebhookSecret)
		return cmd
	}
}

// receiver is a running webhook program.
type receiver struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	url   string
}

var vendor = truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret}

// receive starts the program and waits until it answers the handshake.
func receive(t *testing.T, cmd *exec.Cmd) *receiver {
	t.Helper()
	address, err := loopback.Address(t.Context())
	require.NoError(t, err)
	cmd.Env = append(cmd.Env, "LISTEN="+address.String())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	r := &receiver{cmd: cmd, lines: bufio.NewScanner(out), url: "http://" + address.String()}
	require.Eventually(t, func() bool { return vendor.Handshake(t.Context(), r.url) == nil }, time.Minute, 10*time.Millisecond)
	return r
}

// Every event that was acknowledged is handled in the end, or waits: a kill in the
// middle of the work loses none.
func TestTheWebhookProgramIsKilled(t *testing.T) {
	t.Parallel()
	const events = 200
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: events, Seed: 5})))
	database := filepath.Join(t.TempDir(), "events.db")
	start := program(t, "webhook", srv, database)
	hang := srv.Fail(truliootest.GetClient, truliootest.Hang(), truliootest.Skip(20))
	r := receive(t, start())
	for _, id := range srv.Live.IDs() {
		require.NoError(t, vendor.SendEvent(t.Context(), r.url, truliootest.NewEvent(trulioo.EventFlowEnd, truliootest.EventSpec{ClientID: id})), "acknowledged, whatever the API does")
	}
	require.Eventually(t, func() bool { return hang.Hits() >= 8 }, time.Minute, time.Millisecond)
	require.NoError(t, r.cmd.Process.Kill())
	handled := map[string]bool{}
	for r.lines.Scan() {
		handled[strings.Fields(r.lines.Text())[0]] = true
	}
	require.Error(t, r.cmd.Wait())
	assert.Len(t, handled, 20)
	srv.Heal()

	r = receive(t, start())
	for len(handled) < events-8 && r.lines.Scan() {
		handled[strings.Fields(r.lines.Text())[0]] = true
	}
	store, err := trusql.Open(t.Context(), database)
	require.NoError(t, err)
	defer func() { require.NoError(t, store.Close()) }()
	inbox, err := store.Inbox(nil)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		s, err := inbox.Status(t.Context())
		return err == nil && s.Waiting == 8 && s.Done == events-8 && s.Dead == 0
	}, time.Minute, time.Millisecond, "the 8 in hand at the kill wait for the end of their lease")
	assert.Len(t, handled, events-8)
}

// The nightly program is killed in its first night, and then has a quiet one.
func TestTheNightlyProgramIsKilled(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 120, Seed: 5})))
	start := program(t, "nightly", srv, filepath.Join(t.TempDir(), "profiles.db"))
	hang := srv.Fail(truliootest.GetClient, truliootest.Hang(), truliootest.Skip(50))
	cmd := start()
	require.NoError(t, cmd.Start())
	require.Eventually(t, func() bool { return hang.Hits() >= 8 }, time.Minute, time.Millisecond)
	require.NoError(t, cmd.Process.Kill())
	require.Error(t, cmd.Wait())
	srv.Heal()

	wrong := start()
	wrong.Args = append(wrong.Args, "-out", "x")
	require.Error(t, wrong.Run())
	assert.Equal(t, 2, wrong.ProcessState.ExitCode())

	out, err := start().CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `\{New:70 Modified:0 Unchanged:50 Gone:0 Failed:0\}\n$`, string(out), "what the first one has stored stays")
	out, err = start().CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Equal(t, fmt.Sprintf("%+v\n", trusql.SyncReport{Unchanged: 120}), string(out))
}

// The programs are short: lines without comments and blanks, imports included.
func TestProgramsAreShort(t *testing.T) {
	t.Parallel()
	for name, most := range map[string]int{"nightly": 60, "webhook": 40} {
		text, err := os.ReadFile(filepath.Join(name, "main.go"))
		require.NoError(t, err)
		lines := 0
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				lines++
			}
		}
		assert.LessOrEqual(t, lines, most, name)
	}
}
