// River exports the whole account into PostgreSQL, as jobs that any number of processes
// share: start it as often as you like with the same -export. It goes on where the
// others, or an earlier run, have stopped.
//
// It reads DATABASE_URL, and the variables of trulioo.NewClientFromEnv. With -sandbox
// it exports made-up clients, which are the same in each process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truriver"
	"github.com/trulioo-go/trulioo/truliootest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "river stopped; run it again to go on")
		os.Exit(130)
	}
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "river failed:", err)
		os.Exit(1)
	}
}

const usage = `Usage: river [flags]

Exports the whole account into PostgreSQL, shared with every process of the same
-export, and goes on where the others or an earlier run have stopped.

Variables:
  DATABASE_URL                                 the database; needed
  TRULIOO_CLIENT_ID, TRULIOO_CLIENT_SECRET     the account
  TRULIOO_ENVIRONMENT, TRULIOO_API_VERSION     default: live, v2
  TRULIOO_BASE_URL, TRULIOO_TOKEN_URL          default: the vendor's

Exit codes: 0 done, 1 failed, 2 wrong flags, 130 stopped. Times are in UTC.

Flags:
`

// errUsage means that the flags are wrong. main exits with 2 and prints nothing more.
var errUsage = errors.New("wrong flags")

// run is the program without the process around it.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("river", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() {
		_, _ = io.WriteString(flags.Output(), usage)
		flags.PrintDefaults()
	}
	exportID := flags.String("export", "account", "the export's id in the tables")
	size := flags.Int("slice", 0, "clients in a slice at most (default 1000)")
	full := flags.Bool("full", false, "with the full service details")
	sandboxed := flags.Bool("sandbox", false, "export made-up clients of a sandbox, which is the same in each process, and no account")
	workers := flags.Int("workers", 4, "slices that this process works on at once")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil || flags.NArg() > 0 {
		return errUsage
	}
	if os.Getenv("DATABASE_URL") == "" {
		return errors.New("set DATABASE_URL, such as postgres://user@localhost/trulioo")
	}
	pool, err := pgxpool.New(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := truriver.Migrate(ctx, pool); err != nil {
		return err
	}
	client, stop, err := connect(*sandboxed) //nolint:contextcheck // nothing is sent yet
	if err != nil {
		return err
	}
	defer stop()
	exporter, err := truriver.New(pool, client)
	if err != nil {
		return err
	}
	jobs, err := work(ctx, pool, exporter, *workers)
	if err != nil {
		return err
	}
	plan := &truriver.Plan{SliceSize: *size, FullServiceDetails: *full}
	err = exporter.Start(ctx, jobs, *exportID, plan)
	if err == nil {
		err = watch(ctx, out, exporter, jobs, *exportID)
	}
	// Jobs that are at work go back into the queue at once.
	return errors.Join(err, jobs.StopAndCancel(context.WithoutCancel(ctx)))
}

// connect gives the client of the environment's credentials, or of a sandbox that
// stop ends. People of a sandbox must not get into the tables of an account
// because a variable is missing.
func connect(sandboxed bool) (client *trulioo.Client, stop func(), err error) {
	if !sandboxed {
		client, err = trulioo.NewClientFromEnv()
		return client, func() {}, err
	}
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: 500, Seed: 1, UndatedEvery: 100})
	sandbox, err := truliootest.Start(truliootest.WithLive(account))
	if err != nil {
		return nil, nil, err
	}
	client, err = trulioo.NewClient(sandbox.Options()...)
	return client, sandbox.Close, err
}

// work begins to take jobs. River does not get the context, whose end would come before
// the order to give the jobs back.
func work(ctx context.Context, pool *pgxpool.Pool, exporter *truriver.Exporter, slices int) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, exporter)
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{truriver.Queue: {MaxWorkers: slices}},
		RescueStuckJobsAfter: 5 * time.Minute,
		Logger:               slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	return jobs, jobs.Start(context.WithoutCancel(ctx))
}

// watch prints the progress of the export whenever it has changed, until the end.
func watch(ctx context.Context, out io.Writer, exporter *truriver.Exporter, jobs *river.Client[pgx.Tx], exportID string) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var before truriver.Status
	for {
		status, err := exporter.Status(ctx, jobs, exportID)
		if err != nil {
			return err
		}
		if status != before {
			fmt.Fprintf(out, "clients: %d done, %d failed, %d gone; slices: %d of %d\n",
				status.Done, status.Failed, status.Gone, status.Finished, status.Slices)
			before = status
		}
		switch {
		case status.Jobs == 0 && status.Complete():
			fmt.Fprintf(out, "complete: SELECT client_id, profile FROM trulioo_results WHERE export_id = '%s'\n", exportID)
			return nil
		case status.Jobs == 0:
			return fmt.Errorf("%d clients failed and %d slices were given up; run it again", status.Failed, status.Slices-status.Finished)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
