package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
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
		if strings.Contains(lines.Text(), "quickstart") {
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
		"no flag":          {"start"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			err := run(t.Context(), args, &out)
			require.Error(t, err)
			assert.Equal(t, name != "address in use", errors.Is(err, errUsage))
			assert.Empty(t, out.String())
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-help"}, &out))
	for _, told := range []string{"-clients", "default 25", "127.0.0.1:8080", "no\nvariables", "UTC", "Exit codes"} {
		assert.Contains(t, out.String(), told)
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	assert.Equal(t, `'a'\''b'`, quote("a'b"))
	assert.Equal(t, "'k3y#7&Q'", quote("k3y#7&Q"))
}

// What is printed can be pasted: a shell runs it as it stands, and gets a token, a
// list, a profile and a file.
func TestTheCurlsCanBePasted(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"sh", "curl", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip("no ", program, " on this machine")
		}
	}
	srv := truliootest.NewServer(t)
	var printed bytes.Buffer
	introduce(&printed, srv)
	dir := t.TempDir()
	shell := exec.CommandContext(t.Context(), "sh", "-eu")
	shell.Dir, shell.Stdin = dir, strings.NewReader(strings.ReplaceAll(printed.String(), "curl -s", "curl -sS --fail --noproxy '*'"))
	out, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, op := range []truliootest.Operation{truliootest.FetchToken, truliootest.ListClients, truliootest.GetClient, truliootest.DownloadFile} {
		assert.Equal(t, 1, srv.Count(op), op)
	}
	assert.Contains(t, string(out), "fullServiceDetails")
	_, key := sample(srv.Live)
	want, err := io.ReadAll(srv.FileContent(key))
	require.NoError(t, err)
	got, err := os.ReadFile(filepath.Join(dir, "photo.jpg"))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got))
}

// An address for all interfaces is printed as one that can be asked.
func TestAnAddressForAllInterfaces(t *testing.T) {
	t.Parallel()
	variables := start(t, "-addr", ":0")
	assert.Regexp(t, `^http://127\.0\.0\.1:\d+/export$`, variables["TRULIOO_BASE_URL"])
}

// The process itself: wrong flags end it with status 2 and one sentence.
func TestProcess(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "sandbox.exe")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(built))
	_, err = exec.CommandContext(t.Context(), program, "-clients", "-1").Output()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	assert.Equal(t, 2, exit.ExitCode())
	assert.Regexp(t, `^sandbox failed: .+\n$`, string(exit.Stderr))
}
