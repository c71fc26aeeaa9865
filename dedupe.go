package trulioo

import (
	"container/list"
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
)

// DedupState says what a Deduper knows of an event.
type DedupState int

// The states. The zero value is DedupNew, so that a Deduper which says nothing
// has the event run rather than lost.
const (
	DedupNew      DedupState = iota // nobody has it: the caller now holds a claim
	DedupInFlight                   // somebody holds a claim whose lease has not ended
	DedupDone                       // somebody committed it
)

// Deduper remembers which events were handled, by Event.Key. A WebhookHandler
// reserves an event, runs its function, and then commits or releases it. A
// claim fences: only its holder can commit or release, and once the lease has
// ended and another holds the event, the old claim is refused with an error.
// An event whose holder died is new again when the lease ends: it runs at
// least once and is never lost. Methods are called from many goroutines.
type Deduper interface {
	// Reserve claims a key for the time of the lease. The claim is "" unless
	// the state is DedupNew.
	Reserve(ctx context.Context, key string, lease time.Duration) (claim string, state DedupState, err error)
	// Commit marks the key as done.
	Commit(ctx context.Context, key, claim string) error
	// Release gives the key up: the next Reserve finds it new.
	Release(ctx context.Context, key, claim string) error
}

const (
	defaultDedupeSize = 100_000
	defaultDedupeTTL  = 24 * time.Hour
)

var (
	errClaimLost   = errors.New("trulioo: the claim is no longer held")
	errDeduperFull = errors.New("trulioo: the deduper is full of events in flight")
)

// MemoryDeduper is a Deduper for one process, with bounds on how many keys it
// remembers and for how long. It forgets everything when the process ends.
type MemoryDeduper struct {
	size int
	ttl  time.Duration

	mu       sync.Mutex
	entries  map[string]*list.Element // of *dedupeEntry
	inFlight *list.List               // oldest claim first
	done     *list.List               // oldest commit first
	claims   uint64                   // the last claim given
}

type dedupeEntry struct {
	key   string
	claim string // "" once done
	ends  time.Time
}

// NewMemoryDeduper remembers size events, each for ttl after it was handled.
// When it is full it forgets the one handled longest ago, and never one in
// flight. An event takes about 300 bytes. A size below 1 means 100,000, and a
// ttl of 0 or less 24 hours.
func NewMemoryDeduper(size int, ttl time.Duration) *MemoryDeduper {
	if size < 1 {
		size = defaultDedupeSize
	}
	if ttl <= 0 {
		ttl = defaultDedupeTTL
	}
	return &MemoryDeduper{
		size: size, ttl: ttl,
		entries: map[string]*list.Element{}, inFlight: list.New(), done: list.New(),
	}
}

// Reserve claims a key. The error means that size events are in flight.
func (d *MemoryDeduper) Reserve(_ context.Context, key string, lease time.Duration) (string, DedupState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if el, ok := d.entries[key]; ok {
		entry := el.Value.(*dedupeEntry)
		switch {
		case !now.Before(entry.ends):
			d.forget(el)
		case entry.claim == "":
			return "", DedupDone, nil
		default:
			return "", DedupInFlight, nil
		}
	}
	if !d.room(now) {
		return "", DedupNew, errDeduperFull
	}
	d.claims++
	claim := strconv.FormatUint(d.claims, 36)
	d.entries[key] = d.inFlight.PushBack(&dedupeEntry{key, claim, now.Add(lease)})
	return claim, DedupNew, nil
}

// Commit marks the key as done. The error means that the claim was lost.
func (d *MemoryDeduper) Commit(_ context.Context, key, claim string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	el, err := d.held(key, claim)
	if err != nil {
		return err
	}
	entry := d.inFlight.Remove(el).(*dedupeEntry)
	entry.claim, entry.ends = "", time.Now().Add(d.ttl)
	d.entries[key] = d.done.PushBack(entry)
	return nil
}

// Release gives the key up. The error means that the claim was lost.
func (d *MemoryDeduper) Release(_ context.Context, key, claim string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	el, err := d.held(key, claim)
	if err != nil {
		return err
	}
	d.forget(el)
	return nil
}

// held finds the entry of a claim. A lease that has ended while nobody else
// came is as good as held.
func (d *MemoryDeduper) held(key, claim string) (*list.Element, error) {
	el, ok := d.entries[key]
	if !ok || claim == "" || el.Value.(*dedupeEntry).claim != claim {
		return nil, errClaimLost
	}
	return el, nil
}

// room forgets what has ended and, when full, the oldest that is done.
func (d *MemoryDeduper) room(now time.Time) bool {
	for _, l := range [...]*list.List{d.done, d.inFlight} {
		for el := l.Front(); el != nil && !now.Before(el.Value.(*dedupeEntry).ends); el = l.Front() {
			d.forget(el)
		}
	}
	if len(d.entries) < d.size {
		return true
	}
	if oldest := d.done.Front(); oldest != nil {
		d.forget(oldest)
		return true
	}
	return false
}

func (d *MemoryDeduper) forget(el *list.Element) {
	entry := el.Value.(*dedupeEntry)
	delete(d.entries, entry.key)
	if entry.claim == "" {
		d.done.Remove(el)
	} else {
		d.inFlight.Remove(el)
	}
}
