package guard

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var errOwn = errors.New("own")

func number() (int, error)    { return 7, errOwn }
func panics() (int, error)    { panic("boom") }
func goexits() (int, error)   { runtime.Goexit(); return 0, nil }
func panicsNil() (int, error) { panic(nil) }

// recovered is the value that f panics with.
func recovered(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}

// Each way in which a function can end arrives where the caller waits.
func TestTrap_foreign_code_ends_where_the_caller_waits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for name, wait := range map[string]func(f func() (int, error)) (int, error){
		"task":     func(f func() (int, error)) (int, error) { return Start(f).Wait(ctx) },
		"do":       func(f func() (int, error)) (int, error) { return Do(ctx, f, nil) },
		"finished": func(f func() (int, error)) (int, error) { t := Start(f); <-t.Done(); return t.Wait(ctx) },
		"group": func(f func() (int, error)) (n int, err error) {
			g, _ := NewGroup(ctx)
			g.Start(func() (err error) { n, err = f(); return err })
			return n, g.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, err := wait(number)
			assert.Equal(t, 7, n)
			require.ErrorIs(t, err, errOwn)
			assert.Equal(t, "boom", recovered(func() { _, _ = wait(panics) }))
			assert.IsType(t, new(runtime.PanicNilError), recovered(func() { _, _ = wait(panicsNil) }))
			_, err = wait(goexits)
			require.ErrorIs(t, err, ErrGoexit)
		})
	}
}

func TestTask_tells_a_panic_as_an_error(t *testing.T) {
	t.Parallel()
	_, err := Start(panics).Outcome()
	var p *Panic
	require.ErrorAs(t, err, &p)
	assert.Equal(t, "boom", p.Value)
	assert.Contains(t, string(p.Stack), "guard.panics")
	assert.NotContains(t, err.Error(), "boom")
}

func TestTask_raises_its_panic_to_all_who_wait(t *testing.T) {
	t.Parallel()
	task := Start(panics)
	for range 3 {
		assert.Equal(t, "boom", recovered(func() { _, _ = task.Wait(t.Context()) }))
	}
}

func TestTrap_a_wait_ends_with_its_context(t *testing.T) {
	t.Parallel()
	for name, wait := range map[string]func(ctx context.Context, f func() (int, error)) (int, error){
		"task": func(ctx context.Context, f func() (int, error)) (int, error) { return Start(f).Wait(ctx) },
		"do":   func(ctx context.Context, f func() (int, error)) (int, error) { return Do(ctx, f, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				begun := time.Now()
				_, err := wait(ctx, func() (int, error) { <-time.After(time.Minute); return 1, nil })
				require.ErrorIs(t, err, context.DeadlineExceeded)
				assert.Equal(t, time.Second, time.Since(begun))
				<-time.After(time.Minute)
			})
		})
	}
}

// A response that comes when nobody waits any more has a body to close.
func TestDo_gives_what_comes_late_to_late(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		takes time.Duration
		err   error
		late  bool
	}{
		"in time": {time.Millisecond, nil, false}, "late": {time.Minute, nil, true}, "late, and an error": {time.Minute, errOwn, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				var closed atomic.Bool
				_, _ = Do(ctx, func() (int, error) { <-time.After(tt.takes); return 7, tt.err }, func(n int) { closed.Store(n == 7) })
				<-time.After(2 * time.Minute)
				assert.Equal(t, tt.late, closed.Load())
			})
		})
	}
	// At one instant a value is either given or closed.
	for range 2000 {
		ctx, cancel := context.WithCancel(t.Context())
		closed := make(chan int, 1)
		begin := make(chan struct{})
		go func() { <-begin; cancel() }()
		n, err := Do(ctx, func() (int, error) { close(begin); return 7, nil }, func(n int) { closed <- n })
		if err == nil {
			require.Equal(t, 7, n)
			require.Empty(t, closed)
		} else {
			require.Equal(t, 7, <-closed)
		}
	}
}

func TestGroup_ends_with_the_first_that_fails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		f    func() (int, error)
		want error
	}{"error": {number, errOwn}, "goexit": {goexits, ErrGoexit}, "panic": {panics, nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g, ctx := NewGroup(t.Context())
			for range 3 {
				g.Start(func() error { <-ctx.Done(); return ctx.Err() })
			}
			g.Start(func() error { _, err := tt.f(); return err })
			var err error
			value := recovered(func() { err = g.Wait() })
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, tt.want == nil, value == "boom")
		})
	}
	g, ctx := NewGroup(t.Context())
	g.Start(func() error { <-ctx.Done(); panic("boom") })
	g.Start(func() error { return errOwn })
	assert.Equal(t, "boom", recovered(func() { _ = g.Wait() }), "no error hides a panic")

	g, ctx = NewGroup(t.Context())
	g.Start(func() error { <-ctx.Done(); return nil })
	g.Cancel()
	require.NoError(t, g.Wait())
}
