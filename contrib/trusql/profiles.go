package trusql

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"sync"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/internal/guard"
)

// Profiles is a table of the profiles of an account, for a nightly sync: an
// unchanged client costs no request of its own.
type Profiles struct {
	store   *Store
	account string
}

// Profiles gives the profiles of an account; the name is the caller's, such as
// "acme live". Live and test are two accounts.
func (s *Store) Profiles(account string) (*Profiles, error) {
	if account == "" {
		return nil, argument("account", "must not be empty")
	}
	return &Profiles{store: s, account: account}, nil
}

// ChangeKind says how a client differs from the table.
type ChangeKind string

// The kinds of changes.
const (
	ChangeNew      ChangeKind = "new"      // or back after it was gone
	ChangeModified ChangeKind = "modified" // the list's lastModified differs from the table's, or is missing
	ChangeGone     ChangeKind = "gone"     // the whole list was read, and the client is not in it
)

// Change is a client that differs from the table.
type Change struct {
	Kind     ChangeKind
	ClientID string
	Profile  *trulioo.Profile // of the account now; nil for ChangeGone
}

// Format prints the type's name only: it is about a person.
func (c Change) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "trusql.Change") }

// LogValue is the type's name only, for slog.
func (c Change) LogValue() slog.Value { return slog.StringValue("trusql.Change") }

// SyncOptions shape a sync; the zero value has no hook and the defaults.
type SyncOptions struct {
	FullServiceDetails bool // as in trulioo.GetOptions
	Concurrency        int  // requests for profiles at once; default 8

	// OnChange is called for each change before it is noted, from several goroutines
	// at once. After an error, or a kill between the two, the change comes again in
	// the next sync, so OnChange sees each change at least once.
	OnChange func(context.Context, Change) error
}

// SyncReport counts the clients of a sync.
type SyncReport struct {
	New, Modified, Unchanged, Gone int

	Failed int // profiles that could not be fetched, or whose OnChange failed: they come again
}

// ErrListEmpty means that the account's list is empty and the table is not. The list is
// not believed, and nobody is marked as gone.
var ErrListEmpty = errors.New("trusql: sync: the account's list is empty, and the table is not")

// Sync brings the table up to date: it reads the account's list, fetches the clients
// that are new or modified, and marks those that are gone. After an interruption or a
// kill run it again: its work so far is kept.
//
// If the list could not be read to its end, the error says why, and nobody is marked as
// gone. Otherwise the error joins the failures of single clients, the first 10 of them.
// options may be nil.
func (p *Profiles) Sync(ctx context.Context, client *trulioo.Client, options *SyncOptions) (SyncReport, error) {
	var o SyncOptions
	if options != nil {
		o = *options
	}
	switch {
	case client == nil:
		return SyncReport{}, argument("client", "must not be nil")
	case o.Concurrency < 0:
		return SyncReport{}, argument("SyncOptions.Concurrency", "must not be negative")
	}
	known, err := p.known(ctx)
	if err != nil {
		return SyncReport{}, err
	}
	s := &syncRun{Profiles: p, SyncOptions: o, client: client, known: known, jobs: make(chan job)}
	err = s.run(ctx)
	return s.report, err
}

// All iterates over the profiles that are not gone, by client id. An error ends it.
func (p *Profiles) All(ctx context.Context) iter.Seq2[*trulioo.Profile, error] {
	const page = 100
	return func(yield func(*trulioo.Profile, error) bool) {
		for last := ""; ; {
			profiles, err := p.page(ctx, last, page)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, profile := range profiles {
				if last = profile.ID; !yield(profile, nil) {
					return
				}
			}
			if len(profiles) < page {
				return
			}
		}
	}
}

// page reads at most limit profiles. Between two pages the connection is free.
func (p *Profiles) page(ctx context.Context, after string, limit int) ([]*trulioo.Profile, error) {
	rows, err := p.store.query(ctx, `SELECT client_id, profile FROM trulioo_profiles
		WHERE account = $1 AND client_id > $2 AND gone = 0 ORDER BY client_id LIMIT $3`, p.account, after, limit)
	if err != nil {
		return nil, failed("read profiles", err)
	}
	defer func() { _ = rows.Close() }()
	var profiles []*trulioo.Profile
	for rows.Next() {
		var id string
		var raw []byte
		if err := rows.Scan(&id, &raw); err != nil {
			return nil, failed("read profiles", err)
		}
		profile := new(trulioo.Profile)
		if err := profile.UnmarshalJSON(raw); err != nil {
			return nil, err
		}
		profile.ID = id
		profiles = append(profiles, profile)
	}
	return profiles, failed("read profiles", rows.Err())
}

