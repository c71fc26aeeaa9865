package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/trulioo-go/trulioo"
)

// store is a file with a line for each profile as it was fetched; the last line of
// a client counts. A database would have a row with the same two columns.
type store struct {
	file     *os.File
	modified map[string]int64 // by the client's id: LastModified of the list's row
}

type line struct {
	ID       string          `json:"id"`
	Modified int64           `json:"modified"`
	Profile  json.RawMessage `json:"profile"`
}

func openStore(dir string) (*store, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(dir, "profiles.ndjson"), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // where the user says
	if err != nil {
		return nil, err
	}
	s := &store{file, map[string]int64{}}
	return s, s.read()
}

// read notes which clients are there, and drops a line that a kill has cut off.
func (s *store) read() error {
	lines, whole := bufio.NewReader(s.file), int64(0)
	for {
		text, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		s.modified[l.ID] = l.Modified
		whole += int64(len(text))
	}
	_, err := s.file.Seek(whole, io.SeekStart)
	return errors.Join(err, s.file.Truncate(whole))
}

// put keeps a profile with the date of its row, which the next run compares. The
// profile's own date may be later, when the client has changed since it was listed.
func (s *store) put(item *trulioo.ExportItem) error {
	l := line{ID: item.Client.ID, Profile: item.Profile.Raw}
	if !item.Client.LastModified.IsZero() {
		l.Modified = item.Client.LastModified.Unix()
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	s.modified[l.ID] = l.Modified
	_, err = s.file.Write(append(text, '\n'))
	return err
}
