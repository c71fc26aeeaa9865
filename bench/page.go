package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"text/tabwriter"
)

// table is the text for the terminal.
func (r *results) table() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	group := ""
	for _, l := range r.lines {
		if l.Group != group {
			group = l.Group
			_, _ = fmt.Fprintf(w, "\n%s\n", group)
		}
		_, _ = fmt.Fprintf(w, "  %s\tagainst %s\t%s\t%s\t%s\t%s\n", l.What, l.Against, l.Ours, l.Other, l.ratio(), l.verdict())
	}
	_ = w.Flush()
	return b.String()
}

// ratio is the median, with the quartiles where there are rounds.
func (l line) ratio() string {
	switch {
	case l.Faster:
		return fmt.Sprintf("%.1f times faster", 1/l.Ratio.Median)
	case l.Ratio.Low == l.Ratio.High:
		return fmt.Sprintf("%.2f", l.Ratio.Median)
	default:
		return fmt.Sprintf("%.3f (%.2f to %.2f)", l.Ratio.Median, l.Ratio.Low, l.Ratio.High)
	}
}

func (l line) verdict() string {
	if l.Goal == 0 {
		return ""
	}
	bound := fmt.Sprintf("at most %g", l.Goal)
	if l.Faster {
		bound = fmt.Sprintf("at least %g", l.Goal)
	}
	if l.met() {
		return bound + ": yes"
	}
	return bound + ": NO"
}

// page is docs/benchmarks.md.
func (r *results) page() string {
	return fmt.Sprintf(pageHead, latency.Milliseconds(), r.size.InTurn, thousands(r.size.Profiles)) + r.section() + r.other +
		fmt.Sprintf(pageFoot, r.size.InTurn)
}

// section has the results of one version of Go.
func (r *results) section() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n", runtime.Version())
	group := ""
	for _, l := range r.lines {
		if l.Group != group {
			group = l.Group
			fmt.Fprintf(&b, "\n### %s\n\n| | against | this library | the other | ratio | goal |\n|---|---|---:|---:|---:|---|\n", group)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", l.What, l.Against, l.Ours, l.Other, l.ratio(), l.verdict())
	}
	fmt.Fprintf(&b, "\nMeasured on %s with %s on %s/%s, %d cores, %s, in %.1f minutes, with up to %d rounds of exports, %d of downloads and %d of single calls.\n",
		r.began.UTC().Format("2 January 2006"), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), processor(),
		r.took.Minutes(), r.size.Rounds64, r.size.Downloads, r.size.Blocks)
	return b.String()
}

const pageHead = `# Benchmarks

Written by ` + "`go run ./bench`" + `; do not edit. It measures this library and two alternatives, side by side and in one run:

- **oapi-codegen**: the client that [oapi-codegen](https://github.com/oapi-codegen/oapi-codegen) v2.8 generates, with its default settings,
  from [our OpenAPI document](openapi.yaml) of the API.
- **net/http**: net/http and encoding/json, written by hand as well as one can, with a connection kept for every request at once and four
  pages of the list read in parallel. It decodes into plain structs, and neither retries nor renews its token.

![Ratios and times](benchmarks.svg)

Ratios are time (or memory, or the line's own quantity) of this library to that of the other: below 1 this library needs less. Each is the median of
rounds in which the contenders took turns, with the quartiles in brackets, so that the drift of the machine hits all alike.
All talk to the fake server of ` + "`truliootest`" + ` over loopback, which is a process of its own and answers after %d ms in exports, at
once elsewhere. Each export and each download is a process of its own, too: its processor time and its memory are the client's alone.
Every export is checked to have all clients.

In these times this library also keeps the bytes of every answer, takes untidy values, retries and renews its token, and its
export finds each client exactly once while the list moves. The others do none of that. Exports one after the other were
measured on %d profiles and scaled to %s.
`

const pageFoot = `
¹ Measured on %d profiles and scaled.

With "details left raw" a profile's full service details stay as they are until ` + "`ServiceResult.Details`" + ` is called, as this library
always leaves them. "Details decoded" calls it for every service. The other two always decode everything. The generated client
downloads with ` + "`DownloadFileWithResponse`" + `, which takes the file into memory.

The machine is shared, so look at the ratios rather than at the times.

When a stored profile is read with ` + "`json.Unmarshal`" + `, the encoding/json of Go 1.26 scans it twice before it calls ` + "`Profile.UnmarshalJSON`" + `.
The line about a type that decodes nothing shows that cost. A reader of NDJSON that calls ` + "`UnmarshalJSON`" + ` with the line saves it.

Goals below 1 are set against the encoding/json of Go 1.26. The one of Go 1.27 uses the same engine as this library, so the goal
there is 1; Raw and the tolerance come on top.

Where a goal is missed, the processor profile says where the time goes:

- Decoding 4 KB: nothing stands out. The tokens of the text take 27 %%, memory 14 %%, the summaries of watchlists 11 %% (they are read apart, so that no
  member of two can be overlooked) and dates 5 %%. The rest is the table of tolerated forms.
- ` + "`json.Unmarshal`" + `: encoding/json's own scan of the document, the line above, comes on top of decoding.
- A webhook on Go 1.27, by a profile on 1.26: checking the callback and making its canonical form takes 36 %%. This finds names given twice, and gives the key for
  de-duplication. The service result takes 33 %%, half of it for the summaries of watchlists; the claim and the deadline of the event take 8 %%, and the signature 4 %%.
  The other has no such check and no claim.
- Processor time of an exported profile on Go 1.27: decoding takes 36 %% of the client's own time, a quarter of that for memory, connections and system calls
  30 %%, the retries, deadlines, token and pace of each call 25 %%, and the list with the proof that no client is missing 5 %%. The others have the first two only.
`

// processor is the name of the machine's processor, where it is easily known.
func processor() string {
	info, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown processor"
	}
	defer func() { _ = info.Close() }()
	for lines := bufio.NewScanner(info); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
