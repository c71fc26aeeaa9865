package trulioo

import (
	"context"
	"sync"
	"time"

	"github.com/trulioo-go/trulioo/internal/webhook"
)

// DedupState says what a Deduper knows of an event.
type DedupState int

// The states. The zero value is DedupNew, so that an event runs, and is not lost,
// where a Deduper says nothing.
const (
	DedupNew      DedupState = iota // nobody has it: the caller now holds a claim
	DedupInFlight                   // somebody holds a claim whose lease has not ended
	DedupDone                       // somebody committed it
)

// Deduper remembers which events were handled, by Event.Key and the name of the
// handler, if it has one. A WebhookHandler reserves an event, runs its function, and
// then commits or releases it. A claim fences: only its holder can commit or release.
// Once the lease has ended and another holds the event, the old claim is refused with
// an error.
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

// MemoryDeduper is a Deduper for one process, with bounds on how many keys it
// remembers and for how long. It forgets everything when the process ends. Its
// zero value is ready, with the defaults of NewMemoryDeduper.
type MemoryDeduper struct {
	once   sync.Once
	claims *webhook.Claims
}

// NewMemoryDeduper remembers size events, each for ttl after it was handled.
// When it is full it forgets the one handled longest ago, and never one in
// flight. An event takes about 200 bytes. A size below 1 means 100,000, and a
// ttl of 0 or less 24 hours; the longest ttl is for ever.
func NewMemoryDeduper(size int, ttl time.Duration) *MemoryDeduper {
	if size < 1 {
		size = defaultDedupeSize
	}
	if ttl <= 0 {
		ttl = defaultDedupeTTL
	}
	return &MemoryDeduper{claims: webhook.NewClaims(size, ttl)}
}

func (d *MemoryDeduper) ready() *webhook.Claims {
	d.once.Do(func() {
		if d.claims == nil {
			d.claims = webhook.NewClaims(defaultDedupeSize, defaultDedupeTTL)
		}
	})
	return d.claims
}

// Reserve claims a key. The error means that size events are in flight.
func (d *MemoryDeduper) Reserve(_ context.Context, key string, lease time.Duration) (string, DedupState, error) {
	claim, state, err := d.ready().Reserve(key, lease)
	return claim, DedupState(state), err
}

// Commit marks the key as done. The error means that the claim was lost.
func (d *MemoryDeduper) Commit(_ context.Context, key, claim string) error {
	return d.ready().Commit(key, claim)
}

// Release gives the key up. The error means that the claim was lost.
func (d *MemoryDeduper) Release(_ context.Context, key, claim string) error {
	return d.ready().Release(key, claim)
}
