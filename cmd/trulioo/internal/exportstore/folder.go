package exportstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/trulioo-go/trulioo"
)

// The names in a folder. A file is written in unfinished, and moves to its own name when
// it is whole.
const (
	markFile    = "trulioo.json"
	indexFile   = "index.ndjson"
	failedFile  = "failed.ndjson"
	lockFile    = ".lock"
	unfinished  = ".unfinished"
	profilesDir = "profiles"
	filesDir    = "files"
)

// Folder keeps each profile as a file with the server's own bytes, files beside
// them, and an index with a line for each client, which is written last: a client
// is there if its line is.
type Folder struct {
	root    *os.Root
	unlock  func() error
	index   *os.File
	failed  *os.File
	files   bool
	records map[string]Record
	synced  time.Time
}

// mark says whose people a folder holds.
type mark struct {
	Format  int    `json:"format"`
	Account string `json:"account"`
}

// OpenFolder makes a folder, or opens one as it was left. files says to save uploaded
// files too.
func OpenFolder(dir, account string, files bool) (_ *Folder, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f := &Folder{files: files}
	if f.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	if f.unlock, err = Lock(f.root, lockFile); err == nil {
		err = f.takeUp(account)
	}
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *Folder) takeUp(account string) error {
	if err := checkMark(f.root, account, true); err != nil {
		return err
	}
	if err := f.root.RemoveAll(unfinished); err != nil {
		return err
	}
	for _, dir := range []string{unfinished, profilesDir} {
		if err := f.root.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	var err error
	if f.records, err = readIndex(f.root); err != nil {
		return err
	}
	if err := f.root.Remove(failedFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f.index, err = openLines(f.root, indexFile)
	return err
}

// checkMark refuses the folder of another account, and a folder that is not empty
// and has no mark. write marks an empty one.
func checkMark(root *os.Root, account string, write bool) error {
	data, err := root.ReadFile(markFile)
	if err == nil {
		var m mark
		if json.Unmarshal(data, &m) != nil || m.Format != 1 {
			return errors.New("the folder was made by another version of this program")
		}
		if account != "" && m.Account != account {
			return ErrAnotherAccount
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !write {
		return errors.New("the folder was not made by \"trulioo export\"")
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() != lockFile && !strings.HasPrefix(entry.Name(), markFile) {
			return errors.New("the folder holds other things; choose an empty or a new one")
		}
	}
	data, err = json.Marshal(mark{1, account})
	if err != nil {
		return err
	}
	return replace(root, markFile+".new", markFile, append(data, '\n'))
}

// readIndex reads the index of a folder, whole lines of it.
func readIndex(root *os.Root) (map[string]Record, error) {
	file, err := root.Open(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Record{}, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	return latest(file)
}

// replace writes a file whole: under another name, synced, and then renamed.
func replace(root *os.Root, part, name string, data []byte) error {
	file, err := root.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return root.Rename(part, name)
}

// Records reads the index.
func (f *Folder) Records(context.Context) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range f.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Save writes the profile's own bytes, and its files.
func (f *Folder) Save(ctx context.Context, client *trulioo.Client, p *trulioo.Profile) error {
	if f.files {
		if err := f.saveFiles(ctx, client, p); err != nil {
			return err
		}
	}
	name := Name(p.ID)
	return replace(f.root, unfinished+"/"+name+".json", profilesDir+"/"+name+".json", p.Raw)
}

// saveFiles lets the library write each file under a safe name of its own.
func (f *Folder) saveFiles(ctx context.Context, client *trulioo.Client, p *trulioo.Profile) error {
	if len(p.Files()) == 0 {
		return nil
	}
	_, err := client.Files.SaveAll(ctx, filepath.Join(f.root.Name(), filesDir, Name(p.ID)), p)
	return err
}

// Put adds the client's line.
func (f *Folder) Put(_ context.Context, r Record, _ *trulioo.Profile) error {
	r.FilesSaved = f.files
	f.records[r.ClientID] = r
	return f.line(r)
}

// Forget removes a client's line, profile and files, in this order.
func (f *Folder) Forget(_ context.Context, clientID string) error {
	delete(f.records, clientID)
	if err := f.line(Record{ClientID: clientID}); err != nil {
		return err
	}
	name := Name(clientID)
	if err := f.root.Remove(profilesDir + "/" + name + ".json"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.root.RemoveAll(filesDir + "/" + name)
}

// line adds a line at once; a kill can cut off only the last one.
func (f *Folder) line(r Record) error {
	line, err := lineOf(r)
	if err != nil {
		return err
	}
	if _, err := f.index.Write(line); err != nil {
		return err
	}
	if time.Since(f.synced) < time.Second {
		return nil
	}
	f.synced = time.Now()
	return f.index.Sync()
}

// Fail adds the client to failed.ndjson.
func (f *Folder) Fail(_ context.Context, clientID, why string) (err error) {
	if f.failed == nil {
		if f.failed, err = f.root.OpenFile(failedFile, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
			return err
		}
	}
	return failLine(f.failed, clientID, why)
}

func failLine(to *os.File, clientID, why string) error {
	line, err := json.Marshal(map[string]string{"client_id": clientID, "error": why})
	if err != nil {
		return err
	}
	_, err = to.Write(append(line, '\n'))
	return err
}

// Close rewrites the index after a run that was not stopped, with one line for each
// client.
func (f *Folder) Close(_ context.Context, done bool) error {
	if !done {
		return f.close()
	}
	var all bytes.Buffer
	for _, r := range sorted(f.records) {
		line, err := lineOf(r)
		if err != nil {
			return errors.Join(err, f.close())
		}
		all.Write(line)
	}
	err := f.index.Close() // Windows does not rename over an open file
	f.index = nil
	if err == nil {
		err = replace(f.root, unfinished+"/"+indexFile, indexFile, all.Bytes())
	}
	return errors.Join(err, f.root.RemoveAll(unfinished), f.close())
}

func (f *Folder) close() error {
	var errs []error
	for _, file := range []*os.File{f.index, f.failed} {
		if file != nil {
			errs = append(errs, file.Sync(), file.Close())
		}
	}
	if f.unlock != nil {
		errs = append(errs, f.unlock())
	}
	return errors.Join(append(errs, f.root.Close())...)
}

// Name is a client's id where that looks like the ids seen so far, and else a digest of
// it: ids are the server's, and nobody checks them.
func Name(id string) string {
	if len(id) >= 8 && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyz") == "" {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "client-" + hex.EncodeToString(sum[:16])
}
