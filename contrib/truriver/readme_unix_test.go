//go:build unix

package truriver_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/truliootest"
)

// The README's program stops on a signal, goes on with the export when it is
// started again, says how far it is, and ends when the export is complete.
func TestTheProgramOfTheREADME(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "program")
	require.NoError(t, os.WriteFile(file, programOfTheREADME(t), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, file).CombinedOutput()
	require.NoError(t, err, string(out))
	srv := truliootest.NewServer(t, truliootest.WithLive(truliootest.NewAccount(truliootest.AccountSpec{Clients: 60, Seed: 1})))
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "TRULIOO_") })
	env = append(append(env, srv.Environ()...), "DATABASE_URL="+newDatabase(t))

	first := exec.CommandContext(t.Context(), program)
	first.Env = env
	started, once := make(chan struct{}), sync.Once{}
	silence := srv.Fail(truliootest.GetClient, truliootest.Handle(func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		<-started
		once.Do(func() { _ = first.Process.Signal(syscall.SIGTERM) })
		<-r.Context().Done() // it gets no profile
	}))
	var said strings.Builder
	first.Stdout, first.Stderr = &said, &said
	require.NoError(t, first.Start())
	close(started)
	require.Error(t, first.Wait())
	assert.Contains(t, said.String(), "context canceled")
	assert.Contains(t, said.String(), "0 clients, 0 failed, 0 of ")

	silence.Stop()
	second := exec.CommandContext(t.Context(), program)
	second.Env = env
	out, err = second.CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Regexp(t, `60 clients, 0 failed, (1 of 1|2 of 2|3 of 3) slices\n$`, string(out))
}
