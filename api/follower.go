package api

import (
	"cmp"
	"slices"
	"sync"

	"github.com/asyncops/asyncops/job"
)

// maxEvents is how many jobs' changes wait for one follower. One that does not
// take them in time is told to read anew: it loses detail, we no memory.
const maxEvents = 256

// follower is one stream of events.
type follower struct {
	id    job.ID // of the one job; "" for all that the key may see
	sees  func(*job.Job) bool
	who   *principal
	wake  chan struct{} // one slot: there is something to take
	fresh bool          // it knows nothing of its job yet; guarded by the hub's mu

	mu      sync.Mutex
	pending map[job.ID]event // the last change of each job; guarded by mu
	lost    bool             // guarded by mu
}

func newFollower(id job.ID, who *principal, sees func(*job.Job) bool) *follower {
	return &follower{id: id, who: who, sees: sees, wake: make(chan struct{}, 1), pending: map[job.ID]event{}}
}

// push hands a change over, in place of an earlier one of the job.
func (f *follower) push(e event) {
	if !f.sees(e.job) {
		return
	}
	f.mu.Lock()
	if _, waits := f.pending[e.job.ID]; !waits && len(f.pending) == maxEvents {
		clear(f.pending)
		f.lost = true
	}
	f.pending[e.job.ID] = e
	f.mu.Unlock()
	f.rouse()
}

// lose says that something was missed; to one who follows one job, that this is
// gone.
func (f *follower) lose() {
	f.mu.Lock()
	f.lost = true
	f.mu.Unlock()
	f.rouse()
}

func (f *follower) rouse() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// take returns what waits, in order.
func (f *follower) take() (events []event, lost bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.pending {
		events = append(events, e)
	}
	lost = f.lost
	clear(f.pending)
	f.lost = false
	slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.seq, b.seq) })
	return events, lost
}
