package token

import "time"

const (
	firstPause = time.Second
	lastPause  = time.Minute

	// freeRefusals are the fetches without a pause after a refusal by the API: a
	// token can be revoked, and its successor too.
	freeRefusals = 2
)

// brake keeps questions that are answered badly apart: a second, then twice as
// long each time, up to a minute. It forgets after a minute without one.
type brake struct {
	pause time.Duration
	until time.Time
	count int
}

// held reports whether the next question has to wait.
func (b *brake) held(now time.Time) bool { return now.Before(b.until) }

// hold puts the next question off, but not after the first few that are free.
func (b *brake) hold(now time.Time, free int) {
	if now.Sub(b.until) > lastPause {
		*b = brake{}
	}
	b.count++
	b.until = now
	if b.count > free {
		b.pause = max(firstPause, min(2*b.pause, lastPause))
		b.until = now.Add(b.pause)
	}
}
