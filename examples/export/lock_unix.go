//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock takes the file for this process. A kill ends the lock, too.
func lock(file *os.File) bool {
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
