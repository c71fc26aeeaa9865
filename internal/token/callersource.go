package token

import (
	"context"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// Source adds a context to an oauth2.TokenSource of the caller's, whose interface has
// none. Calls that come while it is being asked wait for that answer, and each
// leaves when its own context ends.
type Source struct {
	source oauth2.TokenSource
	final  Refused

	mu       sync.Mutex
	flight   *guard.Task[*oauth2.Token]
	last     *oauth2.Token
	refusals brake // for requests after the API refused a token
	failures brake // for requests after the credentials were refused
	failure  error
}

// afresh is a source that keeps its token and can be asked for another than the one
// that the API has refused.
type afresh interface {
	TokenAfter(refused string) (*oauth2.Token, error)
}

// NewSource makes a Source. It asks only when it is asked.
func NewSource(source oauth2.TokenSource, final Refused) *Source {
	return &Source{source: source, final: final}
}

// Token gives what the source gives, nil included. refused is "" or a token that
// the API has just answered with 401. It is returned again where the source was asked
// since and has no other, or was asked for that reason a moment ago.
func (s *Source) Token(ctx context.Context, refused string) (*oauth2.Token, error) {
	for {
		f, last, mine, err := s.ask(refused)
		if f == nil {
			return last, err
		}
		token, err := f.Wait(ctx)
		if mine || err != nil || token == nil || token.AccessToken != refused {
			return token, err
		}
		// Asked before the refusal: ask once more.
	}
}

// ask gives the request under way, or begins one, which is then mine. Where a brake
// holds, it gives the last token or the last failure.
func (s *Source) ask(refused string) (f *guard.Task[*oauth2.Token], last *oauth2.Token, mine bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	switch {
	case s.flight != nil:
		return s.flight, nil, false, nil
	case s.failures.held(now):
		return nil, nil, false, s.failure
	case refused != "" && s.refusals.held(now):
		return nil, s.last, false, nil
	case refused != "" && s.last != nil && s.last.AccessToken != refused:
		return nil, s.last, false, nil // another call was refused first
	case refused != "":
		s.refusals.hold(now, freeRefusals)
	}
	s.flight = guard.Start(func() (*oauth2.Token, error) { return s.fly(refused) })
	return s.flight, nil, true, nil
}

func (s *Source) fly(refused string) (token *oauth2.Token, err error) {
	err = guard.ErrGoexit // unless the source returns
	defer func() {        // also where it panics
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		switch {
		case err == nil:
			s.failures, s.last = brake{}, token
		case s.final(err):
			s.failures.hold(time.Now(), 0)
			s.failure = err
		}
	}()
	if source, ok := s.source.(afresh); ok && refused != "" {
		return source.TokenAfter(refused)
	}
	return s.source.Token()
}
