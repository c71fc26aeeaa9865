//go:build unix

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	env := newCommand(t, nil).Env
	dir := t.TempDir()
	screen := ""
	commands := 0
	for line := range strings.Lines(block) {
		command, is := strings.CutPrefix(line, "$ ")
		if !is {
			continue
		}
		commands++
		shell := exec.CommandContext(t.Context(), "sh", "-c", command) //nolint:gosec // a line of the README
		shell.Dir, shell.Env = dir, env
		out, err := shell.CombinedOutput()
		require.NoError(t, err, string(out))
		screen += "$ " + command + string(out)
	}
	assert.Positive(t, commands)
	assert.Equal(t, took.ReplaceAllString(block+"\n", "in"), took.ReplaceAllString(screen, "in"))
}
