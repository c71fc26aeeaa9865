package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// Every command has a help with an example that the program itself understands,
// and neither names a person or a secret.
func TestEveryCommandHasAnExample(t *testing.T) {
	t.Parallel()
	count := 0
	for _, command := range append([]*cobra.Command{newRoot()}, newRoot().Commands()...) {
		if command.Name() == "help" || command.Name() == "completion" {
			continue // cobra's own
		}
		count++
		require.NotEmpty(t, command.Short, command.Name())
		require.Greater(t, len(command.Long), len(command.Short), command.Name())
		require.Contains(t, command.Example, "trulioo "+strings.TrimPrefix(command.Name(), "trulioo"))
		for line := range strings.Lines(command.Example) {
			understands(t, line)
		}
		command.Flags().VisitAll(func(f *pflag.Flag) {
			assert.NotRegexp(t, `secret|password|token$`, f.Name, "a secret is never an argument")
			assert.NotEmpty(t, f.Usage)
		})
		text := command.Long + command.Example + command.Flags().FlagUsages()
		assert.NotRegexp(t, `\w@example\.(com|org)`, text, "nobody in a shell's history")
	}
	assert.Greater(t, count, 17)
}

func newRoot() *cobra.Command {
	out := &term.Screen{Writer: &bytes.Buffer{}}
	return (&app{in: strings.NewReader(""), out: out, err: out}).root()
}

var (
	remark = regexp.MustCompile(`\s+#.*$`)
	later  = regexp.MustCompile(`\s*(?:\d?>|<).*$`)
)

// understands finds each of our commands in a line of a shell, and parses its flags.
func understands(t *testing.T, line string) {
	t.Helper()
	for part := range strings.SplitSeq(remark.ReplaceAllString(strings.TrimSpace(line), ""), " | ") {
		_, words, ours := strings.Cut(part, "trulioo ")
		if !ours || strings.HasPrefix(part, "man ") || strings.HasPrefix(part, "pass ") {
			continue
		}
		root := newRoot()
		command, args, err := root.Find(strings.Fields(later.ReplaceAllString(words, "")))
		require.NoError(t, err, line)
		require.NotEqual(t, "trulioo", command.Name(), line)
		require.NoError(t, command.ParseFlags(args), line)
		require.NoError(t, command.ValidateArgs(command.Flags().Args()), line)
		require.NoError(t, command.ValidateFlagGroups(), line)
	}
}
