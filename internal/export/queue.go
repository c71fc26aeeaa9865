package export

import (
	"context"
	"iter"
)

// OrderedQueue lets workers do jobs in parallel, and returns them in the order in
// which they were put. One goroutine puts jobs in, another takes them out, and any
// number of workers do them.
type OrderedQueue[T any] struct {
	order chan *job[T] // as they came
	work  chan *job[T]
	ready chan struct{} // a closed channel, for jobs that need no work
}

type job[T any] struct {
	of   *T
	done chan struct{} // closed when it is
}

// NewOrderedQueue makes a queue that holds at most length jobs, from Put until the
// caller of All asks for the next one.
func NewOrderedQueue[T any](length int) *OrderedQueue[T] {
	q := &OrderedQueue[T]{make(chan *job[T], length-1), make(chan *job[T], length), make(chan struct{})}
	close(q.ready)
	return q
}

// Put puts a job that needs no work at the end of the queue. It waits while the
// queue is full. The error is ctx's.
func (q *OrderedQueue[T]) Put(ctx context.Context, of *T) error {
	return q.put(ctx, &job[T]{of, q.ready})
}

// PutWork is Put for a job that a worker has to do.
func (q *OrderedQueue[T]) PutWork(ctx context.Context, of *T) error {
	j := &job[T]{of, make(chan struct{})}
	if err := q.put(ctx, j); err != nil {
		return err
	}
	q.work <- j // as long as the queue
	return nil
}

func (q *OrderedQueue[T]) put(ctx context.Context, j *job[T]) error {
	select {
	case q.order <- j:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close says that no more jobs come.
func (q *OrderedQueue[T]) Close() {
	close(q.order)
	close(q.work)
}

// Work does jobs until there are no more, ctx ends or do fails. The error is do's.
func (q *OrderedQueue[T]) Work(ctx context.Context, do func(context.Context, *T) error) error {
	for ctx.Err() == nil {
		j := <-q.work
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
// more. After the end of ctx it takes only jobs that are done already.
func (q *OrderedQueue[T]) All(ctx context.Context) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for {
			var j *job[T]
			select {
			case j = <-q.order:
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
