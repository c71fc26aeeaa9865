//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/callback"
	"github.com/trulioo-go/trulioo/truliootest"
)

// trial says how a command is tried in each situation. Where the command cannot get into
// a situation, the field has the reason, after "no: ".
type trial struct {
	args   string // a command line that succeeds; $ID, $BASE, $TOKEN and $HOOK are filled in
	typed  string // the standard input
	before string // a command line that is run before it, with the same input
	code   int    // of the success
	serves string // the line of a server that is ready; "" for the others

	alone string // the text on the standard error without credentials
	down  string // the text there without the other side
	pipe  string // "" if it writes to the standard output
}

const noAccount = `no account: log in with "trulioo login"`

const noHook = `no verification token and no signing secret`

var every = map[string]trial{
	"login":     {args: "login acme --base-url $BASE --token-url $TOKEN", typed: "$CLIENT\n$SECRET\n", alone: "no: they are what it asks for", down: "refused", pipe: "no: it prints no result"},
	"logout":    {args: "logout acme", before: "login acme --no-check", typed: "$CLIENT\n$SECRET\n", alone: "there is no such account", down: "no: it asks the keyring only", pipe: "no: it prints no result"},
	"whoami":    {args: "whoami", alone: noAccount, down: "refused"},
	"workflows": {args: "workflows", alone: noAccount, down: "refused"},
	"clients":   {args: "clients", alone: noAccount, down: "refused"},
	"get":       {args: "get $ID", alone: noAccount, down: "refused"},
	"find":      {args: "find --name", typed: "e\n", alone: noAccount, down: "refused"},
	"inspect":   {args: "inspect --callbacks 127.0.0.1:0", serves: "/enter/", alone: noAccount, down: "no: the page says so, in TestAnAPIThatFailsIsSaid"},
	"files":     {args: "files $ID -o files", alone: noAccount, down: "refused"},
	"bundle":    {args: "bundle $ID -o b.zip", alone: noAccount, down: "refused", pipe: "no: it prints no result"},
	"export":    {args: "export --csv people.csv", alone: noAccount, down: "refused"},
	"sync":      {args: "sync --sqlite people.db", alone: noAccount, down: "refused"},
	"listen":    {args: "listen --addr 127.0.0.1:0", serves: "listening on", alone: noHook, down: "no: it is the server; what it forwards to is in TestAProgramThatFails", pipe: "no: its lines come with callbacks, in TestListenOnAClosedPipe"},
	"trigger":   {args: "trigger flow --to $HOOK", alone: noHook, down: "the receiver does not answer"},
	"replay":    {args: "replay kept --to $HOOK", alone: noHook, down: "no callback was acknowledged"},
	"doctor":    {args: "doctor", code: 3, alone: noAccount, down: "refused"},
	"sandbox":   {args: "sandbox --addr 127.0.0.1:0", serves: "Paste this", alone: "no: it is the account", down: "no: it is the server"},
}

// sender sends as the vendor does, and tries once.
func sender() *truliootest.Sender {
	return &truliootest.Sender{Token: truliootest.WebhookToken, Secret: truliootest.WebhookSecret, Attempts: 1}
}

// stage is a server, a receiver of callbacks and a home, with people in all of them.
type stage struct {
	srv  *truliootest.Server
	hook *httptest.Server
	dir  string
	env  []string
	fill *strings.Replacer
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{srv: truliootest.NewServer(t, truliootest.WithSeed(2)), dir: t.TempDir()}
	s.hook = httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.hook.Close)
	kept, err := callback.OpenFolder(filepath.Join(s.dir, "kept"), "variables")
	require.NoError(t, err)
	body, err := sender().Body(truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{}), 0)
	require.NoError(t, err)
	event, err := trulioo.ParseEvent(body)
	require.NoError(t, err)
	require.NoError(t, kept.Add(callback.Delivery{At: time.Now(), Body: body, Event: event, Result: "handled"}))
	require.NoError(t, kept.Close())
	s.env = []string{
		"TRULIOO_CLIENT_ID=" + s.srv.ClientID, "TRULIOO_CLIENT_SECRET=" + s.srv.ClientSecret,
		"TRULIOO_BASE_URL=" + s.srv.BaseURL, "TRULIOO_TOKEN_URL=" + s.srv.TokenURL,
		"TRULIOO_WEBHOOK_TOKEN=" + truliootest.WebhookToken, "TRULIOO_WEBHOOK_SECRET=" + truliootest.WebhookSecret,
	}
	s.aim(s.srv.BaseURL, s.srv.TokenURL, s.hook.URL)
	return s
}

