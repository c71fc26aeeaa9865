package exportstore

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"

	"github.com/trulioo-go/trulioo"
)

// Store is a place where people are kept. Put, Forget, Fail and Close are called
// from one goroutine; Save from many.
type Store interface {
	// Records reads the kept clients, in no order, each once.
	Records(ctx context.Context) iter.Seq2[Record, error]
	// Save is called for a profile before its Put, and writes its large parts.
	Save(ctx context.Context, client *trulioo.Client, p *trulioo.Profile) error
	// Put keeps a client, in place of an earlier record of it.
	Put(ctx context.Context, r Record, p *trulioo.Profile) error
	// Forget deletes a client.
	Forget(ctx context.Context, clientID string) error
	// Fail notes that a client failed, until the next run.
	Fail(ctx context.Context, clientID, why string) error
	// Close brings everything to the disk. done says that the run was not stopped.
	Close(ctx context.Context, done bool) error
}

// ErrAnotherAccount means that a place holds another account's people.
var ErrAnotherAccount = errors.New("the place holds people of another account, or of the sandbox; choose another place")

// readLines reads the records of whole lines, and gives the length of these lines. Only
// the last line can be cut off, by a kill.
func readLines(from io.Reader, each func(Record) error) (whole int64, err error) {
	lines := bufio.NewReaderSize(from, 1<<16)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return whole, err
		}
		var r Record
		if json.Unmarshal(line, &r) != nil || r.ClientID == "" {
			return whole, errors.New("a line of the index was not written by this program")
		}
		if err := each(r); err != nil {
			return whole, err
		}
		whole += int64(len(line))
	}
}

// openLines opens a file of records to append to, and removes a last line that was cut
// off.
func openLines(root *os.Root, name string) (*os.File, error) {
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	whole, err := readLines(file, func(Record) error { return nil })
	if err == nil {
		err = file.Truncate(whole)
	}
	if err == nil {
		_, err = file.Seek(whole, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// latest reads records in which a later one of a client replaces an earlier one. A
// record without an account means that the client is forgotten.
func latest(from io.Reader) (map[string]Record, error) {
	records := map[string]Record{}
	_, err := readLines(from, func(r Record) error {
		if r.Account == "" {
			delete(records, r.ClientID)
		} else {
			records[r.ClientID] = r
		}
		return nil
	})
	return records, err
}
