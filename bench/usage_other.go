//go:build !unix

package main

import (
	"errors"
	"time"
)

var errNoUsage = errors.New("processor time and memory are measured on Unix only")

func processorTime() (time.Duration, error) { return 0, errNoUsage }

func peak() (int64, error) { return 0, errNoUsage }
