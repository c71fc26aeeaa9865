package term_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// Trap: what people entered can hold commands for a terminal, or turn its text around.
func TestCleanLeavesNoCommandForATerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Łukasik 日本 🙂":             "Łukasik 日本 🙂",
		"a\x1b[2Jb":                "a\ufffd[2Jb",
		"a\x1b]0;title\x07b":       "a\ufffd]0;title\ufffdb",
		"a\r\nb\tc":                "a  b c",
		"\u202eevil\u2066":         "\ufffdevil\ufffd",
		"\u009b2J":                 "\ufffd2J",
		"family \U0001F468\u200d👩": "family \U0001F468\u200d👩",
	} {
		assert.Equal(t, want, term.Clean(text))
	}
}

func TestTableFits(t *testing.T) {
	t.Parallel()
	for width := range 60 {
		var out bytes.Buffer
		table := term.NewTable(&term.Screen{Writer: &out, Width: width}, term.Column{Title: "id", Width: 10}, term.Column{Title: "name", Width: 8}, term.Column{Title: "note"})
		require.NoError(t, table.Row(term.Cell{Text: "a long identifier"}, term.Cell{Text: "日本日本日本"}, term.Cell{Text: "and a note that is long"}))
		for line := range strings.SplitSeq(strings.TrimSuffix(out.String(), "\n"), "\n") {
			if width > 0 {
				assert.LessOrEqual(t, runewidth.StringWidth(line), max(width, 1))
			}
			assert.Equal(t, strings.TrimRight(line, " "), line)
		}
	}
}

func TestRows(t *testing.T) {
	t.Parallel()
	raw := json.RawMessage("{\n \"id\": \"1\"\n}")
	for form, make := range map[string]func(*bytes.Buffer) term.Rows{
		"json":   func(b *bytes.Buffer) term.Rows { return term.NewJSON(b) },
		"ndjson": func(b *bytes.Buffer) term.Rows { return term.NewNDJSON(b) },
		"csv":    func(b *bytes.Buffer) term.Rows { return term.NewCSV(b, []string{"id", "name"}) },
	} {
		for n, want := range map[int]string{
			0: map[string]string{"json": "[]\n", "ndjson": "", "csv": "id,name\n"}[form],
			2: map[string]string{"json": "[\n{\"id\":\"1\"},\n{\"id\":\"1\"}\n]\n", "ndjson": "{\"id\":\"1\"}\n{\"id\":\"1\"}\n", "csv": "id,name\n1,'=x\n1,'=x\n"}[form],
		} {
			var b bytes.Buffer
			rows := make(&b)
			for range n {
				require.NoError(t, rows.Row(raw, []string{"1", "=x"}))
			}
			require.NoError(t, rows.End())
			assert.Equal(t, want, b.String(), form)
		}
	}
}

func FuzzSpreadsheet(f *testing.F) {
	for _, seed := range []string{"", "=1", "'=1", "''=1", "+1 555", "-1", "-1+1|x", "@a", "\tx", "plain"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		safe := term.Spreadsheet(text)
		if safe != "" && strings.ContainsRune("=@\t\r", rune(safe[0])) {
			t.Errorf("%q begins like a formula", safe)
		}
		assert.Equal(t, text, term.FromSpreadsheet(safe))
	})
}

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	assert.Equal(t, 9*time.Second, term.Left(10, 100, 10))
	assert.Zero(t, term.Left(100, 100, 10))
	assert.Zero(t, term.Left(10, 100, 0))
}
