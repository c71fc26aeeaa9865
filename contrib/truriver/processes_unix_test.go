//go:build unix

package truriver_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truriver"
	"github.com/trulioo-go/trulioo/truliootest"
)

// settings are the settings of a worker process, which it gets in its environment.
type settings struct {
	Database, BaseURL, TokenURL, ID, Secret string

	HangAfter   int  // batches, in the writer; 0 means never
	HangWritten bool // with the batch written, so that it comes again
}

// warehouse is where the writers of the processes write to: they note each
// client outside of the export's transaction.
const warehouse = "CREATE TABLE warehouse (client_id text NOT NULL)"

// work is the whole life of a worker process, which ends when its input does.
func work(text string) int {
	var s settings
	err := json.Unmarshal([]byte(text), &s)
	if err == nil {
		err = takeJobs(context.Background(), s)
	}
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	return 0
}

func takeJobs(ctx context.Context, s settings) error {
	pool, err := pgxpool.New(ctx, s.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := truriver.Migrate(ctx, pool); err != nil {
		return err
	}
	client, err := trulioo.NewClient(trulioo.WithCredentials(s.ID, s.Secret), trulioo.WithBaseURL(s.BaseURL), trulioo.WithTokenURL(s.TokenURL))
	if err != nil {
		return err
	}
	exporter, err := truriver.New(pool, client, truriver.WithWriter(s.writer(pool)), truriver.WithTurn(3*time.Second))
	if err != nil {
		return err
	}
	jobs, err := workOn(ctx, pool, exporter, func(*river.Config) {})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return jobs.StopAndCancel(ctx)
}

// writer writes, and hangs where it is told to, as a process that is about to die.
func (s settings) writer(pool *pgxpool.Pool) truriver.Writer {
	var batches atomic.Int32
	return func(ctx context.Context, _ string, items []*trulioo.ExportItem) error {
		hang := s.HangAfter > 0 && int(batches.Add(1)) > s.HangAfter
		if !hang || s.HangWritten {
			rows := make([][]any, len(items))
			for i, item := range items {
				rows[i] = []any{item.Client.ID}
			}
			if _, err := pool.CopyFrom(ctx, pgx.Identifier{"warehouse"}, []string{"client_id"}, pgx.CopyFromRows(rows)); err != nil {
				return err
			}
		}
		if hang {
			fmt.Println("hangs")
			select {}
		}
		return nil
	}
}

// workOn starts River with the exporter as its worker.
func workOn(ctx context.Context, pool *pgxpool.Pool, exporter *truriver.Exporter, change func(*river.Config)) (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, exporter)
	config := &river.Config{
		Workers:              workers,
		Queues:               map[string]river.QueueConfig{truriver.Queue: {MaxWorkers: 2}},
		JobTimeout:           time.Second,
		RescueStuckJobsAfter: time.Second,
		Logger:               slog.New(slog.DiscardHandler),
	}
	change(config)
	jobs, err := river.NewClient(riverpgxv5.New(pool), config)
	if err != nil {
		return nil, err
	}
	return jobs, jobs.Start(ctx)
}

// process is a worker process of a test.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startProcess(t *testing.T, s settings) *process {
	t.Helper()
	text, err := json.Marshal(s) //nolint:gosec // the fake server's secret
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	p := &process{cmd: exec.CommandContext(t.Context(), self)}
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(text))
	p.cmd.Stderr = os.Stderr
	_, err = p.cmd.StdinPipe() // so that it does not end at once
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.lines = bufio.NewScanner(out)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(p.kill)
	p.says(t, "ready")
	return p
}

func (p *process) says(t *testing.T, line string) {
	t.Helper()
	require.True(t, p.lines.Scan(), "the process has ended")
	require.Equal(t, line, p.lines.Text())
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // says that it was killed
}

// The account changes at every fifth reading of its list, up to a number of times: a
// client is added, one is changed, one is deleted.
const changes = 60

func changing(touched *sync.Map) truliootest.Listing {
	return truliootest.Listing{FilterBy: truliootest.ByLastModified, Before: func(a *truliootest.Account, r truliootest.ListRequest) {
		if r.N%5 != 0 || r.N/5 > changes {
			return
		}
		ids, now := a.IDs(), time.Now()
		gone, moved := ids[r.N*7%len(ids)], ids[r.N*13%len(ids)]
		a.Insert(now)
		a.Update(moved, now)
		a.Remove(gone)
		touched.Store(gone, true)
		touched.Store(moved, true)
	}}
}

