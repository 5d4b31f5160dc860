package dispatch

import (
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// shares are the doorbells that lone jobs share, one of each queue. It is named
// before the first of its jobs is committed and rung when bellRest has passed
// since the latest: at once, after a pause. The zero value with ring set is
// ready.
type shares struct {
	ring func(job.Doorbell) // must not wait

	mu     sync.Mutex
	open   map[string]*share // by queue; guarded by mu
	rung   map[string]bool   // without all of its jobs, by the doorbell's id; guarded by mu
	latest time.Time         // when one was rung; guarded by mu
	closed bool              // nobody waits any more; guarded by mu
}

// share is a doorbell on its way to be rung. shares.mu guards it.
type share struct {
	bell  job.Doorbell // with the jobs that are committed
	named int          // jobs that have it in their row, or soon will
	timer bool         // it has one
}

const (
	bellRest = 2 * time.Millisecond // between two doorbells that lone jobs share
	bellWait = 5 * time.Millisecond // longer for jobs that are just being committed
	bellLate = time.Minute          // after which no commit comes to an end
)

// name returns the open doorbell of a queue, for one job.
func (s *shares) name(queue string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.open[queue]
	if !ok || at.named == job.MaxDoorbellJobs {
		if s.open == nil {
			s.open, s.rung = map[string]*share{}, map[string]bool{}
		}
		if ok {
			s.flush(at)
		}
		at = &share{bell: job.Doorbell{ID: string(job.NewID()), Queue: queue}}
		s.open[queue] = at
	}
	at.named++
	return at.bell.ID
}

// add takes the jobs of a doorbell that are committed, if it is a shared one; none
// if the job that it was named for is not new. late reports that it has been
// rung without them.
func (s *shares) add(bell job.Doorbell) (shared, late bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.open[bell.Queue]
	if !ok || at.bell.ID != bell.ID {
		late = s.rung[bell.ID]
		return late, late
	}
	at.bell.Jobs = append(at.bell.Jobs, bell.Jobs...)
	if len(bell.Jobs) == 0 {
		at.named--
	}
	rest := bellRest - time.Since(s.latest)
	switch {
	case s.closed, rest <= 0 && len(at.bell.Jobs) == at.named:
		s.flush(at)
	case !at.timer:
		at.timer = true
		time.AfterFunc(max(rest, 0), func() { s.expire(at, true) })
	}
	return true, false
}

// expire rings a doorbell whose time has come. The first time, it waits for
// jobs that are just being committed; a commit that has failed is not told of.
func (s *shares) expire(at *share, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.open[at.bell.Queue] != at: // rung meanwhile
	case first && len(at.bell.Jobs) < at.named:
		time.AfterFunc(bellWait, func() { s.expire(at, false) })
	default:
		s.flush(at)
	}
}

// flush rings a doorbell, which is open no more. It requires mu.
func (s *shares) flush(at *share) {
	delete(s.open, at.bell.Queue)
	if len(at.bell.Jobs) < at.named {
		s.rung[at.bell.ID] = true
		time.AfterFunc(bellLate, func() { s.forget(at.bell.ID) })
	}
	if len(at.bell.Jobs) == 0 {
		return
	}
	s.latest = time.Now()
	s.ring(at.bell)
}

// close rings what is open, and from now on every doorbell at once.
func (s *shares) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, at := range s.open {
		s.flush(at)
	}
}

func (s *shares) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.rung, id)
}