// known are the lastModified of the clients in the table; those that are gone
// are not among them.
func (p *Profiles) known(ctx context.Context) (map[string]int64, error) {
	rows, err := p.store.query(ctx, "SELECT client_id, last_modified FROM trulioo_profiles WHERE account = $1 AND gone = 0", p.account)
	if err != nil {
		return nil, failed("read the table", err)
	}
	defer func() { _ = rows.Close() }()
	known := map[string]int64{}
	for rows.Next() {
		var id string
		var modified int64
		if err := rows.Scan(&id, &modified); err != nil {
			return nil, failed("read the table", err)
		}
		known[id] = modified
	}
	return known, failed("read the table", rows.Err())
}

// put writes a profile with the lastModified of its row. The profile can be newer
// than the row: then the next sync fetches it once more.
func (p *Profiles) put(ctx context.Context, row *trulioo.EndClient, profile *trulioo.Profile) error {
	_, err := p.store.exec(ctx, `INSERT INTO trulioo_profiles (account, client_id, status, last_modified, stored, gone, profile)
		VALUES ($1, $2, $3, $4, NOW, 0, $5) ON CONFLICT (account, client_id) DO UPDATE SET status = excluded.status,
		last_modified = excluded.last_modified, stored = excluded.stored, gone = 0, profile = excluded.profile`,
		p.account, row.ID, plain(string(profile.Status)), stamp(row), []byte(profile.Raw))
	return failed("store a profile", err)
}

func (p *Profiles) markGone(ctx context.Context, id string) error {
	_, err := p.store.exec(ctx, "UPDATE trulioo_profiles SET gone = NOW WHERE account = $1 AND client_id = $2 AND gone = 0", p.account, id)
	return failed("mark a client as gone", err)
}

// stamp is 0 where the row has no date.
func stamp(row *trulioo.EndClient) int64 {
	if row.LastModified.IsZero() {
		return 0
	}
	return row.LastModified.UnixMilli()
}

// syncRun is one run of Sync.
type syncRun struct {
	*Profiles
	SyncOptions

	client *trulioo.Client
	known  map[string]int64 // from the table, without the clients that were listed so far
	jobs   chan job
	listed int // rows of the list

	mu     sync.Mutex
	report SyncReport
	errs   []error
}

// job is a client whose profile is to be fetched.
type job struct {
	row  *trulioo.EndClient
	kind ChangeKind
}

func (s *syncRun) run(ctx context.Context) error {
	workers, limited := guard.NewGroup(ctx)
	for range orElse(s.Concurrency, 8) {
		workers.Start(func() error {
			for j := range s.jobs {
				s.count(j.kind, s.fetch(limited, j))
			}
			return nil
		})
	}
	before, err := len(s.known), s.list(limited)
	close(s.jobs)
	if ended := workers.Wait(); err == nil {
		err = ended
	}
	switch {
	case err != nil:
		return err
	case before > 0 && s.listed == 0:
		return ErrListEmpty
	}
	for id := range s.known {
		s.count(ChangeGone, s.gone(ctx, id))
	}
	return errors.Join(s.errs...)
}

// list reads the account's list, and gives the workers the clients that are new or
// modified.
func (s *syncRun) list(ctx context.Context) error {
	for item, err := range s.client.Clients.Export(ctx, &trulioo.ExportOptions{SummariesOnly: true}) {
		if err != nil {
			return err
		}
		s.listed++
		j := job{item.Client, ChangeNew}
		if modified, had := s.known[j.row.ID]; had {
			j.kind = ChangeModified
			if delete(s.known, j.row.ID); modified != 0 && modified == stamp(j.row) {
				s.count(unchanged, nil)
				continue
			}
		}
		select {
		case s.jobs <- j:
		case <-ctx.Done():
			return ctx.Err() // a worker has ended its goroutine, or the caller has ended the sync
		}
	}
	return nil
}

// fetch gets a profile, tells OnChange and notes it.
func (s *syncRun) fetch(ctx context.Context, j job) error {
	profile, err := s.client.Clients.Get(ctx, j.row.ID, &trulioo.GetOptions{FullServiceDetails: s.FullServiceDetails})
	if err == nil {
		err = s.tell(ctx, Change{Kind: j.kind, ClientID: j.row.ID, Profile: profile})
	}
	if err == nil {
		err = s.put(ctx, j.row, profile)
	}
	return err
}

func (s *syncRun) gone(ctx context.Context, id string) error {
	err := s.tell(ctx, Change{Kind: ChangeGone, ClientID: id})
	if err == nil {
		err = s.markGone(ctx, id)
	}
	return err
}

func (s *syncRun) tell(ctx context.Context, c Change) error {
	if s.OnChange == nil {
		return nil
	}
	return s.OnChange(ctx, c)
}

const unchanged ChangeKind = "unchanged"

const mostErrs = 10

func (s *syncRun) count(kind ChangeKind, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if s.report.Failed++; len(s.errs) < mostErrs {
			s.errs = append(s.errs, err)
		}
		return
	}
	switch kind {
	case ChangeNew:
		s.report.New++
	case ChangeModified:
		s.report.Modified++
	case ChangeGone:
		s.report.Gone++
	case unchanged:
		s.report.Unchanged++
	}
}
