package transport

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// RateLimit bounds the requests a second, first come, first served. Only the first
// in the queue takes a turn, when it is due, so a caller that gives up has nothing
// to give back.
type RateLimit struct {
	interval time.Duration // from one turn to the next
	ahead    time.Duration // turns that may be taken before their time: the burst

	mu     sync.Mutex
	next   time.Time // when the next turn would be without a burst
	queue  []chan struct{}
	queued time.Duration // len(queue) × interval
}

// NewRateLimit makes a limit of a positive rate and a burst of at least 1.
func NewRateLimit(perSecond float64, burst int) *RateLimit {
	interval := duration(math.Ceil(float64(time.Second) / perSecond))
	return &RateLimit{interval: interval, ahead: duration(float64(interval) * float64(burst-1))}
}

// duration is a number of nanoseconds as a Duration, longest at most.
func duration(nanoseconds float64) time.Duration {
	return time.Duration(min(nanoseconds, float64(longest)))
}

// take takes a turn if one is due, else it returns the time until one is.
func (l *RateLimit) take() (wait time.Duration) {
	now := time.Now()
	if wait = l.next.Add(-l.ahead).Sub(now); wait > 0 {
		return wait
	}
	if l.next.Before(now) {
		l.next = now
	}
	l.next = l.next.Add(l.interval)
	return 0
}

// enter takes a turn where nobody waits, or else a place in the queue. wait is the
// longest that the place has to wait. A place whose wait outlasts ctx is not taken.
func (l *RateLimit) enter(ctx context.Context) (turn chan struct{}, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		if wait = l.take(); wait == 0 {
			return nil, 0
		}
	} else {
		wait = max(0, time.Until(l.next.Add(-l.ahead)))
		wait = min(wait+min(l.queued, longest), longest)
	}
	if outlasts(ctx, wait) {
		return nil, wait
	}
	turn = make(chan struct{})
	if len(l.queue) == 0 {
		close(turn)
	}
	l.queue = append(l.queue, turn)
	l.queued = min(l.queued, longest) + l.interval
	return turn, wait
}

// leave gives up the place in the queue. If it is the first, the next one takes its
// turn.
func (l *RateLimit) leave(turn chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.Index(l.queue, turn)
	l.queue = slices.Delete(l.queue, at, at+1)
	l.queued = duration(float64(len(l.queue)) * float64(l.interval))
	if at == 0 && len(l.queue) > 0 {
		close(l.queue[0])
	}
}

// await waits at the place in the queue until the turn is taken.
func (l *RateLimit) await(ctx context.Context, turn chan struct{}) error {
	defer l.leave(turn)
	select {
	case <-turn:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		l.mu.Lock()
		wait := l.take()
		l.mu.Unlock()
		if wait == 0 {
			return nil
		}
		if !Wait(ctx, wait) {
			return ctx.Err()
		}
	}
}

// Wait waits for d, and reports whether ctx did not end before.
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
