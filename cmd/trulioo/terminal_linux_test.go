package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A secret is not shown while it is typed.
func TestASecretIsNotShown(t *testing.T) {
	t.Parallel()
	cmd := newCommand(t, nil, "login", "--no-check")
	terminal, err := pty.Start(cmd)
	require.NoError(t, err)
	out := &synced{}
	read := make(chan struct{})
	go func() { _, _ = io.Copy(out, terminal); close(read) }()
	_, err = io.WriteString(terminal, "an-id\n")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
		return err == nil && state.Lflag&unix.ECHO == 0 && strings.Contains(out.String(), "client secret: ")
	}, time.Minute, time.Millisecond, "the terminal is told to be silent")
	_, err = io.WriteString(terminal, "very-secret\n")
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), out.String())
	assert.NotContains(t, out.String(), "very-secret")
	require.NoError(t, terminal.Close())
	<-read
}
