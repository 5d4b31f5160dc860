package store

import (
	"context"
	"time"
)

const (
	pruneInterval  = 10 * time.Minute // between rounds
	pruneRetry     = 30 * time.Second // after one that failed
	pruneBatch     = 500              // records removed by one statement
	pruneRest      = 20 * time.Millisecond
	pruneOperation = 30 * time.Second // of one statement
)

// Prune removes records of effects that are not needed any more, in small
// batches with a rest after each, until ctx ends; then it returns nil. before
// tells, for each round, from when records are kept: no job that was made before
// then, and whose effect happened before then, may run again. Any number of
// processes may prune a target.
func (t *Target) Prune(ctx context.Context, before func(context.Context) (time.Time, error)) error {
	for {
		n, err := t.pruneRound(ctx, before)
		wait := pruneInterval
		if err != nil {
			wait = pruneRetry
		}
		switch {
		case err != nil && ctx.Err() == nil:
			t.log.Warn("records of effects were not pruned, will try again", "error", err)
		case n > 0:
			t.log.Info("pruned records of effects", "records", n)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// pruneRound removes what there is to remove now.
func (t *Target) pruneRound(ctx context.Context, before func(context.Context) (time.Time, error)) (removed int64, err error) {
	kept, err := before(ctx)
	for err == nil && ctx.Err() == nil {
		var n int64
		timed, cancel := context.WithTimeout(ctx, pruneOperation)
		n, err = t.PruneEffects(timed, kept, pruneBatch)
		cancel()
		if removed += n; n < pruneBatch {
			break
		}
		rest := time.NewTimer(pruneRest)
		select {
		case <-rest.C:
		case <-ctx.Done():
			rest.Stop()
		}
	}
	return removed, err
}
