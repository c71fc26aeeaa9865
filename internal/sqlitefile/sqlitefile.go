// Package sqlitefile opens files of SQLite, for the modules of this repository that keep
// personal data in one. The program registers a driver by the name "sqlite".
package sqlitefile

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Open opens a file for reading and writing. One that is not there is made with mode
// 0600. Every commit is on the disk before it returns. A connection waits that long for
// those of other goroutines and processes.
func Open(path string, wait time.Duration) (*sql.DB, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller's path; SQLite would make it with 0644
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	return open(path, wait, "&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
}

// OpenForReading opens a file that is there.
func OpenForReading(path string, wait time.Duration) (*sql.DB, error) {
	return open(path, wait, "&mode=ro")
}

func open(path string, wait time.Duration, options string) (*sql.DB, error) {
	address := fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)%s",
		(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), wait.Milliseconds(), options)
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(&connector{db.Driver(), address, wait}), db.Close()
}

// connector opens connections, and waits where SQLite itself does not: while another
// connection changes the journal of a new file, or deletes that of one nobody uses any
// more, opening it is refused at once, whatever the busy_timeout says.
type connector struct {
	driver  driver.Driver
	address string
	wait    time.Duration
}

// pause is between two attempts.
const pause = 5 * time.Millisecond

// Connect opens a connection.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.wait)
	defer cancel()
	for {
		conn, err := c.driver.Open(c.address)
		if !busy(err) {
			return conn, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}

// Driver is the driver that opens them.
func (c *connector) Driver() driver.Driver { return c.driver }

// busy reports whether the error is SQLITE_BUSY, with any extension.
func busy(err error) bool {
	var code interface{ Code() int }
	return errors.As(err, &code) && code.Code()&0xff == 5
}
