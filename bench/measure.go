package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"
)

const measureCommand = "measure"

// The things that are measured.
const (
	exportJob   = "export"
	downloadJob = "download"
	getJob      = "get"
	webhookJob  = "webhook"
	decodeJob   = "decode"
)

// job is the work of a measured process.
type job struct {
	Kind        string
	Contender   string // not for get and webhook, which take all in turn
	API         api
	Concurrency int  // of an export; 1 is one request after the other
	Full        bool // with full service details
	Details     bool // of a get: the details are decoded
	Rounds      int  // of a get and a webhook
}

// outcome is the process's report about itself.
type outcome struct {
	Clients int             // exported; of a download, bytes
	Seconds float64         // wall time of the job, without the start of the process
	CPU     float64         // seconds of processor time, likewise
	Peak    int64           // bytes of memory that the process had at most
	Calls   map[string]pace // of a get and a webhook, by contender

	Requests, Connections int // that the server saw; the measuring process sets them
}

// pace is one contender's time and memory for each call.
type pace struct {
	Nanoseconds []float64 // of a call, one for each round
	Allocations float64
}

// measure is the measured process.
func measure(argument string) error {
	var j job
	if err := json.Unmarshal([]byte(argument), &j); err != nil {
		return err
	}
	ctx := context.Background()
	var o outcome
	var err error
	switch j.Kind {
	case exportJob:
		o, err = j.export(ctx)
	case downloadJob:
		o, err = j.download(ctx)
	case getJob:
		o.Calls, err = j.get(ctx)
	case decodeJob:
		o.Calls, err = j.decode(ctx)
	case webhookJob:
		o.Calls, err = hooks(j.Rounds)
	}
	if err != nil {
		return err
	}
	if o.Peak, err = peak(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(o)
}

// export is cold: the token and the first connection are part of it.
func (j job) export(ctx context.Context) (o outcome, err error) {
	o.Seconds, o.CPU, err = timed(func() error {
		c, err := enter(ctx, j.Contender, j.API, j.Concurrency)
		if err != nil {
			return err
		}
		o.Clients, err = c.export(ctx, j.Concurrency, j.Full)
		return err
	})
	return o, err
}

// download is warm: one small call has gone before.
func (j job) download(ctx context.Context) (o outcome, err error) {
	c, err := enter(ctx, j.Contender, j.API, 1)
	if err != nil {
		return o, err
	}
	if err := c.get(ctx, j.API.Profile, false, false); err != nil {
		return o, err
	}
	to := &tally{}
	o.Seconds, o.CPU, err = timed(func() error { return c.download(ctx, j.API.File, to) })
	o.Clients = int(to.n)
	return o, err
}

// get takes the contenders in turn, in one process.
func (j job) get(ctx context.Context) (map[string]pace, error) {
	var names []string
	var calls []func() error
	for _, name := range contenders {
		c, err := enter(ctx, name, j.API, 1)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
		calls = append(calls, func() error { return c.get(ctx, j.API.Profile, j.Full, j.Details) })
	}
	return alternate(j.Rounds, names, calls)
}

// tally counts what is written to it. It has no ReadFrom, as most writers.
type tally struct{ n int64 }

func (t *tally) Write(p []byte) (int, error) {
	t.n += int64(len(p))
	return len(p), nil
}

// timed gives the seconds of wall and of processor time that f takes.
func timed(f func() error) (wall, cpu float64, err error) {
	used, err := processorTime()
	if err != nil {
		return 0, 0, err
	}
	began := time.Now()
	err = f()
	wall = time.Since(began).Seconds()
	after, cpuErr := processorTime()
	if err == nil {
		err = cpuErr
	}
	return wall, (after - used).Seconds(), err
}

// block is how long a contender is measured before the next one.
const block = 5 * time.Millisecond

// alternate measures the calls in turn, in short blocks, so that the machine's drift
// hits all of them. The order moves on with each round.
func alternate(rounds int, names []string, calls []func() error) (map[string]pace, error) {
	paces := make([]pace, len(calls))
	repeat := make([]int, len(calls))
	for i, call := range calls {
		for began := time.Now(); time.Since(began) < 4*block; repeat[i]++ {
			if err := call(); err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
		}
		repeat[i] = max(1, repeat[i]/4)
		var err error
		if paces[i].Allocations, err = allocations(100, call); err != nil {
			return nil, err
		}
	}
	runtime.GC()
	for round := range rounds {
		for turn := range calls {
			i := (round + turn) % len(calls)
			began := time.Now()
			for range repeat[i] {
				if err := calls[i](); err != nil {
					return nil, fmt.Errorf("%s: %w", names[i], err)
				}
			}
			paces[i].Nanoseconds = append(paces[i].Nanoseconds, float64(time.Since(began))/float64(repeat[i]))
		}
	}
	byName := map[string]pace{}
	for i, name := range names {
		byName[name] = paces[i]
	}
	return byName, nil
}

// allocations is how many a call makes, those of net/http's goroutines included.
func allocations(n int, call func() error) (float64, error) {
	before := mallocs()
	for range n {
		if err := call(); err != nil {
			return 0, err
		}
	}
	return float64(mallocs()-before) / float64(n), nil
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// drain reads a body to its end, so that its connection can be used again.
func drain(body io.ReadCloser) {
	_, _ = io.Copy(io.Discard, body)
	_ = body.Close()
}
