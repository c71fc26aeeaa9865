package trusql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// coded is an error as the driver gives it.
type coded int

func (c coded) Error() string { return fmt.Sprintf("code %d", int(c)) }
func (c coded) Code() int     { return int(c) }

// refusing is a driver that refuses so many attempts with an error.
type refusing struct {
	times int
	err   error
}

func (d *refusing) Open(string) (driver.Conn, error) {
	if d.times > 0 {
		d.times--
		return nil, d.err
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
			synctest.Test(t, func(t *testing.T) {
				db := sql.OpenDB(&connector{&refusing{c.refusals, c.err}, "", 2 * time.Second})
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
	synctest.Test(t, func(t *testing.T) {
		db := sql.OpenDB(&connector{&refusing{1 << 30, coded(5)}, "", time.Hour})
		defer func() { assert.NoError(t, db.Close()) }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		_, err := db.Conn(ctx)
		require.Error(t, err)
		assert.Equal(t, time.Second, time.Since(began))
	})
}
