// Package inorder has workers do jobs at once and gives them back in the order
// in which they came.
package inorder

import (
	"context"
	"iter"
)

// Line is a line of jobs. One goroutine puts jobs in, another takes them out,
// and any number work on those between.
type Line[T any] struct {
	order chan *job[T] // as they came
	work  chan *job[T]
	ready chan struct{} // closed: nothing to do
}

type job[T any] struct {
	of   *T
	done chan struct{} // closed when it is
}

// New makes a line of at most length jobs that were put and not yet taken, the
// one that is being looked at included.
func New[T any](length int) *Line[T] {
	l := &Line[T]{make(chan *job[T], length-1), make(chan *job[T], length), make(chan struct{})}
	close(l.ready)
	return l
}

// Put puts a job that needs no work at the end of the line. It waits while the
// line is full. The error is ctx's.
func (l *Line[T]) Put(ctx context.Context, of *T) error {
	return l.put(ctx, &job[T]{of, l.ready})
}

// PutWork is Put for a job that a worker has to do.
func (l *Line[T]) PutWork(ctx context.Context, of *T) error {
	j := &job[T]{of, make(chan struct{})}
	if err := l.put(ctx, j); err != nil {
		return err
	}
	l.work <- j // as long as the line
	return nil
}

func (l *Line[T]) put(ctx context.Context, j *job[T]) error {
	select {
	case l.order <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close says that no more jobs come.
func (l *Line[T]) Close() {
	close(l.order)
	close(l.work)
}

// Work does jobs until there are no more, ctx ends or do fails. The error is do's.
func (l *Line[T]) Work(ctx context.Context, do func(context.Context, *T) error) error {
	for ctx.Err() == nil {
		j := <-l.work
		if j == nil {
			return nil
		}
		if err := do(ctx, j.of); err != nil {
			return err
		}
		close(j.done)
	}
	return nil
}

// All takes the jobs in their order, each when it is done, until there are no
// more, or until ctx ends and the next one is not there.
func (l *Line[T]) All(ctx context.Context) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for {
			var j *job[T]
			select {
			case j = <-l.order:
			case <-ctx.Done():
				return
			}
			if j == nil {
				return
			}
			select {
			case <-j.done:
			case <-ctx.Done():
				return
			}
			if !yield(j.of) {
				return
			}
		}
	}
}
