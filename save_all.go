package trulioo

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
)

// SavedFile is a file of a profile that SaveAll made whole in a folder, or that Save
// wrote.
//
//trulioo:redact
type SavedFile struct {
	Ref   FileRef
	Name  string // in the folder; Ref.UniqueName
	Size  int64  // in bytes
	Found bool   // it was there before, whole, and was not downloaded
	// ContentEncoding is the server's word for how the file is encoded, such as
	// "base64". The bytes are saved as they are stored, so they have to be decoded. ""
	// means that they are the file itself or, if Found, that the server was not asked.
	ContentEncoding string
}

// FileError means that one file of SaveAll could not be saved. It prints the
// reason and nothing of the file.
//
//trulioo:redact text
type FileError struct {
	Ref FileRef // which file; its zero value where it is the folder that failed

	err error
}

// Error gives the reason: the download's error, or the file system's without its path.
func (e FileError) Error() string {
	if isDownloadError(e.err) {
		return e.err.Error()
	}
	if errno, ok := errors.AsType[syscall.Errno](e.err); ok {
		return sentence("save file", "", errno.Error(), 0, nil)
	}
	return sentence("save file", "", "failed", 0, e.err)
}

// isDownloadError tells the errors that Save makes itself, which print nothing personal.
func isDownloadError(err error) bool {
	switch err.(type) { //nolint:errorlint // what it is, not what it wraps
	case *APIError, *AuthError, *TransportError, *DecodeError, *ArgumentError:
		return true
	}
	return false
}

// Unwrap gives the error of the download or of the file system, without its path.
func (e FileError) Unwrap() error { return e.err }

// SaveAll saves all files of a profile in a folder, which it makes if needed.
// Each has its FileRef.UniqueName, mode 0600, and is whole: it is written under
// a name that begins with a dot, synced, and renamed. A file that is there already
// is not downloaded again, so a killed run can simply be repeated. SaveAll removes
// the half-written files of a killed run. No name can lead out of the folder.
//
// One file that fails does not keep the others from being saved. The error is
// its *FileError, or joins those of several; the files returned are those that
// are whole now, in the order of Profile.Files.
func (s *FilesService) SaveAll(ctx context.Context, dir string, profile *Profile) ([]SavedFile, error) {
	if err := checkContext(ctx); err != nil {
		return nil, err
	}
	switch {
	case dir == "":
		return nil, &ArgumentError{Argument: "dir", Reason: "must not be empty"}
	case profile == nil:
		return nil, &ArgumentError{Argument: "profile", Reason: "must not be nil"}
	}
	folder, err := openFileFolder(dir)
	if err != nil {
		return nil, &FileError{err: withoutPath(err)}
	}
	defer func() { _ = folder.root.Close() }()
	var (
		saved  []SavedFile
		failed []error
	)
	for _, ref := range profile.Files() {
		file, err := s.saveFile(ctx, folder, ref)
		if err != nil {
			failed = append(failed, &FileError{Ref: ref, err: withoutPath(err)})
			continue
		}
		saved = append(saved, file)
	}
	if err := folder.sync(); err != nil {
		failed = append(failed, &FileError{err: withoutPath(err)})
	}
	if len(failed) == 1 {
		return saved, failed[0]
	}
	return saved, errors.Join(failed...)
}

// saveFile saves one file, unless it is there already.
func (s *FilesService) saveFile(ctx context.Context, folder *fileFolder, ref FileRef) (SavedFile, error) {
	saved := SavedFile{Ref: ref, Name: ref.UniqueName()}
	if size, ok := folder.whole(saved.Name); ok {
		saved.Size, saved.Found = size, true
		folder.removeUnfinished(saved.Name)
		return saved, nil
	}
	if err := ctx.Err(); err != nil {
		return saved, s.asked().transportError(err, 0)
	}
	unfinished := "." + saved.Name + "." + rand.Text() + unfinishedSuffix
	coding, err := s.saveAs(ctx, folder.root, unfinished, ref.Key)
	if err == nil {
		err = folder.root.Rename(unfinished, saved.Name)
	}
	if err != nil {
		_ = folder.root.Remove(unfinished)
	}
	size, ok := folder.whole(saved.Name)
	if !ok { // else another process was faster, and removed our unfinished file
		return saved, err
	}
	saved.Size, saved.ContentEncoding = size, coding
	folder.removeUnfinished(saved.Name)
	return saved, nil
}

// fileStarts is how often a file is begun when its transfers break and cannot be
// resumed.
const fileStarts = 3

// saveAs downloads a file to a new name, syncs it, and gives its stored coding.
func (s *FilesService) saveAs(ctx context.Context, root *os.Root, name, key string) (coding string, err error) {
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	for start := 1; ; start++ {
		var saved SavedFile
		saved, err = s.Save(ctx, key, file)
		coding = saved.ContentEncoding
		if saved.Size == 0 || !brokenTransfer(err) || ctx.Err() != nil || start == fileStarts {
			break
		}
		if _, err = file.Seek(0, io.SeekStart); err == nil {
			err = file.Truncate(0)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	return coding, err
}

// brokenTransfer reports whether another start may bring the whole file.
func brokenTransfer(err error) bool {
	_, broken := errors.AsType[*TransportError](err)
	return (broken || errors.Is(err, io.ErrUnexpectedEOF)) && !errors.Is(err, ErrOpenEnded)
}

// fileFolder is the folder that SaveAll writes to. Nothing outside of root can be reached.
type fileFolder struct {
	root       *os.Root
	unfinished map[string][]string // by the name of the file, from earlier runs
}

const unfinishedSuffix = ".part"

func openFileFolder(dir string) (*fileFolder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	folder := &fileFolder{root: root, unfinished: map[string][]string{}}
	for _, entry := range entries {
		if name, ok := unfinishedOf(entry.Name()); ok {
			folder.unfinished[name] = append(folder.unfinished[name], entry.Name())
		}
	}
	return folder, nil
}

// unfinishedOf gives the name that an unfinished file was to have:
// ".<name>.<rand.Text>.part".
func unfinishedOf(entry string) (name string, ok bool) {
	middle, ok := strings.CutSuffix(entry, unfinishedSuffix)
	dot := strings.LastIndexByte(middle, '.')
	if !ok || dot < 1 || middle[0] != '.' {
		return "", false
	}
	random := middle[dot+1:]
	const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	return middle[1:dot], len(random) >= 26 && strings.Trim(random, base32) == ""
}

// whole gives the size of a regular file of this name: it has its name only
// when it is whole.
func (f *fileFolder) whole(name string) (size int64, ok bool) {
	info, err := f.root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() {
		return 0, false
	}
	return info.Size(), true
}

// removeUnfinished removes the half-written copies of a file that is whole now.
func (f *fileFolder) removeUnfinished(name string) {
	for _, left := range f.unfinished[name] {
		_ = f.root.Remove(left)
	}
}

// sync makes the new names last. Windows has no such call for folders, and does not
// need one.
func (f *fileFolder) sync() error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := f.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// withoutPath gives an error of the file system without the path in it, which
// can be personal.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
