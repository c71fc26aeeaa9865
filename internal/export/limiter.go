package export

import (
	"context"
	"sync"
	"time"
)

// AdaptiveLimiter lets a number of workers work at once, and fewer while the server
// says that they are too many: additive increase, multiplicative decrease. From the
// first such answer on, requests are also spread over the second, beginning with as
// many as the server let through in the last one.
type AdaptiveLimiter struct {
	mu      sync.Mutex
	most    float64
	limit   float64 // 1 to most
	held    int
	slowed  time.Time
	waiting []chan struct{} // first come, first served

	rate      float64   // requests a second; 0 means no bound
	ceiling   float64   // the rate at which the server asked for less; 0 where that is not known
	next      time.Time // when the next request may go
	second    time.Time // when the present second of counting began
	now, past int       // answers in it, and in the one before
	answers   int
}

const (
	longestSpread = 10 // seconds from which no worker waits for its turn to send
	backOff       = 0.8
)

// NewAdaptiveLimiter makes a limiter that lets most through at once.
func NewAdaptiveLimiter(most int) *AdaptiveLimiter {
	return &AdaptiveLimiter{most: float64(most), limit: float64(most)}
}

// Acquire waits for a place. An error is ctx's, and means that no place was taken.
func (l *AdaptiveLimiter) Acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if len(l.waiting) == 0 && l.held < int(l.limit) {
		l.held++
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		l.leave(turn)
		return ctx.Err()
	}
}

// leave takes a turn out of the queue. Where the turn has just come, it gives the
// place on.
func (l *AdaptiveLimiter) leave(turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, other := range l.waiting {
		if other == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return
		}
	}
	l.held--
	l.admit()
}

// Release gives a place back.
func (l *AdaptiveLimiter) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held--
	l.admit()
}

// Decrease halves the number of places. Of the requests that were under way together
// one counts: a request that began before the last change says nothing about it.
func (l *AdaptiveLimiter) Decrease(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if began.Before(l.slowed) {
		return
	}
	storm := time.Since(l.slowed) < time.Second
	l.slowed = time.Now()
	l.limit = max(1, l.limit/2)
	l.count(0)
	through := l.through()
	least := max(1, l.most/longestSpread)
	if l.rate == 0 {
		l.rate = max(least, through)
		return
	}
	if !storm { // a storm says little about the rate
		l.ceiling = l.rate
	}
	l.rate = max(least, l.rate*backOff)
}

// Increase adds one place for as many answers as there are places.
func (l *AdaptiveLimiter) Increase() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers++
	l.count(1)
	l.raiseRate()
	if l.limit < l.most {
		l.limit = min(l.most, l.limit+1/l.limit)
		l.admit()
	}
}

// raiseRate raises the rate with each answer: fast below the rate at which the server
// last asked for less, slowly near it. A rate far above the throughput bounds nothing
// and is removed.
func (l *AdaptiveLimiter) raiseRate() {
	unbound := l.past > 0 && time.Since(l.slowed) > 2*time.Second && l.rate > 2*l.through()+longestSpread
	switch {
	case l.rate == 0:
	case unbound:
		l.rate = 0
	case l.ceiling == 0:
		l.rate++
	case l.rate < 0.95*l.ceiling, l.rate > 1.1*l.ceiling:
		l.rate += 0.5
	default:
		l.rate += 0.02
	}
}

// count counts answers by the second.
func (l *AdaptiveLimiter) count(n int) {
	now := time.Now()
	switch since := now.Sub(l.second); {
	case since >= 2*time.Second:
		l.past, l.now, l.second = 0, 0, now
	case since >= time.Second:
		l.past, l.now, l.second = l.now, 0, now
	}
	l.now += n
}

// through is how many answers a second come.
func (l *AdaptiveLimiter) through() float64 {
	part := max(time.Since(l.second), time.Second/10)
	return max(float64(l.past), float64(l.now)/part.Seconds())
}

// Spread is how long a request has to wait for all requests together to keep the rate.
func (l *AdaptiveLimiter) Spread() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate == 0 {
		return 0
	}
	now := time.Now()
	if l.next.Before(now) {
		l.next = now
	}
	wait := l.next.Sub(now)
	if wait > longestSpread*time.Second {
		return longestSpread * time.Second
	}
	l.next = l.next.Add(time.Duration(float64(time.Second) / l.rate))
	return wait
}

// Scale is the share of n at the present pace: all of it at full pace, and at least
// one.
func (l *AdaptiveLimiter) Scale(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(1, int(float64(n)*l.limit/l.most))
}

// Limit is the number of places at present.
func (l *AdaptiveLimiter) Limit() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int(l.limit)
}

// Answers is how many good answers there have been.
func (l *AdaptiveLimiter) Answers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers
}

func (l *AdaptiveLimiter) admit() {
	for len(l.waiting) > 0 && l.held < int(l.limit) {
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
		l.held++
	}
}
