package truliootest

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"sync"
	"time"
)

// AccountSpec describes an account to invent. The same spec gives the same
// account, byte for byte.
type AccountSpec struct {
	Clients   int    // how many end clients
	Seed      uint64 // everything about them follows from it
	Workflows int    // how many workflows; default 5

	End          time.Time     // when the newest client was created; default 10 June 2024, or now where that is earlier
	Spacing      time.Duration // between two creations; default 10 minutes
	Ties         int           // how many clients share each moment of creation; default 1
	UndatedEvery int           // every n-th client has no dates: 0, null and absent in turn; 0 means that all have dates
	Mocks        bool          // answer as the test half of a real account does: one invented transaction for everybody, all clear, and empty full service details
	DetailsBytes int           // the least size of one profile's full service details; default 3,000
}

// defaultEnd is the date of the vendor's example, 1718011363.
var defaultEnd = time.Unix(1718011363, 0)

// Date is a UNIX time in seconds, or one of the ways in which it can be missing.
type Date int64

// How a date can be missing.
const (
	ZeroDate Date = 0  // "created": 0
	NullDate Date = -1 // "created": null
	NoDate   Date = -2 // no such field
)

// Account is an organisation's end clients, workflows and files. Its methods
// can be called from many goroutines at once, also while a server serves it.
//
// Clients are invented when they are asked for, so that an account of 50,000
// takes a few megabytes.
type Account struct {
	spec AccountSpec

	mu      sync.RWMutex
	records []record       // in the order they came; the removed ones stay
	own     map[string]int // the index of each client of Put
	ownKeys map[string]int // how many own clients name the file
	live    int
	undated bool         // some client has no date
	sorted  [2][]int32   // the live ones by each Timestamp; nil after a change
	sample  *sampleLists // the vendor's own answers instead of lists
}

// record holds the facts about a client that are not invented when it is asked for.
type record struct {
	born              uint32 // the date in its id, which never changes
	created, modified Date
	status            string
	manual            bool // the status was set by hand
	gone              bool
	own               *ownClient
}

// NewAccount invents an account. Client 0 is the oldest.
func NewAccount(spec AccountSpec) *Account {
	spec.Workflows = orElse(spec.Workflows, 5)
	spec.Ties = orElse(spec.Ties, 1)
	spec.Spacing = orElse(spec.Spacing, 10*time.Minute)
	spec.DetailsBytes = orElse(spec.DetailsBytes, 3000)
	if spec.End.IsZero() {
		spec.End = defaultEnd
		if now := time.Now(); now.Before(defaultEnd) {
			spec.End = now
		}
	}
	a := &Account{
		spec:    spec,
		records: make([]record, 0, spec.Clients),
		own:     map[string]int{},
		ownKeys: map[string]int{},
	}
	for i := range spec.Clients {
		steps := (spec.Clients - 1) / spec.Ties
		a.insert(spec.End.Add(-spec.Spacing * time.Duration(steps-i/spec.Ties)))
		if spec.UndatedEvery > 0 && i%spec.UndatedEvery == spec.UndatedEvery-1 {
			missing := Date(-(i / spec.UndatedEvery) % 3)
			a.date(&a.records[i], missing, missing)
		}
	}
	return a
}

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// insert adds an invented client. One in three was modified later on the day
// it was created, but not after the account's end.
func (a *Account) insert(at time.Time) int {
	i := len(a.records)
	chance := a.hash(i, 1)
	modified := at
	if chance%3 == 0 {
		modified = at.Add(time.Duration(chance/3%86400) * time.Second)
		if modified.After(a.spec.End) {
			modified = at
		}
	}
	a.records = append(a.records, record{
		born:     uint32(at.Unix()), //nolint:gosec // an id has four bytes for it
		created:  Date(at.Unix()),
		modified: Date(modified.Unix()),
		status:   inventedStatus(a.hash(i, 2)),
	})
	a.live++
	a.sorted = [2][]int32{}
	return i
}

// hash is the n-th random number of client i.
func (a *Account) hash(i int, n uint64) uint64 {
	return mix(mix(a.spec.Seed+uint64(i)<<20) + n) //nolint:gosec // an index is not negative
}

