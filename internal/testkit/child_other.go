//go:build unix && !linux

package testkit

import (
	"bytes"
	"os/exec"
	"strconv"
	"syscall"
)

// dieWithParent is empty where the kernel has no parent-death signal: servers
// outlive a test process that is killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// descendants lists the processes that pid started, and theirs.
func descendants(pid int) []int {
	listing, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		return nil
	}
	children := make(map[int][]int)
	for line := range bytes.Lines(listing) {
		fields := bytes.Fields(line)
		if len(fields) != 2 {
			continue
		}
		id, errID := strconv.Atoi(string(fields[0]))
		parent, errParent := strconv.Atoi(string(fields[1]))
		if errID == nil && errParent == nil {
			children[parent] = append(children[parent], id)
		}
	}
	var found []int
	for queue := children[pid]; len(queue) > 0; queue = queue[1:] {
		found = append(found, queue[0])
		queue = append(queue, children[queue[0]]...)
	}
	return found
}

// running reports whether a process exists.
func running(pid int) bool { return syscall.Kill(pid, 0) == nil }
