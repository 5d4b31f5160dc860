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

// NewWaiter returns a Waiter. Its Run polls; without it, Wait relies on hints.
func NewWaiter(bus *Bus, ledger EndedLedger) *Waiter { return &Waiter{bus: bus, ledger: ledger} }

const waitPoll = 500 * time.Millisecond

// Run looks for jobs that ended without a hint, until ctx ends.
func (w *Waiter) Run(ctx context.Context) error {
	for sleep(ctx, waitPoll, nil) {
		w.bus.mu.Lock()
		ids := make([]job.ID, 0, len(w.bus.ended))
		for id := range w.bus.ended {
			ids = append(ids, id)
		}
		w.bus.mu.Unlock()
		if len(ids) == 0 {
			continue
		}
		events, err := w.ledger.Ended(ctx, ids)
		if err != nil {
			continue // the ledger's health check tells; the next round asks again
		}
		w.bus.mu.Lock()
		for _, e := range events {
			w.bus.endHere(e.Job)
		}
		w.bus.mu.Unlock()
	}
	return nil
}

// Wait returns nil when the job has ended or is gone, or the cause of ctx.
func (w *Waiter) Wait(ctx context.Context, id job.ID) error {
	ended, giveUp := w.bus.waitEnded(id)
	defer giveUp()
	// It may have ended before anybody listened.
	if events, err := w.ledger.Ended(ctx, []job.ID{id}); err == nil && len(events) > 0 {
		return nil
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