// aim sets the addresses of the command lines.
func (s *stage) aim(base, token, hook string) {
	ids := s.srv.Live.IDs()
	s.fill = strings.NewReplacer("$ID", ids[len(ids)-1], "$BASE", base, "$TOKEN", token, "$HOOK", hook,
		"$CLIENT", s.srv.ClientID, "$SECRET", s.srv.ClientSecret)
}

// command is the program in the stage's folder, with its variables.
func (s *stage) command(t *testing.T, line, typed string) *exec.Cmd {
	t.Helper()
	cmd := newCommand(t, nil, strings.Fields(s.fill.Replace(line))...)
	home := filepath.Join(s.dir, "home")
	cmd.Dir = s.dir
	cmd.Env = append(append(cmd.Env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "TEST_KEYRING="+filepath.Join(s.dir, "keyring")), s.env...)
	cmd.Stdin = strings.NewReader(s.fill.Replace(typed))
	for _, arg := range cmd.Args[1:] {
		require.NotContains(t, s.secrets(), arg, "no secret is an argument")
	}
	return cmd
}

// run runs a command line to its end.
func (s *stage) run(t *testing.T, line, typed string) (out, said string, code int) {
	t.Helper()
	cmd := s.command(t, line, typed)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	s.clean(t, stderr.String())
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

func (s *stage) secrets() []string {
	return []string{s.srv.ClientSecret, s.srv.ClientID, truliootest.WebhookToken, truliootest.WebhookSecret}
}

// clean demands that the standard error has no secret, no id and no value that anybody
// has entered.
func (s *stage) clean(t *testing.T, said string) {
	t.Helper()
	for _, secret := range s.secrets() {
		assert.NotContains(t, said, secret)
	}
	assert.NotRegexp(t, `Bearer|panic|goroutine \d|Ada\b`, said)
	for _, id := range s.srv.Live.IDs() {
		assert.NotContains(t, said, id)
		for _, value := range entered(t, s.srv, id) {
			assert.NotContains(t, said, value)
		}
	}
}

// entered are the values that somebody has entered, without words that are too short to
// recognise.
func entered(t *testing.T, srv *truliootest.Server, id string) (values []string) {
	t.Helper()
	raw, ok := srv.Live.Profile(id, true)
	require.True(t, ok)
	var profile trulioo.Profile
	require.NoError(t, json.Unmarshal(raw, &profile))
	for _, flow := range profile.FlowData {
		for _, field := range flow.FieldData {
			for _, value := range field.Value {
				if len(value) > 4 && value != "false" {
					values = append(values, value)
				}
			}
		}
	}
	return values
}

// each tries every command; reason is the trial's word for a situation.
func each(t *testing.T, reason func(trial) string, try func(*testing.T, *stage, trial)) {
	t.Helper()
	for name, command := range every {
		if why, not := strings.CutPrefix(reason(command), "no: "); not {
			t.Logf("%s is not tried: %s", name, why)
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			try(t, newStage(t), command)
		})
	}
}

// until waits for a condition to hold, such as a line of a server.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, time.Minute, time.Millisecond)
}

// Every command of the program has a trial.
func TestEveryCommandIsTried(t *testing.T) {
	t.Parallel()
	out, err := newCommand(t, nil, "__complete", "").Output()
	require.NoError(t, err)
	var names []string
	for line := range strings.Lines(string(out)) {
		if name, _, is := strings.Cut(line, "\t"); is && !slices.Contains([]string{"completion", "help", "man"}, name) { // help.txt has these
			names = append(names, name)
		}
	}
	assert.ElementsMatch(t, slices.Collect(maps.Keys(every)), names)
}

func TestEveryCommandSucceeds(t *testing.T) {
	t.Parallel()
	each(t, func(trial) string { return "" }, func(t *testing.T, s *stage, c trial) {
		require.NotEmpty(t, entered(t, s.srv, s.srv.Live.IDs()[0]))
		if c.before != "" {
			_, said, code := s.run(t, c.before, c.typed)
			require.Zero(t, code, said)
		}
		if c.serves != "" {
			s.serveAndStop(t, c)
			return
		}
		out, said, code := s.run(t, c.args, c.typed)
		assert.Equal(t, c.code, code, said)
		assert.Equal(t, c.pipe == "", out != "")
		for _, secret := range s.secrets() {
			assert.NotContains(t, out, secret)
		}
	})
}

