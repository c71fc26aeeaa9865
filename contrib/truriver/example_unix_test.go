//go:build unix

package truriver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The command of examples/river, which is a module without a PostgreSQL to test
// with: two processes share the export of their sandboxes, which are alike.
func TestTheCommandOfTheExamples(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	program := filepath.Join(t.TempDir(), "river")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "examples", "river")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))

	outputs := make(chan string, 2)
	for range cap(outputs) {
		go func() {
			out, err := theCommand(t, program, "DATABASE_URL="+database).CombinedOutput()
			if err != nil {
				out = append(out, err.Error()...)
			}
			outputs <- string(out)
		}()
	}
	for range cap(outputs) {
		text := <-outputs
		assert.Regexp(t, `clients: 500 done, 0 failed, 0 gone; slices: \d+ of \d+\ncomplete: `, text)
	}

	out, err = theCommand(t, program).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "set DATABASE_URL")
}

func theCommand(t *testing.T, program string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), program, "-sandbox", "-slice", "100")
	cmd.Env = slices.DeleteFunc(os.Environ(), func(e string) bool {
		return strings.HasPrefix(e, "TRULIOO_") || strings.HasPrefix(e, "DATABASE_URL=")
	})
	cmd.Env = append(cmd.Env, env...)
	return cmd
}
