//go:build unix

package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README's terminal shows the program's output, except the time that an export takes.
func TestTheTerminalOfTheREADME(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the README is in the repository, and not in this module")
	}
	require.NoError(t, err)
	_, block, found := strings.Cut(string(readme), "\n```console\n")
	require.True(t, found)
	block, _, found = strings.Cut(block, "\n```\n")
	require.True(t, found)
	require.Contains(t, string(readme), "go run ./cmd/trulioo inspect --sandbox ", "the third line shows the program")
	require.FileExists(t, filepath.Join("..", "..", "docs", "inspect.png"))

	took := regexp.MustCompile(`in [\d.]+m?s`)
	dir := t.TempDir()
	screen := ""
	for line := range strings.Lines(block) {
		if command, is := strings.CutPrefix(line, "$ trulioo "); is {
			screen += line + typedAt(t, dir, strings.Fields(command), regexp.MustCompile(`(?m)^(email: )(.*)$`).FindStringSubmatch(block))
		}
	}
	assert.Equal(t, took.ReplaceAllString(block+"\n", "in"), took.ReplaceAllString(screen, "in"))
}

// typedAt runs the program on a terminal, answers its question, and gives what stands
// there in the end.
func typedAt(t *testing.T, dir string, args, question []string) string {
	t.Helper()
	require.Len(t, question, 3)
	cmd := newCommand(t, nil, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=1", "COLUMNS=")
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 100})
	require.NoError(t, err)
	out := &synced{}
	read := make(chan struct{})
	go func() { _, _ = io.Copy(out, terminal); close(read) }() // ends in EIO when the process ends
	if args[0] == "find" {
		until(t, func() bool { return strings.HasSuffix(out.String(), question[1]) })
		_, err = io.WriteString(terminal, question[2]+"\n")
		require.NoError(t, err)
	}
	require.NoError(t, cmd.Wait(), out.String())
	<-read
	require.NoError(t, terminal.Close())
	shown := ""
	for line := range strings.Lines(strings.ReplaceAll(out.String(), "\r\n", "\n")) {
		drawn := strings.Split(line, "\r\x1b[K") // a bar that was drawn over
		shown += drawn[len(drawn)-1]
	}
	return shown
}
