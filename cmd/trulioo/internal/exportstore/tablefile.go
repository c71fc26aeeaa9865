package exportstore

import (
	"context"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/trulioo-go/trulioo"
	"github.com/trulioo-go/trulioo/cmd/trulioo/internal/term"
)

// Table keeps records in one file that is replaced as a whole when a run is done.
// Until then the new records are beside it, in a hidden file of lines.
type Table struct {
	root    *os.Root
	name    string
	format  format
	unlock  func() error
	side    *os.File
	failed  *os.File
	records map[string]Record
	changed bool
}

// format is the file format of a table.
type format struct {
	write func(io.Writer, []Record) error
	read  func(*os.File) ([]Record, error)
}

var (
	csvFormat     = format{writeCSV, readCSV}
	parquetFormat = format{writeParquet, readParquet}
)

// OpenCSV opens a file of comma-separated values.
func OpenCSV(file string) (*Table, error) { return openTable(file, csvFormat) }

// OpenParquet opens a Parquet file. Its schema is Record's.
func OpenParquet(file string) (*Table, error) { return openTable(file, parquetFormat) }

func openTable(file string, how format) (_ *Table, err error) {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	t := &Table{root: root, name: filepath.Base(file), format: how}
	if t.unlock, err = Lock(root, t.sideName()+".lock"); err == nil {
		err = t.takeUp()
	}
	if err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

func (t *Table) sideName() string   { return "." + t.name + ".unfinished" }
func (t *Table) failedName() string { return t.name + ".failed.ndjson" }

func (t *Table) takeUp() error {
	records, err := readTable(t.root, t.name, t.format)
	if err != nil {
		return err
	}
	t.records = map[string]Record{}
	for _, r := range records {
		t.records[r.ClientID] = r
	}
	if t.side, err = openLines(t.root, t.sideName()); err != nil {
		return err
	}
	side, err := readSide(t.root, t.sideName())
	if err != nil {
		return err
	}
	t.changed = len(side) > 0
	for _, r := range side {
		if r.Account == "" {
			delete(t.records, r.ClientID)
		} else {
			t.records[r.ClientID] = r
		}
	}
	if err := t.root.Remove(t.failedName()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// readSide reads the lines in their order, including those that forget a client.
func readSide(root *os.Root, name string) (records []Record, err error) {
	file, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	_, err = readLines(file, func(r Record) error {
		records = append(records, r)
		return nil
	})
	return records, errors.Join(err, file.Close())
}

// readTable reads the file. Without a file the table is empty.
func readTable(root *os.Root, name string, how format) ([]Record, error) {
	file, err := root.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	records, err := how.read(file)
	return records, errors.Join(err, file.Close())
}

// Records gives the records in the file and beside it.
func (t *Table) Records(context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range t.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Save has nothing to do: a table has no files.
func (t *Table) Save(context.Context, *trulioo.Client, *trulioo.Profile) error { return nil }

// Put writes the record beside the file.
func (t *Table) Put(_ context.Context, r Record, _ *trulioo.Profile) error {
	t.records[r.ClientID] = r
	return t.line(r)
}

// Forget writes beside the file that the client is gone.
func (t *Table) Forget(_ context.Context, clientID string) error {
	delete(t.records, clientID)
	return t.line(Record{ClientID: clientID})
}

func (t *Table) line(r Record) error {
	t.changed = true
	line, err := lineOf(r)
	if err != nil {
		return err
	}
	_, err = t.side.Write(line)
	return err
}

// Fail notes the client beside the file.
func (t *Table) Fail(_ context.Context, clientID, why string) (err error) {
	if t.failed == nil {
		if t.failed, err = t.root.OpenFile(t.failedName(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return err
		}
	}
	return failLine(t.failed, clientID, why)
}

// Close replaces the file after a run that was not stopped, and removes the one beside
// it.
func (t *Table) Close(_ context.Context, done bool) error {
	if !done {
		return t.close()
	}
	if err := t.replace(); err != nil {
		return errors.Join(err, t.close())
	}
	t.changed = false // all of it is in the file now
	return t.close()
}

// replace rewrites the file where there is something new, or no file yet.
func (t *Table) replace() error {
	if _, err := t.root.Stat(t.name); err == nil && !t.changed {
		return nil
	}
	part := t.sideName() + ".new"
	file, err := t.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = t.format.write(file, sorted(t.records))
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return t.root.Rename(part, t.name)
}

func (t *Table) close() error {
	var errs []error
	for _, file := range []*os.File{t.side, t.failed} {
		if file != nil {
			errs = append(errs, file.Sync(), file.Close())
		}
	}
	if !t.changed && t.side != nil { // nothing is in it
		errs = append(errs, t.root.Remove(t.sideName()))
	}
	if t.unlock != nil {
		errs = append(errs, t.unlock())
	}
	return errors.Join(append(errs, t.root.Close())...)
}

func writeParquet(w io.Writer, records []Record) error {
	writer := parquet.NewGenericWriter[Record](w, parquet.Compression(&parquet.Zstd))
	for len(records) > 0 {
		n := min(len(records), 10_000)
		if _, err := writer.Write(records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return writer.Close()
}

func readParquet(file *os.File) ([]Record, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	records, err := parquet.Read[Record](file, info.Size())
	if err != nil {
		return nil, errors.New("the Parquet file cannot be read")
	}
	for i := range records {
		records[i].Created, records[i].LastModified = utc(records[i].Created), utc(records[i].LastModified)
	}
	return records, nil
}

// utc is the zero time for Parquet's beginning of time.
func utc(t time.Time) time.Time {
	if t.IsZero() || t.Unix() == 0 {
		return time.Time{}
	}
	return t.UTC()
}

func writeCSV(w io.Writer, records []Record) error {
	out := csv.NewWriter(w)
	if err := out.Write(Columns()); err != nil {
		return err
	}
	for _, r := range records {
		pointers := r.pointers()
		line := make([]string, len(pointers))
		for i, pointer := range pointers {
			line[i] = term.Spreadsheet(text(pointer))
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func text(pointer any) string {
	switch pointer := pointer.(type) {
	case *string:
		return *pointer
	case *bool:
		return strconv.FormatBool(*pointer)
	case *int64:
		return strconv.FormatInt(*pointer, 10)
	case *time.Time:
		if !pointer.IsZero() {
			return pointer.Format(time.RFC3339)
		}
	}
	return ""
}

func readCSV(file *os.File) ([]Record, error) {
	in := csv.NewReader(file)
	in.FieldsPerRecord = len(Columns())
	var records []Record
	for n := 0; ; n++ {
		line, err := in.Read()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return nil, errors.New("the CSV file cannot be read: it is not as \"trulioo export --csv\" wrote it")
		}
		if n == 0 {
			continue
		}
		var r Record
		for i, pointer := range r.pointers() {
			if err := parse(term.FromSpreadsheet(line[i]), pointer); err != nil {
				return nil, errors.New("the CSV file cannot be read: a value is not as \"trulioo export --csv\" wrote it")
			}
		}
		records = append(records, r)
	}
}

func parse(value string, pointer any) (err error) {
	switch pointer := pointer.(type) {
	case *string:
		*pointer = value
	case *bool:
		*pointer, err = strconv.ParseBool(value)
	case *int64:
		*pointer, err = strconv.ParseInt(value, 10, 64)
	case *time.Time:
		if value != "" {
			*pointer, err = time.Parse(time.RFC3339, value)
		}
	}
	return err
}
