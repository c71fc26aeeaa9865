package sqlitefile_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/trulioo-go/trulioo/internal/sqlitefile"
)

// coded is an error as the driver gives it.
type coded int

func (c coded) Error() string { return fmt.Sprintf("code %d", int(c)) }
func (c coded) Code() int     { return int(c) }

// refusing is a driver that refuses so many attempts with an error, by the file's name.
type refusing struct {
	mu        sync.Mutex
	addresses []string
	refusals  map[string]int
	err       map[string]error
}

var theDriver = &refusing{refusals: map[string]int{}, err: map[string]error{}}

func init() { sql.Register("sqlite", theDriver) }

func (d *refusing) refuse(path string, times int, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusals[path], d.err[path] = times, err
}

func (d *refusing) Open(address string) (driver.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addresses = append(d.addresses, address)
	path, _, _ := strings.Cut(strings.TrimPrefix(address, "file:"), "?")
	if d.refusals[path] > 0 {
		d.refusals[path]--
		return nil, d.err[path]
	}
	return conn{}, nil
}

type conn struct{ driver.Conn }

func (conn) Close() error { return nil }

func TestOpeningWaits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refusals int
		err      error
		waits    bool
	}{
		"busy once":                  {1, coded(5), true},
		"busy for a while":           {100, coded(5), true},
		"busy, recovering":           {3, coded(5 | 1<<8), true},
		"busy, in a wrapped error":   {3, fmt.Errorf("connect: %w", coded(5)), true},
		"busy for ever":              {1 << 30, coded(5), false},
		"locked by the same program": {1, coded(6), false},
		"not a database":             {1, coded(26), false},
		"an error without a code":    {1, errors.New("no"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "a.db")
			theDriver.refuse(path, c.refusals, c.err)
			synctest.Test(t, func(t *testing.T) {
				db, err := sqlitefile.Open(path, 2*time.Second)
				require.NoError(t, err)
				defer func() { assert.NoError(t, db.Close()) }()
				began := time.Now()
				conn, err := db.Conn(t.Context())
				if !c.waits {
					require.ErrorIs(t, err, c.err)
					assert.LessOrEqual(t, time.Since(began), 2*time.Second)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, time.Duration(c.refusals)*5*time.Millisecond, time.Since(began))
				require.NoError(t, conn.Close())
			})
		})
	}
}

func TestOpeningEndsWithTheContext(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.db")
	theDriver.refuse(path, 1<<30, coded(5))
	synctest.Test(t, func(t *testing.T) {
		db, err := sqlitefile.Open(path, time.Hour)
		require.NoError(t, err)
		defer func() { assert.NoError(t, db.Close()) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err = db.Conn(ctx)
		require.Error(t, err)
		assert.Equal(t, time.Second, time.Since(began))
	})
}

func TestTheFileIsMade(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := sqlitefile.Open(filepath.Join(folder, "no folder", "a.db"), time.Second)
	require.ErrorIs(t, err, fs.ErrNotExist)
	path := filepath.Join(folder, "a name with ? and #.db")
	db, err := sqlitefile.Open(path, time.Second)
	require.NoError(t, err)
	require.NoError(t, db.PingContext(t.Context()))
	require.NoError(t, db.Close())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())

	db, err = sqlitefile.OpenForReading(path, time.Second)
	require.NoError(t, err)
	require.NoError(t, db.PingContext(t.Context()))
	require.NoError(t, db.Close())
	assert.Same(t, theDriver, db.Driver())
	theDriver.mu.Lock()
	defer theDriver.mu.Unlock()
	escaped := "file:" + folder + "/a%20name%20with%20%3F%20and%20%23.db?_pragma=busy_timeout(1000)"
	assert.Contains(t, theDriver.addresses, escaped+"&_txlock=immediate&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	assert.Contains(t, theDriver.addresses, escaped+"&mode=ro")
}
