package main

import (
	"bytes"
	"fmt"
	"image/color"
	"os"
	"slices"
	"strings"

	imagefont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// The look of the plot. One colour is one contender, in every panel.
var (
	ink    = color.RGBA{0x1f, 0x29, 0x37, 0xff}
	faint  = color.RGBA{0x6b, 0x72, 0x80, 0xff}
	grid   = color.RGBA{0xe5, 0xe7, 0xeb, 0xff}
	colour = map[string]color.RGBA{
		ours:    {0x0f, 0x76, 0x6e, 0xff},
		plain:   {0x64, 0x74, 0x8b, 0xff},
		codegen: {0xd9, 0x77, 0x06, 0xff},
	}
)

const (
	plotWidth = 860 * vg.Length(1)
	rowHeight = 24 * vg.Length(1)
	margin    = 96 * vg.Length(1) // of a panel, above and below its rows
	gutter    = 250 * vg.Length(1)
)

// panel is one part of the plot: rows with bars or dots over one axis.
type panel struct {
	title, note string
	rows        []row
	legend      []entry
	ratios      bool // over a logarithmic axis with a line at 1
	from, upTo  float64
	unit        string
}

// row is one line of a panel.
type row struct {
	name string
	bars []bar
	dots []dot
}

// dot is a ratio with its quartiles.
type dot struct {
	contender string
	at        quartiles
}

type entry struct {
	name  string
	color color.Color
}

// draw writes the plot.
func (r *results) draw(file string) error {
	panels := r.panels()
	height := height(panels)
	canvas := vgsvg.New(plotWidth, height)
	paint(draw.NewCanvas(canvas, plotWidth, height), panels)
	var svg bytes.Buffer
	if _, err := canvas.WriteTo(&svg); err != nil {
		return err
	}
	// A reader's machine has one of these fonts, which have the same widths.
	text := bytes.ReplaceAll(svg.Bytes(), []byte("font-family:Liberation Sans"), []byte("font-family:Liberation Sans,Arimo,Helvetica,Arial,sans-serif"))
	return os.WriteFile(file, text, 0o600)
}

func (r *results) panels() []panel { return []panel{r.exportPanel(), r.ratioPanel(), r.memoryPanel()} }

func height(panels []panel) vg.Length {
	total := vg.Length(0)
	for _, p := range panels {
		total += p.height()
	}
	return total
}

// paint draws the panels below each other on white, so they are legible on a dark page,
// too.
func paint(all draw.Canvas, panels []panel) {
	square(all, color.White, all.Rectangle)
	top := all.Max.Y
	for _, p := range panels {
		c := all
		c.Min.Y, c.Max.Y = top-p.height(), top
		p.draw(c)
		top -= p.height()
	}
}

func (p panel) height() vg.Length { return vg.Length(len(p.rows))*rowHeight*p.thickness() + margin }

// thickness gives a row with several bars more room.
func (p panel) thickness() vg.Length {
	if len(p.rows) > 0 && len(p.rows[0].bars) > 0 {
		return 2.2
	}
	return 1
}

func (r *results) exportPanel() panel {
	p := panel{
		title:  fmt.Sprintf("Export of %s profiles from a server that takes %d ms", thousands(r.size.Profiles), latency.Milliseconds()),
		note:   "seconds, less is better; one after the other measured on fewer and scaled",
		legend: legend(contenders), unit: " s",
	}
	for _, name := range []string{"one after the other", "16 at once", "64 at once"} {
		p.rows = append(p.rows, row{name: name, bars: barsOf(r.exportTimes, name)})
	}
	return p.fit()
}

func (r *results) memoryPanel() panel {
	p := panel{title: "Memory of an export, 16 at once", note: "MiB at most, less is better", legend: legend([]string{ours, plain}), unit: " MiB"}
	for _, n := range []int{r.size.Small, r.size.Big} {
		name := thousands(n) + " clients"
		p.rows = append(p.rows, row{name: name, bars: barsOf(r.memoryPeaks, name)})
	}
	return p.fit()
}

// ratioPanel has a row for each thing that was compared.
func (r *results) ratioPanel() panel {
	p := panel{
		title: "Time of this library, as a multiple of the other's", note: "left of 1 this library is faster; the lines are quartiles",
		legend: []entry{{"against " + plain, colour[plain]}, {"against " + codegen, colour[codegen]}}, ratios: true, from: 0.5, upTo: 2,
	}
	for _, l := range r.lines {
		if l.Row == "" {
			continue
		}
		name, against := l.Row, plain
		if strings.HasPrefix(l.Against, codegen) {
			against = codegen
		}
		at := slices.IndexFunc(p.rows, func(o row) bool { return o.name == name })
		if at < 0 {
			at = len(p.rows)
			p.rows = append(p.rows, row{name: name})
		}
		p.rows[at].dots = append(p.rows[at].dots, dot{against, l.Ratio})
		slices.SortFunc(p.rows[at].dots, func(a, b dot) int {
			return slices.Index(contenders, a.contender) - slices.Index(contenders, b.contender)
		})
		p.from, p.upTo = min(p.from, l.Ratio.Low*0.9), max(p.upTo, l.Ratio.High*1.1)
	}
	return p
}

// halves are the ticks of ratios: a half, a quarter, twice.
func halves(from, upTo float64) plot.ConstantTicks {
	ticks := plot.ConstantTicks{{Value: 1, Label: "1"}}
	for n := 2; float64(n) <= max(upTo, 1/from); n *= 2 {
		if value := float64(n); value <= upTo {
			ticks = append(ticks, plot.Tick{Value: value, Label: fmt.Sprint(n)})
		}
		if value := 1 / float64(n); value >= from {
			ticks = append(ticks, plot.Tick{Value: value, Label: fmt.Sprintf("1/%d", n)})
		}
	}
	return ticks
}

func barsOf(all []bar, name string) []bar {
	var bars []bar
	for _, b := range all {
		if b.Name == name {
			bars = append(bars, b)
		}
	}
	slices.SortStableFunc(bars, func(a, b bar) int {
		return slices.Index(contenders, a.Contender) - slices.Index(contenders, b.Contender)
	})
	return bars
}

func legend(names []string) []entry {
	entries := make([]entry, len(names))
	for i, name := range names {
		entries[i] = entry{name, colour[name]}
	}
	return entries
}

// fit leaves room for the numbers behind the longest bar.
func (p panel) fit() panel {
	for _, r := range p.rows {
		for _, b := range r.bars {
			p.upTo = max(p.upTo, b.Value*1.12)
		}
	}
	return p
}

// draw draws the panel with gonum's axis and our own marks.
func (p panel) draw(c draw.Canvas) {
	text(c, p.title, 15, ink, vg.Point{X: c.Min.X + 20, Y: c.Max.Y - 30}, true)
	text(c, p.note, 11, faint, vg.Point{X: c.Min.X + 20, Y: c.Max.Y - 47}, false)
	at := c.Max.X - 20
	for _, e := range slices.Backward(p.legend) {
		width := style(12, ink, false).Width(e.name)
		text(c, e.name, 12, ink, vg.Point{X: at - width, Y: c.Max.Y - 30}, false)
		square(c, e.color, vg.Rectangle{Min: vg.Point{X: at - width - 16, Y: c.Max.Y - 31}, Max: vg.Point{X: at - width - 6, Y: c.Max.Y - 21}})
		at -= width + 34
	}
	plt := plot.New()
	plt.BackgroundColor = color.Transparent
	plt.HideY()
	plt.X.Min, plt.X.Max, plt.Y.Min, plt.Y.Max = 0, p.upTo, 0, float64(len(p.rows))
	plt.X.Padding = 8
	plt.X.Width = 0
	plt.X.Tick.Width = 0
	plt.X.Tick.Label = style(11, faint, false)
	plt.X.Tick.Label.XAlign = draw.XCenter
	if p.ratios {
		plt.X.Scale, plt.X.Tick.Marker, plt.X.Min = plot.LogScale{}, halves(p.from, p.upTo), p.from
	}
	plt.Add(p)
	plt.Draw(draw.Crop(c, gutter, -24, 10, -62))
}

// Plot implements plot.Plotter: the rows over gonum's axis.
func (p panel) Plot(c draw.Canvas, plt *plot.Plot) {
	x, y := plt.Transforms(&c)
	for _, tick := range plt.X.Tick.Marker.Ticks(plt.X.Min, plt.X.Max) {
		if !tick.IsMinor() {
			line := draw.LineStyle{Color: grid, Width: 1}
			c.StrokeLine2(line, x(tick.Value), y(plt.Y.Min), x(tick.Value), y(plt.Y.Max))
		}
	}
	if p.ratios {
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1.2}, x(1), y(plt.Y.Min), x(1), y(plt.Y.Max))
	}
	for i, r := range p.rows {
		middle := y(plt.Y.Max - float64(i) - 0.5)
		label := style(12, ink, false)
		text(c, r.name, 12, ink, vg.Point{X: c.Min.X - 12 - label.Width(r.name), Y: middle - 4}, false)
		p.bars(c, r.bars, middle, x)
		for k, d := range r.dots {
			d.draw(c, middle+vg.Length(len(r.dots)-1)*3.5-vg.Length(k)*7, x)
		}
	}
}

