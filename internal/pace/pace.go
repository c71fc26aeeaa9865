// Package pace lets a number of workers work at once, and fewer while the server
// says that they are too many: additive increase, multiplicative decrease.
package pace

import (
	"context"
	"sync"
	"time"
)

// Gate is a semaphore whose size follows what the server can bear.
type Gate struct {
	mu      sync.Mutex
	most    float64
	limit   float64 // 1 to most
	held    int
	slowed  time.Time
	waiting []chan struct{} // first come, first served
}

// New makes a gate that lets most through at once.
func New(most int) *Gate { return &Gate{most: float64(most), limit: float64(most)} }

// Acquire waits for a place. Its error is ctx's.
func (g *Gate) Acquire(ctx context.Context) error {
	g.mu.Lock()
	if len(g.waiting) == 0 && g.held < int(g.limit) {
		g.held++
		g.mu.Unlock()
		return ctx.Err()
	}
	turn := make(chan struct{})
	g.waiting = append(g.waiting, turn)
	g.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.leave(turn)
		return ctx.Err()
	}
}

// leave takes a turn out of the queue, or gives its place on where it has just come up.
func (g *Gate) leave(turn chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, other := range g.waiting {
		if other == turn {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return
		}
	}
	g.held--
	g.admit()
}

// Release gives a place back.
func (g *Gate) Release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held--
	g.admit()
}

// Slow halves the number of places. Of all requests that were under way at once
// when the server had enough, one counts: a request that began before the
// last change says nothing about it.
func (g *Gate) Slow(began time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if began.Before(g.slowed) {
		return
	}
	g.slowed = time.Now()
	g.limit = max(1, g.limit/2)
}

// Good adds one place for as many answers as there are places.
func (g *Gate) Good() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.limit < g.most {
		g.limit = min(g.most, g.limit+1/g.limit)
		g.admit()
	}
}

// Share is what is left of n at the present pace: all of it at full pace, and
// one at least.
func (g *Gate) Share(n int) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return max(1, int(float64(n)*g.limit/g.most))
}

// Limit is the number of places at present.
func (g *Gate) Limit() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return int(g.limit)
}

func (g *Gate) admit() {
	for len(g.waiting) > 0 && g.held < int(g.limit) {
		close(g.waiting[0])
		g.waiting = g.waiting[1:]
		g.held++
	}
}

// Wait waits, and reports whether ctx let it.
func Wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
