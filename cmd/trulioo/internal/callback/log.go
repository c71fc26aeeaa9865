package callback

import (
	"slices"
	"sync"
)

// logSize bounds the deliveries that are remembered: one has up to 1 MiB.
const logSize = 300

// Log remembers the last deliveries and passes new ones to the watchers.
type Log struct {
	mu       sync.Mutex
	n        int
	last     []Delivery
	watchers map[chan Delivery]struct{}
}

// Add numbers a delivery and remembers it.
func (l *Log) Add(d Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.n++
	d.N = l.n
	l.last = append(l.last, d)
	if len(l.last) > logSize {
		l.last = slices.Delete(l.last, 0, len(l.last)-logSize)
	}
	for watcher := range l.watchers {
		select {
		case watcher <- d:
		default: // a page that does not read sees it when it is loaded again
		}
	}
}

// Last gives the remembered deliveries, the newest first.
func (l *Log) Last() []Delivery {
	l.mu.Lock()
	defer l.mu.Unlock()
	last := slices.Clone(l.last)
	slices.Reverse(last)
	return last
}

// Find gives a delivery by its number.
func (l *Log) Find(n int) (Delivery, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := slices.IndexFunc(l.last, func(d Delivery) bool { return d.N == n })
	if at < 0 {
		return Delivery{}, false
	}
	return l.last[at], true
}

// Watch gives the deliveries from now on, until stop.
func (l *Log) Watch() (deliveries <-chan Delivery, stop func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	watcher := make(chan Delivery, 64)
	if l.watchers == nil {
		l.watchers = map[chan Delivery]struct{}{}
	}
	l.watchers[watcher] = struct{}{}
	return watcher, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.watchers, watcher)
	}
}