// serveAndStop starts a server and presses Ctrl-C.
func (s *stage) serveAndStop(t *testing.T, c trial) {
	t.Helper()
	cmd := s.command(t, c.args, c.typed)
	out, said := &synced{}, &synced{}
	cmd.Stdout, cmd.Stderr = out, said
	require.NoError(t, cmd.Start())
	until(t, func() bool { return strings.Contains(out.String()+said.String(), c.serves) })
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
	s.clean(t, said.String())
}

func TestEveryCommandWithoutCredentials(t *testing.T) {
	t.Parallel()
	each(t, func(c trial) string { return c.alone }, func(t *testing.T, s *stage, c trial) {
		s.env = nil
		out, said, code := s.run(t, c.args, c.typed)
		assert.Equal(t, 1, code, said)
		assert.Contains(t, said, c.alone)
		assert.Empty(t, out)
		left, err := os.ReadDir(s.dir)
		require.NoError(t, err)
		for _, entry := range left {
			assert.Contains(t, []string{"kept", "home", "keyring"}, entry.Name(), "nothing is begun")
		}
	})
}

// A command line that cannot be meant is refused in words that hold none of its values:
// people paste secrets and personal data into the wrong place.
func TestEveryCommandRefusesWrongArguments(t *testing.T) {
	t.Parallel()
	each(t, func(trial) string { return "" }, func(t *testing.T, s *stage, c trial) {
		name, _, _ := strings.Cut(c.args, " ")
		for _, wrong := range []string{" --nonsense=person4@example.com", " --nonsense person4@example.com", " person4@example.com a b", " -Zperson4@example.com", " --environment person4@example.com", " --account a --sandbox"} {
			out, said, code := s.run(t, c.args+wrong, c.typed)
			assert.Equal(t, 2, code, "%s: %s", wrong, said)
			assert.Empty(t, out, wrong)
			assert.NotContains(t, said, "person4", wrong)
			assert.Contains(t, said, `see "trulioo `+name+` --help"`, wrong)
		}
	})
}

func TestEveryCommandSaysThatTheServerIsDown(t *testing.T) {
	t.Parallel()
	each(t, func(c trial) string { return c.down }, func(t *testing.T, s *stage, c trial) {
		free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		nobody := "http://" + free.Addr().String()
		require.NoError(t, free.Close())
		s.aim(nobody+"/export", nobody+"/connect/token", nobody)
		s.env = append(s.env, "TRULIOO_BASE_URL="+nobody+"/export", "TRULIOO_TOKEN_URL="+nobody+"/connect/token")
		_, said, code := s.run(t, c.args, c.typed)
		assert.Equal(t, 1, code, said)
		assert.Contains(t, said, c.down)
		for _, unfinished := range []string{"b.zip", "people.csv"} {
			assert.NoFileExists(t, filepath.Join(s.dir, unfinished))
		}
	})
}

// A reader that stops after the beginning ends the program without a message, as it ends
// any other program.
func TestEveryCommandOnAClosedPipe(t *testing.T) {
	t.Parallel()
	each(t, func(c trial) string { return c.pipe }, func(t *testing.T, s *stage, c trial) {
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		require.NoError(t, reader.Close())
		cmd := s.command(t, c.args, c.typed)
		said := &synced{}
		cmd.Stdout, cmd.Stderr = writer, said
		require.NoError(t, cmd.Start())
		require.NoError(t, writer.Close())
		_ = cmd.Wait()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		require.True(t, ok)
		assert.Equal(t, syscall.SIGPIPE, status.Signal(), said.String())
		s.clean(t, said.String())
		assert.NotRegexp(t, `(?i)broken|pipe`, said.String())
	})
}

