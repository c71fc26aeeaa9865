package truredis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
)

const (
	// A process that holds the lock for longer than lockLease may be dead or cut off,
	// and another tries. A process that has waited for longer than patience, which is
	// less than the core's 30 s for a fetch, fetches its own token.
	lockLease = 5 * time.Second
	patience  = 12 * time.Second

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
// again, unless the token endpoint gives it again, or was asked because of a
// refusal a moment ago. All processes together ask an endpoint that refuses the
// credentials at most once a second, then less often each time, down to once a
// minute. The same holds where the API refuses every token. Other credentials start
// anew. While Redis is down or slow, or its token cannot be decrypted, each process
// fetches a token of its own, with a pause of its own, and WithLogger gets the reason.
type TokenStore struct {
	memory *trulioo.MemoryTokenStore
	redis  redis.UniversalClient
	prefix string
	seals  seals
	logger *slog.Logger

	lease, patience, timeout time.Duration

	mu   sync.Mutex
	have map[string]string // for each key the digest of the token that this process was given
}

var _ trulioo.TokenStore = (*TokenStore)(nil)

// NewTokenStore makes a TokenStore from WithEncryptionKeys, or else
// WithInsecurePlaintext, and WithPrefix and WithLogger. It does not close the client.
// Processes that share tokens need the same prefix and keys.
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
		return s.take(ctx, &tokenAttempt{TokenStore: s, key: key, refused: refused, claim: rand.Text(), fetch: fetch})
	})
}

