package trusql

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/internal/guard"
)

// HandleError means that the function failed on an event, or panicked. It prints
// nothing of the event and nothing of the function's own error, which Unwrap gives.
type HandleError struct {
	Attempt   int    // from 1
	Dead      bool   // it was the last one
	PanicType string // the type of the panic's value; "" where there was none
	Stack     []byte // of the panic

	err error
}

// Error says that the function failed, and whether the event is tried again.
func (e HandleError) Error() string {
	text := "trusql: handle event: the function failed"
	if e.PanicType != "" {
		text = "trusql: handle event: the function panicked with a value of type " + e.PanicType
	}
	if e.Dead {
		return fmt.Sprintf("%s in attempt %d, and the event is given up", text, e.Attempt)
	}
	return fmt.Sprintf("%s in attempt %d", text, e.Attempt)
}

// Unwrap gives the function's error.
func (e HandleError) Unwrap() error { return e.err }

// Format prints Error for every verb, %#v included.
func (e HandleError) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, e.Error()) }

// LogValue is Error, for slog.
func (e HandleError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// leaseMargin is how long after the end of the function's context another
// process may take the event for lost.
const leaseMargin = 30 * time.Second

// Run hands the waiting events to fn, several at once, until ctx ends. It then
// ends the functions' contexts, waits for the functions, and returns nil. An event
// whose function did not finish waits for the next Run and has not lost an attempt. A
// database that fails is asked again, and OnError is told.
//
// An event is done when fn has returned nil. After an error it waits, longer
// each time, and after the last attempt it is dead. Events come in no order.
func (in *Inbox) Run(ctx context.Context, fn func(context.Context, *trulioo.Event) error) error {
	if fn == nil {
		return argument("fn", "must not be nil")
	}
	slots := make(chan struct{}, in.options.Concurrency)
	running, _ := guard.NewGroup(ctx)
	defer func() { _ = running.Wait() }() // a panic or Goexit is noted with its event
	for free := 0; ; {
		if free = fill(ctx, slots, free); ctx.Err() != nil {
			return nil
		}
		letters, err := in.take(ctx, free)
		if err != nil && ctx.Err() == nil {
			in.report(ctx, failed("take events", err))
		}
		for _, l := range letters {
			free--
			running.Start(func() error {
				defer func() { <-slots }()
				in.hand(ctx, l, fn)
				return nil
			})
		}
		if len(letters) == 0 {
			in.wait(ctx)
		}
	}
}

// fill waits for a free slot and takes all free slots.
func fill(ctx context.Context, slots chan struct{}, free int) int {
	if free == 0 {
		select {
		case slots <- struct{}{}:
			free++
		case <-ctx.Done():
			return 0
		}
	}
	for {
		select {
		case slots <- struct{}{}:
			free++
		default:
			return free
		}
	}
}

// wait waits until there may be an event.
func (in *Inbox) wait(ctx context.Context) {
	timer := time.NewTimer(in.options.Poll/2 + mathrand.N(in.options.Poll)) //nolint:gosec // jitter, no secret
	defer timer.Stop()
	select {
	case <-in.arrived:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// letter is an event that is being handled. Nobody else has its claim.
type letter struct {
	key, claim string
	event      []byte
	attempt    int
}

// died is the error of an event whose processes all died.
const died = "the process ended before the function did"

// take claims events that are due. An event whose processes have all died is dead, and
// not handed to another one.
func (in *Inbox) take(ctx context.Context, most int) ([]letter, error) {
	_, err := in.store.exec(ctx, `UPDATE trulioo_inbox SET state = 'dead', claim = '', due = NOW, error = $2
		WHERE state = 'waiting' AND due <= NOW AND attempts >= $1`, in.options.MaxAttempts, died)
	if err != nil {
		return nil, err
	}
	claim := rand.Text()
	rows, err := in.store.query(ctx, `UPDATE trulioo_inbox SET claim = $1, due = NOW + $2, attempts = attempts + 1
		WHERE key IN (SELECT key FROM trulioo_inbox WHERE state = 'waiting' AND due <= NOW ORDER BY due LIMIT $3 FOR UPDATE SKIP LOCKED)
		RETURNING key, event, attempts`, claim, millis(in.options.Timeout+leaseMargin), most)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var letters []letter
	for rows.Next() {
		l := letter{claim: claim}
		if err := rows.Scan(&l.key, &l.event, &l.attempt); err != nil {
			return letters, err // those not read are free when the lease ends
		}
		letters = append(letters, l)
	}
	return letters, rows.Err()
}

// hand runs the function and notes the outcome, even where the function ends its
// goroutine.
func (in *Inbox) hand(ctx context.Context, l letter, fn func(context.Context, *trulioo.Event) error) {
	outcome := &HandleError{Attempt: l.attempt, err: guard.ErrGoexit}
	defer func() { in.settle(ctx, l, outcome) }()
	outcome = in.call(ctx, l, fn)
}

// call runs the function, and gives nil where it has succeeded.
func (in *Inbox) call(ctx context.Context, l letter, fn func(context.Context, *trulioo.Event) error) (failure *HandleError) {
	defer func() {
		if p := recover(); p != nil {
			failure = &HandleError{Attempt: l.attempt, PanicType: fmt.Sprintf("%T", p), Stack: debug.Stack()}
		}
	}()
	limited, cancel := context.WithTimeout(ctx, in.options.Timeout)
	defer cancel()
	ev, err := trulioo.ParseEvent(l.event)
	if err == nil {
		err = fn(limited, ev)
	}
	if err == nil {
		return nil
	}
	return &HandleError{Attempt: l.attempt, err: err}
}

// settle ends an attempt. The end of ctx does not cut it short.
func (in *Inbox) settle(ctx context.Context, l letter, failure *HandleError) {
	const mine = " WHERE key = $1 AND claim = $2"
	switch {
	case failure == nil:
		in.note(ctx, "UPDATE trulioo_inbox SET state = 'done', claim = '', due = NOW, error = ''"+mine, l.key, l.claim)
		return
	case ctx.Err() != nil && failure.PanicType == "" && !errors.Is(failure.err, guard.ErrGoexit):
		in.note(ctx, "UPDATE trulioo_inbox SET claim = '', due = NOW, attempts = attempts - 1"+mine, l.key, l.claim)
		return
	}
	state, wait := "waiting", in.backoff(l.attempt)
	if failure.Dead = l.attempt >= in.options.MaxAttempts; failure.Dead {
		state, wait = "dead", 0
	}
	in.note(ctx, "UPDATE trulioo_inbox SET state = $3, claim = '', due = NOW + $4, error = $5"+mine,
		l.key, l.claim, state, wait.Milliseconds(), reason(failure))
	in.report(ctx, failure)
}

// backoff is half of the wait, and up to a half more.
func (in *Inbox) backoff(attempt int) time.Duration {
	wait := in.options.MinWait
	for range attempt - 1 {
		if wait *= 2; wait >= in.options.MaxWait {
			wait = in.options.MaxWait
			break
		}
	}
	return wait/2 + mathrand.N(wait/2+1) //nolint:gosec // jitter, no secret
}

// reasonBytes bounds the part of a function's error that is kept.
const reasonBytes = 500

func reason(failure *HandleError) string {
	text := failure.Error()
	if failure.err != nil {
		text = failure.err.Error()
	}
	for len(text) > reasonBytes || !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text[:min(len(text), reasonBytes)], "")
	}
	return plain(text)
}

// plain is text without the bytes that PostgreSQL refuses: NUL and invalid UTF-8.
func plain(text string) string { return strings.ReplaceAll(strings.ToValidUTF8(text, ""), "\x00", "") }

// note repeats the query until it succeeds, or until the lease is over and the event
// free for another attempt.
func (in *Inbox) note(ctx context.Context, query string, args ...any) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseMargin)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait *= 2 {
		_, err := in.store.exec(ctx, query, args...)
		if err == nil {
			return
		}
		in.report(ctx, failed("note the outcome of an event", err))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// report calls OnError, whose own panic must not cost an event.
func (in *Inbox) report(ctx context.Context, err error) {
	if in.options.OnError == nil || err == nil {
		return
	}
	defer func() { _ = recover() }()
	in.options.OnError(ctx, err)
}
