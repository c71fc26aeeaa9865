package trulioo

import (
	"context"
	"errors"
	"math"
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
	size  int
	ttl   time.Duration
	begun time.Time

	mu      sync.Mutex
	index   map[string]int32 // of entries, by key
	entries []dedupeEntry    // in two rings and a chain; few pointers, so that the collector is quick
	free    int32            // the first unused entry; 0 for none
	claims  uint64           // the last claim given
}

// dedupeEntry is a key in one of the two rings.
type dedupeEntry struct {
	key        string
	claim      uint64        // 0 once done
	ends       time.Duration // the lease or the ttl, since begun
	prev, next int32
}

// The entries that rings begin and end at.
const (
	inFlightRing = 0 // oldest claim first
	doneRing     = 1 // oldest commit first
)

// NewMemoryDeduper remembers size events, each for ttl after it was handled.
// When it is full it forgets the one handled longest ago, and never one in
// flight. An event takes about 200 bytes. A size below 1 means 100,000, and a
// ttl of 0 or less 24 hours.
func NewMemoryDeduper(size int, ttl time.Duration) *MemoryDeduper {
	if size < 1 {
		size = defaultDedupeSize
	}
	if ttl <= 0 {
		ttl = defaultDedupeTTL
	}
	d := &MemoryDeduper{
		size: min(size, math.MaxInt32-2), ttl: ttl, begun: time.Now(),
		index: map[string]int32{}, entries: make([]dedupeEntry, 2),
	}
	d.entries[doneRing].prev, d.entries[doneRing].next = doneRing, doneRing
	return d
}

// Reserve claims a key. The error means that size events are in flight.
func (d *MemoryDeduper) Reserve(_ context.Context, key string, lease time.Duration) (string, DedupState, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Since(d.begun)
	if at, ok := d.index[key]; ok {
		switch e := &d.entries[at]; {
		case now >= e.ends:
			d.forget(at)
		case e.claim == 0:
			return "", DedupDone, nil
		default:
			return "", DedupInFlight, nil
		}
	}
	if !d.room(now) {
		return "", DedupNew, errDeduperFull
	}
	d.claims++
	at := d.unused()
	d.entries[at] = dedupeEntry{key: key, claim: d.claims, ends: now + lease}
	d.index[key] = at
	d.push(inFlightRing, at)
	return strconv.FormatUint(d.claims, 36), DedupNew, nil
}

// Commit marks the key as done. The error means that the claim was lost.
func (d *MemoryDeduper) Commit(_ context.Context, key, claim string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, err := d.held(key, claim)
	if err != nil {
		return err
	}
	d.cut(at)
	d.push(doneRing, at)
	d.entries[at].claim, d.entries[at].ends = 0, time.Since(d.begun)+d.ttl
	return nil
}

// Release gives the key up. The error means that the claim was lost.
func (d *MemoryDeduper) Release(_ context.Context, key, claim string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, err := d.held(key, claim)
	if err != nil {
		return err
	}
	d.forget(at)
	return nil
}

// held finds the entry of a claim. A lease that has ended while nobody else
// came is as good as held.
func (d *MemoryDeduper) held(key, claim string) (int32, error) {
	n, err := strconv.ParseUint(claim, 36, 64)
	at, ok := d.index[key]
	if err != nil || !ok || n == 0 || d.entries[at].claim != n {
		return 0, errClaimLost
	}
	return at, nil
}

// room makes room for one more: when full, it forgets the oldest claim if its
// lease has ended, and else the oldest that is done.
func (d *MemoryDeduper) room(now time.Duration) bool {
	if len(d.index) < d.size {
		return true
	}
	oldest := d.entries[inFlightRing].next
	if oldest == inFlightRing || now < d.entries[oldest].ends {
		oldest = d.entries[doneRing].next
	}
	if oldest == doneRing {
		return false
	}
	d.forget(oldest)
	return true
}

// unused gives an entry that is in no ring.
func (d *MemoryDeduper) unused() int32 {
	if at := d.free; at != 0 {
		d.free = d.entries[at].next
		return at
	}
	d.entries = append(d.entries, dedupeEntry{})
	return int32(len(d.entries) - 1) //nolint:gosec // size is bounded
}

func (d *MemoryDeduper) forget(at int32) {
	delete(d.index, d.entries[at].key)
	d.cut(at)
	d.entries[at] = dedupeEntry{next: d.free}
	d.free = at
}

func (d *MemoryDeduper) push(ring, at int32) {
	last := d.entries[ring].prev
	d.entries[at].prev, d.entries[at].next = last, ring
	d.entries[last].next, d.entries[ring].prev = at, at
}

func (d *MemoryDeduper) cut(at int32) {
	e := d.entries[at]
	d.entries[e.prev].next, d.entries[e.next].prev = e.next, e.prev
}
