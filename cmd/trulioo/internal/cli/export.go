package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportruns"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/exportstore"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// placeFlags say where an export goes to.
type placeFlags struct {
	folder, sqlite, postgres, csv, parquet string
	files                                  bool
}

func (p *placeFlags) flags(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVarP(&p.folder, "output", "o", "", "a `folder`: each profile as a JSON file, and an index")
	flags.StringVar(&p.sqlite, "sqlite", "", "an SQLite `file`, table trulioo_clients")
	flags.StringVar(&p.postgres, "postgres", "", "the `address` of a PostgreSQL, table trulioo_clients; the password belongs in PGPASSWORD or ~/.pgpass")
	flags.StringVar(&p.csv, "csv", "", "a `file` of comma-separated values")
	flags.StringVar(&p.parquet, "parquet", "", "a Parquet `file`")
	flags.BoolVar(&p.files, "files", false, "with -o: the photos and documents too")
	command.MarkFlagsMutuallyExclusive("output", "sqlite", "postgres", "csv", "parquet")
	command.MarkFlagsOneRequired("output", "sqlite", "postgres", "csv", "parquet")
}

// check refuses flags that do not fit together, before anything is opened.
func (p *placeFlags) check() error {
	if p.files && p.folder == "" {
		return usage("--files needs -o: a folder is the only place for files")
	}
	return checkAddress("--postgres", p.postgres)
}

// checkAddress refuses a password in an argument, which other users of the
// machine can see.
func checkAddress(flag, address string) error {
	if address == "" || !strings.Contains(address, "://") {
		if strings.Contains(address, "password") {
			return usage(flag + " must not hold a password, which others could see: set PGPASSWORD or write ~/.pgpass")
		}
		return nil
	}
	at, err := url.Parse(address)
	if err != nil || at.Scheme != "postgres" && at.Scheme != "postgresql" {
		return usage(flag + " must be an address such as postgres://user@host/database")
	}
	if _, has := at.User.Password(); has || at.Query().Has("password") {
		return usage(flag + " must not hold a password, which others could see: set PGPASSWORD or write ~/.pgpass")
	}
	return nil
}

// open opens the place for an account.
func (p *placeFlags) open(ctx context.Context, account string) (exportstore.Store, error) {
	switch {
	case p.folder != "":
		return exportstore.OpenFolder(p.folder, account, p.files)
	case p.sqlite != "":
		return exportstore.OpenSQLite(ctx, p.sqlite)
	case p.postgres != "":
		return exportstore.OpenPostgres(ctx, p.postgres)
	case p.csv != "":
		return exportstore.OpenCSV(p.csv)
	}
	return exportstore.OpenParquet(p.parquet)
}

// kind names the kind of place in one word.
func (p *placeFlags) kind() string {
	switch {
	case p.folder != "":
		return "folder"
	case p.sqlite != "":
		return "SQLite"
	case p.postgres != "":
		return "PostgreSQL"
	case p.csv != "":
		return "CSV"
	}
	return "Parquet"
}

const columnsHelp = `The columns of the tables, the CSV and the Parquet file are: account, client_id, status, status_by_hand, profile_type, created,
last_modified, workflows, first_name, last_name, full_name, date_of_birth, email, phone, country, city, company_name, company_number,
external_id, screening (clear, hit, unknown or empty), hits, checks, checks_matched, failed_sources, files, notes, open_tasks,
details, files_saved; the databases have one more column with the whole profile as JSON. If the answers of several workflows
differ, they stand in one column, separated by " | ".`

func (a *app) export() *cobra.Command {
	var place placeFlags
	var filter filterFlags
	var concurrency int
	var bare bool
	command := &cobra.Command{
		Use:   "export",
		Short: "Write the whole account to a folder, a database or a file",
		Long: `Fetches every end client once, while the account changes, and keeps it. A client that is kept already and has not changed since is
not fetched again, so a run after one that was stopped or killed goes on where that one was. A place holds the people of one
account, and refuses those of another and of the sandbox. Clients that failed are listed in failed.ndjson of the folder, in the
table trulioo_failed, or in FILE.failed.ndjson. The exit code is then 3, and the next run tries them again.

` + columnsHelp,
		Example: `  trulioo export -o backup --files
  trulioo export --sqlite people.db --status ACCEPTED --after 30d
  PGPASSWORD=... trulioo export --postgres postgres://me@db.example.com/people
  trulioo export --parquet people.parquet --sandbox`,
	}
	place.flags(command)
	filter.flags(command.Flags())
	completeStatuses(command)
	command.Flags().IntVar(&concurrency, "concurrency", 8, "how many profiles and files to fetch at once")
	command.Flags().BoolVar(&bare, "no-details", false, "without the full service details: smaller and faster, screenings are unknown")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		job := &exportstore.Job{Filter: filter.filter(), Concurrency: concurrency, Details: !bare, Files: place.files}
		return a.keepPeople(cmd.Context(), "export", &place, job)
	}
	return command
}

