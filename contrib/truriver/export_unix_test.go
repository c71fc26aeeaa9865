//go:build unix

package truriver_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/contrib/truriver"
	"github.com/trulioo-go/trulioo/truliootest"
)

// bench is a database, an account and a worker in this process.
type bench struct {
	pool     *pgxpool.Pool
	account  *truliootest.Account
	srv      *truliootest.Server
	exporter *truriver.Exporter
	jobs     *river.Client[pgx.Tx]
}

// atOnce has no wait between the attempts of a job.
type atOnce struct{}

func (atOnce) NextRetry(*rivertype.JobRow) time.Time { return time.Now() }

func newBench(t *testing.T, clients int, opts ...truriver.Option) *bench {
	t.Helper()
	b := &bench{pool: newPool(t), account: truliootest.NewAccount(truliootest.AccountSpec{Clients: clients, Seed: 3, UndatedEvery: 40})}
	b.srv = truliootest.NewServer(t, truliootest.WithLive(b.account))
	client := b.srv.Client(trulioo.WithRetry(trulioo.RetryPolicy{MaxAttempts: 1}))
	b.exporter, b.jobs = planner(t, b.pool, client, opts...)
	return b
}

// run starts the export, if it is not there, and works on it to its end.
func (b *bench) run(t *testing.T, plan *truriver.Plan) truriver.Status {
	t.Helper()
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", plan))
	river := b.work(t)
	status := wait(t, b.exporter, b.jobs, "export")
	require.NoError(t, river.Stop(t.Context()))
	return status
}

func (b *bench) work(t *testing.T) *river.Client[pgx.Tx] {
	t.Helper()
	working, err := workOn(t.Context(), b.pool, b.exporter, func(c *river.Config) {
		c.RetryPolicy = atOnce{}
		c.FetchCooldown = 10 * time.Millisecond
	})
	require.NoError(t, err)
	return working
}

// equalsAccount demands each client of the account once, byte for byte.
func (b *bench) equalsAccount(t *testing.T, full bool) {
	t.Helper()
	found := results(t, b.pool, "export")
	assert.Equal(t, b.account.Len(), len(found)) //nolint:testifylint // Len prints them all
	for _, id := range b.account.IDs() {
		want, ok := b.account.Profile(id, full)
		require.True(t, ok)
		assert.Equal(t, string(want), string(found[id]), "byte for byte")
	}
}

// counter is a writer that counts the clients it is given.
type counter struct {
	mu    sync.Mutex
	times map[string]int
}

func (c *counter) write(_ context.Context, _ string, items []*trulioo.ExportItem) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, item := range items {
		if item.Profile == nil || item.Profile.ID != item.Client.ID || item.Err != nil {
			return errors.New("an item without its profile")
		}
		c.times[item.Client.ID]++
	}
	return nil
}

func TestExport(t *testing.T) {
	t.Parallel()
	written := &counter{times: map[string]int{}}
	b := newBench(t, 300, truriver.WithWriter(written.write), truriver.WithConcurrency(3))
	status := b.run(t, &truriver.Plan{SliceSize: 60, FullServiceDetails: true})
	assert.True(t, status.Complete(), "%+v", status)
	assert.Equal(t, 300, status.Done)
	assert.GreaterOrEqual(t, status.Slices, 5)
	b.equalsAccount(t, true)
	assert.Len(t, written.times, 300)
	for _, n := range written.times {
		assert.Equal(t, 1, n, "nothing has failed, so that nothing came twice")
	}

	// It is there already: nothing happens.
	b.srv.ResetCounts()
	again := b.run(t, &truriver.Plan{SliceSize: 7, FullServiceDetails: true})
	assert.Equal(t, status, again)
	assert.Zero(t, b.srv.Count(truliootest.Any))
}

func TestExportWithFilter(t *testing.T) {
	t.Parallel()
	b := newBench(t, 200)
	filter := trulioo.ClientFilter{Statuses: []trulioo.Status{trulioo.StatusAccepted},
		After: time.Unix(1718011363, 0).Add(-20 * time.Hour).In(time.FixedZone("east", 3600))}
	want := 0
	for _, err := range b.srv.Client().Clients.All(t.Context(), &trulioo.ClientListOptions{Statuses: filter.Statuses, After: filter.After}) {
		require.NoError(t, err)
		want++
	}
	status := b.run(t, &truriver.Plan{Filter: filter, SliceSize: 10})
	assert.True(t, status.Complete())
	assert.Equal(t, want, status.Done)
	assert.Less(t, want, 100)
	assert.Greater(t, want, 10)
}

func TestEmptyAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t, 0)
	status := b.run(t, nil)
	assert.True(t, status.Complete())
	assert.Zero(t, status.Done)
}

func TestFailedClientsAreTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	ids := b.account.IDs()
	mended, broken, deleted := ids[10], ids[50], ids[70]
	b.srv.Fail(truliootest.GetClient, truliootest.Answer(500, ""), truliootest.Path(mended), truliootest.Times(1))
	b.srv.Fail(truliootest.GetClient, truliootest.Answer(500, ""), truliootest.Path(broken))
	b.srv.Fail(truliootest.GetClient, truliootest.Answer(500, ""), truliootest.Path(deleted), truliootest.Times(1))
	b.srv.Fail(truliootest.GetClient, truliootest.Answer(404, `{"code":4100}`), truliootest.Path(deleted))

	status := b.run(t, nil)
	assert.False(t, status.Complete())
	assert.Equal(t, truriver.Status{Done: 98, Failed: 1, Gone: 1, Slices: 1, Finished: 1, Proven: 1}, status)
	var text string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT error FROM trulioo_results WHERE client_id = $1", broken).Scan(&text))
	assert.Contains(t, text, "500")
	assert.NotContains(t, text, broken)

	b.srv.Heal()
	status = b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	assert.Equal(t, 99, status.Done)
	assert.NotEmpty(t, results(t, b.pool, "export")[broken])
}

func TestClientDeletedBeforeItsFetchIsGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 60)
	for _, id := range b.account.IDs()[20:23] {
		b.srv.Fail(truliootest.GetClient, truliootest.Answer(404, `{"code":4100}`), truliootest.Path(id))
	}
	assert.Equal(t, truriver.Status{Done: 57, Gone: 3, Slices: 1, Finished: 1, Proven: 1}, b.run(t, nil))
}

// A gateway's 404 is no deletion, and neither is the API's own for nearly every
// client that its list has just named.
func TestDenialsAreNotBelieved(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer truliootest.Effect
		during truriver.Status
	}{
		"a gateway's 404s": {truliootest.Answer(404, "<html>no such page</html>"), truriver.Status{Failed: 30, Slices: 1, Finished: 1, Proven: 1}},
		"pages with 200":   {truliootest.Answer(200, "<html>rejected</html>"), truriver.Status{Failed: 30, Slices: 1, Finished: 1, Proven: 1}},
		"all are gone":     {truliootest.Answer(404, `{"code":4100}`), truriver.Status{Slices: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 30)
			b.srv.Fail(truliootest.GetClient, c.answer)
			status := b.run(t, nil)
			assert.Equal(t, c.during, status)
			assert.False(t, status.Complete())
			b.srv.Heal()
			status = b.run(t, nil)
			assert.True(t, status.Complete(), "%+v", status)
			assert.Equal(t, 30, status.Done)
			assert.Zero(t, status.Gone)
		})
	}
}

func TestOutageIsRetriedThenGivenUpThenStartedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 100)
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", &truriver.Plan{SliceSize: 30}))
	b.srv.Fail(truliootest.ListClients, truliootest.Answer(403, ""))
	status, err := b.exporter.Status(t.Context(), b.jobs, "export")
	require.NoError(t, err)
	assert.Equal(t, status.Slices-1, status.Jobs, "the last slice waits for the others")
	status = b.run(t, &truriver.Plan{SliceSize: 30})
	assert.Zero(t, status.Finished)
	assert.Greater(t, status.Slices, 2)
	assert.False(t, status.Complete())

	b.srv.Heal()
	status = b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	b.equalsAccount(t, false)
}

func TestWriterThatFailsGetsTheBatchAgain(t *testing.T) {
	t.Parallel()
	written := &counter{times: map[string]int{}}
	var calls atomic.Int32
	b := newBench(t, 250, truriver.WithWriter(func(ctx context.Context, id string, items []*trulioo.ExportItem) error {
		if err := written.write(ctx, id, items); err != nil {
			return err
		}
		if calls.Add(1) == 2 {
			return errors.New("the disk is full")
		}
		return nil
	}))
	status := b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	b.equalsAccount(t, false)
	assert.Len(t, written.times, 250)
	twice := 0
	for _, n := range written.times {
		twice += n - 1
	}
	assert.Equal(t, 100, twice, "one batch, and nothing of the first one, which was noted")
	job := b.job(t)
	require.Len(t, job.Errors, 1)
	assert.Equal(t, "truriver: the writer: the disk is full", job.Errors[0].Error)
}

