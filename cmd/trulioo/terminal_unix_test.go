//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// onTerminal runs the program on a terminal of this many columns, types, and gives the
// text on the screen.
func onTerminal(t *testing.T, columns uint16, env []string, typed string, args ...string) (screen string, code int) {
	t.Helper()
	cmd := newCommand(t, nil, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, append([]string{"TERM=xterm-256color", "COLUMNS=", "NO_COLOR="}, env...)...)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: columns})
	require.NoError(t, err)
	_, err = io.WriteString(terminal, typed)
	require.NoError(t, err)
	var out bytes.Buffer
	_, _ = io.Copy(&out, terminal) // ends in EIO when the process ends
	_ = cmd.Wait()
	require.NoError(t, terminal.Close())
	return out.String(), cmd.ProcessState.ExitCode()
}

func TestOnATerminal(t *testing.T) {
	t.Parallel()
	list := []string{"clients", "--sandbox", "--limit", "5"}
	screen, code := onTerminal(t, 120, nil, "", list...)
	assert.Zero(t, code)
	assert.Contains(t, screen, "\x1b[32mACCEPTED")
	assert.Contains(t, screen, "BY HAND")

	screen, _ = onTerminal(t, 120, []string{"NO_COLOR=1"}, "", list...)
	assert.NotContains(t, screen, "\x1b[")
	screen, _ = onTerminal(t, 120, []string{"TERM=dumb"}, "", list...)
	assert.NotContains(t, screen, "\x1b[")

	screen, _ = onTerminal(t, 34, []string{"NO_COLOR=1"}, "", list...)
	for line := range strings.SplitSeq(strings.TrimSpace(screen), "\n") {
		assert.LessOrEqual(t, len([]rune(strings.TrimRight(line, "\r"))), 34)
	}

	screen, code = onTerminal(t, 100, nil, "", "export", "--sandbox", "--sqlite", "people.db")
	assert.Zero(t, code)
	assert.Regexp(t, `█+░+ \d+ of 240 · \d+/s`, screen)
	assert.Contains(t, screen, "240 new, 0 changed")

	screen, code = onTerminal(t, 100, nil, "person4@example.com\n", "find", "--email", "--sandbox")
	assert.Zero(t, code)
	assert.Contains(t, screen, "email: ")
	assert.Contains(t, screen, "looking through the account takes a request for each client")
	assert.Regexp(t, `[█░]+ \d+ of 240`, screen)
	assert.Contains(t, screen, "p***")
}

func TestCtrlCAtAQuestion(t *testing.T) {
	t.Parallel()
	for question, typed := range map[string]string{"client id: ": "", "client secret: ": "an-id\n"} {
		cmd := newCommand(t, truliootest.NewServer(t), "login")
		terminal, err := pty.Start(cmd)
		require.NoError(t, err)
		out := &synced{}
		read := make(chan struct{})
		go func() { _, _ = io.Copy(out, terminal); close(read) }()
		_, err = io.WriteString(terminal, typed)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return strings.Contains(out.String(), question) }, time.Minute, time.Millisecond)
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		_ = cmd.Wait()
		assert.Equal(t, 130, cmd.ProcessState.ExitCode(), out.String())
		require.NoError(t, terminal.Close())
		<-read
	}
}
