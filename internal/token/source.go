package token

import (
	"context"
	"sync"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// Source puts a context in front of somebody's oauth2.TokenSource, which has
// none: callers that come while it is being asked wait for that answer, and each
// leaves when its own context ends.
type Source struct {
	source oauth2.TokenSource
	mu     sync.Mutex
	flight *guard.Task[*oauth2.Token]
}

// NewSource makes a Source. It asks only when it is asked.
func NewSource(source oauth2.TokenSource) *Source { return &Source{source: source} }

// Token gives what the source gives, nil included. refused is "" or a token that
// the API has just answered with 401: it comes again only where the source was
// asked since and has no other.
func (s *Source) Token(ctx context.Context, refused string) (*oauth2.Token, error) {
	for {
		f, mine := s.ask()
		token, err := f.Wait(ctx)
		if mine || err != nil || token == nil || token.AccessToken != refused {
			return token, err
		}
		// Asked before the refusal: ask once more.
	}
}

// ask gives the asking under way, or begins one, which is then mine.
func (s *Source) ask() (f *guard.Task[*oauth2.Token], mine bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight, false
	}
	s.flight = guard.Start(func() (*oauth2.Token, error) {
		defer func() { // also where the source panics
			s.mu.Lock()
			s.flight = nil
			s.mu.Unlock()
		}()
		return s.source.Token()
	})
	return s.flight, true
}
