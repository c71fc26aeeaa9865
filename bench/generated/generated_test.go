package generated

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The tool makes the committed client of the document: neither was changed without the
// other.
func TestClientIsWhatTheToolMakes(t *testing.T) {
	t.Parallel()
	fresh := filepath.Join(t.TempDir(), "client.gen.go")
	tool := exec.CommandContext(t.Context(), "go", "tool", "oapi-codegen", "-config", "config.yaml", "-o", fresh, "../../docs/openapi.yaml")
	out, err := tool.CombinedOutput()
	require.NoError(t, err, string(out))
	want, err := os.ReadFile(fresh)
	require.NoError(t, err)
	have, err := os.ReadFile("client.gen.go")
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "run go generate ./... in bench")
}
