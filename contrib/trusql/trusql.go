// Package trusql keeps webhook events and profiles in a SQL database: in SQLite,
// which is built in and needs no cgo, or in PostgreSQL.
//
//	store, err := trusql.Open(ctx, "trulioo.db") // or a postgres:// address
//	inbox, err := store.Inbox(nil)
//	handler, err := trulioo.NewWebhookHandlerFromEnv(inbox.Receive)
//	go http.ListenAndServe(":8080", handler)
//	err = inbox.Run(ctx, handle) // handle is a func(context.Context, *trulioo.Event) error
//
// Inbox stores an event before it is acknowledged and hands it over until that
// succeeds. Deduper is a trulioo.Deduper. Profiles is the table of a nightly
// sync. They hold personal data; no table has a credential.
package trusql

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/trulioo-go/trulioo"
)

// Schema makes the tables of this package where they are missing, in either
// database. It is for programs with a migration tool of their own; Open and New run
// it too.
//
//go:embed schema.sql
var Schema string

// Dialect is the kind of a database.
type Dialect int

// The kinds of databases. There is no default: New refuses the zero value.
const (
	PostgreSQL Dialect = iota + 1 // version 10 or newer
	SQLite                        // version 3.42 or newer, as a file
)

// Store is the tables of this package in one database. Its methods, and those of the
// inboxes, dedupers and profiles that it gives, can be called from many goroutines and
// processes at once.
type Store struct {
	db    *sql.DB
	own   bool
	words *strings.Replacer
}

// Open opens a database and makes the tables. address is that of a PostgreSQL,
// postgres://..., or else the path of an SQLite file, which is made with mode 0600 if
// it is not there. The caller has to close the Store.
func Open(ctx context.Context, address string) (*Store, error) {
	if address == "" {
		return nil, argument("address", "must not be empty")
	}
	dialect, open := SQLite, openFile
	if strings.HasPrefix(address, "postgres://") || strings.HasPrefix(address, "postgresql://") {
		dialect, open = PostgreSQL, openPostgres
	}
	db, err := open(address)
	if err != nil {
		return nil, failed("open the database", err)
	}
	store, err := New(ctx, db, dialect)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	store.own = true
	return store, nil
}

func openPostgres(address string) (*sql.DB, error) { return sql.Open("pgx", address) }

// New makes the tables in a database that the caller has opened, with any driver. The
// caller has to close that database. For SQLite it needs the pragmas
// journal_mode(WAL), synchronous(FULL) and a busy_timeout, and BEGIN IMMEDIATE.
func New(ctx context.Context, db *sql.DB, dialect Dialect) (*Store, error) {
	switch {
	case db == nil:
		return nil, argument("db", "must not be nil")
	case dialect != PostgreSQL && dialect != SQLite:
		return nil, argument("dialect", "must be PostgreSQL or SQLite")
	}
	s := &Store{db: db, words: dialects[dialect]}
	return s, failed("make the tables", s.migrate(ctx, dialect))
}

// dialects replace the words in which the databases differ. A query is written for
// PostgreSQL, with NOW for the database's clock.
var dialects = map[Dialect]*strings.Replacer{
	PostgreSQL: strings.NewReplacer("NOW", "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"),
	SQLite:     strings.NewReplacer("NOW", "CAST(unixepoch('subsec') * 1000 AS INTEGER)", "$", "?", "FOR UPDATE SKIP LOCKED", ""),
}

// migrationLock is for one migration at a time; the number has no meaning.
const migrationLock = 0x7472757371

func (s *Store) migrate(ctx context.Context, dialect Dialect) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // no error once it is committed
	if dialect == PostgreSQL {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock($1)", int64(migrationLock)); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, Schema); err != nil {
		return err
	}
	return tx.Commit()
}

// Close closes a database that Open has opened, and leaves a database of New open.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	return failed("close", s.db.Close())
}

// Format prints the type's name only: the database's address can hold a password.
func (s *Store) Format(f fmt.State, _ rune) { _, _ = fmt.Fprint(f, "trusql.Store") }

// LogValue is the type's name only, for slog.
func (s *Store) LogValue() slog.Value { return slog.StringValue("trusql.Store") }

// exec gives how many rows a statement has changed.
func (s *Store) exec(ctx context.Context, query string, args ...any) (int64, error) {
	result, err := s.db.ExecContext(ctx, s.words.Replace(query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return s.db.QueryContext(ctx, s.words.Replace(query), args...) //nolint:sqlclosecheck // the caller's
}

func (s *Store) row(ctx context.Context, query string, args ...any) *sql.Row {
	return s.db.QueryRowContext(ctx, s.words.Replace(query), args...)
}

func argument(name, reason string) error {
	return &trulioo.ArgumentError{Argument: name, Reason: reason}
}

func failed(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("trusql: %s: %w", operation, err)
}