// job is the row of the job of an export of one slice.
func (b *bench) job(t *testing.T) *rivertype.JobRow {
	t.Helper()
	list, err := b.jobs.JobList(t.Context(), river.NewJobListParams())
	require.NoError(t, err)
	require.Len(t, list.Jobs, 1)
	return list.Jobs[0]
}

// A process that was taken for dead writes nothing any more.
func TestSliceTakenByAnotherWorker(t *testing.T) {
	t.Parallel()
	var b *bench
	var calls, before, after atomic.Int64
	b = newBench(t, 250, truriver.WithTurn(5*time.Second), truriver.WithWriter(func(ctx context.Context, _ string, _ []*trulioo.ExportItem) error {
		var stored int64
		if err := b.pool.QueryRow(ctx, "SELECT count(*) FROM trulioo_results").Scan(&stored); err != nil {
			return err
		}
		switch calls.Add(1) {
		case 2:
			before.Store(stored)
			_, err := b.pool.Exec(ctx, "UPDATE trulioo_slices SET turn = turn + 1")
			return err
		case 3:
			after.Store(stored)
		}
		return nil
	}))
	status := b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	b.equalsAccount(t, false)
	assert.Positive(t, before.Load(), "the first batch")
	assert.Equal(t, before.Load(), after.Load(), "the second batch came too late")
	assert.Empty(t, b.job(t).Errors, "no attempt is spent")
	assert.Equal(t, 1, b.job(t).Attempt)
}

func TestTurnsEndAndGrow(t *testing.T) {
	t.Parallel()
	b := newBench(t, 250, truriver.WithTurn(2*time.Second), truriver.WithConcurrency(1))
	b.srv.Fail(truliootest.GetClient, truliootest.Pass().Delayed(10*time.Millisecond))
	status := b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	b.equalsAccount(t, false)
	job := b.job(t)
	assert.Contains(t, string(job.Metadata), `"snoozes"`)
	assert.Equal(t, 1, job.Attempt)

	for metadata, want := range map[string]time.Duration{
		`{}`: 4 * time.Second, `{"snoozes": 1}`: 8 * time.Second, `{"snoozes": 3}`: 32 * time.Second, `{"snoozes": 100}`: 48 * time.Hour,
	} {
		got := b.exporter.Timeout(&river.Job[truriver.SliceArgs]{JobRow: &rivertype.JobRow{Metadata: []byte(metadata)}})
		assert.Equal(t, want, got, metadata)
	}
}

func TestStopInTheMiddle(t *testing.T) {
	t.Parallel()
	second := make(chan struct{})
	var calls atomic.Int32
	b := newBench(t, 400, truriver.WithWriter(func(ctx context.Context, _ string, _ []*trulioo.ExportItem) error {
		if calls.Add(1) == 2 {
			close(second)
			<-ctx.Done()
		}
		return nil
	}))
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", nil))
	working := b.work(t)
	<-second
	require.NoError(t, working.StopAndCancel(t.Context()))
	status, err := b.exporter.Status(t.Context(), b.jobs, "export")
	require.NoError(t, err)
	assert.Equal(t, 1, status.Jobs, "it waits for another process")
	assert.Zero(t, status.Finished)

	status = b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	b.equalsAccount(t, false)
	assert.Empty(t, b.job(t).Errors)
}

func TestNothingSecretOrPersonalInJobs(t *testing.T) {
	t.Parallel()
	b := newBench(t, 120)
	b.srv.Fail(truliootest.GetClient, truliootest.Answer(500, "John Public"), truliootest.Every(10))
	b.run(t, &truriver.Plan{SliceSize: 40})
	dump := func(table string) string {
		var all string
		require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT string_agg(row_to_json(x)::text, E'\\n') FROM "+table+" x").Scan(&all))
		return all
	}
	jobs := dump("river_job")
	assert.Contains(t, jobs, "clients failed and will be tried again")
	for _, text := range []string{jobs, dump("trulioo_exports"), dump("trulioo_slices"), dump("trulioo_results")} {
		assert.NotContains(t, text, b.srv.ClientSecret)
		assert.NotContains(t, text, b.srv.ClientID)
		assert.NotContains(t, text, "John Public")
	}
	for _, id := range b.account.IDs() {
		assert.NotContains(t, jobs, id)
	}
}

