package ledger

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Batch is a set of submissions that are accepted in one commit.
type Batch struct {
	// Jobs have all their fields set by the caller: ID, CreatedAt, RunAt,
	// State (Scheduled or Pending), MaxAttempts, Delivery and so on. A pending
	// job is due at once, whatever its RunAt.
	Jobs []job.Job
	// Atomic accepts all or none: one refused job, such as one with a
	// mismatched idempotency key, refuses the whole batch, with ErrBatchRefused.
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
// job.ErrIdempotencyMismatch in the answer's Err; or job.ErrNotFound there, if
// that job has been deleted. A key that another process is just writing is
// waited for. A job whose text cannot be stored is answered job.ErrInvalid.
//
// job.ErrUnavailable means that the ledger did not confirm, within some 30 s:
// the jobs may have been written nevertheless, and an idempotency key tells.
// job.ErrSaturated means that too much waits already; nothing was written. When
// ctx ends first, its cause is returned and the batch may still be written.
func (l *Ledger) Accept(ctx context.Context, b Batch) ([]job.Accepted, error) {
	if len(b.Jobs) == 0 {
		return nil, nil
	}
	w, err := l.newWrite(b)
	if err != nil {
		return nil, fmt.Errorf("ledger: accept: %w", err)
	}
	if b.Atomic && w.refused() {
		return w.answers, ErrBatchRefused
	}
	if err := l.groups.submit(ctx, w); err != nil {
		return nil, fmt.Errorf("ledger: accept: %w", err)
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		w.left.Store(true)
		return nil, fmt.Errorf("ledger: accept: %w", context.Cause(ctx))
	}
	if w.err != nil {
		return nil, l.wrap(w.err, "accept")
	}
	if b.Atomic && w.refused() {
		return w.answers, ErrBatchRefused
	}
	if err := l.recall(ctx, w.answers); err != nil {
		return nil, l.wrap(err, "accept: read the first job of a key")
	}
	return w.answers, nil
}

// recall reads the jobs that were accepted earlier as they are now.
func (l *Ledger) recall(ctx context.Context, answers []job.Accepted) error {
	var ids []job.ID
	for _, a := range answers {
		if a.Replayed && a.Err == nil {
			ids = append(ids, a.Job.ID)
		}
	}
	first := make(map[job.ID]job.Job, len(ids))
	for part := range slices.Chunk(ids, maxInsertRows) {
		jobs, err := l.byIDs(ctx, part)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			first[j.ID] = j
		}
	}
	for i := range answers {
		a := &answers[i]
		if !a.Replayed || a.Err != nil {
			continue
		}
		j, ok := first[a.Job.ID]
		if !ok { // deleted, its key outlives it
			a.Err = fmt.Errorf("the first job of this idempotency key has been deleted: %w", job.ErrNotFound)
			continue
		}
		a.Job = j
	}
	return nil
}

// write is one batch on its way through a group.
type write struct {
	rows    []insertRow // one for each job
	keys    []claimant  // those of the jobs that have one
	bytes   int         // of all rows, about
	atomic  bool
	since   time.Time
	left    atomic.Bool // the caller does not wait any more
	answers []job.Accepted
	err     error         // set before done is closed
	done    chan struct{} // closed by the group's writer
}

func (l *Ledger) newWrite(b Batch) (*write, error) {
	w := &write{
		atomic: b.Atomic, since: time.Now(), done: make(chan struct{}),
		rows: make([]insertRow, len(b.Jobs)), answers: make([]job.Accepted, len(b.Jobs)),
	}
	for i := range b.Jobs {
		j := &b.Jobs[i]
		w.answers[i].Job = *j
		if err := invalid(j); err != nil {
			w.answers[i].Err = err
			continue
		}
		row, err := newRow(j)
		if err != nil {
			return nil, err
		}
		w.rows[i] = row
		w.bytes += rowBytes + len(row.Args)
		if j.IdempotencyKey != "" {
			w.keys = append(w.keys, claimant{write: w, index: i, keyRow: keyRow{
				Owner: j.Owner, Key: j.IdempotencyKey, JobID: j.ID,
				Fingerprint: hex.EncodeToString(j.Fingerprint[:]), CreatedAt: microsOf(j.CreatedAt),
			}})
		}
	}
	return w, nil
}

// alone reports whether the batch must have a group of its own: refusing it
// undoes the whole transaction.
func (w *write) alone() bool { return w.atomic && len(w.keys) > 0 }

// refused reports whether some job of the batch was not accepted.
func (w *write) refused() bool {
	return slices.ContainsFunc(w.answers, func(a job.Accepted) bool { return a.Err != nil })
}

func (w *write) finish(err error) {
	w.err = err
	close(w.done)
}
