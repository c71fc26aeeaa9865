//go:build unix

package truriver_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/contrib/truriver"
	"github.com/trulioo-go/trulioo/internal/loopback"
)

// workerVariable makes the test binary a worker process; see processes_unix_test.go.
const workerVariable = "TRURIVER_TEST_WORKER"

func TestMain(m *testing.M) {
	if text := os.Getenv(workerVariable); text != "" {
		os.Exit(work(text))
	}
	code := m.Run()
	if err := thePostgres.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "postgres:", err)
		code = 1
	}
	os.Exit(code)
}

// thePostgres is the one server of all tests; each has a database of its own.
var thePostgres postgres

type postgres struct {
	once      sync.Once
	err       error
	folder    string
	port      string
	process   *exec.Cmd
	databases atomic.Int32
}

var errNoPostgres = errors.New("postgres and initdb are neither on PATH nor in /usr/lib/postgresql: apt-get install postgresql")

// newDatabase gives the connection string of an empty database.
func newDatabase(t *testing.T) string {
	t.Helper()
	thePostgres.once.Do(func() { thePostgres.err = thePostgres.start(context.WithoutCancel(t.Context())) })
	err := thePostgres.err
	if errors.Is(err, errNoPostgres) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	require.NoError(t, err)
	name := fmt.Sprintf("test%d", thePostgres.databases.Add(1))
	admin, err := pgx.Connect(t.Context(), thePostgres.address("postgres"))
	require.NoError(t, err)
	_, err = admin.Exec(t.Context(), "CREATE DATABASE "+name)
	require.NoError(t, err)
	require.NoError(t, admin.Close(t.Context()))
	return thePostgres.address(name)
}

// newPool is a pool of a database with all tables.
func newPool(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), newDatabase(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, truriver.Migrate(t.Context(), pool))
	return pool
}

func (p *postgres) address(database string) string {
	return "postgres://tester@127.0.0.1:" + p.port + "/" + database + "?sslmode=disable"
}

// start makes a server of its own in a temporary folder and waits until it is
// ready. It can lose its data when the machine fails, and is faster for it.
func (p *postgres) start(ctx context.Context) error {
	initdb, server := program("initdb"), program("postgres")
	if initdb == "" || server == "" {
		return errNoPostgres
	}
	address, err := loopback.Address(ctx)
	if err != nil {
		return err
	}
	p.port = strconv.Itoa(int(address.Port()))
	if p.folder, err = os.MkdirTemp("", "truriver-postgres-"); err != nil {
		return err
	}
	data := filepath.Join(p.folder, "data")
	setup, err := p.command(ctx, initdb, "-D", data, "-U", "tester", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return err
	}
	if out, err := setup.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	p.process, err = p.command(ctx, server, "-D", data, "-p", p.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	if err != nil {
		return err
	}
	log, err := p.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := p.process.Start(); err != nil {
		return err
	}
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); said.WriteString(lines.Text() + "\n") {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			return nil
		}
	}
	return errors.New("postgres does not start:\n" + said.String())
}

// program is the path of one of PostgreSQL's, or "". Debian does not have all of
// them on the PATH.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(paths) == 0 {
		return ""
	}
	return paths[len(paths)-1]
}

// command runs as somebody else where we are root, whom PostgreSQL refuses.
func (p *postgres) command(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = p.folder
	if os.Getuid() != 0 {
		return cmd, nil
	}
	other, err := user.Lookup("postgres")
	if err != nil {
		if other, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, err := strconv.ParseUint(other.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(other.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	return cmd, os.Chown(p.folder, int(uid), int(gid))
}

// stop ends the server, if there is one, and removes its folder.
func (p *postgres) stop() error {
	if p.folder == "" {
		return nil
	}
	var err error
	if p.process != nil && p.process.Process != nil {
		err = errors.Join(p.process.Process.Signal(os.Interrupt), p.process.Wait())
	}
	return errors.Join(err, os.RemoveAll(p.folder))
}
