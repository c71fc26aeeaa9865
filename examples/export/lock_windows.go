package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the file for this process. A kill ends the lock, too.
func lock(file *os.File) bool {
	return windows.LockFileEx(windows.Handle(file.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{}) == nil
}
