package ledger

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// What may be claimed, and so is worth ringing for. Sealable jobs have a verdict
// and are claimed to be sealed, whatever stands in the way of running them.
// Runnable jobs may run, unless their queue is paused. Isolated jobs crashed
// their worker repeatedly and are ClaimIsolated's.
const (
	// The words are those of the partial indexes, which SQLite does not use
	// without them.
	startable = `state IN ('scheduled', 'pending', 'retry', 'parked')`
	runnable  = startable + ` AND run_at <= ?now AND verdict IS NULL AND crashes < ?isolation AND ` + inTime
	isolated  = startable + ` AND run_at <= ?now AND verdict IS NULL AND crashes >= ?isolation AND ` + inTime
	sealable  = knownStartable + ` AND run_at <= ?now AND verdict IS NOT NULL`
	inTime    = `(deadline IS NULL OR deadline > ?now) AND (expires_at IS NULL OR epoch > 0 OR expires_at > ?now)`

	// For rows that are found by other means, such as their ids. The planner
	// does not see that the index of all startable rows would do: while its
	// statistics are older than the backlog it would read that whole index.
	knownStartable = `(` + startable + `) IS TRUE`
	knownActive    = `(state = 'active') IS TRUE`

	// Of one queue, unless it is paused: then nothing is read, however long it is.
	ofUnpaused = `queue = (SELECT ?queue WHERE NOT EXISTS (SELECT 1 FROM asyncops_queues WHERE name = ?queue AND paused))`
	// Nobody would take them from a worker that has left.
	workerLives = `EXISTS (SELECT 1 FROM asyncops_workers WHERE id = ?worker AND state <> 'gone')`

	// May run, and is of the queue that the worker asks for.
	claimable = ofUnpaused + ` AND ` + workerLives + ` AND ` + runnable
)

// claimRows takes rows: epoch+1, this worker, no doorbell. A claim that is only
// to seal is no run.
const claimRows = `UPDATE asyncops_jobs
	SET state = 'active', epoch = epoch + 1, worker = ?worker, claim = ?claim, doorbell = NULL, rung_at = 0, parked = NULL, parked_on = NULL,
		started_at = CASE WHEN verdict IS NULL THEN ?now ELSE started_at END,
		run_epoch = CASE WHEN verdict IS NULL THEN epoch + 1 ELSE run_epoch END,
		attempt = attempt + CASE WHEN verdict IS NULL THEN 1 ELSE 0 END
`

// claimPicked takes those that the query "picked" chose.
const claimPicked = claimRows + ` FROM picked WHERE id = picked_id`

const claimReturns = ` RETURNING ` + allColumns

// Claim makes the worker the one that runs the jobs, and returns them under
// their new epochs with their args, oldest first. Jobs
// that are not returned are not the worker's: they are not due, run elsewhere,
// have ended, or may not start now (queue paused, past a time limit, in
// isolation).
//
// A worker that has not joined, or is gone, is answered job.ErrLeaseLost. After
// any other error the jobs may have been claimed all the same: the worker's
// next Claim or Renew over this Ledger hands those back.
func (l *Ledger) Claim(ctx context.Context, worker string, ids []job.ID) ([]job.Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	return l.claim(ctx, l.queries.claim, worker, named{"ids": l.dialect.list(ids)})
}

func (l *Ledger) claimQuery() string {
	// Rows that somebody else is just changing are waited for, not skipped:
	// to lock them first would cost a write more for each, and nobody holds
	// rows that match for longer than a statement.
	return claimRows + ` WHERE id ` + l.dialect.among("?ids") + ` AND ` + knownStartable + ` AND run_at <= ?now AND ` + workerLives + `
		AND (verdict IS NOT NULL OR (crashes < ?isolation AND ` + inTime + `
			AND queue NOT IN (SELECT name FROM asyncops_queues WHERE paused)))` + claimReturns
}

// ClaimDue is Claim for the jobs of a queue that have waited longest,
// whether or not a doorbell rings for them. It needs nobody to ring.
func (l *Ledger) ClaimDue(ctx context.Context, worker, queue string, limit int) ([]job.Job, error) {
	if limit <= 0 {
		return nil, nil
	}
	return l.claim(ctx, l.queries.claimDue, worker, named{"queue": queue, "limit": limit})
}

func (l *Ledger) claimDueQuery() string {
	return `WITH ` + l.pick("sealing", `queue = ?queue AND `+workerLives+` AND `+sealable, "run_at") +
		`, ` + l.pick("rung", claimable+` AND rung_at > 0`, "rung_at, run_at") +
		`, ` + l.pick("unrung", claimable+` AND rung_at = 0`, "run_at") +
		`, picked AS (SELECT picked_id FROM sealing UNION ALL SELECT picked_id FROM rung
			UNION ALL SELECT picked_id FROM unrung LIMIT ?limit) ` + claimPicked + claimReturns
}

// ClaimIsolated is Claim for one job, of any of the queues, that was running at
// more than one of its workers' deaths. Whoever calls it runs no second such
// job beside it, so that the one which kills its worker is found out.
func (l *Ledger) ClaimIsolated(ctx context.Context, worker string, queues []string) ([]job.Job, error) {
	const where = isolated + ` AND queue IN (?queues) AND queue NOT IN (SELECT name FROM asyncops_queues WHERE paused) AND ` + workerLives
	query := l.timed(`WITH ` + l.pick("picked", where, "run_at") + ` ` + claimPicked + claimReturns)
	return l.claim(ctx, &statement{text: query}, worker, named{"queues": bun.List(queues), "limit": 1})
}

// pick is a WITH query of the ids of rows, at most ?limit, that nobody else holds.
func (l *Ledger) pick(name, where, order string) string {
	return name + ` AS ` + l.dialect.materialized + ` (SELECT id AS picked_id FROM asyncops_jobs WHERE ` + where +
		` ORDER BY ` + order + ` LIMIT ?limit ` + l.dialect.skipLocked + `)`
}

// claim takes what the statement says.
func (l *Ledger) claim(ctx context.Context, s *statement, worker string, args named) ([]job.Job, error) {
	if err := l.settle(ctx, worker); err != nil {
		return nil, l.wrap(err, "hand back what %s may have claimed", worker)
	}
	claim := rand.Int64()
	args["worker"], args["claim"], args["isolation"] = worker, claim, job.IsolationCrashes
	var rows []row
	err := l.again(ctx, func() error {
		rows = rows[:0]
		return s.scan(ctx, l.write, args, &rows)
	})
	if err == nil && len(rows) == 0 {
		return nil, l.wrap(l.lives(ctx, worker), "claim for %s", worker)
	}
	var jobs []job.Job
	if err == nil {
		jobs, err = jobsOf(rows)
	}
	if err != nil {
		if !l.dialect.refused(err) {
			l.doubts.add(worker, claim)
		}
		return nil, l.wrap(err, "claim for %s", worker)
	}
	slices.SortFunc(jobs, func(a, b job.Job) int { return cmp.Or(a.RunAt.Compare(b.RunAt), cmp.Compare(a.ID, b.ID)) })
	return jobs, nil
}

// lives returns job.ErrLeaseLost for a worker that may not claim.
func (l *Ledger) lives(ctx context.Context, worker string) error {
	var states []WorkerState
	err := l.read.NewRaw(`SELECT state FROM asyncops_workers WHERE id = ?`, worker).Scan(ctx, &states)
	if err == nil && (len(states) == 0 || states[0] == WorkerGone) {
		return job.ErrLeaseLost
	}
	return err
}