func TestThreeProcessesOneKilledTwice(t *testing.T) {
	t.Parallel()
	const clients = 20_000
	database := newDatabase(t)
	account := truliootest.NewAccount(truliootest.AccountSpec{Clients: clients, Seed: 5, UndatedEvery: 500})
	before := account.IDs()
	touched := &sync.Map{}
	srv := truliootest.NewServer(t, truliootest.WithLive(account), truliootest.WithListing(changing(touched)))

	pool, err := pgxpool.New(t.Context(), database)
	require.NoError(t, err)
	defer pool.Close()
	require.NoError(t, truriver.Migrate(t.Context(), pool))
	_, err = pool.Exec(t.Context(), warehouse)
	require.NoError(t, err)
	exporter, jobs := planner(t, pool, srv.Client())
	begun := time.Now()
	require.NoError(t, exporter.Start(t.Context(), jobs, "all", nil))

	s := settings{Database: database, BaseURL: srv.BaseURL, TokenURL: srv.TokenURL, ID: srv.ClientID, Secret: srv.ClientSecret}
	dying := s
	dying.HangAfter, dying.HangWritten = 3, true
	victim := startProcess(t, dying)
	startProcess(t, s)
	startProcess(t, s)
	victim.says(t, "hangs")
	victim.kill()
	dying.HangAfter, dying.HangWritten = 1, false
	victim = startProcess(t, dying)
	victim.says(t, "hangs")
	victim.kill()
	startProcess(t, s)

	status := wait(t, exporter, jobs, "all")
	t.Logf("%+v in %v", status, time.Since(begun))
	require.True(t, status.Complete(), "%+v", status)
	assert.Greater(t, status.Slices, 20)

	// Every client that was there all the time, once, as the API has it.
	found := results(t, pool, "all")
	assert.Equal(t, status.Done, len(found)) //nolint:testifylint // Len prints them all
	still := map[string]bool{}
	for _, id := range account.IDs() {
		still[id] = true
	}
	missing, moved, different := 0, 0, 0
	for _, id := range before {
		profile, ok := found[id]
		want, _ := account.Profile(id, false)
		switch {
		case !still[id]:
		case !ok:
			missing++
		case has(touched, id):
			moved++
		case string(profile) != string(want):
			different++
		}
	}
	assert.Zero(t, missing, "missing")
	assert.Zero(t, different, "with other bytes than the API's")
	assert.Greater(t, moved, changes/2, "clients that changed meanwhile are among them")

	// The writer had each of them, some twice.
	var written, distinct, unwritten int
	require.NoError(t, pool.QueryRow(t.Context(), `SELECT count(*), count(DISTINCT client_id),
		(SELECT count(*) FROM trulioo_results r WHERE NOT EXISTS (SELECT FROM warehouse w WHERE w.client_id = r.client_id)) FROM warehouse`).
		Scan(&written, &distinct, &unwritten))
	assert.Zero(t, unwritten)
	assert.Greater(t, written, distinct, "the batch of the first kill came again")
	t.Logf("%d profile requests for %d clients", srv.Count(truliootest.GetClient), status.Done)
}

func has(set *sync.Map, id string) bool {
	_, ok := set.Load(id)
	return ok
}

// planner is a process that starts exports and does not work on them.
func planner(t *testing.T, pool *pgxpool.Pool, client *trulioo.Client, opts ...truriver.Option) (*truriver.Exporter, *river.Client[pgx.Tx]) {
	t.Helper()
	exporter, err := truriver.New(pool, client, opts...)
	require.NoError(t, err)
	jobs, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return exporter, jobs
}

// wait waits for the end of an export, of whatever kind.
func wait(t *testing.T, exporter *truriver.Exporter, jobs *river.Client[pgx.Tx], exportID string) truriver.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := exporter.Status(ctx, jobs, exportID)
		require.NoError(t, err)
		if status.Jobs == 0 {
			return status
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.Fail(t, "the export does not end", "%+v", status)
		}
	}
}

// results are the profiles of an export by client id.
func results(t *testing.T, pool *pgxpool.Pool, exportID string) map[string][]byte {
	t.Helper()
	rows, err := pool.Query(t.Context(), "SELECT client_id, profile FROM trulioo_results WHERE export_id = $1 AND error IS NULL", exportID)
	require.NoError(t, err)
	found := map[string][]byte{}
	var id string
	var profile []byte
	_, err = pgx.ForEachRow(rows, []any{&id, &profile}, func() error {
		found[id] = append([]byte(nil), profile...)
		return nil
	})
	require.NoError(t, err)
	return found
}
