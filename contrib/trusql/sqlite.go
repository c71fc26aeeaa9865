package trusql

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

// openFile opens a file of SQLite. One that is not there is made with mode 0600. Every commit
// is on the disk before it returns.
func openFile(path string) (*sql.DB, error) {
	const wait = 10 * time.Second // for other processes

	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the caller's path; SQLite would make it with 0644
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	address := fmt.Sprintf("file:%s?_txlock=immediate&_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)",
		(&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(), wait.Milliseconds())
	byName, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(&connector{byName.Driver(), address, wait})
	db.SetMaxOpenConns(1) // one writer at a time: it waits in Go rather than in SQLite
	return db, byName.Close()
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
