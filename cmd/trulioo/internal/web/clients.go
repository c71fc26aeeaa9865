package web

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
)

// sample is how many profiles are read for the charts at most.
const sample = 300

// listed is how many rows of the list the charts look at.
const listed = 2000

// people are the clients that the page knows, from an export or from the account.
type people struct {
	mu       sync.Mutex
	records  map[string]exportstore.Record
	profiles map[string]cached // the last that were looked at
	list     []*trulioo.EndClient
	listedAt time.Time
	busy     bool // profiles are being read
}

type cached struct {
	profile *trulioo.Profile
	at      time.Time
}

func newPeople(records []exportstore.Record) *people {
	p := &people{records: map[string]exportstore.Record{}, profiles: map[string]cached{}}
	for _, r := range records {
		p.records[r.ClientID] = r
	}
	return p
}

// all gives the records, the newest first.
func (p *people) all() []exportstore.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]exportstore.Record, 0, len(p.records))
	for _, r := range p.records {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b exportstore.Record) int {
		return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ClientID, b.ClientID))
	})
	return all
}

// search finds the records with these words, without regard to case.
func (p *people) search(text string) []exportstore.Record {
	words := strings.Fields(strings.ToLower(text))
	var found []exportstore.Record
	for _, r := range p.all() {
		heap := strings.ToLower(strings.Join([]string{r.ClientID, r.FullName, r.FirstName, r.LastName, r.CompanyName, r.CompanyNumber, r.Email, r.Phone, r.ExternalID}, " "))
		if !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(heap, word) }) {
			found = append(found, r)
		}
	}
	return found
}

// profileFor is how long a profile is kept after it was looked at, since its photos are
// asked for one by one.
const profileFor = 30 * time.Second

// profile gets a profile, and keeps its record.
func (w *Server) profile(ctx context.Context, id string) (*trulioo.Profile, error) {
	w.people.mu.Lock()
	was := w.people.profiles[id]
	w.people.mu.Unlock()
	if was.profile != nil && time.Since(was.at) < profileFor {
		return was.profile, nil
	}
	profile, err := w.Client.Clients.Get(ctx, id, &trulioo.GetOptions{FullServiceDetails: true})
	if err != nil {
		return nil, err
	}
	p := w.people
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, old := range p.profiles {
		if time.Since(old.at) >= profileFor || len(p.profiles) > 32 {
			delete(p.profiles, id)
		}
	}
	p.profiles[id] = cached{profile, time.Now()}
	p.records[profile.ID] = exportstore.NewRecord(w.Digest, &trulioo.EndClient{LastModified: profile.LastModified}, profile, true)
	return profile, nil
}

// rows are the newest of the list, asked for once a minute.
func (w *Server) rows(ctx context.Context) ([]*trulioo.EndClient, error) {
	w.people.mu.Lock()
	list, at := w.people.list, w.people.listedAt
	w.people.mu.Unlock()
	if time.Since(at) < time.Minute {
		return list, nil
	}
	list = nil
	for row, err := range w.Client.Clients.All(ctx, nil) {
		if err != nil {
			return nil, err
		}
		if list = append(list, row); len(list) == listed {
			break
		}
	}
	w.people.mu.Lock()
	defer w.people.mu.Unlock()
	w.people.list, w.people.listedAt = list, time.Now()
	return list, nil
}

// read reads profiles of the newest clients that are not known yet, for the charts.
func (w *Server) read(ctx context.Context) {
	p := w.people
	p.mu.Lock()
	busy := p.busy
	p.busy = true
	p.mu.Unlock()
	if busy {
		return
	}
	defer func() {
		p.mu.Lock()
		p.busy = false
		p.mu.Unlock()
	}()
	rows, err := w.rows(ctx)
	if err != nil {
		return // the page says so when it asks itself
	}
	n := 0
	for _, row := range rows {
		p.mu.Lock()
		_, known := p.records[row.ID]
		p.mu.Unlock()
		if known {
			continue
		}
		if _, err := w.profile(ctx, row.ID); err != nil && ctx.Err() != nil {
			return
		}
		if n++; n == sample {
			return
		}
	}
}

func (p *people) isBusy() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.busy
}
