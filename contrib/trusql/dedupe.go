package trusql

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/trulioo-go/trulioo"
)

// ErrClaimLost is the error of Commit and Release where the claim is no longer
// held: its lease has ended and another process has taken the event.
var ErrClaimLost = errors.New("trusql: the claim is no longer held")

// Deduper is a trulioo.Deduper for all processes of a database. Leases are measured by
// the database's clock. An Inbox needs no Deduper: its table does the same.
type Deduper struct {
	store   *Store
	ttl     time.Duration
	commits atomic.Int64
}

var _ trulioo.Deduper = (*Deduper)(nil)

const (
	defaultTTL  = 24 * time.Hour
	purgeEvery  = 100   // commits
	purgeAtMost = 1_000 // keys
)

// Deduper remembers each handled event for ttl; 0 or less means 24 hours. Some commits
// also delete the events whose time is over.
func (s *Store) Deduper(ttl time.Duration) *Deduper {
	if ttl <= 0 {
		ttl = defaultTTL
	}
	return &Deduper{store: s, ttl: ttl}
}

// Reserve claims a key for the time of the lease.
func (d *Deduper) Reserve(ctx context.Context, key string, lease time.Duration) (claim string, state trulioo.DedupState, err error) {
	claim = rand.Text()
	for {
		taken, err := d.store.exec(ctx, `INSERT INTO trulioo_claims AS c (key, claim, done, ends) VALUES ($1, $2, 0, NOW + $3)
			ON CONFLICT (key) DO UPDATE SET claim = excluded.claim, done = 0, ends = excluded.ends WHERE c.ends <= NOW`,
			key, claim, millis(lease))
		if err != nil {
			return "", trulioo.DedupNew, failed("reserve", err)
		}
		if taken == 1 {
			return claim, trulioo.DedupNew, nil
		}
		var done int
		err = d.store.row(ctx, "SELECT done FROM trulioo_claims WHERE key = $1", key).Scan(&done)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			continue // released or forgotten between the two statements
		case err != nil:
			return "", trulioo.DedupNew, failed("reserve", err)
		case done == 1:
			return "", trulioo.DedupDone, nil
		default:
			return "", trulioo.DedupInFlight, nil
		}
	}
}

// Commit marks the key as done. A claim whose lease has ended is still held if nobody
// else has claimed the key; otherwise the error is ErrClaimLost.
func (d *Deduper) Commit(ctx context.Context, key, claim string) error {
	n, err := d.store.exec(ctx, "UPDATE trulioo_claims SET done = 1, ends = NOW + $3 WHERE key = $1 AND claim = $2 AND done = 0",
		key, claim, millis(d.ttl))
	if err == nil && n == 1 && d.commits.Add(1)%purgeEvery == 0 {
		_ = d.forget(ctx) // the event is done anyway
	}
	return held("commit", n, err)
}

// Release gives the key up: the next Reserve finds it new. The error is
// ErrClaimLost where it was not held any more.
func (d *Deduper) Release(ctx context.Context, key, claim string) error {
	n, err := d.store.exec(ctx, "DELETE FROM trulioo_claims WHERE key = $1 AND claim = $2 AND done = 0", key, claim)
	return held("release", n, err)
}

// forget deletes handled events whose time is over, and the claims of processes that
// died.
func (d *Deduper) forget(ctx context.Context) error {
	_, err := d.store.exec(ctx, `DELETE FROM trulioo_claims WHERE key IN
		(SELECT key FROM trulioo_claims WHERE ends <= NOW - CASE done WHEN 1 THEN 0 ELSE $1 END LIMIT $2)`, millis(d.ttl), purgeAtMost)
	return err
}

func held(operation string, n int64, err error) error {
	if err == nil && n == 0 {
		return ErrClaimLost
	}
	return failed(operation, err)
}

func millis(d time.Duration) int64 { return max(d.Milliseconds(), 1) }
