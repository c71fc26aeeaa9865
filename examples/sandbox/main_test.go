package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
)

// start runs the sandbox and reads the variables that it prints.
func start(t *testing.T, args ...string) map[string]string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), writer)
		_ = writer.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	variables := map[string]string{}
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if assignment, ok := strings.CutPrefix(lines.Text(), "export "); ok {
			name, value, _ := strings.Cut(assignment, "=")
			variables[name] = strings.Trim(value, "'")
		}
		if strings.Contains(lines.Text(), "Bearer $TOKEN") {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	return variables
}

func TestTheVariablesMakeAWorkingClient(t *testing.T) {
	for name, value := range start(t, "-clients", "7") {
		t.Setenv(name, value)
	}
	t.Setenv("TRULIOO_ENVIRONMENT", "")
	t.Setenv("TRULIOO_API_VERSION", "")
	client, err := trulioo.NewClientFromEnv()
	require.NoError(t, err)
	page, err := client.Clients.List(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, 7, page.TotalElements)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	busy, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = busy.Close() })
	for name, args := range map[string][]string{
		"address in use":   {"-addr", busy.Addr().String()},
		"negative clients": {"-clients", "-1"},
		"unknown flag":     {"-adr", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			require.Error(t, run(t.Context(), args, &out))
			assert.Empty(t, out.String())
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-help"}, &out))
	assert.Contains(t, out.String(), "-clients")
}

func TestQuote(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `'a'\''b'`, quote("a'b"))
	assert.Equal(t, "'k3y#7&Q'", quote("k3y#7&Q"))
}

// The process itself: a used address ends it with status 1 and one sentence.
func TestProcess(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sandbox.exe")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	_, err = exec.CommandContext(t.Context(), program, "-clients", "-1").Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 1, exit.ExitCode())
	assert.Regexp(t, `^sandbox failed: .+\n$`, string(exit.Stderr))
}
