//go:build unix

package exportstore

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// errLocked means that another process is at work on the same place.
var errLocked = errors.New("another trulioo is at work on this place")

// Lock keeps others out until unlock or the end of the process. unlock removes the file
// while nobody else can hold it: a process that has opened it meanwhile finds that it was
// replaced or removed.
func Lock(root *os.Root, name string) (unlock func() error, err error) {
	for {
		file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
			return nil, errors.Join(errLocked, file.Close())
		}
		ours, err := file.Stat()
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
		if there, err := root.Stat(name); err == nil && os.SameFile(ours, there) {
			return func() error { return errors.Join(root.Remove(name), file.Close()) }, nil
		}
		if err := file.Close(); err != nil {
			return nil, err
		}
	}
}
