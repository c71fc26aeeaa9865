package trulioo

import (
	"context"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// TokenStore shares one token among the users of a key, which may be other
// processes. It is asked for every call, so it must answer most of the time
// from memory.
//
// key is opaque and differs wherever a token must not be shared. refused is ""
// or a token that the API has answered with 401: it must never be returned
// again. fetch gets a new token, with its own retries and time limit; the
// store calls it at most once at a time for a key, and should do so detached
// from the ctx of the one caller who happened to come first. Token returns
// ctx's error when ctx ends while it waits.
type TokenStore interface {
	Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error)
}

// MemoryTokenStore is the TokenStore of one process and the default. A token
// is fetched again in the background when a tenth of its life is left, and
// callers wait only where there is none that is good. A store over a network
// does well to stand behind one: its Token is then what fetch calls.
type MemoryTokenStore struct {
	mu      sync.Mutex
	entries map[string]*tokenEntry
}

// NewMemoryTokenStore makes an empty store.
func NewMemoryTokenStore() *MemoryTokenStore {
	return &MemoryTokenStore{entries: map[string]*tokenEntry{}}
}

// tokenEntry is what is known of one key.
type tokenEntry struct {
	token   *oauth2.Token
	usable  time.Time // until when token is given out
	ahead   time.Time // from when on a background fetch may begin
	refused string    // the last token that the API refused
	flight  *flight   // the fetch under way
}

// flight is one fetch that any number of callers wait for.
type flight struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

// Token implements TokenStore.
func (s *MemoryTokenStore) Token(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	for {
		token, f := s.look(ctx, key, refused, fetch)
		if token != nil {
			return token, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		// A fetch that began before the refusal may bring the refused token.
		if f.err != nil || f.token.AccessToken != refused {
			return f.token, f.err
		}
	}
}

// look gives the token in hand, or the fetch to wait for.
func (s *MemoryTokenStore) look(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil {
		e = &tokenEntry{}
		s.entries[key] = e
	}
	if refused != "" && (e.token == nil || e.token.AccessToken == refused) {
		e.token, e.refused = nil, refused
	}
	now := time.Now()
	good := e.token != nil && now.Before(e.usable)
	if e.flight == nil && (!good || !now.Before(e.ahead)) {
		e.flight = &flight{done: make(chan struct{})}
		go s.fly(context.WithoutCancel(ctx), e, e.flight, fetch)
	}
	if good {
		return e.token, nil
	}
	return nil, e.flight
}

// fly fetches for everybody, so nobody's context but its own time limit ends it.
func (s *MemoryTokenStore) fly(ctx context.Context, e *tokenEntry, f *flight, fetch func(context.Context) (*oauth2.Token, error)) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	token, err := fetch(ctx)
	if err == nil && (token == nil || token.AccessToken == "") {
		err = &AuthError{Operation: fetchToken, Reason: "no token"}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && token.AccessToken == e.refused {
		err = &AuthError{Operation: fetchToken, Reason: "the new token is the one that the API refused", cause: ErrUnauthorized}
	}
	if err == nil {
		e.keep(token)
	} else {
		// The token in hand serves on; the next try is half way to its end.
		e.ahead = time.Now().Add(time.Until(e.usable) / 2)
		token = nil
	}
	f.token, f.err = token, err
	e.flight = nil
	close(f.done)
}

// keep takes a new token. One that is no news, which v1 may hand out before
// expiry, is not asked for again before its end.
func (e *tokenEntry) keep(token *oauth2.Token) {
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

// askedSource puts a context in front of somebody's oauth2.TokenSource, which
// has none: callers that come while it is being asked wait for that answer, and
// each leaves when its own context ends.
type askedSource struct {
	source oauth2.TokenSource
	mu     sync.Mutex
	flight *flight
}

func (s *askedSource) token(ctx context.Context, refused string) (*oauth2.Token, error) {
	f, mine := s.ask()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.done:
		}
		if mine || f.err != nil || f.token == nil || f.token.AccessToken != refused {
			return f.token, f.err
		}
		// Asked before the refusal: ask once more.
		f, mine = s.ask()
	}
}

func (s *askedSource) ask() (f *flight, mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight, false
	}
	f = &flight{done: make(chan struct{})}
	s.flight = f
	go func() {
		f.token, f.err = s.source.Token()
		s.mu.Lock()
		s.flight = nil
		s.mu.Unlock()
		close(f.done)
	}()
	return f, true
}
