package dispatch

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// slots counts the jobs that a worker may still start. It is safe for
// concurrent use.
type slots struct {
	size   int
	enough int // as many free ones are worth taking work for: a quarter

	mu    sync.Mutex
	free  int        // guarded by mu
	queue []*request // those that wait, by rank and then age; guarded by mu
}

// rank is who comes first when a slot becomes free.
type rank int

const (
	laneRank   rank = iota // the isolation lane, which must not starve
	parkedRank             // jobs that had been parked for want of room
	bellRank               // a doorbell that was taken and has jobs left
	moreRank               // whoever would take more work
	idleRank               // whoever waits for all to end
)

// request is somebody who waits for slots.
type request struct {
	rank     rank
	min, max int      // waits for min free slots and takes up to max of them
	granted  chan int // one slot; what it took
}

// lull is how long after the first slot became free a worker takes work again,
// even if no more became free.
const lull = 20 * time.Millisecond

func newSlots(size int) *slots {
	return &slots{size: size, enough: max(1, size/4), free: size}
}

// take takes up to n slots and returns how many it got.
func (s *slots) take(n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n = min(n, s.free)
	s.free -= n
	return n
}

// give gives n slots back.
func (s *slots) give(n int) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free += n
	s.grant()
}

// grant serves those that wait, as far as it goes. It requires mu.
func (s *slots) grant() {
	for len(s.queue) > 0 && s.free >= s.queue[0].min {
		r := s.queue[0]
		s.queue = s.queue[1:]
		n := min(r.max, s.free)
		s.free -= n
		r.granted <- n
	}
}

// await waits until low slots are free and takes up to high of them. When d is
// over, it takes what there is; d of zero is for ever. ok is false, and nothing
// taken, when ctx ended first.
func (s *slots) await(ctx context.Context, by rank, low, high int, d time.Duration) (n int, ok bool) {
	if ctx.Err() != nil {
		return 0, false
	}
	r := &request{rank: by, min: low, max: high, granted: make(chan int, 1)}
	s.mu.Lock()
	at, _ := slices.BinarySearchFunc(s.queue, by+1, func(r *request, next rank) int { return cmp.Compare(r.rank, next) })
	s.queue = slices.Insert(s.queue, at, r)
	s.grant()
	s.mu.Unlock()
	var late <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		late = timer.C
	}
	select {
	case n := <-r.granted:
		return n, true
	case <-late:
		return s.withdraw(r, true), true
	case <-ctx.Done():
		s.give(s.withdraw(r, false))
		return 0, false
	}
}

// withdraw ends a request and returns what it has got: what is free if it
// settles for that.
func (s *slots) withdraw(r *request, settle bool) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.queue, r)
	if at < 0 {
		return <-r.granted
	}
	s.queue = slices.Delete(s.queue, at, at+1)
	if settle {
		n = min(r.max, s.free)
		s.free -= n
	}
	s.grant() // it may have stood in somebody's way
	return n
}

// takeSoon takes up to n slots for a doorbell's jobs, and waits for them no
// longer than a lull.
func (s *slots) takeSoon(ctx context.Context, n int) int {
	n, _ = s.await(ctx, bellRank, min(n, s.enough), n, lull)
	return n
}

// awaitOne takes one slot, before all others that wait, or reports false when
// ctx ends first.
func (s *slots) awaitOne(ctx context.Context) bool {
	_, ok := s.await(ctx, laneRank, 1, 1, 0)
	return ok
}

// awaitRoom returns when it is worth taking work: a quarter of the slots are
// free, or some have been for a lull. It reports false when ctx ends first.
func (s *slots) awaitRoom(ctx context.Context) bool {
	if _, ok := s.await(ctx, moreRank, 1, 0, 0); !ok {
		return false
	}
	_, ok := s.await(ctx, moreRank, s.enough, 0, lull)
	return ok
}

// awaitIdle returns when every slot is free, or false when ctx ends first.
func (s *slots) awaitIdle(ctx context.Context) bool {
	_, ok := s.await(ctx, idleRank, s.size, 0, 0)
	return ok
}

// used is the number of slots taken.
func (s *slots) used() int { return s.size - s.room() }

// room is the number of slots that are free.
func (s *slots) room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free
}
