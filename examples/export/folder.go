package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/trulioo-go/trulioo"
)

// The names in the folder. A file is written in unfinished, and moves to its own name
// when it is whole.
const (
	profiles   = "profiles.ndjson"
	failed     = "failed.ndjson"
	cursor     = "cursor.json"
	unfinished = ".unfinished"
	lockName   = ".lock"
	filesDir   = "files"

	saveEvery = time.Second // the cursor, which only saves time: the lines say what is there
)

// folder is the place that the export goes to. A client is there if its line is there,
// which is written last. So the lines say whom to skip, and the cursor says where to
// begin. Since the order of an export is that of the list, the lines come in the same
// order however often the export is stopped.
type folder struct {
	root     *os.Root
	lock     *os.File
	profiles *os.File
	failed   *os.File
	have     map[string]bool // from earlier runs; only read while the export runs
	written  int
	failures int
	state    state
	saved    time.Time
}

// state is cursor.json.
type state struct {
	Account string               `json:"account"` // a digest
	Cursor  trulioo.Cursor       `json:"cursor"`
	Last    string               `json:"last,omitempty"` // the client before the cursor, which has a line
	Filter  trulioo.ClientFilter `json:"filter"`
	Full    bool                 `json:"full"`
	Files   bool                 `json:"files"`
}

// alike reports whether both are of an export with the same flags.
func (s state) alike(other state) bool {
	s.Cursor, other.Cursor, s.Last, other.Last = trulioo.Cursor{}, trulioo.Cursor{}, "", ""
	a, errA := json.Marshal(s)
	b, errB := json.Marshal(other)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

// openFolder takes the folder up as it was left.
func openFolder(s *settings, account string) (f *folder, err error) {
	if err := os.MkdirAll(s.out, 0o700); err != nil { //nolint:gosec // it is where the user says
		return nil, err
	}
	f = &folder{have: map[string]bool{}, state: state{Account: account, Filter: s.filter, Full: s.full, Files: s.files}}
	if f.root, err = os.OpenRoot(s.out); err != nil {
		return nil, err
	}
	if err := f.takeUp(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *folder) takeUp() (err error) {
	if f.lock, err = f.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if !lock(f.lock) {
		return errors.New("another export is writing to the folder")
	}
	if err := f.root.RemoveAll(unfinished); err != nil {
		return err
	}
	if err := f.root.Mkdir(unfinished, 0o700); err != nil {
		return err
	}
	if err := f.readState(); err != nil {
		return err
	}
	if f.profiles, err = f.root.OpenFile(profiles, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	if err := f.readLines(); err != nil {
		return err
	}
	if f.state.Last != "" && !f.have[f.state.Last] {
		f.state.Cursor, f.state.Last = trulioo.Cursor{}, "" // lines before the cursor are missing
	}
	// Clients that failed have to be listed again, so the list is read from the beginning.
	if info, err := f.root.Stat(failed); err == nil && info.Size() > 0 {
		f.state.Cursor, f.state.Last = trulioo.Cursor{}, ""
		if err := f.saveState(); err != nil {
			return err
		}
	}
	f.failed, err = f.root.OpenFile(failed, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	return err
}

// readLines notes the clients that are there, and drops a line that was cut off.
func (f *folder) readLines() error {
	lines := bufio.NewReaderSize(f.profiles, 1<<20)
	var whole int64
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var profile struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(line, &profile); err != nil {
			return fmt.Errorf("%s: the line at byte %d is not JSON", profiles, whole)
		}
		f.have[profile.ID] = true
		whole += int64(len(line))
	}
	if err := f.profiles.Truncate(whole); err != nil {
		return err
	}
	_, err := f.profiles.Seek(whole, io.SeekStart)
	return err
}

// readState takes the cursor up, if the folder is of an export like this one.
func (f *folder) readState() error {
	data, err := f.root.ReadFile(cursor)
	if errors.Is(err, os.ErrNotExist) {
		return f.saveState()
	}
	if err != nil {
		return err
	}
	var was state
	if err := json.Unmarshal(data, &was); err != nil {
		return fmt.Errorf("%s cannot be read: %w", cursor, err)
	}
	if was.Account != f.state.Account {
		return errors.New("the folder belongs to another account; choose another with -out")
	}
	if !was.alike(f.state) {
		return errors.New("the folder has an export with other flags; choose another with -out")
	}
	f.state = was
	return nil
}

func (f *folder) saveState() error {
	data, err := json.Marshal(f.state)
	if err != nil {
		return err
	}
	if f.profiles != nil { // a cursor must not outlive the lines before it
		if err := f.profiles.Sync(); err != nil {
			return err
		}
	}
	part := unfinished + "/" + cursor
	file, err := f.root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(append(data, '\n'))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	f.saved = time.Now()
	return f.root.Rename(part, cursor)
}

func (f *folder) has(row *trulioo.EndClient) bool { return f.have[row.ID] }

// write adds a client's line: the server's own JSON, with the white space between
// its tokens taken out and nothing else.
func (f *folder) write(item *trulioo.ExportItem) error {
	if err := diskError(item.Err); err != nil {
		return err
	}
	if item.Err != nil {
		f.failures++
		return f.line(f.failed, map[string]string{"clientId": item.Client.ID, "error": item.Err.Error()})
	}
	if item.Profile.ID != item.Client.ID {
		f.failures++
		return f.line(f.failed, map[string]string{"clientId": item.Client.ID, "error": "the profile is another client's"})
	}
	if err := f.line(f.profiles, item.Profile.Raw); err != nil {
		return err
	}
	f.written++
	if f.failures == 0 { // the cursor stays before the first that failed
		f.state.Cursor, f.state.Last = item.Cursor, item.Client.ID
	}
	if time.Since(f.saved) < saveEvery {
		return nil
	}
	return f.saveState()
}

// diskError is the disk's error, if the disk failed: it would fail for every other
// client, too. The path, which is personal, is left out.
func diskError(err error) error {
	var path *os.PathError
	var link *os.LinkError
	var file *trulioo.FileError
	switch {
	case errors.As(err, &path):
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	case errors.As(err, &link):
		return fmt.Errorf("%s: %w", link.Op, link.Err)
	case errors.As(err, &file):
		if errno, ok := file.Unwrap().(syscall.Errno); ok { //nolint:errorlint // an Errno of the network is wrapped
			return fmt.Errorf("save a file: %w", errno)
		}
	}
	return nil
}

// line writes a whole line at once. A kill can cut off only the last one.
func (f *folder) line(to *os.File, value any) error {
	raw, ok := value.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(value); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := to.Write(b.Bytes())
	return err
}

// close brings everything to the disk.
func (f *folder) close() error {
	var errs []error
	if f.failed != nil {
		errs = append(errs, f.saveState(), f.root.RemoveAll(unfinished))
	}
	for _, file := range []*os.File{f.profiles, f.failed, f.lock} {
		if file != nil {
			errs = append(errs, file.Sync(), file.Close())
		}
	}
	return errors.Join(append(errs, f.root.Close())...)
}