// Ctrl-C ends every command at once while the other side is silent, with 130 and
// nothing but what it had said before.
func TestCtrlC(t *testing.T) {
	t.Parallel()
	each(t, func(c trial) string { return c.down }, func(t *testing.T, s *stage, c trial) {
		for _, operation := range []truliootest.Operation{truliootest.ListWorkflows, truliootest.ListClients, truliootest.GetClient} {
			s.srv.Fail(operation, truliootest.Hang())
		}
		asked := s.silence(t)
		cmd := s.command(t, c.args, c.typed)
		said := &synced{}
		cmd.Stderr = said
		require.NoError(t, cmd.Start())
		until(t, func() bool {
			return len(asked) > 0 || s.srv.Count(truliootest.Any)-s.srv.Count(truliootest.FetchToken) > 0
		})
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.Error(t, cmd.Wait())
		assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
		s.clean(t, said.String())
	})
}

// silence replaces the receiver of callbacks by one that never answers. asked gets a
// value for each request.
func (s *stage) silence(t *testing.T) (asked chan bool) {
	t.Helper()
	asked = make(chan bool, 100)
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only after it net/http notices that the other side goes away
		asked <- true
		<-r.Context().Done()
	}))
	t.Cleanup(silent.Close)
	s.aim(s.srv.BaseURL, s.srv.TokenURL, silent.URL)
	return asked
}

// Ctrl-C also ends the program in the middle of a forward, and the vendor does not get a
// success for that callback.
func TestCtrlCInAForward(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	asked := s.silence(t)
	cmd := s.command(t, "listen --addr 127.0.0.1:0 --forward $HOOK", "")
	said := &synced{}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	until(t, func() bool { return strings.Contains(said.String(), "listening on") })
	at := regexp.MustCompile(`http://\S+`).FindString(said.String())
	sent := make(chan error, 1)
	go func() {
		sent <- sender().SendEvent(context.WithoutCancel(t.Context()), at, truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{}))
	}()
	<-asked
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
	require.Error(t, <-sent)
	s.clean(t, said.String())
}

// Ctrl-C ends the page under a browser that follows it and one that waits for the API.
func TestCtrlCWhileABrowserLooks(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.srv.Fail(truliootest.ListWorkflows, truliootest.Hang())
	cmd := s.command(t, every["inspect"].args, "")
	out, said := &synced{}, &synced{}
	cmd.Stdout, cmd.Stderr = out, said
	require.NoError(t, cmd.Start())
	until(t, func() bool { return strings.HasSuffix(out.String(), "\n") })
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{}}
	t.Cleanup(browser.CloseIdleConnections)
	get := func(address string) (*http.Response, error) {
		request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		return browser.Do(request)
	}
	first := strings.TrimSpace(out.String())
	response, err := get(first)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	origin, _, _ := strings.Cut(first, "/enter/")
	stream, err := get(origin + "/stream")
	require.NoError(t, err)
	waits := make(chan bool)
	go func() {
		defer close(waits)
		if response, err := get(origin + "/clients"); err == nil {
			_ = response.Body.Close()
		}
	}()
	until(t, func() bool { return s.srv.Count(truliootest.ListWorkflows) > 0 })
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
	<-waits
	require.NoError(t, stream.Body.Close())
	s.clean(t, said.String())
}

func TestListenOnAClosedPipe(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	cmd := s.command(t, every["listen"].args, "")
	said := &synced{}
	cmd.Stdout, cmd.Stderr = writer, said
	require.NoError(t, cmd.Start())
	require.NoError(t, writer.Close())
	until(t, func() bool { return strings.Contains(said.String(), "listening on") })
	_ = sender().SendEvent(t.Context(), regexp.MustCompile(`http://\S+`).FindString(said.String()), truliootest.NewEvent(trulioo.EventStepSubmit, truliootest.EventSpec{}))
	_ = cmd.Wait()
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	require.True(t, ok)
	assert.Equal(t, syscall.SIGPIPE, status.Signal(), said.String())
	s.clean(t, said.String())
}

// A help is the same for every user: no default comes from the environment.
func TestEveryHelpHasNoSecret(t *testing.T) {
	t.Parallel()
	each(t, func(trial) string { return "" }, func(t *testing.T, s *stage, c trial) {
		name, _, _ := strings.Cut(c.args, " ")
		out, said, code := s.run(t, name+" --help", "")
		assert.Zero(t, code)
		assert.Empty(t, said)
		assert.Contains(t, out, "Examples:\n  trulioo "+name)
		s.clean(t, out)
		s.env = nil
		bare, _, _ := s.run(t, name+" --help", "")
		assert.Equal(t, bare, out)
	})
}
