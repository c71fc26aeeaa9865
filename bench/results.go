package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are all lines of the table and what the plot needs.
type results struct {
	size        size
	began       time.Time
	took        time.Duration
	other       string // the section of another version of Go
	lines       []line
	exportTimes []bar
	memoryPeaks []bar
}

// line is one comparison.
type line struct {
	Group, What, Against string
	Ours, Other          string    // medians, with their units
	Ratio                quartiles // ours to the other, paired by rounds
	Goal                 float64   // the most that the ratio may be; 0 where there is no goal
	Row                  string    // of the plot; "" where it is not in the plot
	Faster               bool      // printed as "n times faster"; Goal is then the least that n may be
}

// bar is one measure of the plot.
type bar struct {
	Name, Contender string
	Value           float64
}

// met reports whether the goal was reached, as it is printed.
func (l line) met() bool {
	if l.Faster {
		return 1/l.Ratio.Median >= l.Goal
	}
	return math.Round(l.Ratio.Median*1000)/1000 <= l.Goal
}

// add takes a line. A goal below 1 is set against Go 1.26: from 1.27 on encoding/json
// uses the same engine as this library.
func (r *results) add(l line) {
	if l.Goal > 0 && l.Goal < 1 && !strings.HasPrefix(runtime.Version(), "go1.26") {
		l.Goal = 1
	}
	r.lines = append(r.lines, l)
}

// compare adds a line about two sets of paired values.
func (r *results) compare(l line, ours, other []float64, unit func(float64) string) {
	l.Ratio = paired(ours, other)
	l.Ours, l.Other = unit(spread(ours).Median), unit(spread(other).Median)
	r.add(l)
}

func (r *results) reportExports(at16, at64, inTurn runs) {
	group := fmt.Sprintf("Export of %s profiles, %d ms latency", thousands(r.size.Profiles), latency.Milliseconds())
	for _, c := range []struct {
		n    int
		runs runs
		goal float64
	}{{16, at16, 1.03}, {64, at64, 1.1}} {
		what := fmt.Sprintf("%d at once", c.n)
		row := "Export, " + what
		ourTime := c.runs.values(ours, seconds)
		r.compare(line{Group: group, What: what, Against: plain + ", as many at once", Goal: c.goal, Row: row}, ourTime, c.runs.values(plain, seconds), inSeconds)
		r.compare(line{Group: group, What: what, Against: codegen + ", as many at once", Row: row}, ourTime, c.runs.values(codegen, seconds), inSeconds)
		for _, name := range contenders {
			r.exportTimes = append(r.exportTimes, bar{what, name, spread(c.runs.values(name, seconds)).Median})
		}
	}
	scale := float64(r.size.Profiles) / float64(r.size.InTurn)
	for _, name := range []string{codegen, plain} {
		scaled := spread(inTurn.values(name, seconds)).Median * scale
		our := spread(at16.values(ours, seconds)).Median
		l := line{Group: group, What: "16 at once", Against: name + ", one after the other", Ours: inSeconds(our), Other: inSeconds(scaled) + " ¹", Faster: true}
		l.Ratio = quartiles{our / scaled, our / scaled, our / scaled}
		if name == codegen {
			l.Goal = 14
		}
		r.add(l)
		r.exportTimes = append(r.exportTimes, bar{"one after the other", name, scaled})
	}
	group = "Processor time of a profile"
	r.compare(line{Group: group, What: "16 at once", Against: codegen + ", as many at once", Goal: 0.95, Row: "Export, processor time"}, at16.values(ours, cpuPerClient), at16.values(codegen, cpuPerClient), inMicroseconds)
	r.compare(line{Group: group, What: "16 at once", Against: codegen + ", one after the other", Goal: 1}, at16.values(ours, cpuPerClient), inTurn.values(codegen, cpuPerClient), inMicroseconds)
	r.compare(line{Group: group, What: "16 at once", Against: plain + ", as many at once", Row: "Export, processor time"}, at16.values(ours, cpuPerClient), at16.values(plain, cpuPerClient), inMicroseconds)
	r.reportConnections(16, at16)
	r.reportConnections(64, at64)
}

