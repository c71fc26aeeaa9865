package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/trulioo-go/trulioo/truliootest"
)

const serveCommand = "serve"

// serverSpec is the fake server that a process runs.
type serverSpec struct {
	Clients int           // of the live account
	Test    int           // of the test account
	Latency time.Duration // of each request
	Details int           // bytes of a profile's full service details
	File    int64         // bytes of every file
}

// api is how a server is reached and what is asked of it.
type api struct {
	BaseURL, TokenURL string
	ClientID, Secret  string
	Profile, File     string // the id of a profile near 4 KB, and the key of a file
}

// counts are the requests and connections of a server since it was last asked.
type counts struct{ Requests, Connections int }

// serve is the server's process: it says how it is reached, answers each line of
// its input with the counts, and ends with its input.
func serve(spec string) error {
	var s serverSpec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	live := truliootest.NewAccount(truliootest.AccountSpec{Clients: s.Clients, DetailsBytes: s.Details})
	server, err := truliootest.Start(
		truliootest.WithLive(live),
		truliootest.WithTest(truliootest.NewAccount(truliootest.AccountSpec{Clients: s.Test})),
		truliootest.WithLatency(s.Latency),
		truliootest.WithFiles(truliootest.Files{Size: s.File}),
	)
	if err != nil {
		return err
	}
	defer server.Close()
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(describe(server)); err != nil { //nolint:gosec // the secret opens a fake
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		seen := counts{server.Count(truliootest.Any), server.Connections()}
		server.ResetCounts()
		if err := out.Encode(seen); err != nil {
			return err
		}
	}
	return nil
}

// describe picks the profile that is nearest to 4 KB, the size of the small one.
func describe(server *truliootest.Server) api {
	to := api{BaseURL: server.BaseURL, TokenURL: server.TokenURL, ClientID: server.ClientID, Secret: server.ClientSecret}
	best := 1 << 30
	for _, id := range server.Live.IDs()[:min(500, server.Live.Len())] {
		body, _ := server.Live.Profile(id, false)
		if off := max(len(body)-4096, 4096-len(body)); off < best {
			best, to.Profile = off, id
		}
		if keys := server.Live.FileKeys(id); len(keys) > 0 {
			to.File = keys[0]
		}
	}
	return to
}

// server is a running server's process, seen from the measuring process.
type server struct {
	api
	process *process
}

func startServer(spec serverSpec) (*server, error) {
	p, err := start(serveCommand, spec)
	if err != nil {
		return nil, err
	}
	s := &server{process: p}
	if err := p.read(&s.api); err != nil {
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), p.end())
	}
	return s, nil
}

// counts asks the server for its counts since the last time.
func (s *server) counts() (counts, error) {
	var c counts
	if _, err := fmt.Fprintln(s.process.in); err != nil {
		return c, err
	}
	return c, s.process.read(&c)
}

func (s *server) stop() error { return s.process.end() }
