package ledger

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// eligible is true for rows that may be claimed, and so for those worth
// ringing for. Jobs that crashed their worker repeatedly are left to
// ClaimIsolated; a job with a verdict is claimed to be sealed, whatever stands
// in the way of running it.
const eligible = `state IN ('scheduled', 'pending', 'retry', 'parked')
	AND (verdict IS NOT NULL OR (
		(state = 'pending' OR run_at <= ?now)
		AND crashes < ?isolation
		AND queue NOT IN (SELECT name FROM asyncops_queues WHERE paused)
		AND (deadline IS NULL OR deadline > ?now)
		AND (expires_at IS NULL OR epoch > 0 OR expires_at > ?now)))`

// claimPicked takes the rows that the query "picked" chose: epoch+1, this
// worker, no doorbell.
const claimPicked = `UPDATE asyncops_jobs
	SET state = 'active', epoch = epoch + 1, worker = ?worker, started_at = ?now, doorbell = NULL, rung_at = 0,
		parked = NULL, attempt = attempt + CASE WHEN verdict IS NULL THEN 1 ELSE 0 END
	FROM picked WHERE id = picked_id
	RETURNING ` + allColumns

// Claim makes the worker the one that runs the jobs, at most limit of them,
// and returns them under their new epochs with their args. Jobs that are not
// returned are not the worker's: they are not due, run elsewhere, have ended,
// or may not start now (queue paused, past a time limit, in isolation).
func (l *Ledger) Claim(ctx context.Context, worker string, ids []job.ID, limit int) ([]job.Job, error) {
	if len(ids) == 0 || limit <= 0 {
		return nil, nil
	}
	return l.claim(ctx, `id IN (?ids)`, "id", claimArgs{Worker: worker, IDs: bun.In(ids), Limit: limit})
}

// ClaimDue is Claim for the jobs of a queue that have waited longest,
// whether or not a doorbell rings for them. It needs nobody to ring.
func (l *Ledger) ClaimDue(ctx context.Context, worker, queue string, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	return l.claim(ctx, `queue = ?queue`, "rung_at, run_at", claimArgs{Worker: worker, Queue: queue, Limit: limit})
}

// ClaimIsolated is Claim for one job, of any of the queues, that was running at
// more than one of its workers' deaths. Whoever calls it runs no second such
// job beside it, so that the one which kills its worker is found out.
func (l *Ledger) ClaimIsolated(ctx context.Context, worker string, queues []string) ([]job.Job, error) {
	const isolated = `crashes >= ?isolation AND queue IN (?ids) AND verdict IS NULL AND ` +
		`state IN ('scheduled', 'pending', 'retry', 'parked') AND (state = 'pending' OR run_at <= ?now) ` +
		`AND queue NOT IN (SELECT name FROM asyncops_queues WHERE paused)`
	args := claimArgs{Worker: worker, IDs: bun.In(queues), Limit: 1}
	return l.claimWhere(ctx, isolated, "run_at", args)
}

// claimArgs are the named arguments of the claims.
type claimArgs struct {
	Worker    string `bun:"worker"`
	Queue     string `bun:"queue"`
	IDs       any    `bun:"ids"`
	Limit     int    `bun:"limit"`
	Isolation int    `bun:"isolation"`
}

func (l *Ledger) claim(ctx context.Context, which, order string, args claimArgs) ([]job.Job, error) {
	return l.claimWhere(ctx, which+" AND "+eligible, order, args)
}

func (l *Ledger) claimWhere(ctx context.Context, where, order string, args claimArgs) ([]job.Job, error) {
	args.Isolation = job.IsolationCrashes
	query := `WITH picked AS ` + l.dialect.materialized + ` (SELECT id AS picked_id FROM asyncops_jobs WHERE ` + where +
		` ORDER BY ` + order + ` LIMIT ?limit ` + l.dialect.skipLocked + `) ` + claimPicked
	query = l.timed(query)
	var rows []row
	err := l.again(func() error {
		rows = rows[:0]
		return l.write.NewRaw(query, args).Scan(ctx, &rows)
	})
	if err != nil {
		return nil, l.wrap(err, "claim for %s", args.Worker)
	}
	return jobsOf(rows)
}

// Refuse is what a worker says of a doorbell's jobs that it asked for and did
// not get: their doorbell is taken off, so that the relay rings again as soon
// as they may start. Jobs that have moved on, or have another doorbell, stay.
func (l *Ledger) Refuse(ctx context.Context, doorbell string, ids []job.ID) error {
	const query = `UPDATE asyncops_jobs SET doorbell = NULL, rung_at = 0
		WHERE id IN (?) AND doorbell = ? AND state IN ('scheduled', 'pending', 'retry', 'parked')`
	err := l.again(func() error {
		_, err := l.write.ExecContext(ctx, query, bun.In(ids), doorbell)
		return err
	})
	return l.wrap(err, "refuse jobs of doorbell %s", doorbell)
}

// Reassign moves jobs from one doorbell to another that is about to be rung:
// the worker had no slot for them.
func (l *Ledger) Reassign(ctx context.Context, from string, to job.Doorbell) error {
	const query = `UPDATE asyncops_jobs SET doorbell = ?, rung_at = ?
		WHERE id IN (?) AND doorbell = ? AND state IN ('scheduled', 'pending', 'retry', 'parked')`
	err := l.again(func() error {
		_, err := l.write.ExecContext(ctx, query, to.ID, bun.Safe(l.dialect.now), bun.In(to.Jobs), from)
		return err
	})
	return l.wrap(err, "reassign jobs of doorbell %s", from)
}
