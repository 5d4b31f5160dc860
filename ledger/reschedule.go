package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Reschedule gives a job that has not started another time; one that has passed
// is now. job.ErrTerminal and job.ErrStarted refuse others; a time that is not
// before the job's deadline and expires_at is a *job.InvalidError.
func (l *Ledger) Reschedule(ctx context.Context, id job.ID, at time.Time) (*job.Job, error) {
	err := l.audited(ctx, func(tx bun.Tx) error {
		var rows []struct {
			State     job.State
			StartedAt micros
			Deadline  micros
			ExpiresAt micros
			Now       micros
			Sealing   bool
		}
		query := `SELECT state, started_at, deadline, expires_at, ?now AS now, verdict IS NOT NULL AS sealing FROM asyncops_jobs WHERE id = ? ` + l.dialect.forUpdate
		if err := tx.NewRaw(l.timed(query), id).Scan(ctx, &rows); err != nil {
			return err
		}
		if len(rows) == 0 {
			return job.ErrNotFound
		}
		r, to := rows[0], microsOf(at)
		state := job.Scheduled
		if to <= r.Now {
			to, state = r.Now, job.Pending
		}
		switch {
		case r.State.Terminal():
			return job.ErrTerminal
		case r.State != job.Scheduled && r.State != job.Pending, r.StartedAt != 0, r.Sealing:
			return job.ErrStarted
		case r.Deadline != 0 && to >= r.Deadline:
			return job.Invalid("/run_at", "out_of_range", "run_at is not before the job's deadline, %s", r.Deadline.time().Format(time.RFC3339))
		case r.ExpiresAt != 0 && to >= r.ExpiresAt:
			return job.Invalid("/run_at", "out_of_range", "run_at is not before the job's expires_at, %s", r.ExpiresAt.time().Format(time.RFC3339))
		}
		const move = `UPDATE asyncops_jobs SET state = ?, run_at = ?, rung_at = 0, doorbell = NULL WHERE id = ?`
		_, err := tx.ExecContext(ctx, move, string(state), to, id)
		return err
	})
	if err != nil {
		return nil, l.wrap(err, "reschedule %s", id)
	}
	return l.Get(ctx, id)
}

// PurgeQueue cancels jobs of the queue that wait, at most limit of them, those
// with the smallest ids first, and returns their events; what must be sealed
// first moves to pending. Jobs that run are left alone. An unknown queue answers
// job.ErrNotFound.
func (l *Ledger) PurgeQueue(ctx context.Context, queue string, limit int) ([]job.Event, error) {
	var events []job.Event
	err := l.audited(ctx, func(tx bun.Tx) error {
		events = nil
		var known []string
		if err := tx.NewRaw(`SELECT name FROM asyncops_queues WHERE name = ?`, queue).Scan(ctx, &known); err != nil {
			return err
		}
		if len(known) == 0 {
			return job.ErrNotFound
		}
		var ids []job.ID
		query := `SELECT id FROM asyncops_jobs WHERE queue = ? AND verdict IS NULL
			AND state IN ('waiting', 'scheduled', 'pending', 'retry', 'parked') ORDER BY id LIMIT ? ` + l.dialect.skipLocked
		if err := tx.NewRaw(query, queue, limit).Scan(ctx, &ids); err != nil {
			return err
		}
		var err error
		events, err = l.end(ctx, tx, ids, canceledVerdict)
		return err
	})
	return events, l.wrap(err, "purge queue %s", queue)
}
