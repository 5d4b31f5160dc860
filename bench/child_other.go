//go:build unix && !linux

package main

import (
	"errors"
	"syscall"
	"time"
)

var errNoProc = errors.New("bench reads /proc: it runs on Linux")

func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

func treeCPU(int) (time.Duration, error) { return 0, errNoProc }

func residentMiB(int) (float64, error) { return 0, errNoProc }