// reportConnections has no ratio of pairs: the worst round counts.
func (r *results) reportConnections(concurrency int, all runs) {
	most := func(name string) int {
		return slices.MaxFunc(all[name], func(a, b outcome) int { return a.Connections - b.Connections }).Connections
	}
	add := func(against string, n int, goal float64) {
		ratio := float64(most(ours)) / float64(n)
		r.add(line{
			Group: "Connections opened, at most", What: fmt.Sprintf("%d at once", concurrency), Against: against,
			Ours: fmt.Sprint(most(ours)), Other: fmt.Sprint(n), Ratio: quartiles{ratio, ratio, ratio}, Goal: goal,
		})
	}
	add(fmt.Sprintf("%d + %d", concurrency, extraForUse), concurrency+extraForUse, 1)
	add(plain+", as many at once", most(plain), 0)
}

func (r *results) reportLarge(at16 runs) {
	group := fmt.Sprintf("Export of %d profiles of 200 KB, 16 at once", r.size.Large)
	for _, other := range []string{plain, codegen} {
		r.compare(line{Group: group, What: "Time", Against: other, Row: "Export of 200 KB profiles"}, at16.values(ours, seconds), at16.values(other, seconds), inSeconds)
	}
	for _, other := range []string{plain, codegen} {
		r.compare(line{Group: group, What: "Memory at most", Against: other, Goal: goalOf(other, 1.1)}, at16.values(ours, megabytes), at16.values(other, megabytes), inMegabytes)
	}
}

func (r *results) reportMemory(small, big runs) {
	few, many := thousands(r.size.Small), thousands(r.size.Big)
	group := "Memory of an export at most, 16 at once"
	for _, name := range []string{ours, plain} {
		l := line{Group: group, What: name + ", " + many + " clients", Against: name + ", " + few + " clients"}
		if name == ours {
			l.Goal = 1.2
		}
		r.compare(l, big.values(name, megabytes), small.values(name, megabytes), inMegabytes)
		r.memoryPeaks = append(r.memoryPeaks, bar{few + " clients", name, spread(small.values(name, megabytes)).Median}, bar{many + " clients", name, spread(big.values(name, megabytes)).Median})
	}
}

func (r *results) reportGet(j job, calls map[string]pace) {
	what, unit, goal, most := "4 KB", inMicroseconds, 0.97, 1.0
	switch {
	case j.Details:
		what, unit, goal, most = "200 KB, details decoded", inMilliseconds, 0.75, 0
	case j.Full:
		what, unit, goal, most = "200 KB, details left raw", inMilliseconds, 0, 0
	}
	for _, other := range []string{plain, codegen} {
		r.compare(line{Group: "One profile", What: what, Against: other, Row: "Profile, " + what, Goal: goalOf(other, goal)}, micro(calls[ours]), micro(calls[other]), unit)
		r.allocations("One profile", what+": allocations", other, calls, goalOf(other, most))
	}
}

// goalOf is a goal that is set against net/http by hand only.
func goalOf(other string, goal float64) float64 {
	if other != plain {
		return 0
	}
	return goal
}

func (r *results) allocations(group, what, other string, calls map[string]pace, goal float64) {
	a, b := calls[ours].Allocations, calls[other].Allocations
	r.add(line{
		Group: group, What: what, Against: other,
		Ours: fmt.Sprintf("%.0f", a), Other: fmt.Sprintf("%.0f", b), Ratio: quartiles{a / b, a / b, a / b}, Goal: goal,
	})
}

func (r *results) reportDownload(downloads runs) {
	group := "Download of 256 MiB"
	for _, other := range []string{plain, codegen} {
		r.compare(line{Group: group, What: "Time", Against: other, Row: group, Goal: goalOf(other, 1.05)}, downloads.values(ours, seconds), downloads.values(other, seconds), inSeconds)
	}
	for _, other := range []string{plain, codegen} {
		r.compare(line{Group: group, What: "Memory at most", Against: other}, downloads.values(ours, megabytes), downloads.values(other, megabytes), inMegabytes)
	}
}

func (r *results) reportWebhook(calls map[string]pace) {
	group := "Webhook, an event of 2 KB"
	r.compare(line{Group: group, What: "Time", Against: plain, Row: group, Goal: 1}, micro(calls[ours]), micro(calls[plain]), inMicroseconds)
	r.allocations(group, "Allocations", plain, calls, 0)
}

func micro(p pace) []float64 {
	values := make([]float64, len(p.Nanoseconds))
	for i, n := range p.Nanoseconds {
		values[i] = n / 1000
	}
	return values
}

func inSeconds(v float64) string      { return fmt.Sprintf("%.2f s", v) }
func inMilliseconds(v float64) string { return fmt.Sprintf("%.2f ms", v/1000) }
func inMicroseconds(v float64) string { return fmt.Sprintf("%.0f µs", v) }
func inMegabytes(v float64) string    { return fmt.Sprintf("%.1f MiB", v) }

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
