package guard

import (
	"context"
	"sync"
)

// Group is a number of functions that run at once. The first that fails,
// panics or ends its goroutine ends the context of all.
type Group struct {
	all    sync.WaitGroup
	cancel context.CancelFunc

	mu  sync.Mutex
	err error // the first, or the first *Panic
}

// NewGroup makes a Group and the context of its functions.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	return &Group{cancel: cancel}, ctx
}

// Start runs f on a goroutine of its own.
func (g *Group) Start(f func() error) {
	g.all.Add(1)
	task := &Task[struct{}]{done: make(chan struct{})}
	go func() {
		defer g.all.Done()
		defer func() { // deferred, since a Goexit ends this goroutine too
			if task.err != nil {
				g.Fail(task.err)
			}
		}()
		task.run(func() (struct{}, error) { return struct{}{}, f() })
	}()
}

// Fail ends the functions' context, with an error of the caller's own as the reason.
func (g *Group) Fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err == nil || panicked(err) && !panicked(g.err) {
		g.err = err
	}
	g.cancel()
}

// Cancel ends the functions' context.
func (g *Group) Cancel() { g.cancel() }

// Wait waits for the end of all functions and ends their context. It raises a panic of
// any of them, and else gives the first error.
func (g *Group) Wait() error {
	g.all.Wait()
	g.cancel()
	return raise(g.err)
}
