package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/asyncops/asyncops/job"
)

// KeepLedger does the ledger's upkeep.
type KeepLedger interface {
	Reap(ctx context.Context) ([]job.Event, error)
	Lapse(ctx context.Context) ([]job.Event, error)
	Prune(ctx context.Context, limit int) (int, error)
}

// EndMeter counts jobs that ended without a run.
type EndMeter interface {
	Ended(kind, queue string, state job.State, jobs int)
}

// Keeper takes dead workers' jobs from them, ends jobs whose time is over, and
// deletes what is kept no longer. Any number of keepers may run.
type Keeper struct {
	ledger KeepLedger
	bus    *Bus
	meter  EndMeter
	log    *slog.Logger

	away trouble
}

const (
	reapInterval  = 2 * time.Second
	pruneInterval = 30 * time.Second
	pruneBatch    = 500
	pruneRest     = 20 * time.Millisecond
	keepOperation = 10 * time.Second
	// reapGrace is how long the ledger must have been in reach before anybody's
	// lease is judged: workers that are alive need it to renew theirs.
	reapGrace = DefaultLease/4 + renewTimeout
)

// NewKeeper returns a keeper.
func NewKeeper(ledger KeepLedger, bus *Bus, meter EndMeter, log *slog.Logger) *Keeper {
	return &Keeper{ledger: ledger, bus: bus, meter: meter, log: log}
}

// Run keeps until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	var pruned time.Time
	reachable := time.Now()
	for ; ctx.Err() == nil; sleep(ctx, reapInterval, nil) {
		_, err := k.moveAll(ctx, k.ledger.Lapse)
		if err == nil && time.Since(reachable) >= reapGrace {
			err = k.reap(ctx)
		}
		if err == nil && time.Since(pruned) >= pruneInterval {
			pruned = time.Now()
			err = k.prune(ctx)
		}
		switch {
		case err == nil:
			if k.away.over() {
				k.log.Info("upkeep goes on")
			}
		case ctx.Err() == nil:
			reachable = time.Now()
			if k.away.tell() {
				k.log.Warn("upkeep not finished, will try again", "error", err)
			}
		}
	}
	return nil
}

func (k *Keeper) reap(ctx context.Context) error {
	n, err := k.moveAll(ctx, k.ledger.Reap)
	if n > 0 {
		k.log.Warn("took jobs from workers whose lease ended", "jobs", n)
	}
	return err
}

// moveAll calls move until it has moved all jobs that there are, and returns
// how many those were.
func (k *Keeper) moveAll(ctx context.Context, move func(context.Context) ([]job.Event, error)) (n int, err error) {
	for {
		timed, cancel := context.WithTimeout(ctx, keepOperation)
		events, err := move(timed)
		cancel()
		k.tell(events)
		n += len(events)
		if err != nil || len(events) == 0 {
			return n, err
		}
	}
}

// prune deletes in small batches, with a rest after each, so that nobody waits
// long for a lock.
func (k *Keeper) prune(ctx context.Context) error {
	for {
		timed, cancel := context.WithTimeout(ctx, keepOperation)
		n, err := k.ledger.Prune(timed, pruneBatch)
		cancel()
		if err != nil || n < pruneBatch {
			return err
		}
		if !sleep(ctx, pruneRest, nil) {
			return nil
		}
	}
}

// tell wakes workers for jobs that may run again, and callers of those that ended.
func (k *Keeper) tell(events []job.Event) {
	var ended, moved []job.ID
	for _, e := range events {
		if e.State.Terminal() {
			k.meter.Ended(e.Kind, e.Queue, e.State, 1)
			ended = append(ended, e.Job)
		} else {
			moved = append(moved, e.Job)
		}
	}
	k.bus.Ended(ended)
	k.bus.Moved(moved)
	if len(moved) > 0 {
		k.bus.Due()
	}
}