func (a *app) sync() *cobra.Command {
	var place placeFlags
	var concurrency int
	var bare, forget bool
	command := &cobra.Command{
		Use:   "sync",
		Short: "Fetch the clients that changed since the last time, and say who is gone",
		Long: `Does the same as "trulioo export" of the whole account, and also finds the clients who are kept but no longer in the account. Their
number is printed, and --delete-gone deletes them from the place too, where the export proves that its list was complete. The list is
read whole; a profile is fetched only where its client is new or changed. This assumes that the date of the last change moves with
every change.`,
		Example: `  trulioo sync -o backup --files
  trulioo sync --sqlite people.db --delete-gone`,
	}
	place.flags(command)
	command.Flags().IntVar(&concurrency, "concurrency", 8, "how many profiles and files to fetch at once")
	command.Flags().BoolVar(&bare, "no-details", false, "without the full service details")
	command.Flags().BoolVar(&forget, "delete-gone", false, "delete clients who are no longer in the account")
	command.RunE = func(cmd *cobra.Command, _ []string) error {
		job := &exportstore.Job{Concurrency: concurrency, Details: !bare, Files: place.files, Gone: true, DeleteGone: forget}
		return a.keepPeople(cmd.Context(), "sync", &place, job)
	}
	return command
}

func (a *app) keepPeople(ctx context.Context, command string, place *placeFlags, job *exportstore.Job) error {
	if err := place.check(); err != nil {
		return err
	}
	if job.Concurrency < 1 || job.Concurrency > 128 {
		return usage("--concurrency must be 1 to 128")
	}
	x, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer x.close() //nolint:contextcheck // a sandbox listens until it is closed
	if job.Store, err = place.open(ctx, x.digest); err != nil {
		return err
	}
	job.Client, job.Account = x.client, x.digest
	board := exportruns.Begin(exportruns.Run{Command: command, Account: x.name, Place: place.kind()})
	meter := term.NewProgress(a.err)
	job.OnProgress = func(p trulioo.ExportProgress) {
		a.showProgress(meter, p)
		board.Progress(p)
	}
	begun := time.Now()
	result, err := job.Run(ctx)
	meter.End()
	err = errors.Join(err, job.Store.Close(ctx, err == nil))
	board.End(err)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			fmt.Fprintln(a.err, "stopped; run it again to go on")
		}
		return err
	}
	a.report(job, result, time.Since(begun))
	if result.Failed > 0 {
		return errSome
	}
	return nil
}

func (a *app) showProgress(meter *term.Progress, p trulioo.ExportProgress) {
	done := p.Done + p.Failed + p.Gone + p.Skipped
	more := ""
	if p.Failed > 0 {
		more = fmt.Sprintf("%d failed", p.Failed)
	}
	meter.Show(done, max(p.Total, done), p.Rate, more)
}

func (a *app) report(job *exportstore.Job, r exportstore.Result, took time.Duration) {
	fmt.Fprintf(a.out, "%d new, %d changed, %d unchanged", r.New, r.Changed, r.Unchanged)
	if job.Gone {
		word := "gone and kept"
		if job.DeleteGone && r.Unproven == "" {
			word = "gone and deleted"
		}
		fmt.Fprintf(a.out, ", %d %s", r.Gone, word)
	}
	fmt.Fprintf(a.out, ", %d failed in %v\n", r.Failed, took.Round(time.Millisecond))
	if r.Unproven == "" {
		return
	}
	fmt.Fprintln(a.err, "it is not proven that nobody is missing:", r.Unproven)
	if job.DeleteGone && r.Gone > 0 {
		fmt.Fprintln(a.err, "so nobody was deleted")
	}
}

// checkPlace refuses a place of --in that does not exist, or an address with a password.
func checkPlace(in string) error {
	if strings.HasPrefix(in, "postgres") && strings.Contains(in, "://") {
		return checkAddress("--in", in)
	}
	if _, err := os.Stat(in); err != nil {
		return errors.New("the place that --in names does not exist")
	}
	return nil
}
