package truriver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/trulioo-go/trulioo"
)

const (
	kind        = "trulioo_slice"
	maxAttempts = 10 // over four hours and a quarter with River's own waits
	sliceSize   = 1000
)

// Plan says what an export has. The zero value is the whole account.
type Plan struct {
	// Filter chooses the clients.
	Filter trulioo.ClientFilter
	// FullServiceDetails is as in trulioo.GetOptions.
	FullServiceDetails bool

	// SliceSize is how many clients a slice has at most, except that one second of the
	// account is never cut; 0 means 1,000. Each slice is a job.
	SliceSize int
	// Queue is the River queue of the jobs; "" is the constant Queue.
	Queue string
}

// SliceArgs are the arguments of a job: they name a row of trulioo_slices, where
// everything else is kept.
type SliceArgs struct {
	// ExportID is the id that Start was given.
	ExportID string `json:"export_id"`
	// Slice is the slice's number in the export, from 0.
	Slice int `json:"slice"`
}

// Kind is the name of the jobs in River.
func (SliceArgs) Kind() string { return kind }

// InsertOpts make a job unique for as long as it is in the queue or at work.
func (SliceArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		MaxAttempts: maxAttempts,
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: waiting},
	}
}

// waiting are the states of a job that is going to run or is running.
var waiting = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable,
	rivertype.JobStateRunning, rivertype.JobStateScheduled,
}

// Start cuts the account into slices and puts a job for each into the queue.
// exportID is the name of the export in all tables; it should hold nothing
// personal. jobs may be a client that only inserts. plan may be nil.
//
// With the id of an export that is there, Start goes on with it: slices that were given
// up and clients that failed get a new job, and finished ones stay as they are.
// Another filter than the first time is a *trulioo.ArgumentError.
func (e *Exporter) Start(ctx context.Context, jobs *river.Client[pgx.Tx], exportID string, plan *Plan) error {
	var p Plan
	if plan != nil {
		p = *plan
	}
	switch {
	case jobs == nil:
		return argument("jobs", "must not be nil")
	case exportID == "":
		return argument("exportID", "must not be empty")
	case p.SliceSize < 0:
		return argument("Plan.SliceSize", "must not be negative")
	}
	p.Filter.After, p.Filter.Before = p.Filter.After.UTC(), p.Filter.Before.UTC() // one text for one time
	var pieces []trulioo.Slice
	_, err := loadPlan(ctx, e.pool, exportID)
	fresh := errors.Is(err, ErrNoExport)
	if fresh {
		pieces, err = e.cut(ctx, &p)
	}
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, e.pool, func(tx pgx.Tx) error {
		if fresh {
			if err := insertExport(ctx, tx, exportID, &p, pieces); err != nil {
				return err
			}
		}
		stored, err := lockPlan(ctx, tx, exportID)
		if err != nil {
			return err
		}
		if !stored.sameAs(&p) {
			return argument("plan", "is not the plan of the export with this id")
		}
		if err := reopen(ctx, tx, exportID); err != nil {
			return err
		}
		return enqueue(ctx, jobs, tx, exportID, stored.Queue, false)
	})
}

// cut completes the plan and asks the API for the slices.
func (e *Exporter) cut(ctx context.Context, p *Plan) ([]trulioo.Slice, error) {
	if p.SliceSize == 0 {
		p.SliceSize = sliceSize
	}
	if p.Queue == "" {
		p.Queue = Queue
	}
	return e.client.Clients.Slices(ctx, p.Filter, p.SliceSize)
}

// sameAs reports whether two plans are of the same clients.
func (p *Plan) sameAs(other *Plan) bool {
	mine, err := json.Marshal(p.Filter)
	theirs, err2 := json.Marshal(other.Filter)
	return err == nil && err2 == nil && string(mine) == string(theirs) && p.FullServiceDetails == other.FullServiceDetails
}

// enqueue puts a job for each slice that can be worked on, or for the last one only,
// into the queue, unless the slice has one. The caller holds the export's lock.
func enqueue(ctx context.Context, jobs *river.Client[pgx.Tx], tx pgx.Tx, exportID, queue string, lastOnly bool) error {
	numbers, err := workable(ctx, tx, exportID, lastOnly)
	if err != nil || len(numbers) == 0 {
		return err
	}
	params := make([]river.InsertManyParams, len(numbers))
	for i, number := range numbers {
		params[i] = river.InsertManyParams{
			Args:       SliceArgs{ExportID: exportID, Slice: number},
			InsertOpts: &river.InsertOpts{Queue: queue},
		}
	}
	if _, err := jobs.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("truriver: insert jobs: %w", err)
	}
	return nil
}

// Status is how far an export has come.
type Status struct {
	Done   int // clients in trulioo_results with their profile
	Failed int // clients in trulioo_results with an error
	Gone   int // clients that were deleted between the list and the fetch

	Slices   int // of the export
	Finished int // slices that need no more work
	Proven   int // slices whose list was proven to be known in whole; trulioo_slices.report says why the others were not
	Jobs     int // that wait, run or will be tried again; 0 means the end, in success or failure
}

// Complete reports whether the export is over and has every client. While Jobs is not
// 0 it can become true; after that call Start, which tries the missing ones again.
func (s Status) Complete() bool { return s.Finished == s.Slices && s.Failed == 0 }

// Status counts. An unknown exportID is ErrNoExport.
func (e *Exporter) Status(ctx context.Context, jobs *river.Client[pgx.Tx], exportID string) (Status, error) {
	if jobs == nil {
		return Status{}, argument("jobs", "must not be nil")
	}
	args, err := json.Marshal(map[string]string{"export_id": exportID})
	if err != nil {
		return Status{}, err
	}
	// The jobs are counted first: slices may finish meanwhile, and are counted below.
	list, err := jobs.JobList(ctx, river.NewJobListParams().First(10_000).Kinds(kind).States(waiting...).
		Where("args @> @args::jsonb", river.NamedArgs{"args": string(args)}))
	if err != nil {
		return Status{}, fmt.Errorf("truriver: status: %w", err)
	}
	s, err := loadStatus(ctx, e.pool, exportID)
	if err != nil {
		return Status{}, err
	}
	s.Jobs = len(list.Jobs)
	return s, nil
}