func TestMigrateByManyAtOnce(t *testing.T) {
	t.Parallel()
	database := newDatabase(t)
	errs := make(chan error, 4)
	for range cap(errs) {
		go func() {
			pool, err := pgxpool.New(t.Context(), database+"&pool_max_conns=1")
			if err == nil {
				err = truriver.Migrate(t.Context(), pool)
				pool.Close()
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		assert.NoError(t, <-errs)
	}
}

func TestJobOfADeletedExportIsCancelled(t *testing.T) {
	t.Parallel()
	b := newBench(t, 10)
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", nil))
	_, err := b.pool.Exec(t.Context(), "DELETE FROM trulioo_exports")
	require.NoError(t, err)
	working := b.work(t)
	require.Eventually(t, func() bool { return b.job(t).State == rivertype.JobStateCancelled }, time.Minute, 50*time.Millisecond)
	require.NoError(t, working.Stop(t.Context()))
	_, err = b.exporter.Status(t.Context(), b.jobs, "export")
	assert.ErrorIs(t, err, truriver.ErrNoExport)
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	b := newBench(t, 3)
	client := b.srv.Client()
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", nil))
	made := func(_ *truriver.Exporter, err error) error { return err }
	_, noJobs := b.exporter.Status(t.Context(), nil, "export")
	for name, err := range map[string]error{
		"pool":                 made(truriver.New(nil, client)),
		"client":               made(truriver.New(b.pool, nil)),
		"WithConcurrency":      made(truriver.New(b.pool, client, truriver.WithConcurrency(-1))),
		"WithTurn":             made(truriver.New(b.pool, client, truriver.WithTurn(time.Millisecond))),
		"exportID":             b.exporter.Start(t.Context(), b.jobs, "", nil),
		"Plan.SliceSize":       b.exporter.Start(t.Context(), b.jobs, "x", &truriver.Plan{SliceSize: -1}),
		"plan":                 b.exporter.Start(t.Context(), b.jobs, "export", &truriver.Plan{FullServiceDetails: true}),
		"jobs":                 b.exporter.Start(t.Context(), nil, "export", nil),
		"ExportOptions.Filter": b.exporter.Start(t.Context(), b.jobs, "y", &truriver.Plan{Filter: trulioo.ClientFilter{Statuses: []trulioo.Status{""}}}),
		"jobs ":                noJobs,
	} {
		var wrong *trulioo.ArgumentError
		if assert.ErrorAs(t, err, &wrong, name) {
			assert.True(t, strings.HasPrefix(wrong.Argument, strings.TrimSpace(name)), wrong.Argument)
		}
	}
	_, err := b.exporter.Status(t.Context(), b.jobs, "nobody's")
	require.ErrorIs(t, err, truriver.ErrNoExport)
	assert.NotContains(t, fmt.Sprintf("%+v %v", b.exporter, client), b.srv.ClientSecret)
}

// An id that PostgreSQL's text cannot hold does not stop its slice.
func TestAnIDWithANULCharacter(t *testing.T) {
	t.Parallel()
	b := newBench(t, 20)
	for _, id := range []string{`a\u0000b`, "hex:00"} {
		_, err := b.account.Put([]byte(`{"id":"` + id + `","created":1718000000,"lastModified":1718000000}`))
		require.NoError(t, err)
	}
	status := b.run(t, nil)
	assert.True(t, status.Complete(), "%+v", status)
	assert.Equal(t, 22, status.Done)
	found := results(t, b.pool, "export")
	assert.Contains(t, found, "hex:610062")
	assert.Contains(t, found, "hex:6865783a3030")
}

// A list that contradicts itself for a while is tried again by its job.
func TestAContradictionIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, 60)
	require.NoError(t, b.exporter.Start(t.Context(), b.jobs, "export", nil))
	lie := b.srv.Fail(truliootest.ListClients, truliootest.Answer(200, `{"data":[{"id":"a","created":900000000}],"totalElements":2,"totalPages":1}`))
	working := b.work(t)
	require.Eventually(t, func() bool { return len(b.job(t).Errors) > 0 }, time.Minute, 20*time.Millisecond)
	lie.Stop()
	status := wait(t, b.exporter, b.jobs, "export")
	require.NoError(t, working.Stop(t.Context()))
	assert.True(t, status.Complete(), "%+v", status)
	assert.Equal(t, 60, status.Done)
	assert.Equal(t, 1, status.Proven)
}
