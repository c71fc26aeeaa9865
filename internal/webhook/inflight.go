package webhook

import (
	"context"
	"sync"
)

// InFlightSet holds a receiver's work: the requests whose bodies are being read,
// and the keys of the events whose function runs. It is safe for concurrent use.
type InFlightSet struct {
	mu      sync.Mutex
	keys    map[string]struct{}
	reads   map[*read]struct{}
	closing bool
	idle    chan struct{} // closed when closing and nothing is in flight
}

// read is a body that is being read; cut ends it.
type read struct{ cut func() }

// NewInFlightSet makes an empty set.
func NewInFlightSet() *InFlightSet {
	return &InFlightSet{keys: map[string]struct{}{}, reads: map[*read]struct{}{}, idle: make(chan struct{})}
}

// BeginRead notes that a body is being read; Close cuts it. The reader has to call
// end.
func (f *InFlightSet) BeginRead(cut func()) (end func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return func() {} // Close has not waited for it, and it is bounded by its own deadline
	}
	r := &read{cut}
	f.reads[r] = struct{}{}
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.reads, r)
		f.ended()
	}
}

// TryBegin marks a key as in flight, unless it is in flight already or the set is
// closing: then it says which, in constant words. A caller that gets "" has to call
// End.
func (f *InFlightSet) TryBegin(key string) (refusal string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closing {
		return "shutting down"
	}
	if _, ok := f.keys[key]; ok {
		return "in flight"
	}
	f.keys[key] = struct{}{}
	return ""
}

// End ends what TryBegin began.
func (f *InFlightSet) End(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.keys, key)
	f.ended()
}

// ended tells those who wait in Close when nothing is left. The caller holds the lock.
func (f *InFlightSet) ended() {
	if f.closing && len(f.keys) == 0 && len(f.reads) == 0 {
		close(f.idle)
	}
}

// Close lets no event begin any more, cuts the bodies that are being read, and
// waits until nothing is in flight. The error is the context's. It may be
// called again.
func (f *InFlightSet) Close(ctx context.Context) error {
	f.mu.Lock()
	if !f.closing {
		f.closing = true
		for r := range f.reads {
			r.cut()
		}
		f.ended()
	}
	f.mu.Unlock()
	select {
	case <-f.idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Closing reports whether Close has been called.
func (f *InFlightSet) Closing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closing
}
