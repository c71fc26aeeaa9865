package trusql

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/trulioo-go/trulioo"
)

// Inbox is a durable memory of webhook events between the vendor, who wants an
// answer within 10 seconds, and a function that may take its time or fail for a
// while. Receive stores, Run hands over. Any number of processes can do either.
//
// An event is handed over at least once, and once where its process lives and the
// database answers. The event's key is the table's key, so a second delivery changes
// nothing, even long after the event was handled, until it is purged.
type Inbox struct {
	store   *Store
	options InboxOptions
	arrived chan struct{} // an event was stored by this process
}

// InboxOptions shape an inbox; the zero value of a field is its default. All
// processes of an inbox should have the same.
type InboxOptions struct {
	Concurrency int           // functions that run at once in a process; default 8
	Timeout     time.Duration // of the function's context; default 1 minute. The event of a process that died is free 30 s later
	MaxAttempts int           // after which the event is dead, until Replay; default 16, which is about 5 hours
	MinWait     time.Duration // after the first failure, and twice as long after each further one; default 1 s
	MaxWait     time.Duration // the longest wait; default 1 hour
	Poll        time.Duration // how often the events of other processes are looked for; default 1 s

	// OnError is told of a function that failed, with a *HandleError, and of a database
	// that failed. It is called from many goroutines.
	OnError func(ctx context.Context, err error)
}

// Inbox gives the inbox of the database. options may be nil. A wrong one is a
// *trulioo.ArgumentError.
func (s *Store) Inbox(options *InboxOptions) (*Inbox, error) {
	var o InboxOptions
	if options != nil {
		o = *options
	}
	if o.Concurrency < 0 || o.Timeout < 0 || o.MaxAttempts < 0 || o.MinWait < 0 || o.MaxWait < 0 || o.Poll < 0 {
		return nil, argument("InboxOptions", "must not hold a negative number")
	}
	o.Concurrency = orElse(o.Concurrency, 8)
	o.Timeout = orElse(o.Timeout, time.Minute)
	o.MaxAttempts = orElse(o.MaxAttempts, 16)
	o.MinWait = orElse(o.MinWait, time.Second)
	o.MaxWait = max(orElse(o.MaxWait, time.Hour), o.MinWait)
	o.Poll = orElse(o.Poll, time.Second)
	return &Inbox{store: s, options: o, arrived: make(chan struct{}, 1)}, nil
}

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// Receive stores an event; it is the function for trulioo.NewWebhookHandler. Once it
// has returned nil the event is on the disk, as far as the database syncs it. The
// verification token is not stored. After an error the vendor sends the event again.
func (in *Inbox) Receive(ctx context.Context, ev *trulioo.Event) error {
	if ev == nil {
		return argument("ev", "must not be nil")
	}
	body, err := ev.MarshalJSON()
	if err != nil {
		return failed("store the event", err)
	}
	_, err = in.store.exec(ctx, `INSERT INTO trulioo_inbox (key, client_id, type, event, received, state, due, claim, attempts, error)
		VALUES ($1, $2, $3, $4, NOW, 'waiting', NOW, '', 0, '') ON CONFLICT (key) DO NOTHING`,
		ev.Key(), plain(ev.ClientID), plain(string(ev.Type)), body)
	if err != nil {
		return failed("store the event", err)
	}
	select {
	case in.arrived <- struct{}{}:
	default: // Run knows of an event already
	}
	return nil
}

// InboxStatus counts the events of an inbox.
type InboxStatus struct {
	Waiting int       // for their first or next attempt, those that are being handled included
	Dead    int       // given up; Replay gives them new attempts
	Done    int       // handled, and not yet purged
	Oldest  time.Time // when the oldest waiting one was received; zero where none waits
}

// Status counts.
func (in *Inbox) Status(ctx context.Context) (InboxStatus, error) {
	var s InboxStatus
	var oldest int64
	err := in.store.row(ctx, `SELECT coalesce(sum(CASE state WHEN 'waiting' THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE state WHEN 'dead' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE state WHEN 'done' THEN 1 ELSE 0 END), 0),
		coalesce(min(CASE state WHEN 'waiting' THEN received END), 0) FROM trulioo_inbox`).
		Scan(&s.Waiting, &s.Dead, &s.Done, &oldest)
	if oldest != 0 {
		s.Oldest = time.UnixMilli(oldest).UTC()
	}
	return s, failed("count the events", err)
}

// DeadLetter is an event that was given up.
type DeadLetter struct {
	Key      string // for Replay
	ClientID string
	Type     trulioo.EventType
	Received time.Time
	Attempts int
	Error    string // of the last attempt, in the function's words
}

// Format prints the type's name only: it is about a person.
func (l DeadLetter) Format(s fmt.State, _ rune) { _, _ = fmt.Fprint(s, "trusql.DeadLetter") }

// LogValue is the type's name only, for slog.
func (l DeadLetter) LogValue() slog.Value { return slog.StringValue("trusql.DeadLetter") }

// Dead lists the events that were given up, the oldest first, at most limit of them.
func (in *Inbox) Dead(ctx context.Context, limit int) ([]DeadLetter, error) {
	if limit < 1 {
		return nil, argument("limit", "must be positive")
	}
	rows, err := in.store.query(ctx, `SELECT key, client_id, type, received, attempts, error FROM trulioo_inbox
		WHERE state = 'dead' ORDER BY received, key LIMIT $1`, limit)
	if err != nil {
		return nil, failed("list dead events", err)
	}
	defer func() { _ = rows.Close() }()
	var dead []DeadLetter
	for rows.Next() {
		var l DeadLetter
		var received int64
		if err := rows.Scan(&l.Key, &l.ClientID, &l.Type, &received, &l.Attempts, &l.Error); err != nil {
			return nil, failed("list dead events", err)
		}
		l.Received = time.UnixMilli(received).UTC()
		dead = append(dead, l)
	}
	return dead, failed("list dead events", rows.Err())
}

// replay makes events wait anew, except those that a process is handling.
const replay = `UPDATE trulioo_inbox SET state = 'waiting', due = NOW, claim = '', attempts = 0, error = ''
	WHERE (state <> 'waiting' OR claim = '')`

// Replay hands dead and done events over again, and those that wait for their next
// attempt at once. It gives how many of the keys it has found.
func (in *Inbox) Replay(ctx context.Context, keys ...string) (int, error) {
	all := 0
	for _, key := range keys {
		n, err := in.store.exec(ctx, replay+" AND key = $1", key)
		if err != nil {
			return all, failed("replay", err)
		}
		all += int(n)
	}
	return all, nil
}

// ReplayReceived is Replay for all events that were received from a time on and before
// another. It gives how many there were.
func (in *Inbox) ReplayReceived(ctx context.Context, from, before time.Time) (int, error) {
	n, err := in.store.exec(ctx, replay+" AND received >= $1 AND received < $2", from.UnixMilli(), before.UnixMilli())
	return int(n), failed("replay", err)
}

// ReplayDead hands all dead events over again, and gives how many.
func (in *Inbox) ReplayDead(ctx context.Context) (int, error) {
	n, err := in.store.exec(ctx, replay+" AND state = 'dead'")
	return int(n), failed("replay", err)
}

// Purge deletes the events that were done or given up before a time, and gives
// how many. Events that wait are never deleted. A delivery that comes after the
// event was purged is a new event: keep a day at least.
func (in *Inbox) Purge(ctx context.Context, before time.Time) (int, error) {
	n, err := in.store.exec(ctx, "DELETE FROM trulioo_inbox WHERE state <> 'waiting' AND due < $1", before.UnixMilli())
	return int(n), failed("purge", err)
}
