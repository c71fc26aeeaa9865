package truredis

import (
	"context"
	"crypto/rand"
	"time"

	"golang.org/x/oauth2"
)

// Ask is Token without the store in memory, as in a process whose memory has no token or
// one that is due.
func (s *TokenStore) Ask(ctx context.Context, key, refused string, fetch func(context.Context) (*oauth2.Token, error)) (*oauth2.Token, error) {
	return s.take(ctx, &tokenAttempt{TokenStore: s, key: key, refused: refused, claim: rand.Text(), fetch: fetch})
}

// Hurry shortens the lease of the lock and the patience of those who wait.
func (s *TokenStore) Hurry(lease, patience time.Duration) { s.lease, s.patience = lease, patience }

// Wait makes it wait for Redis as long as a loaded machine may need.
func (s *TokenStore) Wait() { s.timeout = time.Minute }
