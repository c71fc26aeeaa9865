package term

import (
	"fmt"
	"strings"
	"time"
)

// Progress is one line on a terminal that is written again and again. Without a terminal
// it is silent.
type Progress struct {
	screen *Screen
	next   time.Time
	shown  bool
}

// NewProgress makes one.
func NewProgress(screen *Screen) *Progress { return &Progress{screen: screen} }

// drawEvery keeps a fast run from drawing more often than eyes can see.
const drawEvery = 100 * time.Millisecond

// Show draws how far something is: done of total, the rate, and more.
func (p *Progress) Show(done, total int, rate float64, more string) {
	if !p.screen.Terminal || time.Now().Before(p.next) {
		return
	}
	p.next, p.shown = time.Now().Add(drawEvery), true
	line := fmt.Sprintf("%s %d of %d", bar(done, total), done, total)
	if rate > 0 {
		line += fmt.Sprintf(" · %.0f/s", rate)
		if left := Left(done, total, rate); left > 0 {
			line += " · " + left.String() + " left"
		}
	}
	if more != "" {
		line += " · " + more
	}
	fmt.Fprint(p.screen, "\r\x1b[K"+Cut(line, p.screen.Width-1))
}

// End removes the line.
func (p *Progress) End() {
	if p.shown {
		fmt.Fprint(p.screen, "\r\x1b[K")
		p.shown = false
	}
}

// Left is the time that the rest takes at this rate, in whole seconds.
func Left(done, total int, rate float64) time.Duration {
	if rate <= 0 || total <= done {
		return 0
	}
	return time.Duration(float64(total-done) / rate * float64(time.Second)).Round(time.Second)
}

func bar(done, total int) string {
	const width = 20
	full := 0
	if total > 0 {
		full = min(width, done*width/total)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
