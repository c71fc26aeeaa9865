// Package exportruns lets an export that runs be seen from another process, the page of
// "trulioo inspect" above all. It writes to the user's cache folder, and only numbers.
package exportruns

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
)

// Run is an export that runs, or has just ended.
type Run struct {
	Command string    `json:"command"` // export or sync
	Account string    `json:"account"` // its name on this machine
	Place   string    `json:"place"`   // the kind of place, such as SQLite
	Started time.Time `json:"started"`
	Seen    time.Time `json:"seen"` // when it last reported
	Done    int       `json:"done"`
	Failed  int       `json:"failed"`
	Skipped int       `json:"skipped"`
	Total   int       `json:"total"`
	Rate    float64   `json:"rate"`  // clients a second
	State   string    `json:"state"` // running, done, stopped or killed
}

// Lost is how long a run may be silent before it counts as killed.
const Lost = 15 * time.Second

// kept is how long the end of a run is shown.
const kept = 24 * time.Hour

// Board shows one run to other processes. If it cannot write, the export goes on.
type Board struct {
	run  Run
	path string
	next time.Time
}

// Begin shows a new run.
func Begin(run Run) *Board {
	b := &Board{run: run}
	b.run.Started, b.run.State = time.Now().UTC(), "running"
	if dir, err := folder(); err == nil && os.MkdirAll(dir, 0o700) == nil {
		b.path = filepath.Join(dir, strconv.FormatInt(b.run.Started.UnixNano(), 10)+"-"+strconv.Itoa(os.Getpid())+".json")
	}
	b.write()
	return b
}

// Progress shows progress, at most once a second.
func (b *Board) Progress(p trulioo.ExportProgress) {
	b.run.Done, b.run.Failed, b.run.Skipped, b.run.Rate = p.Done, p.Failed, p.Skipped+p.Gone, p.Rate
	b.run.Total = max(p.Total, p.Done+p.Failed+p.Skipped+p.Gone)
	if time.Now().After(b.next) {
		b.next = time.Now().Add(time.Second)
		b.write()
	}
}

// End shows the end.
func (b *Board) End(err error) {
	b.run.State = "done"
	if err != nil {
		b.run.State = "stopped"
	}
	b.write()
}

func (b *Board) write() {
	if b.path == "" {
		return
	}
	b.run.Seen = time.Now().UTC()
	data, err := json.Marshal(b.run)
	if err != nil {
		return
	}
	part := strings.TrimSuffix(b.path, ".json") + ".new"
	if os.WriteFile(part, data, 0o600) == nil {
		_ = os.Rename(part, b.path)
	}
}

func folder() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "trulioo", "runs"), err
}

// List gives the runs, the newest first, and removes those that ended long ago.
func List(now time.Time) ([]Run, error) {
	dir, err := folder()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []Run
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		data, err := os.ReadFile(path) //nolint:gosec // a file of our own folder
		if err != nil {
			continue
		}
		var run Run
		if json.Unmarshal(data, &run) != nil || now.Sub(run.Seen) > kept {
			_ = os.Remove(path)
			continue
		}
		if run.State == "running" && now.Sub(run.Seen) > Lost {
			run.State = "killed"
		}
		if strings.HasSuffix(path, ".json") {
			found = append(found, run)
		}
	}
	slices.SortFunc(found, func(a, b Run) int { return b.Started.Compare(a.Started) })
	return found, nil
}
