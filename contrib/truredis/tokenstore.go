package truredis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
)

const (
	// A process that holds the lock for longer than lockLease may be dead or cut
	// off, and another tries; one that has waited for longer than patience, which
	// is less than the core's 30 s for a fetch, helps itself.
	lockLease = 5 * time.Second
	patience  = 12 * time.Second

	// failureLife is for how long those who waited learn that the token endpoint
	// has refused, in place of asking it themselves.
	failureLife = time.Second

	// unknownLife is the core's own guess for a token without an expiry.
	unknownLife = 5 * time.Minute
	// refusedLife outlasts any token: the core keeps none for longer.
	refusedLife = 24 * time.Hour

	firstPoll, lastPoll = 20 * time.Millisecond, 250 * time.Millisecond
)

// TokenStore is a trulioo.TokenStore for many processes: one of them fetches a
// token, under a lock, and all use it. It keeps the token in memory too, so
// Redis is asked once for each new token and not for each call.
//
// A token that the API has refused is remembered, as a digest, and not given out
// again, unless the token endpoint gives it again. A token endpoint that refuses is asked by one process at a time, and at most
// once a second. While Redis is down, slow or cannot be decrypted each process
// fetches a token of its own; what is then wrong goes to WithLogger.
type TokenStore struct {
	memory *trulioo.MemoryTokenStore
	redis  redis.UniversalClient
	prefix string
	seals  seals
	logger *slog.Logger

	lease, patience, timeout time.Duration

	mu   sync.Mutex
	have map[string]string // for each key the digest of what this process was given
}

var _ trulioo.TokenStore = (*TokenStore)(nil)

// NewTokenStore makes a TokenStore from WithEncryptionKeys, or else
// WithInsecurePlaintext, and WithPrefix and WithLogger. The client stays the
// caller's to close. Processes that share tokens need the same prefix and keys.
func NewTokenStore(client redis.UniversalClient, opts ...Option) (*TokenStore, error) {
	c, err := newConfig(client, opts, "WithTTL")
	if err != nil {
		return nil, err
	}
	switch encrypted := c.given["WithEncryptionKeys"]; {
	case c.insecure && encrypted:
		return nil, argument("WithInsecurePlaintext", "cannot go together with WithEncryptionKeys")
	case !c.insecure && len(c.keys) == 0:
		return nil, argument("WithEncryptionKeys", "needs a key of 32 bytes")
	}
	s, err := newSeals(c.keys)
	if err != nil {
		return nil, err
	}
	return &TokenStore{
		memory: trulioo.NewMemoryTokenStore(), redis: client, prefix: c.prefix + "token:", seals: s, logger: c.logger,
		lease: lockLease, patience: patience, timeout: tokenTimeout, have: map[string]string{},
	}, nil
}

// Token implements trulioo.TokenStore.
func (s *TokenStore) Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	return s.memory.Token(ctx, key, refused, func(ctx context.Context) (*oauth2.Token, error) {
		return s.take(ctx, &turn{TokenStore: s, key: key, refused: refused, claim: rand.Text(), fetch: fetch})
	})
}

func (s *TokenStore) take(ctx context.Context, t *turn) (*oauth2.Token, error) {
	token, err := t.token(ctx)
	if err == nil && token != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.have[t.key] = digest(t.key, token.AccessToken)
	}
	return token, err
}

// Format prints the type's name only: it holds keys and tokens.
func (s *TokenStore) Format(f fmt.State, _ rune) { redacted(f, "truredis.TokenStore") }

func (s *TokenStore) inHand(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.have[key]
}

// A key has three names, in one slot of a cluster: the token, a hash that ends
// when it does; the digests of refused tokens; and the lock, which holds the
// claim of who fetches or, for a second, why that failed.
const (
	// takeScript notes a refused token, and gives the token or the lock. A refused
	// token that the endpoint has given again in the last minute stays. A token
	// that the process already has is due for its successor, unless the API has
	// said that there is none yet by giving the same one again.
	takeScript script = `
local time = redis.call('TIME')
local kept = redis.call('HMGET', KEYS[1], 'sealed', 'digest', 'again', 'since')
local left = redis.call('PTTL', KEYS[1])
if ARGV[1] ~= '' and kept[2] == ARGV[1] and left > 0 and kept[4] then
	if kept[3] == '1' and time[1] - kept[4] < 60 then return {'token', kept[1], tostring(left)} end
end
if ARGV[1] ~= '' then
	redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.format('%.0f', time[1] - ARGV[5]))
	redis.call('ZADD', KEYS[2], time[1], ARGV[1])
	redis.call('EXPIRE', KEYS[2], ARGV[5])
end
if kept[1] and left > 0 and not redis.call('ZSCORE', KEYS[2], kept[2])
	and (kept[2] ~= ARGV[2] or kept[3] == '1') then
	return {'token', kept[1], tostring(left)}
end
local lock = redis.call('GET', KEYS[3])
if lock and string.sub(lock, 1, 1) == '{' then return {'failed', lock} end
if lock and lock ~= ARGV[3] then return {'wait'} end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return {'fetch'}`

	// putScript keeps a token, if whoever fetched it still has the lock.
	putScript script = `
local mine = redis.call('GET', KEYS[3]) == ARGV[1]
if mine then redis.call('DEL', KEYS[3]) end
if not mine then return {'late'} end
local again = '0'
if redis.call('HGET', KEYS[1], 'digest') == ARGV[2] then again = '1' end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'sealed', ARGV[3], 'digest', ARGV[2], 'again', again, 'since', redis.call('TIME')[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {'kept'}`

	// failScript gives the lock up, or leaves the reason in its place.
	failScript script = `
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'late'} end
if ARGV[2] == '' then redis.call('DEL', KEYS[3]) else redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3]) end
return {'told'}`
)

