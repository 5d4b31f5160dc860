package dispatch

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
)

// EndedLedger tells which jobs have ended.
type EndedLedger interface {
	Ended(ctx context.Context, ids []job.ID) ([]job.Event, error)
}

// Waiter lets callers wait for jobs to end. All waits of a process share one
// poll of the ledger, the net for hints that were lost. It is safe for
// concurrent use.
type Waiter struct {
	bus    *Bus
	ledger EndedLedger
}

const (
	waitPoll    = 500 * time.Millisecond
	waitTimeout = 5 * time.Second // of one poll
)

// NewWaiter returns a Waiter. Its Run polls; without it,
// Wait relies on hints.
func NewWaiter(bus *Bus, ledger EndedLedger) *Waiter {
	bus.mu.Lock()
	defer bus.mu.Unlock()
	bus.join(endedChannel)
	return &Waiter{bus: bus, ledger: ledger}
}

// Run looks for jobs that ended without a hint, until ctx ends.
func (w *Waiter) Run(ctx context.Context) error {
	for sleep(ctx, waitPoll, nil) {
		if ids := w.bus.awaited(); len(ids) > 0 {
			w.bus.endedHere(w.ended(ctx, ids))
		}
	}
	return nil
}

// ended returns those of the jobs that have ended or are gone. While the ledger
// does not answer it returns none: its health check tells, and the next poll
// asks again.
func (w *Waiter) ended(ctx context.Context, ids []job.ID) []job.ID {
	ctx, cancel := context.WithTimeout(ctx, waitTimeout)
	defer cancel()
	events, err := w.ledger.Ended(ctx, ids)
	if err != nil {
		return nil
	}
	ended := make([]job.ID, len(events))
	for i, e := range events {
		ended[i] = e.Job
	}
	return ended
}

// Wait returns nil when the job has ended or is gone, or the cause of ctx.
func (w *Waiter) Wait(ctx context.Context, id job.ID) error {
	ended, giveUp := w.bus.waitEnded(id)
	defer giveUp()
	// It may have ended before anybody listened.
	if len(w.ended(ctx, []job.ID{id})) > 0 {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
