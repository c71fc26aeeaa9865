// Package guard starts every goroutine of the library. Such a goroutine runs
// foreign code: callbacks, transports, token sources. A panic
// there would end the process although the caller recovers, and a
// runtime.Goexit would leave the caller waiting for ever.
//
// A panic is raised again, with the same value, where the caller waits for the
// function, so that the caller's recover finds the value that its own code has thrown.
// The price is that the stack is the waiter's. A value that held the stack too would
// not be the same value, and the library does not print stacks unasked. [Task.Outcome]
// gives the stack. A Goexit becomes ErrGoexit there. A wait ends with its context,
// however long the function goes on.
//
// The nested modules use this package, and they can be older than the core:
// its exported names stay.
package guard

import (
	"context"
	"errors"
	"runtime/debug"
	"sync/atomic"
)

// ErrGoexit is the error of a function that ended its goroutine with
// runtime.Goexit in place of returning, as a failed require of a test does.
var ErrGoexit = errors.New("the function ended its goroutine (runtime.Goexit)")

// Panic is the panic of a function. Its text does not hold the value, which
// can be personal.
type Panic struct {
	Value any
	Stack []byte // of the goroutine that panicked
}

func (p *Panic) Error() string { return "the function panicked" }

// Task is a function that runs on a goroutine of its own.
type Task[T any] struct {
	done  chan struct{}
	value T
	err   error // a *Panic or ErrGoexit where the function did not return
}

// Start runs f on a goroutine of its own.
func Start[T any](f func() (T, error)) *Task[T] {
	t := &Task[T]{done: make(chan struct{})}
	go t.run(f)
	return t
}

func (t *Task[T]) run(f func() (T, error)) {
	defer close(t.done)
	t.err = ErrGoexit // unless f returns or panics
	defer func() {
		if value := recover(); value != nil {
			t.err = &Panic{value, debug.Stack()}
		}
	}()
	t.value, t.err = f()
}

// Done is closed when the function has ended.
func (t *Task[T]) Done() <-chan struct{} { return t.done }

// Outcome waits for the end of the function and gives its panic as a *Panic.
func (t *Task[T]) Outcome() (T, error) {
	<-t.done
	return t.value, t.err
}

// Wait gives what the function returns, or the end of ctx where that comes
// first. It raises the function's panic. Any number of goroutines can wait.
func (t *Task[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-t.done:
		return t.value, raise(t.err)
	default:
	}
	select {
	case <-t.done:
		return t.value, raise(t.err)
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// raise panics where err is a function's panic.
func raise(err error) error {
	if p, ok := err.(*Panic); ok { //nolint:errorlint // made by run; one that f returned is raised as well
		panic(p.Value)
	}
	return err
}

func panicked(err error) bool {
	_, ok := err.(*Panic) //nolint:errorlint // as in raise
	return ok
}

// Do runs f on a goroutine of its own and waits for it as Wait does. Where ctx
// ended first, late gets what f returns after all, to close it; late may be nil.
func Do[T any](ctx context.Context, f func() (T, error), late func(T)) (T, error) {
	var claimed atomic.Bool // by the caller or by the function, whichever is first
	t := Start(func() (T, error) {
		value, err := f()
		if !claimed.CompareAndSwap(false, true) && err == nil && late != nil {
			late(value)
		}
		return value, err
	})
	select {
	case <-t.done:
	case <-ctx.Done():
		if claimed.CompareAndSwap(false, true) {
			var none T
			return none, ctx.Err()
		}
	}
	return t.Wait(context.WithoutCancel(ctx))
}
