//go:build unix

package postgrestest

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
	"syscall"

	"github.com/trulioo-go/trulioo/internal/loopback"

	"github.com/trulioo-go/trulioo/internal/guard"
)

// ErrMissing means that the machine has no PostgreSQL.
var ErrMissing = errors.New("postgres and initdb are neither on PATH nor in /usr/lib/postgresql: apt-get install postgresql")

// Server is a PostgreSQL of its own in a temporary folder.
type Server struct {
	folder  string
	port    string
	process *exec.Cmd
}

// Start starts a server and waits until it is ready. The server can lose its data when
// the machine fails, which makes it faster. Call Stop after an error, too: it removes
// the folder.
func Start(ctx context.Context) (*Server, error) {
	s := &Server{}
	initdb, server := program("initdb"), program("postgres")
	if initdb == "" || server == "" {
		return s, ErrMissing
	}
	address, err := loopback.Address(ctx)
	if err != nil {
		return s, err
	}
	s.port = strconv.Itoa(int(address.Port()))
	if s.folder, err = os.MkdirTemp("", "trulioo-postgres-"); err != nil {
		return s, err
	}
	data := filepath.Join(s.folder, "data")
	setup, err := s.command(ctx, initdb, "-D", data, "-U", "tester", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
	if err != nil {
		return s, err
	}
	if out, err := setup.CombinedOutput(); err != nil {
		return s, fmt.Errorf("initdb: %w: %s", err, out)
	}
	s.process, err = s.command(ctx, server, "-D", data, "-p", s.port, "-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=", "-c", "max_connections=200", "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	if err != nil {
		return s, err
	}
	return s, s.begin()
}

func (s *Server) begin() error {
	log, err := s.process.StderrPipe()
	if err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); said.WriteString(lines.Text() + "\n") {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			guard.Start(func() (int64, error) { return io.Copy(io.Discard, log) })
			return nil
		}
	}
	return errors.New("postgres does not start:\n" + said.String())
}

// Address is the connection string of a database; "postgres" is there from the start.
func (s *Server) Address(database string) string {
	return "postgres://tester@127.0.0.1:" + s.port + "/" + database + "?sslmode=disable"
}

// Stop ends the server, if there is one, and removes its folder.
func (s *Server) Stop() error {
	if s == nil || s.folder == "" {
		return nil
	}
	var err error
	if s.process != nil && s.process.Process != nil {
		err = errors.Join(s.process.Process.Signal(os.Interrupt), s.process.Wait())
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// program is the path of one of PostgreSQL's programs, or "". Debian does not have all
// of them on the PATH.
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
func (s *Server) command(ctx context.Context, path string, args ...string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, path, args...) //nolint:gosec // PostgreSQL's own
	cmd.Dir = s.folder
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
	return cmd, os.Chown(s.folder, int(uid), int(gid))
}
