package exportstore

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// errLocked means that another process is at work on the same place.
var errLocked = errors.New("another trulioo is at work on this place")

// Lock keeps others out until unlock or the end of the process. A file that is
// open cannot be removed here, so it is closed first.
func Lock(root *os.Root, name string) (unlock func() error, err error) {
	file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	flags := uint32(windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY)
	if err := windows.LockFileEx(windows.Handle(file.Fd()), flags, 0, 1, 0, &windows.Overlapped{}); err != nil {
		return nil, errors.Join(errLocked, file.Close())
	}
	return func() error {
		err := file.Close()
		_ = root.Remove(name) // another may have it already
		return err
	}, nil
}
