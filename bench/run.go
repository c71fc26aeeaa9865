package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

const (
	latency     = 20 * time.Millisecond // of the server in exports
	largeBytes  = 196 << 10             // of details, for a profile of 200 KB
	fileBytes   = 256 << 20
	extraForUse = 8 // connections that an export may open beside its concurrency
)

// size says how much is measured.
type size struct {
	Profiles, Rounds16, Rounds64 int
	InTurn, RoundsInTurn         int // profiles that are fetched one after the other
	Large, RoundsLarge           int // profiles of 200 KB
	Small, Big, RoundsMemory     int // accounts whose memory is compared
	Blocks                       int // of single calls
	Downloads                    int
}

func sizes(quick bool) size {
	if quick {
		return size{
			Profiles: 2_000, Rounds16: 3, Rounds64: 3, InTurn: 50, RoundsInTurn: 1, Large: 500, RoundsLarge: 3,
			Small: 500, Big: 5_000, RoundsMemory: 1, Blocks: 100, Downloads: 7,
		}
	}
	return size{
		Profiles: 5_000, Rounds16: 5, Rounds64: 9, InTurn: 250, RoundsInTurn: 3, Large: 500, RoundsLarge: 5,
		Small: 5_000, Big: 50_000, RoundsMemory: 3, Blocks: 200, Downloads: 15,
	}
}

// all measures everything.
func all(s size) (*results, error) {
	r := &results{size: s, began: time.Now()}
	for _, step := range []struct {
		name string
		run  func() error
	}{
		{"exports", r.exports}, {"exports of large profiles", r.largeExports}, {"memory", r.memory},
		{"single calls", r.calls}, {"webhook", r.webhook},
	} {
		fmt.Fprintf(os.Stderr, "%s: %s\n", time.Since(r.began).Round(time.Second), step.name)
		if err := step.run(); err != nil {
			return nil, fmt.Errorf("%s: %w", step.name, err)
		}
	}
	r.took = time.Since(r.began)
	return r, nil
}

// exports compares whole exports of small profiles.
func (r *results) exports() error {
	return withServer(serverSpec{Clients: r.size.Profiles, Test: r.size.InTurn, Latency: latency}, func(s *server) error {
		at16, err := r.alternateExports(s, job{Kind: exportJob, Concurrency: 16}, r.size.Profiles, r.size.Rounds16, contenders)
		if err != nil {
			return err
		}
		at64, err := r.alternateExports(s, job{Kind: exportJob, Concurrency: 64}, r.size.Profiles, r.size.Rounds64, contenders)
		if err != nil {
			return err
		}
		test := *s
		test.BaseURL += "/test" // a small account, as these are slow
		inTurn, err := r.alternateExports(&test, job{Kind: exportJob, Concurrency: 1}, r.size.InTurn, r.size.RoundsInTurn, []string{plain, codegen})
		if err != nil {
			return err
		}
		r.reportExports(at16, at64, inTurn)
		return nil
	})
}

// runs are the outcomes of one kind of job, by contender, round for round.
type runs map[string][]outcome

func (r runs) values(contender string, value func(outcome) float64) []float64 {
	values := make([]float64, len(r[contender]))
	for i, o := range r[contender] {
		values[i] = value(o)
	}
	return values
}

func seconds(o outcome) float64      { return o.Seconds }
func cpuPerClient(o outcome) float64 { return o.CPU / float64(o.Clients) * 1e6 }
func megabytes(o outcome) float64    { return float64(o.Peak) / (1 << 20) }

// alternateExports runs the contenders in turn; the order moves on with each round. All
// of them must get every client.
func (r *results) alternateExports(s *server, j job, clients, rounds int, names []string) (runs, error) {
	out := runs{}
	for round := range rounds {
		for turn := range names {
			j.Contender, j.API = names[(round+turn)%len(names)], s.api
			if _, err := s.counts(); err != nil {
				return nil, err
			}
			o, err := perform(j)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", j.Contender, err)
			}
			seen, err := s.counts()
			if err != nil {
				return nil, err
			}
			if o.Clients != clients {
				return nil, fmt.Errorf("%s exported %d of %d clients", j.Contender, o.Clients, clients)
			}
			o.Requests, o.Connections = seen.Requests, seen.Connections
			out[j.Contender] = append(out[j.Contender], o)
		}
	}
	return out, nil
}

