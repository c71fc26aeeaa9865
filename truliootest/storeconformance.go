package truliootest

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/internal/guard"
)

// patience is how long the conformance tests wait for the end of a lease by a foreign
// clock, or for the end of a pause before the next fetch.
const patience = 5 * time.Second

// eventually asks until the condition holds.
func eventually(t *testing.T, what string, come func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !come(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// TestDeduper tests that a trulioo.Deduper keeps the contract: a claim is exclusive,
// only its holder can commit or release, a committed event stays done, and an event
// whose holder died is new again when the lease ends. open returns the Deduper for
// each subtest, which may be the same one, since every key is new. It must remember a
// handled event for a minute at least. The test takes less than a second where leases
// end on time.
func TestDeduper(t *testing.T, open func(t *testing.T) trulioo.Deduper) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, dedupes){
		"committed is done":            committedIsDone,
		"released is new":              releasedIsNew,
		"an ended lease is fenced":     endedLeaseIsFenced,
		"a late holder can commit":     lateHolderCanCommit,
		"unknown keys are refused":     unknownKeysAreRefused,
		"keys are apart":               keysAreApart,
		"one of many gets the claim":   oneOfManyGetsTheClaim,
		"each event of many runs once": eachEventOfManyRunsOnce,
	} {
		t.Run(name, func(t *testing.T) { test(t, dedupes{open(t)}) })
	}
}

// dedupes are the demands on a Deduper.
type dedupes struct{ d trulioo.Deduper }

// reserve demands that the event is new.
func (c dedupes) reserve(t *testing.T, key string, lease time.Duration) (claim string) {
	t.Helper()
	claim, state, err := c.d.Reserve(t.Context(), key, lease)
	if err != nil || state != trulioo.DedupNew || claim == "" {
		t.Fatalf("Reserve of a new event: claim %t, state %d, error %v", claim != "", state, err)
	}
	return claim
}

func (c dedupes) state(t *testing.T, key string, want trulioo.DedupState) {
	t.Helper()
	claim, state, err := c.d.Reserve(t.Context(), key, time.Minute)
	if err != nil || state != want || claim != "" {
		t.Fatalf("Reserve: claim %t, state %d, error %v; want no claim and state %d", claim != "", state, err, want)
	}
}

func (c dedupes) commit(t *testing.T, key, claim string) {
	t.Helper()
	if err := c.d.Commit(t.Context(), key, claim); err != nil {
		t.Fatalf("Commit by the holder: %v", err)
	}
}

// refuse demands that a claim can neither commit nor release.
func (c dedupes) refuse(t *testing.T, why, key, claim string) {
	t.Helper()
	if c.d.Commit(t.Context(), key, claim) == nil {
		t.Fatalf("Commit has no error: %s", why)
	}
	if c.d.Release(t.Context(), key, claim) == nil {
		t.Fatalf("Release has no error: %s", why)
	}
}

func committedIsDone(t *testing.T, c dedupes) {
	key := rand.Text()
	claim := c.reserve(t, key, time.Minute)
	c.state(t, key, trulioo.DedupInFlight)
	c.refuse(t, "somebody else's claim", key, "0")
	c.refuse(t, "no claim", key, "")
	c.commit(t, key, claim)
	c.state(t, key, trulioo.DedupDone)
	if c.d.Release(t.Context(), key, claim) == nil {
		t.Fatal("Release has no error: the event is done for good")
	}
	c.state(t, key, trulioo.DedupDone)
}

func releasedIsNew(t *testing.T, c dedupes) {
	key := rand.Text()
	first := c.reserve(t, key, time.Minute)
	if err := c.d.Release(t.Context(), key, first); err != nil {
		t.Fatalf("Release by the holder: %v", err)
	}
	second := c.reserve(t, key, time.Minute)
	if first == second {
		t.Fatal("two claims are the same")
	}
	c.refuse(t, "the claim was released", key, first)
	c.commit(t, key, second)
}

// reserveOnceEnded waits for the end of a lease.
func (c dedupes) reserveOnceEnded(t *testing.T, key string) (claim string) {
	t.Helper()
	eventually(t, "an ended lease makes the event new", func() bool {
		got, state, err := c.d.Reserve(t.Context(), key, time.Minute)
		claim = got
		return err == nil && state == trulioo.DedupNew
	})
	return claim
}

