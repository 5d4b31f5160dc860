package ledger

import (
	"context"
	"errors"
	"fmt"

	"github.com/asyncops/asyncops/job"
)

// Batch is a set of submissions that are accepted in one commit.
type Batch struct {
	// Jobs have all their fields set by the caller: ID, CreatedAt, RunAt,
	// State (Scheduled or Pending), MaxAttempts, Delivery and so on.
	Jobs []job.Job
	// Atomic accepts all or none: one mismatched idempotency key refuses the
	// whole batch, with ErrBatchRefused.
	Atomic bool
}

// ErrBatchRefused is returned, with the answers that say why, for an atomic
// batch of which some job was refused.
var ErrBatchRefused = errors.New("no job of the batch was accepted")

// Accept commits the batch and returns one answer per job, in order. When it
// returns nil, every answer without an Err is durable.
//
// Concurrent calls are written together: one multi-row INSERT and one commit
// for all that arrived while the last commit was under way. A lone call is
// written at once.
//
// An idempotency key that is known answers the first job, as it is now, or
// job.ErrIdempotencyMismatch in the answer's Err. A key that another process
// is just writing is waited for.
//
// job.ErrUnavailable means that the ledger did not confirm: the jobs may have
// been written nevertheless, and an idempotency key tells. job.ErrSaturated
// means that too much waits already; nothing was written. When ctx ends first,
// its cause is returned and the batch may still be written.
func (l *Ledger) Accept(ctx context.Context, b Batch) ([]job.Accepted, error) {
	w, err := newWrite(b)
	if err != nil {
		return nil, fmt.Errorf("ledger: accept: %w", err)
	}
	if err := l.groups.submit(w); err != nil {
		return nil, fmt.Errorf("ledger: accept: %w", err)
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("ledger: accept: %w", context.Cause(ctx))
	}
	if w.err != nil {
		return nil, l.wrap(w.err, "accept")
	}
	if err := l.recall(ctx, w.answers); err != nil {
		return nil, l.wrap(err, "accept: read the first job of a key")
	}
	for _, a := range w.answers {
		if b.Atomic && a.Err != nil {
			return w.answers, ErrBatchRefused
		}
	}
	return w.answers, nil
}

// recall reads the jobs that were accepted earlier as they are now.
func (l *Ledger) recall(ctx context.Context, answers []job.Accepted) error {
	for i := range answers {
		if !answers[i].Replayed || answers[i].Err != nil {
			continue
		}
		j, err := l.Get(ctx, answers[i].Job.ID)
		if errors.Is(err, job.ErrNotFound) { // deleted, its key outlives it
			answers[i].Err = fmt.Errorf("the first job of this idempotency key has been deleted: %w", job.ErrNotFound)
			continue
		}
		if err != nil {
			return err
		}
		answers[i].Job = *j
	}
	return nil
}

// write is one batch on its way through a group.
type write struct {
	jobs    []job.Job
	rows    []insertRow
	atomic  bool
	keyed   bool
	answers []job.Accepted
	err     error         // set before done is closed
	done    chan struct{} // closed by the group's writer
}

func newWrite(b Batch) (*write, error) {
	w := &write{
		jobs: b.Jobs, atomic: b.Atomic, done: make(chan struct{}),
		rows: make([]insertRow, len(b.Jobs)), answers: make([]job.Accepted, len(b.Jobs)),
	}
	for i := range b.Jobs {
		row, err := insertRowOf(&b.Jobs[i])
		if err != nil {
			return nil, err
		}
		w.rows[i] = row
		w.answers[i].Job = b.Jobs[i]
		w.keyed = w.keyed || b.Jobs[i].IdempotencyKey != ""
	}
	return w, nil
}

func (w *write) finish(err error) {
	w.err = err
	close(w.done)
}
