package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// clockTick is the unit of the times in /proc, the same on every architecture.
const clockTick = 10 * time.Millisecond

// dieWithParent has the kernel kill the child when the thread that started it
// ends.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// stat is what /proc knows of a process.
type stat struct {
	parent int
	own    time.Duration // CPU, user and system
	reaped time.Duration // CPU of the children that it has waited for
}

// treeCPU is the CPU time that a process and all that it ever started have
// used.
func treeCPU(root int) (time.Duration, error) {
	processes, err := readProcesses()
	if err != nil {
		return 0, err
	}
	return sumTree(processes, root)
}

// sumTree adds up what a process and all below it have used.
func sumTree(processes map[int]stat, root int) (time.Duration, error) {
	if _, ok := processes[root]; !ok {
		return 0, fmt.Errorf("process %d has ended", root)
	}
	var total time.Duration
	for pid, s := range processes {
		for at := pid; at != 0; at = processes[at].parent {
			if at == root {
				total += s.own + s.reaped
				break
			}
		}
	}
	return total, nil
}

func readProcesses() (map[int]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	processes := make(map[int]stat)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue // it has just ended
		}
		if s, ok := parseStat(text); ok {
			processes[pid] = s
		}
	}
	return processes, nil
}

// parseStat reads "pid (name) state ppid …". What is none is not ok.
func parseStat(text []byte) (stat, bool) {
	// After the name: state 0, ppid 1, utime 11, stime 12, cutime 13, cstime 14.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return stat{}, false
	}
	number := func(i int) int {
		n, _ := strconv.Atoi(string(fields[i])) // the kernel writes digits
		return n
	}
	return stat{
		parent: number(1),
		own:    time.Duration(number(11)+number(12)) * clockTick,
		reaped: time.Duration(number(13)+number(14)) * clockTick,
	}, true
}

// residentMiB is the memory of a process that is in RAM.
func residentMiB(pid int) (float64, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	mib, err := parseStatus(string(text))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return mib, nil
}

// parseStatus reads the resident memory out of "VmRSS:	   1234 kB".
func parseStatus(text string) (float64, error) {
	var kib float64
	if _, err := fmt.Sscanf(lookup(text, "VmRSS"), "%f kB", &kib); err != nil {
		return 0, fmt.Errorf("no VmRSS: %w", err)
	}
	return kib / 1024, nil
}