func endedLeaseIsFenced(t *testing.T, c dedupes) {
	key := rand.Text()
	late := c.reserve(t, key, time.Millisecond)
	holder := c.reserveOnceEnded(t, key)
	c.refuse(t, "another holds the event", key, late)
	c.state(t, key, trulioo.DedupInFlight)
	if err := c.d.Release(t.Context(), key, holder); err != nil {
		t.Fatalf("Release by the new holder: %v", err)
	}
	c.refuse(t, "another has had the event", key, late)
	c.reserve(t, key, time.Minute)
}

// lateHolderCanCommit: nobody came after the lease was over, so the holder's work
// counts.
func lateHolderCanCommit(t *testing.T, c dedupes) {
	key := rand.Text()
	claim := c.reserve(t, key, time.Millisecond)
	<-time.After(20 * time.Millisecond)
	c.commit(t, key, claim)
	c.state(t, key, trulioo.DedupDone)
}

func unknownKeysAreRefused(t *testing.T, c dedupes) {
	claim := c.reserve(t, rand.Text(), time.Minute)
	c.refuse(t, "nobody has reserved the event", rand.Text(), claim)
}

func keysAreApart(t *testing.T, c dedupes) {
	key := rand.Text()
	one := c.reserve(t, key+"a", time.Minute)
	other := c.reserve(t, key+"b", time.Minute)
	c.refuse(t, "the claim is of another event", key+"b", one)
	c.commit(t, key+"a", one)
	c.state(t, key+"b", trulioo.DedupInFlight)
	c.commit(t, key+"b", other)
}

// together calls f from n goroutines.
func together(t *testing.T, n int, f func()) {
	t.Helper()
	all, _ := guard.NewGroup(t.Context())
	for range n {
		all.Start(func() error { f(); return nil })
	}
	if err := all.Wait(); err != nil {
		t.Fatal(err)
	}
}

func oneOfManyGetsTheClaim(t *testing.T, c dedupes) {
	key := rand.Text()
	var holders atomic.Int32
	together(t, 16, func() {
		if _, state, err := c.d.Reserve(t.Context(), key, time.Minute); err != nil {
			t.Errorf("Reserve: %v", err)
		} else if state == trulioo.DedupNew {
			holders.Add(1)
		}
	})
	if n := holders.Load(); n != 1 {
		t.Fatalf("%d of 16 hold the event", n)
	}
}

func eachEventOfManyRunsOnce(t *testing.T, c dedupes) {
	const events = 25
	prefix := rand.Text()
	var runs [events]atomic.Int32
	together(t, 4, func() {
		for i := range events {
			key := prefix + string(rune('a'+i))
			claim, state, err := c.d.Reserve(t.Context(), key, time.Minute)
			if err == nil && state == trulioo.DedupNew {
				runs[i].Add(1)
				err = c.d.Commit(t.Context(), key, claim)
			}
			if err != nil {
				t.Errorf("event %d: %v", i, err)
			}
		}
	})
	for i := range runs {
		if n := runs[i].Load(); n != 1 {
			t.Errorf("event %d ran %d times", i, n)
		}
	}
}

// TestTokenStore tests that a trulioo.TokenStore keeps the contract: one fetch at a
// time for a key and its token for all who wait, a refused token is replaced
// for everybody, keys share nothing, a caller's context ends its own wait and
// nobody else's, and a failed fetch is reported and tried again. open returns the
// TokenStore for each subtest, which may be the same one, since every key is new.
func TestTokenStore(t *testing.T, open func(t *testing.T) trulioo.TokenStore) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, *tokens){
		"one fetch for many":            oneFetchForMany,
		"a refused token is replaced":   refusedTokenIsReplaced,
		"keys are apart":                tokensOfKeysAreApart,
		"a context ends its own wait":   contextEndsItsOwnWait,
		"a failed fetch is tried again": failedFetchIsTriedAgain,
		"no token is an error":          noTokenIsAnError,
	} {
		t.Run(name, func(t *testing.T) { test(t, &tokens{store: open(t), key: rand.Text()}) })
	}
}

