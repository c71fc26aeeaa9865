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

// What a fetch may bring in place of a token.
var (
	ErrNone    = errors.New("no token")
	ErrRefused = errors.New("the new token is the one that the API refused")
)

// Fetch gets a new token.
type Fetch func(context.Context) (*oauth2.Token, error)

// Store keeps one token for each key. A token is fetched again in the background
// when a tenth of its life is left, and callers wait only where there is none
// that is good. Its zero value is empty.
type Store struct {
	mu      sync.Mutex
	entries map[string]*entry
}

// entry is what is known of one key.
type entry struct {
	token   *oauth2.Token
	usable  time.Time                  // until when token is given out
	ahead   time.Time                  // from when on a background fetch may begin
	refused string                     // the last token that the API refused
	flight  *guard.Task[*oauth2.Token] // the fetch under way
}

// Token gives a token other than refused, which is "" or what the API has just
// answered with 401. The error is that of fetch or of ctx, ErrNone or ErrRefused.
func (s *Store) Token(ctx context.Context, key, refused string, fetch Fetch) (*oauth2.Token, error) {
	for {
		token, f := s.look(ctx, key, refused, fetch)
		if token != nil {
			return token, nil
		}
		token, err := f.Wait(ctx)
		// A fetch that began before the refusal may bring the refused token.
		if err != nil || token.AccessToken != refused {
			return token, err
		}
	}
}

// look gives the token in hand, or the fetch to wait for.
func (s *Store) look(ctx context.Context, key, refused string, fetch Fetch) (*oauth2.Token, *guard.Task[*oauth2.Token]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entry(key)
	if refused != "" && (e.token == nil || e.token.AccessToken == refused) {
		e.token, e.refused = nil, refused
	}
	now := time.Now()
	good := e.token != nil && now.Before(e.usable)
	if e.flight == nil && (!good || !now.Before(e.ahead)) {
		detached := context.WithoutCancel(ctx)
		e.flight = guard.Start(func() (*oauth2.Token, error) { return s.fly(detached, e, fetch) })
	}
	if good {
		return e.token, nil
	}
	return nil, e.flight
}

// entry finds what is known of a key. s.mu is held.
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

// fly fetches for everybody, so nobody's context but its own time limit ends it.
func (s *Store) fly(ctx context.Context, e *entry, fetch Fetch) (token *oauth2.Token, err error) {
	ctx, cancel := context.WithTimeout(ctx, FetchTimeout)
	defer cancel()
	err = guard.ErrGoexit // unless fetch returns
	defer func() {        // also where fetch panics
		s.mu.Lock()
		defer s.mu.Unlock()
		token, err = e.land(token, err)
	}()
	token, err = fetch(ctx)
	return token, err
}

// land takes what a fetch has brought. s.mu is held.
func (e *entry) land(token *oauth2.Token, err error) (*oauth2.Token, error) {
	e.flight = nil
	switch {
	case err != nil:
	case token == nil || token.AccessToken == "":
		err = ErrNone
	case token.AccessToken == e.refused:
		err = ErrRefused
	default:
		e.keep(token)
		return token, nil
	}
	// The token in hand serves on; the next try is half way to its end.
	e.ahead = time.Now().Add(time.Until(e.usable) / 2)
	return nil, err
}

// keep takes a new token. One that is no news, which v1 may hand out before
// expiry, is not asked for again before its end.
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