func (p panel) bars(c draw.Canvas, bars []bar, middle vg.Length, x func(float64) vg.Length) {
	const thick, step = 12, 15
	top := middle + step*vg.Length(len(bars))/2
	for i, b := range bars {
		low := top - step*vg.Length(i) - thick - 1.5
		square(c, colour[b.Contender], vg.Rectangle{Min: vg.Point{X: x(0), Y: low}, Max: vg.Point{X: x(b.Value), Y: low + thick}})
		number := fmt.Sprintf("%.1f%s", b.Value, p.unit)
		if b.Value < 10 {
			number = fmt.Sprintf("%.2f%s", b.Value, p.unit)
		}
		text(c, number, 11, ink, vg.Point{X: x(b.Value) + 5, Y: low + 2}, b.Contender == ours)
	}
}

func (d dot) draw(c draw.Canvas, middle vg.Length, x func(float64) vg.Length) {
	c.StrokeLine2(draw.LineStyle{Color: colour[d.contender], Width: 2}, x(d.at.Low), middle, x(d.at.High), middle)
	c.DrawGlyph(draw.GlyphStyle{Color: colour[d.contender], Radius: 4, Shape: draw.CircleGlyph{}}, vg.Point{X: x(d.at.Median), Y: middle})
}

func square(c draw.Canvas, fill color.Color, r vg.Rectangle) {
	c.FillPolygon(fill, []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}})
}

func text(c draw.Canvas, s string, size vg.Length, fill color.Color, at vg.Point, bold bool) {
	c.FillText(style(size, fill, bold), at, s)
}

func style(size vg.Length, fill color.Color, bold bool) draw.TextStyle {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = imagefont.WeightBold
	}
	return draw.TextStyle{Color: fill, Font: f, Handler: plot.DefaultTextHandler}
}
