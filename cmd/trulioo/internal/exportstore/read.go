package exportstore

import (
	"context"
	"database/sql"
	"errors"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
)

// Read opens the place of an export for reading: a folder, a file of SQLite, CSV or
// Parquet by its ending, or the address of a PostgreSQL.
func Read(ctx context.Context, place string) (records iter.Seq2[Record, error], end func() error, err error) {
	if strings.HasPrefix(place, "postgres://") || strings.HasPrefix(place, "postgresql://") {
		db, err := postgresAt(place)
		if err != nil {
			return nil, nil, err
		}
		return readDatabase(ctx, db, true)
	}
	info, err := os.Stat(place)
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		return readFolder(place)
	}
	switch strings.ToLower(filepath.Ext(place)) {
	case ".csv":
		return readFile(place, csvFormat)
	case ".parquet":
		return readFile(place, parquetFormat)
	}
	db, err := sql.Open("sqlite", sqliteAddress(place, "&mode=ro"))
	if err != nil {
		return nil, nil, err
	}
	return readDatabase(ctx, db, false)
}

func nothing() error { return nil }

func readFolder(place string) (iter.Seq2[Record, error], func() error, error) {
	root, err := os.OpenRoot(place)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	if err := checkMark(root, "", false); err != nil {
		return nil, nil, err
	}
	records, err := readIndex(root)
	return each(maps.Values(records)), nothing, err
}

func readFile(place string, how format) (iter.Seq2[Record, error], func() error, error) {
	root, err := os.OpenRoot(filepath.Dir(place))
	if err != nil {
		return nil, nil, err
	}
	defer root.Close() //nolint:errcheck // it was only read
	records, err := readTable(root, filepath.Base(place), how)
	return func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}, nothing, err
}

func readDatabase(ctx context.Context, db *sql.DB, postgres bool) (iter.Seq2[Record, error], func() error, error) {
	d, err := connect(ctx, db, postgres)
	if err != nil {
		return nil, nil, err
	}
	var n int
	if err := d.conn.QueryRowContext(ctx, "SELECT 1 FROM trulioo_clients LIMIT 1").Scan(&n); err != nil && strings.Contains(err.Error(), "no such table") {
		return nil, nil, errors.Join(errors.New("the database was not made by \"trulioo export\""), d.close())
	}
	return d.Records(ctx), d.close, nil
}

func each(records iter.Seq[Record]) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}
