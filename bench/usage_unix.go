//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// processorTime is the time that this process has used, in user and system mode.
func processorTime() (time.Duration, error) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), nil
}

// peak is the most memory that this process has had, in bytes. On Linux the
// rusage of a child begins with its parent's memory, so the kernel's file about
// the process itself is asked first.
func peak() (int64, error) {
	if status, err := os.Open("/proc/self/status"); err == nil {
		defer func() { _ = status.Close() }()
		for lines := bufio.NewScanner(status); lines.Scan(); {
			var kilobytes int64
			if text, ok := strings.CutPrefix(lines.Text(), "VmHWM:"); ok {
				_, err := fmt.Sscan(text, &kilobytes)
				return kilobytes << 10, err
			}
		}
	}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0, err
	}
	if runtime.GOOS == "darwin" {
		return int64(used.Maxrss), nil //nolint:unconvert // it has 32 bits on 386
	}
	return int64(used.Maxrss) << 10, nil //nolint:unconvert // see above
}
