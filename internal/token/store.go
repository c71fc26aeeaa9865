package token

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// FetchTimeout bounds a fetch with its retries, since it outlives the call that
// began it.
const FetchTimeout = 30 * time.Second

// ErrNone is the error of a fetch that returned neither a token nor an error.
var ErrNone = errors.New("no token")

// Fetch gets a new token.
type Fetch func(context.Context) (*oauth2.Token, error)

// Store keeps one token for each key. A token is fetched again in the background
// when a tenth of its life is left, and callers wait only where no good one is
// left. Its zero value is empty.
type Store struct {
	mu      sync.Mutex
	entries map[string]*entry
}

// entry is the state of one key.
type entry struct {
	token  *oauth2.Token
	usable time.Time                  // until when token is given out
	ahead  time.Time                  // from when on a background fetch may begin
	flight *guard.Task[*oauth2.Token] // the fetch under way

	doubted  string // the token whose refusal by the API began the fetch under way, or ""
	refusals brake  // for such fetches
	failures brake  // for fetches after the token endpoint refused the credentials
	failure  error  // its answer then
}

// Refused reports whether a fetch's error is final, such as wrong credentials, so that
// another fetch at once is of no use.
type Refused func(error) bool

// Token gives a token. refused is "" or a token that the API has just answered with
// 401. It is returned again only where the endpoint has given it again, or was asked
// because of a refusal a moment ago. A 401 need not mean that the token is dead.
// The error is that of fetch or of ctx, or ErrNone.
func (s *Store) Token(ctx context.Context, key, refused string, fetch Fetch, final Refused) (*oauth2.Token, error) {
	for {
		token, f, err := s.look(ctx, key, refused, fetch, final)
		if token != nil || err != nil {
			return token, err
		}
		token, err = f.Wait(ctx)
		// A fetch that began before the refusal may bring the refused token.
		if err != nil || token.AccessToken != refused {
			return token, err
		}
	}
}

// look gives the present token, the fetch to wait for, or the reason why there is neither.
func (s *Store) look(ctx context.Context, key, refused string, fetch Fetch, final Refused) (*oauth2.Token, *guard.Task[*oauth2.Token], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key)
	now := time.Now()
	good := e.token != nil && now.Before(e.usable)
	doubted := good && e.token.AccessToken == refused
	switch {
	case e.flight != nil:
	case doubted && (e.refusals.held(now) || e.failures.held(now)):
		return e.token, nil, nil
	case !good && e.failures.held(now):
		return nil, nil, e.failure
	case !good || doubted || !now.Before(e.ahead) && !e.failures.held(now):
		if refused != "" {
			e.refusals.hold(now, freeRefusals)
		}
		e.doubted = refused
		detached := context.WithoutCancel(ctx)
		e.flight = guard.Start(func() (*oauth2.Token, error) { return s.fly(detached, e, fetch, final) })
	}
	if good && !doubted {
		return e.token, nil, nil
	}
	return nil, e.flight, nil
}

// entry finds or makes the entry of a key. s.mu is held.
func (s *Store) entry(key string) *entry {
	e := s.entries[key]
	if e == nil {
		if s.entries == nil {
			s.entries = map[string]*entry{}
		}
		e = &entry{}
		s.entries[key] = e
	}
	return e
}

// fly fetches for all callers. Only its own time limit ends it, and no caller's
// context.
func (s *Store) fly(ctx context.Context, e *entry, fetch Fetch, final Refused) (token *oauth2.Token, err error) {
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	err = guard.ErrGoexit // unless fetch returns
	defer func() {        // also where fetch panics
		s.mu.Lock()
		defer s.mu.Unlock()
		token, err = e.land(token, err, final)
	}()
	token, err = fetch(ctx)
	return token, err
}

// land takes the result of a fetch. s.mu is held.
func (e *entry) land(token *oauth2.Token, err error, final Refused) (*oauth2.Token, error) {
	e.flight = nil
	now := time.Now()
	switch {
	case e.doubted == "":
	case err == nil && token != nil && token.AccessToken == e.doubted:
		e.refusals.hold(now, 0) // the endpoint has no other
	default:
		e.refusals.until = now.Add(e.refusals.pause)
	}
	switch {
	case err != nil:
	case token == nil || token.AccessToken == "":
		err = ErrNone
	default:
		e.keep(token)
		e.failures = brake{}
		return token, nil
	}
	if final(err) {
		e.failures.hold(now, 0)
		e.failure = err
	}
	// The present token stays in use; the next try is half way to its end.
	e.ahead = now.Add(e.usable.Sub(now) / 2)
	return nil, err
}

// keep takes a new token. v1 may give the same token again before its expiry; it is
// then not asked for another before that token ends.
func (e *entry) keep(token *oauth2.Token) {
	news := e.token == nil || e.token.AccessToken != token.AccessToken && token.Expiry.After(e.token.Expiry)
	now := time.Now()
	life := unknownLifetime
	if !token.Expiry.IsZero() {
		life = max(token.Expiry.Sub(now), 0)
	}
	e.token = token
	e.usable = now.Add(life - min(10*time.Second, life/4))
	e.ahead = e.usable
	if news {
		e.ahead = e.usable.Add(-min(5*time.Minute, life/10))
	}
}
