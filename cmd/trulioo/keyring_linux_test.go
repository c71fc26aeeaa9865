package main

import (
	"bufio"
	"bytes"
	"context"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// session is a D-Bus session with GNOME's keyring on it, in a home of its own. unlock is
// the keyring's password; "" leaves it locked, with nobody to ask for the password.
type session struct {
	home, bus string
}

func newSession(t *testing.T, unlock string) *session {
	t.Helper()
	for _, program := range []string{"dbus-run-session", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "there is no %s, which .ci/run installs", program)
			t.Skipf("there is no %s on this machine: apt-get install dbus-daemon gnome-keyring", program)
		}
	}
	s := &session{home: t.TempDir()}
	run := filepath.Join(s.home, "run")
	require.NoError(t, os.Mkdir(run, 0o700))
	start := `gnome-keyring-daemon --start --components=secrets >/dev/null`
	if unlock != "" {
		start = `printf %s "$UNLOCK" | gnome-keyring-daemon --unlock --components=secrets >/dev/null`
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "dbus-run-session", "--", "sh", "-c", start+`; echo "$DBUS_SESSION_BUS_ADDRESS"; cat >/dev/null`)
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_RUNTIME_DIR="+run, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "XDG_CACHE_HOME=", "DISPLAY=", "WAYLAND_DISPLAY=", "UNLOCK="+unlock)
	open, err := cmd.StdinPipe() // the session lasts until it is closed
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	said := &synced{}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		require.NoError(t, open.Close())
		require.NoError(t, cmd.Wait())
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, said.String())
	s.bus = strings.TrimSpace(line)
	require.NotEmpty(t, s.bus)
	return s
}

// trulioo runs the program on the session's bus, as the session's user does.
func (s *session) trulioo(t *testing.T, typed string, args ...string) (out, errs string, code int) {
	t.Helper()
	cmd := newCommand(t, nil, args...)
	cmd.Env = append(cmd.Env, "HOME="+s.home, "XDG_CONFIG_HOME=", "XDG_CACHE_HOME=", "TEST_KEYRING=system", "DBUS_SESSION_BUS_ADDRESS="+s.bus)
	cmd.Stdin = strings.NewReader(typed)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// A real Secret Service keeps the credentials from one process to the next, and no
// file holds them in clear.
func TestTheSystemsKeyring(t *testing.T) {
	t.Parallel()
	srv := truliootest.NewServer(t)
	s := newSession(t, "a password")
	login := []string{"--base-url", srv.BaseURL, "--token-url", srv.TokenURL}
	_, said, code := s.trulioo(t, srv.ClientID+"\n"+srv.ClientSecret+"\n", append([]string{"login", "acme"}, login...)...)
	require.Zero(t, code, said)
	_, said, code = s.trulioo(t, srv.ClientID+"\n"+srv.ClientSecret+"\na token\na key\n", append([]string{"login", "other", "--environment", "test", "--webhook"}, login...)...)
	require.Zero(t, code, said)

	out, said, code := s.trulioo(t, "", "whoami", "--account", "acme")
	require.Zero(t, code, said)
	assert.Contains(t, out, "login acme")
	assert.Contains(t, out, "work, 5 workflows")
	out, said, code = s.trulioo(t, "", "workflows", "--csv", "--account", "acme")
	require.Zero(t, code, said)
	assert.Equal(t, 6, strings.Count(out, "\n"))
	out, _, code = s.trulioo(t, "", "clients", "--csv") // of the test half, which is the default login's
	require.Zero(t, code)
	assert.Equal(t, 6, strings.Count(out, "\n"))

	found := 0
	require.NoError(t, filepath.WalkDir(s.home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		found++
		data, err := os.ReadFile(path) //nolint:gosec // a file of the session
		for _, secret := range []string{srv.ClientSecret, srv.ClientID, "a token", "a key"} {
			assert.NotContains(t, string(data), secret, path)
		}
		return err
	}))
	assert.GreaterOrEqual(t, found, 2, "the book of accounts, and the keyring's file")

	_, said, code = s.trulioo(t, "", "logout", "acme")
	require.Zero(t, code, said)
	_, said, code = s.trulioo(t, "", "workflows", "--account", "acme")
	assert.Equal(t, 1, code)
	assert.Contains(t, said, "no account with this name")
	_, said, code = s.trulioo(t, "", "workflows", "--account", "other")
	require.Zero(t, code, said)

	// The book of accounts alone, such as from a backup of the home, gives no access.
	book := filepath.Join(s.home, ".config", "trulioo", "accounts.json")
	data, err := os.ReadFile(book)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(book, bytes.ReplaceAll(data, []byte(`"other"`), []byte(`"acme"`)), 0o600)) //nolint:gosec // a file of the session
	_, said, code = s.trulioo(t, "", "workflows")
	assert.Equal(t, 1, code)
	assert.Contains(t, said, "the keyring has no secret of this account; log in again")
}

// The program says what to do where the keyring is locked and nobody is there to unlock
// it, and where there is no bus.
func TestAKeyringThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	locked := newSession(t, "")
	for name, s := range map[string]*session{"locked": locked, "away": {home: t.TempDir(), bus: "unix:path=" + filepath.Join(t.TempDir(), "none")}} {
		_, said, code := s.trulioo(t, "an id\na secret\n", "login", "--no-check")
		assert.Equal(t, 1, code, name)
		assert.Contains(t, said, "the system's keyring does not answer", name)
		assert.Contains(t, said, "TRULIOO_CLIENT_SECRET", name)
		assert.NotContains(t, said, "a secret", name)
	}
}

// Ctrl-C ends a command whose keyring waits for a person, as a locked one does.
func TestCtrlCWhileTheKeyringIsSilent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bus")
	bus, err := new(net.ListenConfig).Listen(t.Context(), "unix", path)
	require.NoError(t, err)
	asked := make(chan net.Conn, 1)
	go func() {
		defer close(asked)
		if conn, err := bus.Accept(); err == nil {
			asked <- conn
		}
	}()
	t.Cleanup(func() { _ = bus.Close() })
	cmd := newCommand(t, nil, "login", "--no-check")
	cmd.Env = append(cmd.Env, "TEST_KEYRING=system", "DBUS_SESSION_BUS_ADDRESS=unix:path="+path)
	cmd.Stdin = strings.NewReader("an id\na secret\n")
	said := &synced{}
	cmd.Stderr = said
	require.NoError(t, cmd.Start())
	select {
	case conn := <-asked:
		t.Cleanup(func() { _ = conn.Close() })
	case <-time.After(time.Minute):
		require.Fail(t, "the keyring was not asked")
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.Error(t, cmd.Wait())
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
}
