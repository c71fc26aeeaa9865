package web

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

// days is how many days the picture has.
const days = 30

// Bars is a chart of a bar for each day, which the template draws.
type Bars struct {
	Width, Height int
	Bars          []Bar
	Lines         []Line // to read heights by
	Legend        []Kind
	Rows          []DayRow // the same as a table
}

// Bar is one day.
type Bar struct {
	X, Width int
	Parts    []Part
	Label    string // below every fifth
}

// Part is the clients of one kind on one day.
type Part struct {
	Class     string
	Y, Height float64
	Title     string
}

// Line is a horizontal line with a number.
type Line struct {
	Y    float64
	Text string
}

// Kind is a colour and its meaning.
type Kind struct {
	Class, Text string
	Count       int
}

// DayRow is a day of the table.
type DayRow struct {
	Day    string
	Counts []int
}

// kinds are the statuses as the picture puts them together.
var kinds = []Kind{
	{Class: "good", Text: "accepted or completed"},
	{Class: "wait", Text: "pending"},
	{Class: "bad", Text: "rejected or failed"},
	{Class: "rest", Text: "abandoned and others"},
}

func kindOf(s trulioo.Status) int {
	switch s {
	case trulioo.StatusAccepted, trulioo.StatusCompleted:
		return 0
	case trulioo.StatusPending, trulioo.StatusPendingReview:
		return 1
	case trulioo.StatusRejected, trulioo.StatusFailed:
		return 2
	}
	return 3
}

// drawDays counts the clients of the last days before the newest one, by status.
func drawDays(rows []*trulioo.EndClient) Bars {
	var newest time.Time
	for _, row := range rows {
		if row.Created.After(newest) {
			newest = row.Created.Time
		}
	}
	counts := make([][]int, days)
	for i := range counts {
		counts[i] = make([]int, len(kinds))
	}
	last := newest.UTC().Truncate(24 * time.Hour)
	legend := slices.Clone(kinds)
	for _, row := range rows {
		ago := int(last.Sub(row.Created.UTC().Truncate(24*time.Hour)) / (24 * time.Hour))
		if row.Created.IsZero() || ago >= days {
			continue
		}
		kind := kindOf(row.Status)
		counts[days-1-ago][kind]++
		legend[kind].Count++
	}
	b := Bars{Width: 720, Height: 220, Legend: legend}
	b.draw(counts, last)
	return b
}

func (b *Bars) draw(counts [][]int, last time.Time) {
	const left, top, bottom = 48, 16, 30
	highest := 1
	for _, day := range counts {
		highest = max(highest, sum(day))
	}
	highest = (highest + 3) / 4 * 4
	scale := float64(b.Height-top-bottom) / float64(highest)
	for n := 0; n <= highest; n += highest / 4 {
		b.Lines = append(b.Lines, Line{Y: float64(b.Height-bottom) - float64(n)*scale, Text: fmt.Sprint(n)})
	}
	for i, day := range counts {
		at := last.AddDate(0, 0, i-len(counts)+1)
		begin, end := left+i*(b.Width-left)/len(counts), left+(i+1)*(b.Width-left)/len(counts)
		bar := Bar{X: begin, Width: end - begin - 4}
		if i%5 == len(counts)%5 {
			bar.Label = at.Format("2 Jan")
		}
		y := float64(b.Height - bottom)
		for kind, n := range day {
			if n > 0 {
				height := float64(n) * scale
				y -= height
				bar.Parts = append(bar.Parts, Part{Class: kinds[kind].Class, Y: y, Height: height, Title: fmt.Sprintf("%s: %d %s", at.Format("2 January 2006"), n, kinds[kind].Text)})
			}
		}
		b.Bars = append(b.Bars, bar)
		if sum(day) > 0 {
			b.Rows = append(b.Rows, DayRow{Day: at.Format(time.DateOnly), Counts: day})
		}
	}
}

func sum(numbers []int) (total int) {
	for _, n := range numbers {
		total += n
	}
	return total
}

// Ranks is a chart of horizontal bars.
type Ranks struct {
	Bars  []Rank
	Total int
}

// Rank is one bar.
type Rank struct {
	Class, Text string
	Width       float64 // of 100
	Count       int
}

// drawRanks draws the numbers, in the order given.
func drawRanks(texts []string, counts map[string]int, class func(string) string) Ranks {
	var r Ranks
	most := 1
	for _, n := range counts {
		most = max(most, n)
		r.Total += n
	}
	for _, text := range texts {
		r.Bars = append(r.Bars, Rank{Class: class(text), Text: text, Count: counts[text], Width: float64(counts[text]) * 100 / float64(most)})
	}
	return r
}

// screenings counts the outcomes of the clients that were screened.
func screenings(records []exportstore.Record) Ranks {
	counts := map[string]int{}
	for _, r := range records {
		if r.Screening != "" {
			counts[r.Screening]++
		}
	}
	classes := map[string]string{"clear": "good", "hit": "bad", "unknown": "wait"}
	return drawRanks([]string{"clear", "hit", "unknown"}, counts, func(text string) string { return classes[text] })
}

// sources counts, for the ten worst data sources, the clients for whom they failed.
func sources(records []exportstore.Record) Ranks {
	counts := map[string]int{}
	for _, r := range records {
		for name := range strings.SplitSeq(r.FailedSources, "; ") {
			if name != "" {
				counts[name]++
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	if len(names) > 10 {
		for _, name := range names[10:] {
			delete(counts, name)
		}
		names = names[:10]
	}
	return drawRanks(names, counts, func(string) string { return "bad" })
}

// statusText is a status of a row or of a record.
func statusText(status any) trulioo.Status { return trulioo.Status(fmt.Sprint(status)) }