// id is 24 hex characters, made as MongoDB makes them: time, chance, counter.
func (a *Account) id(i int) string {
	r := &a.records[i]
	if r.own != nil {
		return r.own.id
	}
	var raw [12]byte
	binary.BigEndian.PutUint64(raw[4:], a.hash(i, 3)<<24|uint64(i)) //nolint:gosec // an index is not negative
	binary.BigEndian.PutUint32(raw[:], r.born)
	return hex.EncodeToString(raw[:])
}

// find gives the index of a client, unless it was removed.
func (a *Account) find(id string) (int, bool) {
	if i, ok := a.own[id]; ok {
		return i, true
	}
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) != 12 {
		return 0, false
	}
	i := int(raw[9])<<16 | int(raw[10])<<8 | int(raw[11])
	if i >= len(a.records) || a.records[i].gone || a.records[i].own != nil || a.id(i) != id {
		return 0, false
	}
	return i, true
}

// Len is how many clients there are now.
func (a *Account) Len() int {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.live
}

// IDs are the ids of all clients there are now, in the order they came.
func (a *Account) IDs() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	ids := make([]string, 0, a.live)
	for i := range a.records {
		if !a.records[i].gone {
			ids = append(ids, a.id(i))
		}
	}
	return ids
}

// FlowIDs are the ids of the account's workflows.
func (a *Account) FlowIDs() []string {
	ids := make([]string, a.spec.Workflows)
	for k := range ids {
		ids[k] = a.flowID(k)
	}
	return ids
}

// FileKeys are the keys of a client's files, in the order of its profile; nil
// if there is no such client.
func (a *Account) FileKeys(id string) []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	i, ok := a.find(id)
	if !ok {
		return nil
	}
	return a.fileKeys(i)
}

// Profile is the answer of GET query/client/{id}, with or without full service
// details, in the plain Dialect; false if there is no such client.
func (a *Account) Profile(id string, full bool) ([]byte, bool) {
	return a.profile(id, full, Dialect{})
}

// Insert adds one more invented client, created at a time, and returns its id.
func (a *Account) Insert(at time.Time) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.id(a.insert(at))
}

// Remove deletes a client. It returns false if no client has this id.
func (a *Account) Remove(id string) bool {
	return a.edit(id, func(i int) {
		if r := &a.records[i]; r.own != nil {
			a.disown(r)
		}
		a.records[i].gone = true
		a.live--
	})
}

// Update sets a client's lastModified, as any change would; false if there is no
// such client, or if it came from Put.
func (a *Account) Update(id string, at time.Time) bool {
	return a.editInvented(id, func(r *record) { r.modified = Date(at.Unix()) })
}

// SetStatus sets a client's status by hand; false as for Update.
func (a *Account) SetStatus(id, status string, at time.Time) bool {
	return a.editInvented(id, func(r *record) {
		r.status, r.manual, r.modified = status, true, Date(at.Unix())
	})
}

// SetDates sets a client's dates; false as for Update. The id keeps the date it
// was made with.
func (a *Account) SetDates(id string, created, lastModified Date) bool {
	return a.editInvented(id, func(r *record) { a.date(r, created, lastModified) })
}

func (a *Account) date(r *record, created, modified Date) {
	r.created, r.modified = created, modified
	a.undated = a.undated || created <= 0 || modified <= 0
}

func (a *Account) edit(id string, change func(int)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, ok := a.find(id)
	if ok {
		change(i)
		a.sorted = [2][]int32{}
	}
	return ok
}

func (a *Account) editInvented(id string, change func(*record)) bool {
	invented := false
	a.edit(id, func(i int) {
		if r := &a.records[i]; r.own == nil {
			change(r)
			invented = true
		}
	})
	return invented
}

// order sorts the clients by a timestamp, oldest first, those without one before all
// others. Clients of the same second stay in the order they came. The caller holds
// the lock for writing.
func (a *Account) order(by Timestamp) []int32 {
	if a.sorted[by] != nil {
		return a.sorted[by]
	}
	order := make([]int32, 0, a.live)
	for i := range a.records {
		if !a.records[i].gone {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(x, y int32) int {
		return cmp.Compare(a.when(x, by), a.when(y, by))
	})
	a.sorted[by] = order
	return order
}

// when is a client's time for sorting, 0 where it has none.
func (a *Account) when(i int32, by Timestamp) Date {
	return max(a.stamp(i, by), 0)
}

func (a *Account) stamp(i int32, by Timestamp) Date {
	if by == ByLastModified {
		return a.records[i].modified
	}
	return a.records[i].created
}
