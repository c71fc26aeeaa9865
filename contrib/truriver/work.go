package truriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/internal/guard"
)

const (
	batchItems = 100
	batchBytes = 4 << 20 // of profiles; one more may come on top
	maxPasses  = 3       // over the clients of a slice, while some fail
	longest    = 24 * time.Hour
)

// errTurn ends a turn whose time is over.
var errTurn = errors.New("truriver: the turn is over")

// Timeout is twice the turn of the job. River calls it.
func (e *Exporter) Timeout(job *river.Job[SliceArgs]) time.Duration { return 2 * e.turnOf(job) }

// turnOf is for how long the job may work. It is twice as long each time, since some
// work, such as reading a list that cannot be cut, starts anew in each turn and must
// fit into one.
func (e *Exporter) turnOf(job *river.Job[SliceArgs]) time.Duration {
	var counted struct {
		Snoozes int `json:"snoozes"` // River counts the turns that ended with JobSnooze
	}
	if job.JobRow != nil {
		_ = json.Unmarshal(job.Metadata, &counted) // without it every turn is a first one
	}
	d := e.turn
	for range counted.Snoozes {
		if d *= 2; d > longest {
			return max(longest, e.turn)
		}
	}
	return d
}

// Work exports the slice of a job, from where an earlier turn has left it. River
// calls it. Its errors, which River keeps, hold nothing personal as long as
// those of the Writer do not.
func (e *Exporter) Work(ctx context.Context, job *river.Job[SliceArgs]) error {
	t, err := takeTurn(ctx, e.pool, job.Args)
	if errors.Is(err, ErrNoExport) {
		return river.JobCancel(err)
	}
	if err != nil || t.finished {
		return err
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// No deadline: the client would refuse to wait where it ends before the wait.
	timer := time.AfterFunc(e.turnOf(job), func() { cancel(errTurn) })
	defer timer.Stop()
	err = e.work(ctx, limited, t, job.Queue)
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err() // so that River knows its own stop
	case errors.Is(err, errTaken):
		// River took this process for dead and gave the job to another. It does not tell
		// the two apart, so this one comes back when the other's turn is over.
		return river.JobSnooze(e.turnOf(job))
	case errors.Is(err, context.Canceled) && errors.Is(context.Cause(limited), errTurn):
		return river.JobSnooze(0)
	}
	return err
}

// work is a pass over the slice. limited ends with the turn; clients that have come
// until then are stored under ctx.
func (e *Exporter) work(ctx, limited context.Context, t *sliceLease, queue string) error {
	var err error
	if t.passes == 0 {
		err = e.export(ctx, limited, t)
	} else {
		err = e.tryAgain(ctx, limited, t)
	}
	if err != nil {
		return err
	}
	return e.endPass(ctx, t, queue)
}

// export goes through the slice from the cursor on.
func (e *Exporter) export(ctx, limited context.Context, t *sliceLease) error {
	gone, noted := 0, 0
	b := &batch{}
	flush := func() error {
		b.gone, noted = gone-noted, gone
		err := e.flush(ctx, t, b)
		b = &batch{}
		return err
	}
	options := &trulioo.ExportOptions{
		Filter:             t.plan.Filter,
		FullServiceDetails: t.plan.FullServiceDetails,
		Concurrency:        e.concurrency,
		Slice:              t.slice,
		Resume:             t.cursor,
		PassFailed:         true, // tryAgain fetches them again
		Skip:               func(row *trulioo.EndClient) bool { return t.have[row.ID] },
		OnReport:           func(r trulioo.ExportReport) { t.report = &r },
		OnProgress:         func(p trulioo.ExportProgress) { gone = p.Gone },
	}
	for item, err := range e.client.Clients.Export(limited, options) {
		if err != nil {
			if errors.Is(err, trulioo.ErrUnexpectedAnswer) {
				gone = noted // nearly all were answered with not found, which is not believed
			}
			if failure := flush(); failure != nil {
				return failure
			}
			return err
		}
		b.add(item)
		b.cursor = item.Cursor
		if len(b.items) >= batchItems || b.bytes >= batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// tryAgain fetches the clients of the slice that failed, by their ids: they may be
// in no slice any more.
func (e *Exporter) tryAgain(ctx, limited context.Context, t *sliceLease) error {
	var ids []string
	for id, done := range t.have {
		if !done {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	at := e.concurrency
	if at == 0 {
		at = 8
	}
	for some := range slices.Chunk(ids, at) {
		b, err := e.fetch(limited, t, some)
		if err != nil {
			return err
		}
		if err := e.flush(ctx, t, b); err != nil {
			return err
		}
	}
	return nil
}

// fetch gets these clients, all at once.
func (e *Exporter) fetch(ctx context.Context, t *sliceLease, ids []string) (*batch, error) {
	profiles, errs := make([]*trulioo.Profile, len(ids)), make([]error, len(ids))
	all, together := guard.NewGroup(ctx)
	for i, id := range ids {
		all.Start(func() error {
			profiles[i], errs[i] = e.client.Clients.Get(together, id, &trulioo.GetOptions{FullServiceDetails: t.plan.FullServiceDetails})
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	b := &batch{}
	for i, id := range ids {
		switch {
		case errs[i] == nil:
			b.add(&trulioo.ExportItem{Client: row(id, profiles[i]), Profile: profiles[i]})
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(errs[i], trulioo.ErrUnauthorized):
			return nil, errs[i]
		case errors.Is(errs[i], trulioo.ErrNotFound):
			b.gone++
			b.deleted = append(b.deleted, id)
		default:
			b.add(&trulioo.ExportItem{Client: &trulioo.EndClient{ID: id}, Err: errs[i]})
		}
	}
	return b, nil
}

// row is the client's row of the list, as its profile has it.
func row(id string, p *trulioo.Profile) *trulioo.EndClient {
	return &trulioo.EndClient{
		ID: id, OwnerIDs: p.OwnerIDs, Created: p.Created, LastModified: p.LastModified,
		ProfileType: p.ProfileType, Status: p.Status, StatusManuallyChanged: p.StatusManuallyChanged, User: p.User,
	}
}

// flush hands a batch to the writer, and then to the table.
func (e *Exporter) flush(ctx context.Context, t *sliceLease, b *batch) error {
	if len(b.items) == 0 && b.gone == 0 {
		return nil
	}
	var whole []*trulioo.ExportItem
	for _, item := range b.items {
		if item.Err == nil {
			whole = append(whole, item)
		}
	}
	if e.write != nil && len(whole) > 0 {
		if err := e.write(ctx, t.ExportID, whole); err != nil {
			return fmt.Errorf("truriver: the writer: %w", err)
		}
	}
	return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error { return t.store(ctx, tx, b) })
}

// endPass ends the job or, while clients of it have failed, this attempt of it,
// and lets the last slice begin after all others.
func (e *Exporter) endPass(ctx context.Context, t *sliceLease, queue string) error {
	failures := 0
	err := pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if _, err := lockPlan(ctx, tx, t.ExportID); err != nil {
			return err
		}
		var err error
		if failures, err = t.endPass(ctx, tx); err != nil {
			return err
		}
		return enqueue(ctx, river.ClientFromContext[pgx.Tx](ctx), tx, t.ExportID, queue, true)
	})
	if err == nil && !t.finished {
		err = fmt.Errorf("truriver: %d clients failed and will be tried again", failures)
	}
	return err
}
