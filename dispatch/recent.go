package dispatch

import (
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	recentSlot  = 5 * time.Second
	recentSlots = 12 // a minute
)

// recentRuns counts the runs of the last minute, in slots of a few seconds. It
// is safe for concurrent use.
type recentRuns struct {
	began time.Time // what slots are numbered from

	mu    sync.Mutex
	slots [recentSlots]runSlot // by number modulo their count; guarded by mu
}

// runSlot is the runs of a few seconds.
type runSlot struct {
	number       int64
	runs, failed int
	lasting      [job.RunBuckets]int32
}

func newRecentRuns() *recentRuns { return &recentRuns{began: time.Now()} }

// add counts a run that ended as the state says. One that was parked, handed
// back or stopped by a caller tells nothing.
func (r *recentRuns) add(now time.Time, state job.State, took time.Duration) {
	failed := false
	switch state {
	case job.Completed:
	case job.Retry, job.Archived, job.Unknown:
		failed = true
	default:
		return
	}
	number := int64(now.Sub(r.began) / recentSlot)
	r.mu.Lock()
	defer r.mu.Unlock()
	slot := &r.slots[number%recentSlots]
	if slot.number != number {
		*slot = runSlot{number: number}
	}
	slot.runs++
	if failed {
		slot.failed++
	}
	slot.lasting[job.RunBucket(took)]++
}

// last is the sum of the minute before now.
func (r *recentRuns) last(now time.Time) job.RunWindow {
	number := int64(now.Sub(r.began) / recentSlot)
	sum := job.RunWindow{Lasting: map[int]int{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.slots {
		slot := &r.slots[i]
		if slot.number <= number-recentSlots {
			continue
		}
		sum.Runs += slot.runs
		sum.Failed += slot.failed
		for bucket, n := range slot.lasting {
			if n > 0 {
				sum.Lasting[bucket] += int(n)
			}
		}
	}
	return sum
}
