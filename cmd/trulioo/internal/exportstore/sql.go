package exportstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"modernc.org/sqlite"               // the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/trulioo-go/trulioo"
)

// Database keeps people in the table trulioo_clients, which has Record's columns and
// "profile" with the server's JSON. Clients that failed are in trulioo_failed.
type Database struct {
	db       *sql.DB
	conn     *sql.Conn // one for all, which also holds PostgreSQL's lock
	postgres bool
	tx       *sql.Tx
	pending  int
	begun    time.Time
}

// batch is how many clients a transaction has at most; a stopped run fetches these again.
const batch = 100

// patience is how long SQLite waits for another process.
const patience = 2 * time.Second

// OpenSQLite opens a file that is made if it is not there.
func OpenSQLite(ctx context.Context, file string) (*Database, error) {
	made, err := os.OpenFile(filepath.Clean(file), os.O_RDWR|os.O_CREATE, 0o600) // SQLite would make it readable for all
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", sqliteAddress(file, "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"))
	if err != nil {
		return nil, err
	}
	return openDatabase(ctx, db, false)
}

func sqliteAddress(file, options string) string {
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)%s", (&url.URL{Path: filepath.ToSlash(file)}).EscapedPath(), patience.Milliseconds(), options)
}

// OpenPostgres connects to an address without a password in it.
func OpenPostgres(ctx context.Context, address string) (*Database, error) {
	db, err := postgresAt(address)
	if err != nil {
		return nil, err
	}
	return openDatabase(ctx, db, true)
}

func postgresAt(address string) (*sql.DB, error) {
	db, err := sql.Open("pgx", address)
	if err != nil {
		return nil, errors.New("the address of the database cannot be read")
	}
	return db, nil
}