func (s *TokenStore) take(ctx context.Context, t *tokenAttempt) (*oauth2.Token, error) {
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

// A key has four names, in one slot of a cluster: the token, a hash that ends when the
// token does; the digests of refused tokens; the lock, which holds the claim of the
// process that fetches; and the brakes.
//
// A brake puts a pause between the fetches of all processes, as the brake of the core's
// store does for one process: a second, then twice as long each time, up to a minute.
// It forgets them after a minute without one. One brake is for fetches after the token
// endpoint has refused the credentials, which can lock an account. Other credentials
// have another key, and so other brakes. The other brake is for fetches after a refusal
// by the API. The first two of these are free: a token can be revoked, and its
// successor too.
const (
	brakes script = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function held(brake) return now < tonumber(redis.call('HGET', KEYS[4], brake .. ' until') or 0) end
local function set(brake, ends, pause, count)
	redis.call('HSET', KEYS[4], brake .. ' until', string.format('%.0f', ends), brake .. ' pause', pause, brake .. ' count', count)
	redis.call('PEXPIRE', KEYS[4], 180000)
end
local function hold(brake, free)
	local kept = redis.call('HMGET', KEYS[4], brake .. ' until', brake .. ' pause', brake .. ' count')
	local ends, pause, count = tonumber(kept[1] or 0), tonumber(kept[2] or 0), tonumber(kept[3] or 0)
	if now - ends > 60000 then pause, count = 0, 0 end
	if count < free then return set(brake, now, pause, count + 1) end
	pause = math.min(math.max(1000, 2 * pause), 60000)
	set(brake, now + pause, pause, count + 1)
end`

	// takeScript notes a refused token, and gives the token or the lock. A refused
	// token stays in use while a brake is on. A token that the process already has is
	// due for its successor, unless the endpoint has shown that it has none yet, by
	// giving the same one again. A script that go-redis sends twice counts once.
	takeScript = brakes + `
local kept = redis.call('HMGET', KEYS[1], 'sealed', 'digest', 'again')
local left = redis.call('PTTL', KEYS[1])
if ARGV[1] ~= '' then
	redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', '(' .. string.format('%.0f', time[1] - ARGV[5]))
	redis.call('ZADD', KEYS[2], time[1], ARGV[1])
	redis.call('EXPIRE', KEYS[2], ARGV[5])
end
local alive = kept[1] and left > 0
local refused = alive and redis.call('ZSCORE', KEYS[2], kept[2])
local serves = alive and (kept[2] ~= ARGV[2] or kept[3] == '1')
if refused then serves = held('refusals') or held('failures') end
if serves then return {'token', kept[1], tostring(left)} end
if held('failures') then return {'failed', redis.call('HGET', KEYS[4], 'failure') or ''} end
local lock = redis.call('GET', KEYS[3])
if lock and lock ~= ARGV[3] then return {'wait'} end
if not lock and (refused or ARGV[1] ~= '') then hold('refusals', 2) end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return {'fetch'}`

	// putScript keeps a token, if the process that fetched it still has the lock. A
	// token that the API has just refused puts the brake on: the endpoint has no other.
	putScript = brakes + `
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'late'} end
redis.call('DEL', KEYS[3])
local again = '0'
if redis.call('HGET', KEYS[1], 'digest') == ARGV[2] then again = '1' end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('HSET', KEYS[1], 'sealed', ARGV[3], 'digest', ARGV[2], 'again', again)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
redis.call('HDEL', KEYS[4], 'failures until', 'failures pause', 'failures count', 'failure')
if ARGV[2] == ARGV[5] and not held('refusals') then hold('refusals', 0) end
return {'kept'}`

	// failScript gives the lock up and keeps the reason why there is no token: for a
	// second or, where the credentials were refused, for as long as the brake is on.
	failScript = brakes + `
if redis.call('GET', KEYS[3]) ~= ARGV[1] then return {'late'} end
redis.call('DEL', KEYS[3])
if ARGV[2] == '' then return {'told'} end
redis.call('HSET', KEYS[4], 'failure', ARGV[2])
if ARGV[3] == '1' then hold('failures', 0) else set('failures', now + 1000, 0, 0) end
return {'told'}`
)

// tokenAttempt is one process's attempt at a token that it does not have in memory.
type tokenAttempt struct {
	*TokenStore
	key, refused, claim string
	fetch               func(context.Context) (*oauth2.Token, error)
}

// token takes the shared token, fetches it for all, or waits for the process that does.
func (t *tokenAttempt) token(ctx context.Context) (*oauth2.Token, error) {
	patience := time.NewTimer(t.patience)
	defer patience.Stop()
	for poll := firstPoll; ; poll = min(poll*3/2, lastPoll) {
		said, err := t.eval(ctx, "take", takeScript, digest(t.key, t.refused), t.inHand(t.key),
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

var errPatience = errors.New("truredis: the process that fetches the token takes too long")

func (t *tokenAttempt) eval(ctx context.Context, step string, lua script, args ...any) ([]string, error) {
	name := t.prefix + "{" + t.key + "}"
	return eval(ctx, t.timeout, t.redis, step, lua, []string{name, name + ":refused", name + ":lock", name + ":brakes"}, args...)
}

// alone fetches a token for this process, without Redis.
func (t *tokenAttempt) alone(ctx context.Context, why error) (*oauth2.Token, error) {
	t.logger.WarnContext(ctx, "trulioo token not shared: this process fetches its own", slog.String("reason", why.Error()))
	return t.fetch(ctx)
}

func (t *tokenAttempt) shared(ctx context.Context, sealed, left string) (*oauth2.Token, error) {
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
func (t *tokenAttempt) fetchForAll(ctx context.Context) (*oauth2.Token, error) {
	token, err := t.fetch(ctx)
	after := context.WithoutCancel(ctx)
	if err != nil {
		t.tell(after, err)
		return nil, err
	}
	if token == nil || token.AccessToken == "" {
		t.tell(after, nil)
		return token, nil // the store in memory checks it
	}
	return t.put(after, token)
}

func (t *tokenAttempt) put(ctx context.Context, token *oauth2.Token) (*oauth2.Token, error) {
	life := unknownLife
	if !token.Expiry.IsZero() {
		life = time.Until(token.Expiry)
	}
	sealed, err := t.seals.seal(t.key, token)
	if err != nil {
		return nil, err
	}
	_, err = t.eval(ctx, "put", putScript, t.claim, digest(t.key, token.AccessToken), sealed, millis(life), digest(t.key, t.refused))
	if err != nil {
		t.logger.WarnContext(ctx, "trulioo token not shared: it could not be kept", slog.String("reason", err.Error()))
	}
	return token, nil
}

// tell gives up the lock. An answer of the token endpoint is the same for all, so tell
// passes it on to the processes that wait, and to those that ask while the brake is on.
// It passes on no failure on the way to the endpoint, such as a proxy's.
func (t *tokenAttempt) tell(ctx context.Context, err error) {
	var reason []byte
	answered, ok := errors.AsType[*trulioo.AuthError](err)
	refused := ok && answered.Is(trulioo.ErrUnauthorized) && answered.StatusCode != http.StatusRequestTimeout
	if ok && (refused || answered.StatusCode >= 400) && answered.StatusCode != http.StatusProxyAuthRequired {
		reason, _ = json.Marshal(sharedFailure{answered.StatusCode, answered.Attempts, answered.Reason, answered.Code})
	}
	final := 0
	if refused {
		final = 1
	}
	// If this does not reach Redis, the lease ends by itself.
	_, _ = t.eval(ctx, "tell", failScript, t.claim, string(reason), final)
}

// sharedFailure is the part of a trulioo.AuthError that other processes get.
type sharedFailure struct {
	StatusCode int    `json:"status"`
	Attempts   int    `json:"attempts"`
	Reason     string `json:"reason"`
	Code       string `json:"code,omitempty"`
}

func failureOf(text string) error {
	var f sharedFailure
	if json.Unmarshal([]byte(text), &f) != nil {
		return &trulioo.AuthError{Operation: trulioo.OperationFetchToken}
	}
	return &trulioo.AuthError{Operation: trulioo.OperationFetchToken, StatusCode: f.StatusCode, Attempts: f.Attempts, Reason: f.Reason, Code: f.Code}
}