// turn is one process's attempt at a token that it does not have in memory.
type turn struct {
	*TokenStore
	key, refused, claim string
	fetch               func(context.Context) (*oauth2.Token, error)
}

// token takes the shared token, fetches it for all, or waits for who does.
func (t *turn) token(ctx context.Context) (*oauth2.Token, error) {
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		said, err := t.ask(ctx, "take", takeScript, digest(t.key, t.refused), t.inHand(t.key),
			t.claim, millis(t.lease), int(refusedLife.Seconds()))
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			return t.alone(ctx, err)
		case said[0] == "token" && len(said) == 3:
			return t.shared(ctx, said[1], said[2])
		case said[0] == "failed" && len(said) == 2:
			return nil, failureOf(said[1])
		case said[0] == "fetch":
			return t.fetchForAll(ctx)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience.C:
			return t.alone(ctx, errPatience)
		case <-time.After(poll/2 + mathrand.N(poll)): //nolint:gosec // jitter, no secret
		}
	}
}

var errPatience = errors.New("truredis: the process that fetches takes too long")

func (t *turn) ask(ctx context.Context, step string, lua script, args ...any) ([]string, error) {
	name := t.prefix + "{" + t.key + "}"
	return ask(ctx, t.timeout, t.redis, step, lua, []string{name, name + ":refused", name + ":lock"}, args...)
}

// alone does without Redis.
func (t *turn) alone(ctx context.Context, why error) (*oauth2.Token, error) {
	t.logger.WarnContext(ctx, "trulioo token not shared: this process fetches its own", slog.String("reason", why.Error()))
	return t.fetch(ctx)
}

func (t *turn) shared(ctx context.Context, sealed, left string) (*oauth2.Token, error) {
	token, err := t.seals.open(t.key, sealed)
	if err != nil {
		return t.alone(ctx, err)
	}
	life, err := strconv.ParseInt(left, 10, 64)
	if err != nil {
		return t.alone(ctx, errSealed)
	}
	token.Expiry = time.Now().Add(time.Duration(life) * time.Millisecond)
	return token, nil
}

// fetchForAll fetches while this process holds the lock. If that takes longer than the
// lease, the token serves this process only.
func (t *turn) fetchForAll(ctx context.Context) (*oauth2.Token, error) {
	token, err := t.fetch(ctx)
	after := context.WithoutCancel(ctx)
	if err != nil {
		t.tell(after, err)
		return nil, err
	}
	if token == nil || token.AccessToken == "" {
		t.tell(after, nil)
		return token, nil // the store in memory knows what to say
	}
	return t.put(after, token)
}

func (t *turn) put(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error) {
	life := unknownLife
	if !token.Expiry.IsZero() {
		life = time.Until(token.Expiry)
	}
	sealed, err := t.seals.seal(t.key, token)
	if err != nil {
		return nil, err
	}
	_, err = t.ask(ctx, "put", putScript, t.claim, digest(t.key, token.AccessToken), sealed, millis(life))
	if err != nil {
		t.logger.WarnContext(ctx, "trulioo token not shared: it could not be kept", slog.String("reason", err.Error()))
	}
	return token, nil
}

// tell ends this process's hold on the lock. An answer of the token endpoint is
// the same for all, so those who wait are told; trouble on the way to it is not.
func (t *turn) tell(ctx context.Context, err error) {
	var reason []byte
	if answered, ok := errors.AsType[*trulioo.AuthError](err); ok && answered.StatusCode >= 400 {
		reason, _ = json.Marshal(sharedFailure{answered.StatusCode, answered.Attempts, answered.Reason})
	}
	// Where Redis does not hear it, the lease ends by itself.
	_, _ = t.ask(ctx, "tell", failScript, t.claim, string(reason), millis(failureLife))
}

// sharedFailure is the part of a trulioo.AuthError that others can have.
type sharedFailure struct {
	StatusCode int    `json:"status"`
	Attempts   int    `json:"attempts"`
	Reason     string `json:"reason"`
}

func failureOf(text string) error {
	var f sharedFailure
	if json.Unmarshal([]byte(text), &f) != nil {
		return &trulioo.AuthError{Operation: trulioo.OperationFetchToken}
	}
	return &trulioo.AuthError{Operation: trulioo.OperationFetchToken, StatusCode: f.StatusCode, Attempts: f.Attempts, Reason: f.Reason}
}