func openDatabase(ctx context.Context, db *sql.DB, postgres bool) (*Database, error) {
	d, err := connect(ctx, db, postgres)
	if err != nil {
		return nil, err
	}
	if err := d.prepare(ctx); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func connect(ctx context.Context, db *sql.DB, postgres bool) (d *Database, err error) {
	d = &Database{db: db, postgres: postgres}
	// SQLite does not wait while another process begins to use a new file: the loop does.
	for until := time.Now().Add(patience); ; {
		if d.conn, err = db.Conn(ctx); !busy(err) || time.Now().After(until) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// busy reports whether the error is SQLITE_BUSY, with any extension.
func busy(err error) bool {
	var refused *sqlite.Error
	return errors.As(err, &refused) && refused.Code()&0xff == sqlite3.SQLITE_BUSY
}

// prepare takes the lock, and makes the tables.
func (d *Database) prepare(ctx context.Context) error {
	if d.postgres {
		var locked bool
		if err := d.conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtext('trulioo_clients'))").Scan(&locked); err != nil {
			return err
		}
		if !locked {
			return errLocked
		}
	}
	for _, statement := range d.schema() {
		if _, err := d.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (d *Database) schema() []string {
	times, flags, profile := "TEXT", "BOOLEAN", "TEXT"
	if d.postgres {
		times, profile = "TIMESTAMPTZ", "JSON"
	}
	var columns strings.Builder
	var r Record
	for i, pointer := range r.pointers() {
		kind := "TEXT"
		switch pointer.(type) {
		case *bool:
			kind = flags
		case *int64:
			kind = "BIGINT"
		case *time.Time:
			kind = times
		}
		fmt.Fprintf(&columns, "%s %s, ", Columns()[i], kind)
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS trulioo_clients (" + columns.String() + "profile " + profile + ", PRIMARY KEY (client_id))",
		"CREATE TABLE IF NOT EXISTS trulioo_failed (client_id TEXT PRIMARY KEY, error TEXT)",
	}
}

// Records reads the table.
func (d *Database) Records(ctx context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		rows, err := d.conn.QueryContext(ctx, "SELECT "+strings.Join(Columns(), ", ")+" FROM trulioo_clients") //nolint:gosec // our own names
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer rows.Close() //nolint:errcheck // Err has it
		for rows.Next() {
			r, err := d.scan(rows)
			if !yield(r, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Record{}, err)
		}
	}
}

func (d *Database) scan(rows *sql.Rows) (r Record, err error) {
	pointers := r.pointers()
	targets := make([]any, len(pointers))
	for i, pointer := range pointers {
		targets[i] = pointer
		if at, ok := pointer.(*time.Time); ok {
			targets[i] = &dbTime{at}
		}
	}
	return r, rows.Scan(targets...)
}

// dbTime is NULL for no time, and text in SQLite.
type dbTime struct{ at *time.Time }

// Scan reads a time of either database.
func (t *dbTime) Scan(value any) (err error) {
	switch value := value.(type) {
	case nil:
		*t.at = time.Time{}
	case time.Time:
		*t.at = value.UTC()
	case string:
		*t.at, err = time.Parse(time.RFC3339, value)
	default:
		err = errors.New("a time in the table cannot be read")
	}
	return err
}

// Save has nothing to do: Put has all of it.
func (d *Database) Save(context.Context, *trulioo.Client, *trulioo.Profile) error { return nil }

// Put keeps a client in the current transaction.
func (d *Database) Put(ctx context.Context, r Record, p *trulioo.Profile) error {
	columns := append(Columns(), "profile")
	values := d.values(r)
	values = append(values, string(p.Raw))
	var marks, sets []string
	for i, column := range columns {
		marks = append(marks, "$"+strconv.Itoa(i+1))
		if column != "client_id" {
			sets = append(sets, column+" = excluded."+column)
		}
	}
	return d.exec(ctx, "INSERT INTO trulioo_clients ("+strings.Join(columns, ", ")+") VALUES ("+strings.Join(marks, ", ")+
		") ON CONFLICT (client_id) DO UPDATE SET "+strings.Join(sets, ", "), values...)
}

func (d *Database) values(r Record) []any {
	pointers := r.pointers()
	values := make([]any, len(pointers))
	for i, pointer := range pointers {
		switch pointer := pointer.(type) {
		case *string:
			values[i] = *pointer
		case *bool:
			values[i] = *pointer
		case *int64:
			values[i] = *pointer
		case *time.Time:
			switch {
			case pointer.IsZero():
			case d.postgres:
				values[i] = *pointer
			default:
				values[i] = pointer.Format(time.RFC3339)
			}
		}
	}
	return values
}

// Forget deletes a client's row.
func (d *Database) Forget(ctx context.Context, clientID string) error {
	return d.exec(ctx, "DELETE FROM trulioo_clients WHERE client_id = $1", clientID)
}

// Fail notes a client in trulioo_failed.
func (d *Database) Fail(ctx context.Context, clientID, why string) error {
	return d.exec(ctx, "INSERT INTO trulioo_failed (client_id, error) VALUES ($1, $2) ON CONFLICT (client_id) DO UPDATE SET error = excluded.error", clientID, why)
}

// exec runs a statement in the current transaction, and commits that in time.
func (d *Database) exec(ctx context.Context, statement string, values ...any) (err error) {
	// The transaction must outlive ctx: what is whole is committed after Ctrl-C too.
	ctx = context.WithoutCancel(ctx)
	if err := d.begin(ctx); err != nil {
		return err
	}
	if _, err := d.tx.ExecContext(ctx, statement, values...); err != nil {
		return err
	}
	if d.pending++; d.pending >= batch || time.Since(d.begun) > time.Second {
		return d.commit()
	}
	return nil
}

// begin begins a transaction unless one is open. The first one of a run empties
// trulioo_failed.
func (d *Database) begin(ctx context.Context) (err error) {
	if d.tx != nil {
		return nil
	}
	first := d.begun.IsZero()
	if d.tx, err = d.conn.BeginTx(ctx, nil); err != nil {
		return err
	}
	d.pending, d.begun = 0, time.Now()
	if first {
		_, err = d.tx.ExecContext(ctx, "DELETE FROM trulioo_failed")
	}
	return err
}

func (d *Database) commit() error {
	if d.tx == nil {
		return nil
	}
	tx := d.tx
	d.tx = nil
	return tx.Commit()
}

// Close commits what is whole.
func (d *Database) Close(ctx context.Context, done bool) error {
	var err error
	if done && d.begun.IsZero() { // nothing was written, and nothing failed
		err = d.begin(context.WithoutCancel(ctx))
	}
	return errors.Join(err, d.commit(), d.close())
}

func (d *Database) close() error {
	var err error
	if d.conn != nil {
		err = d.conn.Close()
	}
	return errors.Join(err, d.db.Close())
}
