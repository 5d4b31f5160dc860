package main

import (
	"os"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const rest = " S 41 42 42 0 -1 4194560 2563 90 0 0 117 25 30 8 20 0 1 0 300 230000 4000 18446744073709551615"
	want := stat{parent: 41, own: 1420 * time.Millisecond, reaped: 380 * time.Millisecond}
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"plain", "42 (postgres)" + rest, true},
		{"a name with blanks and brackets", "42 (a b) R 7 (c)" + rest, true},
		{"cut off", "42 (postgres) S 41 42 42 0 -1", false},
		{"empty", "", false},
		{"no name", "42 postgres", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, ok := parseStat([]byte(tt.text))
			if ok != tt.ok || ok && got != want {
				t.Errorf("parseStat(%q) = %+v, %t; want %+v, %t", tt.text, got, ok, want, tt.ok)
			}
		})
	}
}

// A tree is a process, its children and theirs, and those of them that are
// gone.
func TestSumTree(t *testing.T) {
	t.Parallel()
	processes := map[int]stat{
		1:  {parent: 0, own: 1000},
		10: {parent: 1, own: 1, reaped: 2},
		11: {parent: 10, own: 4},
		12: {parent: 11, own: 8, reaped: 16},
		20: {parent: 1, own: 100},
		30: {parent: 29, own: 200}, // whose parent has ended
	}
	for root, want := range map[int]time.Duration{10: 31, 11: 28, 20: 100, 30: 200, 1: 1131} {
		if got, err := sumTree(processes, root); got != want || err != nil {
			t.Errorf("sumTree(%d) = %d, %v; want %d", root, got, err, want)
		}
	}
	if _, err := sumTree(processes, 99); err == nil {
		t.Error("sumTree of a process that is not there succeeded")
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       float64 // 0 is an error
	}{
		{"a process", "Name:\tVmRSS: 1 kB\nVmHWM:\t    4096 kB\nVmRSS:\t    2560 kB\nThreads:\t1\n", 2.5},
		{"a thread of the kernel", "Name:\tkthreadd\nThreads:\t1\n", 0},
		{"no number", "VmRSS:\tmuch kB\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseStatus(tt.text)
			if got != tt.want || (err != nil) != (tt.want == 0) {
				t.Errorf("parseStatus = %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// This kernel writes what is read.
func TestOwnProcess(t *testing.T) {
	t.Parallel()
	if mib, err := residentMiB(os.Getpid()); err != nil || mib < 1 || mib > 10_000 {
		t.Errorf("residentMiB = %v, %v; want some", mib, err)
	}
	if cpu, err := treeCPU(os.Getpid()); err != nil || cpu < 0 || cpu > time.Hour {
		t.Errorf("treeCPU = %v, %v; want little", cpu, err)
	}
}
