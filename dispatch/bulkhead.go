package dispatch

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Bulkheads bound how many jobs of one target a worker runs at a time, so that
// a target which is slow takes neither all slots nor more connections than it
// may. What does not fit is parked in the ledger.
type Bulkheads struct {
	// Limits is the bound by target, such as "database main"; each at least 1.
	Limits map[string]int
	// TargetFunc names the target of a job; "", or a name without limit, is no
	// bound. It is called for every job that is claimed. Nil: no bounds.
	TargetFunc func(*job.Job) string
	// Gates says of targets when their jobs may start, where more than room
	// decides it. Each has a limit too.
	Gates map[string]Gate
}

// Gate decides when jobs of a target may start: its rate limit, its circuit
// breaker. A run that it does not let go on fails as throttled, and its job is
// parked until Admit lets it start. It is safe for concurrent use.
type Gate interface {
	// Admit lets up to n jobs start about now, and says when it is worth asking
	// again if they are fewer.
	Admit(ctx context.Context, n int) (passes []Pass, again time.Duration)
	// Return gives back the last of the passes that Admit returned together: there
	// is no job for them.
	Return(passes []Pass)
}

// Pass is a gate's leave for one run.
type Pass interface {
	// With returns the context for the run.
	With(ctx context.Context) context.Context
	// Return is called when the run has ended, whether it used the pass or not.
	Return()
}

const (
	// maxRoomWait is how long a claimed job waits for room in its target where
	// it may be had that soon. Where jobs are short, waiting is cheaper than
	// parking: that takes two writes of the ledger.
	maxRoomWait = 100 * time.Millisecond
	// A parked job is asked for when there is room. That failing, because its
	// workers are gone, it starts by itself after twice the time that the others
	// before it are expected to take, and within these bounds.
	minParkTime = 30 * time.Second
	maxParkTime = 10 * time.Minute
)

// bulkhead is one target's bound. It is safe for concurrent use.
type bulkhead struct {
	target string
	size   int
	gate   Gate // nil: room is all that its jobs need
	room   *slots
	parked chan struct{} // one slot: jobs wait in the ledger, perhaps

	mu      sync.Mutex
	ran     time.Duration // by one job, smoothed; guarded by mu
	moved   time.Time     // when a job last got room or gave it back; guarded by mu
	waiting int           // jobs that wait for room here; guarded by mu
	ahead   int           // jobs that were parked and not claimed since, as far as is known here; guarded by mu
}

func newBulkhead(target string, size int) *bulkhead {
	return &bulkhead{target: target, size: size, room: newSlots(size), parked: make(chan struct{}, 1), moved: time.Now()}
}

// enter takes room for a job, and waits for it where it can be had soon. It
// reports false where there is none, and when ctx ended first.
func (b *bulkhead) enter(ctx context.Context) bool {
	if b.room.take(1) == 0 {
		if !b.worthWaiting() {
			return false
		}
		n, _ := b.room.await(ctx, moreRank, 1, 1, maxRoomWait)
		b.mu.Lock()
		b.waiting--
		b.mu.Unlock()
		if n == 0 {
			return false
		}
	}
	b.mu.Lock()
	b.moved = time.Now()
	b.mu.Unlock()
	return true
}

// worthWaiting reports whether one more job may expect room soon, and counts it
// among those that wait if so.
func (b *bulkhead) worthWaiting() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	gap := max(b.ran/time.Duration(b.size), time.Since(b.moved)) // between jobs that end
	if time.Duration(b.waiting+1)*gap > maxRoomWait {
		return false
	}
	b.waiting++
	return true
}

// leave gives back the room of a job that has run for took.
func (b *bulkhead) leave(took time.Duration) {
	b.mu.Lock()
	b.ran += (took - b.ran) / 8
	b.moved = time.Now()
	b.mu.Unlock()
	b.room.give(1)
}

// park is the outcome of a job that finds no room.
func (b *bulkhead) park() job.Outcome {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ahead++
	gap := max(b.ran, time.Since(b.moved)) / time.Duration(b.size)
	pause := min(max(2*time.Duration(b.ahead)*gap, minParkTime), maxParkTime)
	pause += time.Duration(rand.Float64() * 0.2 * float64(pause))
	return job.Outcome{State: job.Parked, Parked: job.WaitPool, ParkedOn: b.target, Delay: pause, Unrun: true}
}

// look makes somebody look for jobs that wait in the ledger.
func (b *bulkhead) look() {
	select {
	case b.parked <- struct{}{}:
	default:
	}
}

// unparked notes that jobs were claimed from those that wait; all says that no
// others were left.
func (b *bulkhead) unparked(jobs int, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ahead = max(0, b.ahead-jobs); all {
		b.ahead = 0
	}
}

// bulkheads are those of a worker.
type bulkheads struct {
	targetFunc func(*job.Job) string
	all        map[string]*bulkhead // nothing changes it
}

func newBulkheads(cfg Bulkheads) bulkheads {
	b := bulkheads{targetFunc: cfg.TargetFunc, all: make(map[string]*bulkhead, len(cfg.Limits))}
	for target, size := range cfg.Limits {
		b.all[target] = newBulkhead(target, size)
		b.all[target].gate = cfg.Gates[target]
	}
	return b
}

// of is the bulkhead that bounds a job; nil for none. The isolation lane runs
// one job at a time, which needs no bound.
func (b bulkheads) of(j *job.Job) *bulkhead {
	if b.targetFunc == nil || len(b.all) == 0 || j.Crashes >= job.IsolationCrashes {
		return nil
	}
	return b.all[b.targetFunc(j)]
}
