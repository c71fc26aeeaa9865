package dates_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/dates"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func TestParse(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2026-11-01":                "2026-11-01T00:00:00Z",
		" 2026-11-01 ":              "2026-11-01T00:00:00Z",
		"2026-11-01T12:30:00Z":      "2026-11-01T12:30:00Z",
		"2026-11-01T12:30:00+02:00": "2026-11-01T10:30:00Z",
		"7d":                        "2026-11-20T12:00:00Z",
		"2w":                        "2026-11-13T12:00:00Z",
		"36h":                       "2026-11-26T00:00:00Z",
		"90m":                       "2026-11-27T10:30:00Z",
		"10s":                       "2026-11-27T11:59:50Z",
		"0d":                        "2026-11-27T12:00:00Z",
	} {
		got, err := dates.Parse(text, now)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.UTC().Format(time.RFC3339), text)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "d", "7", "-7d", "+7d", "7 d", "7y", "2026-13-01", "2026-11-1", "yesterday", "99999999999999d", "4294967296d", "100000000d"} {
		_, err := dates.Parse(text, now)
		require.ErrorContains(t, err, "2026-11-01", text)
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"2026-11-01", "7d", "2026-11-01T12:00:00Z", "9999999999w", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := dates.Parse(text, now)
		if err != nil {
			assert.True(t, at.IsZero())
			assert.NotContains(t, err.Error(), "%")
		}
	})
}
