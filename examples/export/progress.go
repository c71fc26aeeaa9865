package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/trulioo-go/trulioo"
)

// lineEvery is how often a line is written where there is no terminal.
const lineEvery = 2 * time.Second

// meter shows how far the export is: a bar on a terminal, lines elsewhere.
type meter struct {
	out  io.Writer
	bar  *progressbar.ProgressBar // nil where there is no terminal
	last trulioo.ExportProgress
	next time.Time
}

func newMeter(out io.Writer) *meter {
	m := &meter{out: out, next: time.Now().Add(lineEvery)}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		m.bar = progressbar.NewOptions(-1,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription("exporting"),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionSetItsString("clients"),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(),
		)
	}
	return m
}

// show is an ExportOptions.OnProgress.
func (m *meter) show(p trulioo.ExportProgress) {
	fallback := p.Fallback && !m.last.Fallback
	m.last = p
	done := p.Done + p.Failed + p.Gone + p.Skipped
	if m.bar != nil {
		m.bar.ChangeMax(max(p.Total, done))
		_ = m.bar.Set(done) // it only draws
	} else if time.Now().After(m.next) {
		m.next = time.Now().Add(lineEvery)
		m.line()
	}
	if fallback {
		fmt.Fprintln(m.out, "the list cannot be cut by time: reading it page by page, several times")
	}
}

func (m *meter) line() {
	p := m.last
	done := p.Done + p.Failed + p.Gone + p.Skipped
	fmt.Fprintf(m.out, "%d of %d clients", done, max(p.Total, done))
	if p.Failed > 0 {
		fmt.Fprintf(m.out, ", %d failed", p.Failed)
	}
	if p.Rate > 0 {
		left := time.Duration(float64(max(0, p.Total-done)) / p.Rate * float64(time.Second))
		fmt.Fprintf(m.out, ", %.0f/s, %v left", p.Rate, left.Round(time.Second))
	}
	fmt.Fprintln(m.out)
}

// end writes the last state.
func (m *meter) end() {
	if m.bar != nil {
		_ = m.bar.Exit()
		fmt.Fprintln(m.out)
		return
	}
	m.line()
}

// report is an ExportOptions.OnReport.
func (m *meter) report(r trulioo.ExportReport) {
	proven := "proven to be complete"
	if !r.Proven {
		proven = "not proven to be complete: " + r.Reason
	}
	fmt.Fprintf(m.out, "%s; %d requests for the list, %d passes over it, %d clients gone, %d outside of the bounds, waited %v\n",
		proven, r.Requests, r.Passes, r.Gone, r.Dropped, r.Waited.Round(time.Millisecond))
}
