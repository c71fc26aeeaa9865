package trulioo_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/trulioo-go/trulioo"
)

func TestMask(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"Fernanda Brown":       "F*** B***",
		"1974-06-10":           "1974-**-**",
		" 1974-06-10 ":         "1974-**-**",
		"1974-06-10T08:00:00Z": "1974-**-**",
		"1974-06-10 08:00":     "1974-**-**",
		"1974-06-101":          "1***",
		"1974/06/10":           "1***",
		"Bo":                   "B***",
		"Łukasik":              "Ł***",
		"X":                    "***",
		"X Æ":                  "*** ***",
		"+1 555 0142":          "+*** 5*** 0***",
		"ada@example.com":      "a***",
		"\xff\xfe":             "***",
		"two\nlines\there":     "t*** l*** h***",
		"":                     "",
		"  ":                   "",
	} {
		assert.Equal(t, want, trulioo.Mask(value), "%q", value)
	}
}

func FuzzMask(f *testing.F) {
	for _, seed := range []string{"Fernanda Brown", "1974-06-10", "X", "\xff", "é", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		masked := trulioo.Mask(value)
		if !utf8.ValidString(masked) {
			t.Fatal("not UTF-8")
		}
		for i, word := range strings.Fields(masked) {
			if shown := strings.Trim(word, "*"); utf8.RuneCountInString(shown) > 1 && (i != 0 || !strings.HasSuffix(word, "-**-**")) {
				t.Fatalf("more than a letter is shown: %q", word)
			}
		}
	})
}
