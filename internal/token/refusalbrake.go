package token

import "time"

const (
	firstPause = time.Second
	lastPause  = time.Minute

	// freeRefusals is how many fetches after a refusal by the API have no pause before
	// them: a token can be revoked, and its successor too.
	freeRefusals = 2
)

// brake puts a pause between requests that keep failing: a second, then twice as long
// each time, up to a minute. It forgets them after a minute without one.
type brake struct {
	pause time.Duration
	until time.Time
	count int
}

// held reports whether the next request has to wait.
func (b *brake) held(now time.Time) bool { return now.Before(b.until) }

// hold puts the next request off, except after the first few, which are free.
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
