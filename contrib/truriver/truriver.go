// Package truriver exports a very large account as jobs of River, the job
// queue over PostgreSQL: one job for each slice of the account's time, which
// any number of processes take, try again and finish.
//
//	exporter, err := truriver.New(pool, client)
//	workers := river.NewWorkers()
//	river.AddWorker(workers, exporter)
//	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Workers: workers})
//	err = exporter.Start(ctx, jobs, "2024-06", nil)
//
// Each client is in the table trulioo_results exactly once, with the bytes that
// the API sent. A writer of yours gets each at least once. A process that
// is killed loses nothing: its job goes on after the last batch that is in the
// table. No credential is in a job or in a table; each process has its own
// *trulioo.Client.
package truriver

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/trulioo-go/trulioo"
)

// Queue is the River queue of an export whose Plan names none. A process that works on
// exports must have it in its river.Config.Queues.
const Queue = "trulioo"

// Schema makes the three tables of this package where they are missing. It is for
// programs with a migration tool of their own; Migrate runs it too.
//
//go:embed schema.sql
var Schema string

// ErrNoExport means that no export of this id has been started.
var ErrNoExport = errors.New("truriver: no export has this id")

const defaultTurn = 2 * time.Minute

// Writer takes a batch of clients with their profiles, for a file, a warehouse
// or a topic. It gets each client at least once: the batch is noted as done
// after it has returned nil, and comes again after an error or a kill between
// the two. It is called from as many jobs at once as the process works on.
type Writer func(ctx context.Context, exportID string, items []*trulioo.ExportItem) error

// Exporter starts exports and is the River worker for their jobs. Its methods
// can be called from many goroutines at once.
type Exporter struct {
	river.WorkerDefaults[SliceArgs]

	pool        *pgxpool.Pool
	client      *trulioo.Client
	write       Writer
	concurrency int
	turn        time.Duration
}

// Option sets one thing of an Exporter.
type Option func(*Exporter)

// WithWriter hands each client to w before it is noted as done.
func WithWriter(w Writer) Option { return func(e *Exporter) { e.write = w } }

// WithConcurrency bounds the requests for profiles of one job, as in
// trulioo.ExportOptions; the default is 8. A process makes this many for each
// job that river.QueueConfig.MaxWorkers lets it work on.
func WithConcurrency(n int) Option { return func(e *Exporter) { e.concurrency = n } }

// WithTurn sets for how long a job works before it goes back into the queue, to go on
// later; the default is 2 minutes, and each turn of a job is twice as long as the one
// before. It also bounds how long the job of a killed process stays taken: for twice
// the turn, or for river.Config.RescueStuckJobsAfter if that is longer.
func WithTurn(d time.Duration) Option { return func(e *Exporter) { e.turn = d } }

// New makes an Exporter from the pool of the database that River uses and the
// client of the account. All processes that work on one queue must use the
// same account. A wrong argument is a *trulioo.ArgumentError.
func New(pool *pgxpool.Pool, client *trulioo.Client, opts ...Option) (*Exporter, error) {
	e := &Exporter{pool: pool, client: client, turn: defaultTurn}
	for _, o := range opts {
		if o != nil {
			o(e)
		}
	}
	switch {
	case pool == nil:
		return nil, argument("pool", "must not be nil")
	case client == nil:
		return nil, argument("client", "must not be nil")
	case e.concurrency < 0:
		return nil, argument("WithConcurrency", "must not be negative")
	case e.turn < time.Second:
		return nil, argument("WithTurn", "must be a second or more")
	}
	return e, nil
}

// migrationLock is for one Migrate at a time; the number has no meaning.
const migrationLock = 0x7472756c696f6f

// Migrate makes or updates River's tables and those of this package. It can be
// called by every process at its start.
func Migrate(ctx context.Context, pool *pgxpool.Pool) error {
	// A connection of its own: the migrator may need the pool's only one. The
	// lock ends with it.
	conn, err := pgx.ConnectConfig(ctx, pool.Config().ConnConfig)
	if err != nil {
		return fmt.Errorf("truriver: migrate: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return fmt.Errorf("truriver: migrate: %w", err)
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), nil)
	if err != nil {
		return fmt.Errorf("truriver: migrate: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("truriver: migrate River's tables: %w", err)
	}
	if _, err := conn.Exec(ctx, Schema); err != nil {
		return fmt.Errorf("truriver: migrate: %w", err)
	}
	return nil
}

func argument(name, reason string) error {
	return &trulioo.ArgumentError{Argument: name, Reason: reason}
}
