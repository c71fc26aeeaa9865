// Export writes a whole account to a folder: each profile as a line of
// profiles.ndjson and, with -files, the files of each client. It goes on when it is run
// again on the same folder, even if it was killed in the middle of a line or of a file.
// With -sandbox it exports made-up clients of its own process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/truliootest"
)

// settings are the flags.
type settings struct {
	out         string
	concurrency int
	full, files bool
	sandbox     bool
	filter      trulioo.ClientFilter
}

// errSome means that the export is done but some clients are not in it.
var errSome = errors.New("some clients could not be exported; run it again to try those again")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "stopped; run it again to go on")
		os.Exit(130)
	case errors.Is(err, errUsage):
		fmt.Fprintln(os.Stderr, "export failed:", err)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "export failed:", err)
		os.Exit(1)
	}
}

// errUsage means that the flags are wrong.
var errUsage = errors.New("see -help")

// run is the program without the process around it.
func run(ctx context.Context, args []string, out, progress io.Writer) error {
	s, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(out)
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", err, errUsage)
	}
	client, account, stop, err := connect(s.sandbox) //nolint:contextcheck // nothing is sent yet
	if err != nil {
		return err
	}
	defer stop()
	f, err := openFolder(s, account)
	if err != nil {
		return err
	}
	err = export(ctx, client, s, f, newMeter(progress))
	if closed := f.close(); err == nil {
		err = closed
	}
	if err == nil || errors.Is(err, errSome) {
		fmt.Fprintf(out, "%s: %d profiles, %d failed\n", s.out, len(f.have)+f.written, f.failures)
	}
	return err
}

// export is the core of the example.
func export(ctx context.Context, client *trulioo.Client, s *settings, f *folder, m *meter) error {
	opts := &trulioo.ExportOptions{
		Filter:             s.filter,
		Concurrency:        s.concurrency,
		FullServiceDetails: s.full,
		Resume:             f.state.Cursor,
		Skip:               f.has,
		OnProgress:         m.show,
		OnReport:           m.report,
	}
	if s.files {
		opts.OnProfile = f.saveFiles
	}
	defer m.end()
	for item, err := range client.Clients.Export(ctx, opts) {
		if err != nil {
			return err
		}
		if err := f.write(item); err != nil {
			return err
		}
	}
	if f.failures > 0 {
		return errSome
	}
	return nil
}

// connect gives the client of the environment's credentials, or of a sandbox that
// stop ends, and a digest that tells accounts apart. People of a sandbox must
// not get into the folder of an account because a variable is missing.
func connect(sandbox bool) (client *trulioo.Client, account string, stop func(), err error) {
	if !sandbox {
		client, err = trulioo.NewClientFromEnv()
		if err != nil {
			return nil, "", nil, fmt.Errorf("%w (or -sandbox for made-up clients)", err)
		}
		return client, digest(strings.Join([]string{
			os.Getenv("TRULIOO_BASE_URL"), os.Getenv("TRULIOO_CLIENT_ID"), os.Getenv("TRULIOO_ENVIRONMENT"),
		}, "\n")), func() {}, nil
	}
	invented := truliootest.NewAccount(truliootest.AccountSpec{Clients: 300, Seed: 1, UndatedEvery: 40})
	server, err := truliootest.Start(truliootest.WithLive(invented), truliootest.WithLatency(5*time.Millisecond))
	if err != nil {
		return nil, "", nil, err
	}
	client, err = trulioo.NewClient(server.Options()...)
	return client, "sandbox", server.Close, err
}

func flags(s *settings) (set *flag.FlagSet, status *string) {
	set = flag.NewFlagSet("export", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	set.StringVar(&s.out, "out", "export-out", "the `folder` to write to")
	set.BoolVar(&s.sandbox, "sandbox", false, "export made-up clients of a sandbox in this process, and no account")
	set.IntVar(&s.concurrency, "concurrency", 8, "how many profiles and files to fetch at once")
	set.BoolVar(&s.full, "full", false, "with the full service details")
	set.BoolVar(&s.files, "files", false, "with the files that the clients uploaded")
	set.Func("after", "only clients after this `time`, such as 2024-06-01 or 2024-06-01T12:00:00Z", at(&s.filter.After))
	set.Func("before", "only clients before this `time`", at(&s.filter.Before))
	set.StringVar(&s.filter.FlowID, "flow", "", "only clients of this workflow `id`")
	status = set.String("status", "", "only clients of these `statuses`, such as ACCEPTED,REJECTED")
	return set, status
}

func parse(args []string) (*settings, error) {
	s := &settings{}
	set, status := flags(s)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, errors.New("it takes no arguments beside its flags")
	}
	if s.concurrency < 1 {
		return nil, errors.New("-concurrency must be positive")
	}
	if *status != "" {
		for word := range strings.SplitSeq(*status, ",") {
			s.filter.Statuses = append(s.filter.Statuses, trulioo.Status(strings.ToUpper(strings.TrimSpace(word))))
		}
	}
	return s, nil
}

func usage(out io.Writer) {
	set, _ := flags(&settings{})
	set.SetOutput(out)
	fmt.Fprint(out, `Usage: export [flags]

Writes a whole account to a folder, and goes on where an earlier run has
stopped. TRULIOO_CLIENT_ID and TRULIOO_CLIENT_SECRET name the account.
TRULIOO_ENVIRONMENT (live, test; default live), TRULIOO_API_VERSION (v1, v2;
default v2), TRULIOO_BASE_URL and TRULIOO_TOKEN_URL (default: the vendor's)
choose where it is. All times are in UTC.

Exit codes: 0 done, 1 failed or some clients missing, 2 wrong flags, 130 stopped.

Flags:
`)
	set.PrintDefaults()
}

// at reads a date, in UTC, or a time.
func at(to *time.Time) func(string) error {
	return func(text string) (err error) {
		for _, layout := range []string{time.DateOnly, time.RFC3339} {
			if *to, err = time.Parse(layout, text); err == nil {
				return nil
			}
		}
		return errors.New("is neither a date nor a time")
	}
}
