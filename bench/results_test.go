package main

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSpread(t *testing.T) {
	t.Parallel()
	assert.Equal(t, quartiles{2, 3, 4}, spread([]float64{5, 1, 4, 2, 3}))
	assert.Equal(t, quartiles{7, 7, 7}, spread([]float64{7}))
}

// The median is that of the ratios, which drift of both does not touch.
func TestPaired(t *testing.T) {
	t.Parallel()
	assert.Equal(t, quartiles{0.5, 0.5, 0.5}, paired([]float64{1, 10, 100}, []float64{2, 20, 200}))
	assert.Equal(t, quartiles{2, 2, 2}, paired([]float64{4, 4, 4}, []float64{2, 2}))
}

func TestGoals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		line line
		want bool
	}{
		"under":       {line{Ratio: quartiles{Median: 1.02}, Goal: 1.03}, true},
		"as printed":  {line{Ratio: quartiles{Median: 1.0304}, Goal: 1.03}, true},
		"over":        {line{Ratio: quartiles{Median: 1.031}, Goal: 1.03}, false},
		"fast enough": {line{Ratio: quartiles{Median: 1 / 14.1}, Goal: 14, Faster: true}, true},
		"not so fast": {line{Ratio: quartiles{Median: 1 / 13.9}, Goal: 14, Faster: true}, false},
	} {
		assert.Equal(t, c.want, c.line.met(), name)
	}
}

// Invented results become a page with every line and a plot that is XML.
func TestPageAndPlot(t *testing.T) {
	t.Parallel()
	r := &results{size: sizes(true)}
	r.size.Profiles = 500 // as invented below
	at16, at64, inTurn := runs{}, runs{}, runs{}
	for _, name := range contenders {
		at16[name] = []outcome{{Clients: 500, Seconds: 0.7, CPU: 0.1, Peak: 20 << 20, Connections: 17}}
		at64[name] = []outcome{{Clients: 500, Seconds: 0.2, CPU: 0.1, Peak: 20 << 20, Connections: 80}}
		inTurn[name] = []outcome{{Clients: 50, Seconds: 1.1, CPU: 0.01}}
	}
	r.reportExports(at16, at64, inTurn)
	r.reportMemory(at16, at64)
	page := r.page()
	for _, want := range []string{
		"| 16 at once | net/http, as many at once | 0.70 s | 0.70 s | 1.00 | at most 1.03: yes |",
		"| 16 at once | oapi-codegen, one after the other | 0.70 s | 11.00 s ¹ | 15.7 times faster | at least 14: yes |",
		"| 64 at once | 64 + 8 | 80 | 72 | 1.11 | at most 1: NO |",
	} {
		assert.Contains(t, page, want)
	}
	assert.Contains(t, r.table(), "at least 14: yes")
	file := filepath.Join(t.TempDir(), "plot.svg")
	require.NoError(t, r.draw(file))
	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(svg, new(struct{})))
	assert.Equal(t, 2, strings.Count(string(svg), ">one after the other<")+strings.Count(string(svg), ">16 at once<"))
}
