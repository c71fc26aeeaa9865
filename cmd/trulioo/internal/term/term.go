// Package term writes for people: tables as wide as the terminal, colours where
// they are wanted, and progress that a pipe never sees.
package term

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// Screen is the place that output goes to.
type Screen struct {
	io.Writer
	Width    int  // in columns; 0 where there is no terminal, and lines are never cut
	Color    bool // NO_COLOR and TERM=dumb are heeded
	Terminal bool
}

// Of makes the screen of a stream.
func Of(w io.Writer) *Screen {
	s := &Screen{Writer: w}
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return s
	}
	s.Terminal, s.Width = true, 80
	if width, _, err := term.GetSize(int(file.Fd())); err == nil && width > 0 {
		s.Width = width
	}
	if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && n > 0 {
		s.Width = n
	}
	s.Color = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return s
}

// Style is an SGR code.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Faint  Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Paint colours text where colours are wanted.
func (s *Screen) Paint(style Style, text string) string {
	if !s.Color || style == "" || text == "" {
		return text
	}
	return "\x1b[" + string(style) + "m" + text + "\x1b[0m"
}

// Clean makes foreign text fit to be printed. It replaces control characters, which a
// terminal could obey, and direction marks, which reverse the text around them.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d' && r != '\u00ad':
			return '\ufffd'
		}
		return r
	}, text)
}

// Cut shortens text to a width in columns.
func Cut(text string, width int) string {
	if width <= 0 || runewidth.StringWidth(text) <= width {
		return text
	}
	return runewidth.Truncate(text, width, "…")
}

// Pad fills text up to a width in columns.
func Pad(text string, width int) string { return runewidth.FillRight(text, width) }
