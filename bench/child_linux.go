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
		if s, ok := readStat(pid); ok {
			processes[pid] = s
		}
	}
	return processes, nil
}

// readStat reads "pid (name) state ppid …"; a process that is gone is not ok.
func readStat(pid int) (stat, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return stat{}, false
	}
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
	for line := range bytes.Lines(text) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmRSS:")); ok {
			kib, err := strconv.Atoi(string(bytes.Fields(rest)[0]))
			return float64(kib) / 1024, err
		}
	}
	return 0, fmt.Errorf("process %d has no resident memory", pid)
}
