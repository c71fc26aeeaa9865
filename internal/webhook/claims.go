package webhook

import (
	"errors"
	"math"
	"strconv"
	"sync"
	"time"
)

// State says what Claims knows of a key.
type State int

// The states, in the order of the root package's.
const (
	New      State = iota // nobody has it
	InFlight              // somebody holds a claim whose lease has not ended
	Done                  // somebody committed it
)

// The errors of the methods of Claims. The library's user sees the texts.
var (
	errClaimLost = errors.New("trulioo: the claim is no longer held")
	errFull      = errors.New("trulioo: the deduper is full of events in flight")
)

// Claims remembers keys that are claimed or done, with bounds on how many and
// for how long. It is safe for concurrent use.
type Claims struct {
	size  int
	ttl   time.Duration
	begun time.Time

	mu      sync.Mutex
	index   map[string]int32 // of entries, by key
	entries []entry          // in two rings and a chain; few pointers, so that the collector is quick
	free    int32            // the first unused entry; 0 for none
	claims  uint64           // the last claim given
}

// entry is a key in one of the two rings.
type entry struct {
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

// NewClaims remembers at most size keys, each for ttl after it was done. When
// it is full it forgets the one done longest ago, and never one in flight.
func NewClaims(size int, ttl time.Duration) *Claims {
	c := &Claims{
		size: min(size, math.MaxInt32-2), ttl: ttl, begun: time.Now(),
		index: map[string]int32{}, entries: make([]entry, 2),
	}
	c.entries[doneRing].prev, c.entries[doneRing].next = doneRing, doneRing
	return c
}

// Reserve claims a key for the time of the lease. The claim is "" unless the
// state is New. The error means that size keys are in flight.
func (c *Claims) Reserve(key string, lease time.Duration) (claim string, state State, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Since(c.begun)
	if at, ok := c.index[key]; ok {
		switch e := &c.entries[at]; {
		case now >= e.ends:
			c.forget(at)
		case e.claim == 0:
			return "", Done, nil
		default:
			return "", InFlight, nil
		}
	}
	if !c.room(now) {
		return "", New, errFull
	}
	c.claims++
	at := c.unused()
	c.entries[at] = entry{key: key, claim: c.claims, ends: add(now, lease)}
	c.index[key] = at
	c.push(inFlightRing, at)
	return strconv.FormatUint(c.claims, 36), New, nil
}

// add saturates: the longest duration means for ever.
func add(now, d time.Duration) time.Duration {
	if d > math.MaxInt64-now {
		return math.MaxInt64
	}
	return now + d
}

// Commit marks the key as done. The error means that the claim was lost.
func (c *Claims) Commit(key, claim string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, err := c.held(key, claim)
	if err != nil {
		return err
	}
	c.cut(at)
	c.push(doneRing, at)
	c.entries[at].claim, c.entries[at].ends = 0, add(time.Since(c.begun), c.ttl)
	return nil
}

// Release gives the key up. The error means that the claim was lost.
func (c *Claims) Release(key, claim string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, err := c.held(key, claim)
	if err != nil {
		return err
	}
	c.forget(at)
	return nil
}

// held finds the entry of a claim. A claim whose lease has ended is still held if
// nobody else has claimed the key.
func (c *Claims) held(key, claim string) (int32, error) {
	n, err := strconv.ParseUint(claim, 36, 64)
	at, ok := c.index[key]
	if err != nil || !ok || n == 0 || c.entries[at].claim != n {
		return 0, errClaimLost
	}
	return at, nil
}

// room makes room for one more entry. When full, it forgets the oldest claim if its
// lease has ended, and else the oldest done key.
func (c *Claims) room(now time.Duration) bool {
	if len(c.index) < c.size {
		return true
	}
	oldest := c.entries[inFlightRing].next
	if oldest == inFlightRing || now < c.entries[oldest].ends {
		oldest = c.entries[doneRing].next
	}
	if oldest == doneRing {
		return false
	}
	c.forget(oldest)
	return true
}

// unused gives an entry that is in no ring.
func (c *Claims) unused() int32 {
	if at := c.free; at != 0 {
		c.free = c.entries[at].next
		return at
	}
	c.entries = append(c.entries, entry{})
	return int32(len(c.entries) - 1) //nolint:gosec // size is bounded
}

func (c *Claims) forget(at int32) {
	delete(c.index, c.entries[at].key)
	c.cut(at)
	c.entries[at] = entry{next: c.free}
	c.free = at
}

func (c *Claims) push(ring, at int32) {
	last := c.entries[ring].prev
	c.entries[at].prev, c.entries[at].next = last, ring
	c.entries[last].next, c.entries[ring].prev = at, at
}

func (c *Claims) cut(at int32) {
	e := c.entries[at]
	c.entries[e.prev].next, c.entries[e.next].prev = e.next, e.prev
}