// tokens are the demands on a TokenStore, and the fetch that it is given.
type tokens struct {
	store   trulioo.TokenStore
	key     string
	fetches atomic.Int32
	running atomic.Int32
	overlap atomic.Bool
}

// fetch gives a new token each time.
func (c *tokens) fetch(context.Context) (*oauth2.Token, error) {
	if c.running.Add(1) > 1 {
		c.overlap.Store(true)
	}
	defer c.running.Add(-1)
	n := c.fetches.Add(1)
	return &oauth2.Token{
		AccessToken: c.key + "-" + string(rune('0'+n)), TokenType: "Bearer", Expiry: time.Now().Add(time.Hour),
	}, nil
}

// by16 asks from 16 goroutines, and demands that all get one token.
func (c *tokens) by16(t *testing.T, refused, want string) {
	t.Helper()
	together(t, 16, func() {
		got, err := c.store.Token(t.Context(), c.key, refused, c.fetch)
		switch {
		case err != nil:
			t.Errorf("Token: %v", err)
		case got.AccessToken != want:
			t.Error("not the token that the others have")
		case got.TokenType != "Bearer" || time.Until(got.Expiry) < 50*time.Minute || time.Until(got.Expiry) > time.Hour:
			t.Error("the token has lost its type or its expiry")
		}
	})
	if c.overlap.Load() {
		t.Error("two fetches of a key at once")
	}
}

func (c *tokens) fetched(t *testing.T, want int32) {
	t.Helper()
	if n := c.fetches.Load(); n != want {
		t.Fatalf("%d fetches, want %d", n, want)
	}
}

func oneFetchForMany(t *testing.T, c *tokens) {
	c.by16(t, "", c.key+"-1")
	c.fetched(t, 1)
}

func refusedTokenIsReplaced(t *testing.T, c *tokens) {
	c.by16(t, "", c.key+"-1")
	c.by16(t, c.key+"-1", c.key+"-2")
	c.by16(t, "", c.key+"-2")
	c.by16(t, c.key+"-1", c.key+"-2") // a caller that comes late with the old one
	c.fetched(t, 2)
}

func tokensOfKeysAreApart(t *testing.T, c *tokens) {
	c.by16(t, "", c.key+"-1")
	other := &tokens{store: c.store, key: rand.Text()}
	other.by16(t, "", other.key+"-1")
	c.by16(t, "", c.key+"-1")
}

func contextEndsItsOwnWait(t *testing.T, c *tokens) {
	free := make(chan struct{})
	slow := func(ctx context.Context) (*oauth2.Token, error) {
		select {
		case <-free:
			return c.fetch(ctx)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	wait := func(ctx context.Context) <-chan error {
		ended := make(chan error, 1)
		guard.Start(func() (struct{}, error) {
			_, err := c.store.Token(ctx, c.key, "", slow)
			ended <- err
			return struct{}{}, err
		})
		return ended
	}
	stays := wait(t.Context())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	select {
	case err := <-wait(ctx):
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Token with an ended context: %v", err)
		}
	case <-time.After(patience):
		t.Error("Token does not return though its context has ended")
	}
	close(free)
	if err := <-stays; err != nil {
		t.Errorf("the end of one caller's context ended another's wait: %v", err)
	}
}

func failedFetchIsTriedAgain(t *testing.T, c *tokens) {
	broken := errors.New("no way to the token endpoint")
	_, err := c.store.Token(t.Context(), c.key, "", func(context.Context) (*oauth2.Token, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Fatalf("Token does not return the error of fetch: %v", err)
	}
	eventually(t, "a failed fetch is tried again", func() bool {
		got, err := c.store.Token(t.Context(), c.key, "", c.fetch)
		return err == nil && got.AccessToken == c.key+"-1"
	})
	c.fetched(t, 1)
}

func noTokenIsAnError(t *testing.T, c *tokens) {
	for _, none := range []*oauth2.Token{nil, {}} {
		got, err := c.store.Token(t.Context(), c.key, "", func(context.Context) (*oauth2.Token, error) { return none, nil })
		if err == nil {
			t.Fatalf("no token and no error: %t", got == nil)
		}
	}
}
