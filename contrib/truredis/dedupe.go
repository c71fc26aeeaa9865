package truredis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/trulioo-go/trulioo"
)

// ErrClaimLost is the error of Commit and Release where the claim is no longer
// held: its lease has ended and another process has taken the event, or Redis
// has lost its data.
var ErrClaimLost = errors.New("truredis: the claim is no longer held")

// Deduper is a trulioo.Deduper for many processes. An event that one of them has
// reserved is in flight for all, and done for all once it is committed. Leases
// are measured by Redis's clock, so the processes' clocks need not agree.
type Deduper struct {
	redis  redis.UniversalClient
	prefix string
	ttl    time.Duration
}

var _ trulioo.Deduper = (*Deduper)(nil)

// NewDeduper makes a Deduper from WithPrefix and WithTTL. It does not close the client.
// Processes that share events need the same prefix.
func NewDeduper(client redis.UniversalClient, opts ...Option) (*Deduper, error) {
	c, err := newConfig(client, opts, "WithEncryptionKeys", "WithInsecurePlaintext", "WithLogger")
	if err != nil {
		return nil, err
	}
	return &Deduper{redis: client, prefix: c.prefix + "event:", ttl: c.ttl}, nil
}

// An event is one hash. It holds the claim that was last given, and either the end of
// its lease or "done". A script that go-redis sends twice, because the first answer was
// lost, finds its own claim and answers the same again. The hash outlives its lease,
// so that a late holder finds out whether another came.
const (
	reserveScript script = `
local kept = redis.call('HMGET', KEYS[1], 'claim', 'ends')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if kept[1] and kept[1] ~= ARGV[1] then
	if kept[2] == 'done' then return {'done'} end
	if now < tonumber(kept[2]) then return {'in flight'} end
end
redis.call('HSET', KEYS[1], 'claim', ARGV[1], 'ends', string.format('%.0f', now + ARGV[2]))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ARGV[2] + ARGV[3]))
return {'new'}`

	commitScript script = `
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[1] then return {'lost'} end
redis.call('HSET', KEYS[1], 'ends', 'done')
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {'committed'}`

	releaseScript script = `
local kept = redis.call('HMGET', KEYS[1], 'claim', 'ends')
if kept[1] ~= ARGV[1] or kept[2] == 'done' then return {'lost'} end
redis.call('DEL', KEYS[1])
return {'released'}`
)

// Reserve claims a key for the time of the lease. An error means that Redis answered
// with an error, or not before ctx's deadline, 5 seconds at most; a
// trulioo.WebhookHandler then runs the event anyway.
func (d *Deduper) Reserve(ctx context.Context, key string, lease time.Duration) (claim string, state trulioo.DedupState, err error) {
	claim = rand.Text()
	said, err := d.eval(ctx, "reserve", reserveScript, key, claim, millis(lease), millis(d.ttl))
	if err != nil {
		return "", trulioo.DedupNew, err
	}
	switch said {
	case "done":
		return "", trulioo.DedupDone, nil
	case "in flight":
		return "", trulioo.DedupInFlight, nil
	default:
		return claim, trulioo.DedupNew, nil
	}
}

// Commit marks the key as done, for the time of WithTTL. A claim whose lease has ended
// is still held if nobody else has claimed the key; otherwise the error is
// ErrClaimLost.
func (d *Deduper) Commit(ctx context.Context, key, claim string) error {
	return held(d.eval(ctx, "commit", commitScript, key, claim, millis(d.ttl)))
}

// Release gives the key up: the next Reserve finds it new. The error is
// ErrClaimLost where it was not held any more.
func (d *Deduper) Release(ctx context.Context, key, claim string) error {
	return held(d.eval(ctx, "release", releaseScript, key, claim))
}

// Format prints the type's name only: the client can hold a password.
func (d Deduper) Format(s fmt.State, _ rune) { redacted(s, "truredis.Deduper") }

func (d *Deduper) eval(ctx context.Context, step string, lua script, key string, args ...any) (string, error) {
	said, err := eval(ctx, eventTimeout, d.redis, step, lua, []string{d.prefix + key}, args...)
	if err != nil {
		return "", err
	}
	return said[0], nil
}

func held(said string, err error) error {
	if err == nil && said == "lost" {
		return ErrClaimLost
	}
	return err
}

// millis is at least 1, since 0 is an error to Redis or ends the key. The longest
// duration is 292 years: the sum of two does not overflow in Redis.
func millis(d time.Duration) int64 { return max(d.Milliseconds(), 1) }