// largeExports compares exports in which decoding takes as long as waiting.
func (r *results) largeExports() error {
	return withServer(serverSpec{Clients: r.size.Large, Latency: latency, Details: largeBytes}, func(s *server) error {
		at16, err := r.alternateExports(s, job{Kind: exportJob, Concurrency: 16, Full: true}, r.size.Large, r.size.RoundsLarge, contenders)
		if err != nil {
			return err
		}
		r.reportLarge(at16)
		return nil
	})
}

// memory compares an account with one of ten times as many clients. The server has no
// latency here, which would cost time and does not change the memory.
func (r *results) memory() error {
	return withServer(serverSpec{Clients: r.size.Big, Test: r.size.Small}, func(s *server) error {
		test := *s
		test.BaseURL += "/test"
		j := job{Kind: exportJob, Concurrency: 16}
		small, big := runs{}, runs{}
		for range r.size.RoundsMemory {
			few, err := r.alternateExports(&test, j, r.size.Small, 1, []string{ours, plain})
			if err != nil {
				return err
			}
			many, err := r.alternateExports(s, j, r.size.Big, 1, []string{ours, plain})
			if err != nil {
				return err
			}
			for _, name := range []string{ours, plain} {
				small[name], big[name] = append(small[name], few[name]...), append(big[name], many[name]...)
			}
		}
		r.reportMemory(small, big)
		return nil
	})
}

// calls compares single profiles and a download.
func (r *results) calls() error {
	return withServer(serverSpec{Clients: 500, Details: largeBytes, File: fileBytes}, func(s *server) error {
		for _, j := range []job{{}, {Full: true}, {Full: true, Details: true}} {
			j.Kind, j.API, j.Rounds = getJob, s.api, r.size.Blocks
			o, err := perform(j)
			if err != nil {
				return err
			}
			r.reportGet(j, o.Calls)
		}
		for _, full := range []bool{false, true} {
			j := job{Kind: decodeJob, API: s.api, Full: full, Rounds: r.size.Blocks}
			o, err := perform(j)
			if err != nil {
				return err
			}
			r.reportDecode(j, o.Calls)
		}
		downloads := runs{}
		for round := range r.size.Downloads {
			for turn := range contenders {
				name := contenders[(round+turn)%len(contenders)]
				o, err := perform(job{Kind: downloadJob, Contender: name, API: s.api})
				if err != nil {
					return err
				}
				if o.Clients != fileBytes {
					return fmt.Errorf("%s downloaded %d bytes of %d", name, o.Clients, fileBytes)
				}
				downloads[name] = append(downloads[name], o)
			}
		}
		r.reportDownload(downloads)
		return nil
	})
}

func (r *results) webhook() error {
	o, err := perform(job{Kind: webhookJob, Rounds: r.size.Blocks})
	if err != nil {
		return err
	}
	r.reportWebhook(o.Calls)
	return nil
}

func withServer(spec serverSpec, f func(*server) error) error {
	s, err := startServer(spec)
	if err != nil {
		return err
	}
	err = f(s)
	if stopErr := s.stop(); err == nil {
		err = stopErr
	}
	return err
}

// quartiles are those of a set of values.
type quartiles struct{ Low, Median, High float64 }

func spread(values []float64) quartiles {
	sorted := slices.Sorted(slices.Values(values))
	at := func(q float64) float64 {
		place := q * float64(len(sorted)-1)
		below := int(place)
		above := min(below+1, len(sorted)-1)
		return sorted[below] + (sorted[above]-sorted[below])*(place-float64(below))
	}
	return quartiles{at(0.25), at(0.5), at(0.75)}
}

// paired are the ratios of a to b, round for round.
func paired(a, b []float64) quartiles {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return spread(ratios)
}
