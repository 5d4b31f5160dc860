package dispatch

import (
	"context"
	"sync"
	"time"
)

// slots counts the jobs that a worker may still start. It is safe for
// concurrent use.
type slots struct {
	size int

	mu    sync.Mutex
	free  int           // guarded by mu
	freed chan struct{} // closed and replaced when a slot becomes free; guarded by mu
}

func newSlots(size int) *slots {
	return &slots{size: size, free: size, freed: make(chan struct{})}
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
	close(s.freed)
	s.freed = make(chan struct{})
}

func (s *slots) look() (free int, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free, s.freed
}

// used is the number of slots taken.
func (s *slots) used() int {
	free, _ := s.look()
	return s.size - free
}

// lull is how long after the first slot became free a worker takes work again,
// even if no more became free.
const lull = 20 * time.Millisecond

// awaitRoom returns when it is worth taking work: a quarter of the slots are
// free, or some have been for 20 ms. It reports false when ctx ends first.
func (s *slots) awaitRoom(ctx context.Context) bool {
	enough := max(1, s.size/4)
	var late <-chan time.Time
	for {
		free, freed := s.look()
		if free >= enough {
			return ctx.Err() == nil
		}
		if free > 0 && late == nil {
			timer := time.NewTimer(lull)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-ctx.Done():
			return false
		case <-late:
			return true
		case <-freed:
		}
	}
}

// awaitIdle returns when every slot is free, or false when ctx ends first.
func (s *slots) awaitIdle(ctx context.Context) bool {
	for {
		free, freed := s.look()
		if free == s.size {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-freed:
		}
	}
}
