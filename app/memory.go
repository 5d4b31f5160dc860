package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/ledger"
)

// life names this run of the process, apart from all others.
type life struct {
	id, role, host string
}

func newLife(role string) life {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return life{id: fmt.Sprintf("%s-%s-%d-%s", role, host, os.Getpid(), rand.Text()[:8]), role: role, host: host}
}

// memoryInterval is how often a process tells of its memory.
const memoryInterval = 5 * time.Second

// addMemory has the process tell the ledger of its memory, where a rule asks for
// it and there is a limit.
func (s *system) addMemory() {
	limit := memoryLimit(cgroupRoot)
	if s.cfg.Alerts.Rules.Memory == nil || limit == 0 {
		return
	}
	s.add("memory", func(ctx context.Context) error {
		ticks := time.NewTicker(memoryInterval)
		defer ticks.Stop()
		for {
			timed, cancel := context.WithTimeout(ctx, memoryInterval)
			// Who does not hear of it knows nothing of the process, which is no alert.
			_ = s.ledger.TellProcess(timed, ledger.Process{
				ID: s.life.id, Role: s.life.role, Host: s.life.host, PID: os.Getpid(), Used: memoryUsed(), Limit: limit,
			})
			cancel()
			select {
			case <-ticks.C:
			case <-ctx.Done():
				timed, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				defer cancel()
				_ = s.ledger.ForgetProcess(timed, s.life.id) // else it is forgotten in a moment
				return nil
			}
		}
	})
}

// cgroupRoot is where Linux shows the limits of a process's group.
const cgroupRoot = "/sys/fs/cgroup"

// memoryLimit is how many bytes the process may use: GOMEMLIMIT or its control
// group's limit, whichever is less; zero for no limit.
func memoryLimit(root string) int64 {
	limit := debug.SetMemoryLimit(-1)
	for _, file := range []string{"memory.max", "memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			continue
		}
		// "max", and the largest number that there is, are no limit.
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < math.MaxInt64/2 {
			limit = min(limit, n)
		}
	}
	if limit >= math.MaxInt64/2 {
		return 0
	}
	return limit
}

// memoryUsed is how many bytes the process has: what the system says is
// resident or, where it does not say, what Go has of it.
func memoryUsed() int64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		fields := bytes.Fields(text)
		if len(fields) > 1 {
			if pages, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	samples := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	return int64(samples[0].Value.Uint64() - samples[1].Value.Uint64())
}
