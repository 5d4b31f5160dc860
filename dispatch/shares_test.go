package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// tower hears what shares ring, and when.
type tower struct {
	shares shares
	began  time.Time

	mu    sync.Mutex
	heard []string // jobs, and the time since began; guarded by mu
}

func newTower() *tower {
	w := &tower{began: time.Now()}
	w.shares.ring = func(bell job.Doorbell) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.heard = append(w.heard, fmt.Sprintf("%s%v %v", bell.Queue, bell.Jobs, time.Since(w.began)))
		slices.Sort(w.heard)
	}
	return w
}

// name begins the commit of a job; the func that it returns ends it.
func (w *tower) name(queue string, id job.ID) (commit func() (shared, late bool)) {
	bell := job.Doorbell{ID: w.shares.name(queue), Queue: queue, Jobs: []job.ID{id}}
	return func() (bool, bool) { return w.shares.add(bell) }
}

// leave says that a job which a doorbell was named for is not new.
func (w *tower) leave(queue string) {
	w.shares.add(job.Doorbell{ID: w.shares.name(queue), Queue: queue})
}

func (w *tower) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.heard, want) {
		t.Errorf("heard %q, want %q", w.heard, want)
	}
	w.heard = nil
}

func TestLoneJobsShareDoorbells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTower()
		w.name("q", "a")()
		w.want(t, "q[a] 0s") // after a pause at once
		time.Sleep(time.Millisecond)
		w.name("q", "b")()
		w.name("r", "c")()
		w.want(t)
		w.name("q", "d")()
		time.Sleep(time.Millisecond)
		w.want(t, "q[b d] 2ms", "r[c] 2ms")
		time.Sleep(time.Second)
		w.name("q", "e")()
		w.want(t, "q[e] 1.002s")
	})
}

func TestSharedDoorbellWaitsForCommits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTower()
		slow := w.name("q", "slow")
		w.name("q", "a")()
		w.want(t)
		time.Sleep(bellWait)
		w.want(t, "q[a] 5ms")
		if shared, late := slow(); !shared || !late {
			t.Errorf("after its doorbell was rung, add = %v, %v, want true, true", shared, late)
		}
		w.want(t)
		time.Sleep(bellLate)
		synctest.Wait()
		if len(w.shares.rung)+len(w.shares.open) != 0 {
			t.Errorf("after a while it still keeps %v and %v", w.shares.rung, w.shares.open)
		}
		soon := w.name("q", "soon")
		w.name("q", "b")()
		time.Sleep(bellRest)
		soon()
		time.Sleep(bellWait)
		w.want(t, "q[b soon] 1m0.007s")
	})
}

func TestSharedDoorbellIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTower()
		for i := range job.MaxDoorbellJobs + 1 {
			w.name("q", job.ID(fmt.Sprint(i)))
		}
		if full, next := len(w.shares.rung), w.shares.open["q"].named; full != 1 || next != 1 {
			t.Errorf("%d full doorbells and %d job in the next, want 1 and 1", full, next)
		}
		w.shares.close()
		w.want(t) // none was committed
		w.name("q", "last")()
		w.want(t, "q[last] 0s") // nobody would ring later
		time.Sleep(bellLate)    // timers end within the bubble
	})
}

func TestForeignDoorbellIsNotShared(t *testing.T) {
	t.Parallel()
	w := newTower()
	w.name("q", "a")
	if shared, late := w.shares.add(job.Doorbell{ID: "other", Queue: "q", Jobs: []job.ID{"b"}}); shared || late {
		t.Errorf("add = %v, %v, want false, false", shared, late)
	}
}

// A job that turned out not to be new keeps no other one waiting.
func TestLoneJobsThatAreNotNew(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newTower()
		w.leave("q")
		w.want(t)
		w.name("q", "a")()
		w.want(t, "q[a] 0s")
		time.Sleep(time.Second)
		commit := w.name("q", "b")
		w.leave("q")
		w.want(t)
		commit()
		w.want(t, "q[b] 1s")
		if len(w.shares.rung) != 0 {
			t.Errorf("%d doorbells wait for jobs that there are not", len(w.shares.rung))
		}
	})
}
