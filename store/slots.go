package store

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

// slots bounds how many operations run at the same time. Unlike a pool of
// database/sql it can stop waiting after a time of its own.
type slots struct {
	free     chan struct{} // holds one token per operation that runs
	peak     atomic.Int64  // the most tokens at a time since takePeak
	waiting  atomic.Int64
	waits    atomic.Int64
	waitTime atomic.Int64 // nanoseconds
}

func newSlots(n int) *slots { return &slots{free: make(chan struct{}, n)} }

// acquire waits for a slot and returns how long that took. It fails with
// pool_timeout, or with ctx's error. waited is the part of the timeout that is
// spent already.
func (s *slots) acquire(ctx context.Context, timeout, waited time.Duration) (time.Duration, error) {
	select {
	case s.free <- struct{}{}:
		s.notePeak()
		return 0, nil
	default:
	}
	began := time.Now()
	s.waits.Add(1)
	s.waiting.Add(1)
	defer func() {
		s.waiting.Add(-1)
		s.waitTime.Add(int64(time.Since(began)))
	}()
	timer := time.NewTimer(timeout - waited)
	defer timer.Stop()
	select {
	case s.free <- struct{}{}:
		s.notePeak()
		return time.Since(began), nil
	case <-ctx.Done():
		return time.Since(began), ctx.Err()
	case <-timer.C:
		return time.Since(began), job.Retryable(job.CodePoolTimeout, "waited %s for a connection", timeout)
	}
}

func (s *slots) release() { <-s.free }

func (s *slots) notePeak() {
	used := int64(len(s.free))
	for peak := s.peak.Load(); used > peak && !s.peak.CompareAndSwap(peak, used); peak = s.peak.Load() {
	}
}

// takePeak returns how many slots were taken at a time, at most, since it was
// called last.
func (s *slots) takePeak() int { return int(s.peak.Swap(int64(len(s.free)))) }

func (s *slots) stats() Stats {
	return Stats{
		InUse: len(s.free), Max: cap(s.free), Waiting: int(s.waiting.Load()),
		Waits: s.waits.Load(), WaitTime: time.Duration(s.waitTime.Load()),
	}
}
