// Package once keeps a piece of work from being done twice in one process.
// Hand is what is being done at this moment, and Claims remembers what was done.
package once

import (
	"context"
	"sync"
)

// Hand is a set of keys whose work is going on. It is safe for concurrent use.
type Hand struct {
	mu      sync.Mutex
	keys    map[string]struct{}
	closing bool
	idle    chan struct{} // closed when closing and nothing is in hand
}

// NewHand makes an empty Hand.
func NewHand() *Hand {
	return &Hand{keys: map[string]struct{}{}, idle: make(chan struct{})}
}

// Take marks a key as in hand, unless it is or the Hand is closing: then it
// says which, in constant words. Whoever gets "" calls LetGo at the end.
func (h *Hand) Take(key string) (refusal string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return "shutting down"
	}
	if _, ok := h.keys[key]; ok {
		return "in flight"
	}
	h.keys[key] = struct{}{}
	return ""
}

// LetGo ends what Take began.
func (h *Hand) LetGo(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.keys, key)
	if h.closing && len(h.keys) == 0 {
		close(h.idle)
	}
}

// Close lets nothing more be taken and waits until nothing is in hand. The
// error is the context's. It may be called again.
func (h *Hand) Close(ctx context.Context) error {
	h.mu.Lock()
	if !h.closing && len(h.keys) == 0 {
		close(h.idle)
	}
	h.closing = true
	h.mu.Unlock()
	select {
	case <-h.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
