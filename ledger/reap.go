package ledger

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// maxReap bounds one transaction of the reaper.
const maxReap = 500

// Reap takes their jobs from workers whose lease has ended, or that left
// without handing them back: epoch+1, crashes+1, no attempt counted, pending
// again. Jobs at their job.MaxCrashes-th death are archived as poison, after
// the target has been sealed where the job's effect is exactly once. It
// returns the jobs' events; call it again at once while there are as many as
// one call takes. Any number of processes may reap.
func (l *Ledger) Reap(ctx context.Context) ([]job.Event, error) {
	const expired = `UPDATE asyncops_workers SET state = 'gone' WHERE state <> 'gone' AND lease_until < ?now`
	if _, err := l.write.ExecContext(ctx, l.timed(expired)); err != nil {
		return nil, l.wrap(err, "reap: end leases")
	}
	var events []job.Event
	err := l.transact(ctx, func(tx bun.Tx) error {
		events = nil
		var ids []job.ID
		err := tx.NewRaw(`SELECT id FROM asyncops_jobs WHERE state = 'active'
			AND worker IN (SELECT id FROM asyncops_workers WHERE state = 'gone')
			ORDER BY id LIMIT ? `+l.dialect.skipLocked, maxReap).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return err
		}
		events, err = l.reapJobs(ctx, tx, ids)
		return err
	})
	return events, l.wrap(err, "reap")
}

func (l *Ledger) reapJobs(ctx context.Context, tx bun.Tx, ids []job.ID) ([]job.Event, error) {
	const keep = `INSERT INTO asyncops_attempts (job_id, epoch, number, generation, worker, started_at, finished_at,
			outcome, error_code, error_message)
		SELECT id, epoch, attempt, generation, worker, started_at, ?now, 'lost', ?, ?
		FROM asyncops_jobs WHERE id IN (?) ON CONFLICT DO NOTHING`
	_, err := tx.ExecContext(ctx, l.timed(keep), string(job.CodeWorkerLost), "the worker's lease ended during this attempt", bun.In(ids))
	if err != nil {
		return nil, err
	}
	poison := verdict{State: job.Archived, Code: job.CodePoison, Message: "it was running at three deaths of its worker"}
	sealed, err := json.Marshal(poison)
	if err != nil {
		return nil, err
	}
	canceled, err := json.Marshal(canceledVerdict)
	if err != nil {
		return nil, err
	}
	// A run that was only to seal keeps its verdict and costs the job nothing.
	const back = `UPDATE asyncops_jobs SET epoch = epoch + 1, doorbell = NULL, rung_at = 0, cancel_requested = false,
			attempt = attempt - CASE WHEN verdict IS NULL AND attempt > 0 THEN 1 ELSE 0 END,
			crashes = crashes + CASE WHEN verdict IS NULL THEN 1 ELSE 0 END,
			verdict = CASE WHEN verdict IS NOT NULL THEN verdict
				WHEN crashes + 1 >= ?crashes THEN ?poison
				WHEN cancel_requested THEN ?canceled END,
			state = 'pending', run_at = ?now
		WHERE id IN (?ids) RETURNING id, state`
	var events []job.Event
	err = tx.NewRaw(l.timed(back), struct {
		Crashes  int    `bun:"crashes"`
		Poison   string `bun:"poison"`
		Canceled string `bun:"canceled"`
		IDs      any    `bun:"ids"`
	}{job.MaxCrashes, string(sealed), string(canceled), bun.In(ids)}).Scan(ctx, &events)
	return events, err
}

// Lapse ends jobs whose time is over: those not started by their expires_at
// expire, those past their deadline are archived. A job that has run before,
// and may yet take effect by a run that is only believed dead, is sealed first.
// It returns the events of those that ended.
func (l *Ledger) Lapse(ctx context.Context) ([]job.Event, error) {
	var events []job.Event
	for _, rule := range []lapse{
		{
			where: "expires_at IS NOT NULL AND epoch = 0 AND finished_at IS NULL AND expires_at <= ?now AND state IN ('waiting', 'scheduled', 'pending')",
			end:   verdict{State: job.Expired, Code: job.CodeExpired, Message: "not started by expires_at"},
		},
		{
			where: "deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?now AND verdict IS NULL AND state IN ('waiting', 'scheduled', 'pending', 'retry', 'parked')",
			end:   verdict{State: job.Archived, Code: job.CodeDeadlineExceeded, Message: "the deadline passed before it completed"},
		},
	} {
		err := l.transact(ctx, func(tx bun.Tx) error {
			var ids []job.ID
			query := `SELECT id FROM asyncops_jobs WHERE ` + rule.where + ` ORDER BY id LIMIT ? ` + l.dialect.skipLocked
			if err := tx.NewRaw(l.timed(query), maxReap).Scan(ctx, &ids); err != nil || len(ids) == 0 {
				return err
			}
			ended, err := l.endWaiting(ctx, tx, ids, rule.end)
			events = append(events, ended...)
			return err
		})
		if err != nil {
			return events, l.wrap(err, "lapse")
		}
	}
	return events, nil
}

type lapse struct {
	where string
	end   verdict
}

// endWaiting ends jobs that do not run, whose rows the transaction holds. Those
// whose target must be sealed first get the verdict and are claimed for it.
func (l *Ledger) endWaiting(ctx context.Context, tx bun.Tx, ids []job.ID, end verdict) ([]job.Event, error) {
	text, err := json.Marshal(end)
	if err != nil {
		return nil, err
	}
	const seal = `(epoch > 0 AND delivery = 'exactly_once_effect')`
	const query = `UPDATE asyncops_jobs SET doorbell = NULL, rung_at = 0,
			state = CASE WHEN ` + seal + ` THEN 'pending' ELSE ?state END,
			verdict = CASE WHEN ` + seal + ` THEN ?verdict END,
			run_at = CASE WHEN ` + seal + ` THEN ?now ELSE run_at END,
			error_code = CASE WHEN ` + seal + ` THEN error_code ELSE ?code END,
			error_message = CASE WHEN ` + seal + ` THEN error_message ELSE ?message END,
			finished_at = CASE WHEN ` + seal + ` THEN NULL ELSE ?now END,
			purge_at = CASE WHEN ` + seal + ` THEN NULL ELSE ?now + coalesce(retention, ?retention) END
		WHERE id IN (?ids) RETURNING id, state`
	var events []job.Event
	err = tx.NewRaw(l.timed(query), struct {
		State     string `bun:"state"`
		Verdict   string `bun:"verdict"`
		Code      string `bun:"code"`
		Message   string `bun:"message"`
		Retention int64  `bun:"retention"`
		IDs       any    `bun:"ids"`
	}{string(end.State), string(text), string(end.Code), end.Message, l.cfg.Retention.Microseconds(), bun.In(ids)}).
		Scan(ctx, &events)
	return events, err
}

// Prune deletes what is kept no longer, at most limit of each: ended jobs with
// their attempts, keys of deleted jobs after a day, and workers long gone. It
// returns the number of jobs deleted.
func (l *Ledger) Prune(ctx context.Context, limit int) (int, error) {
	const jobs = `DELETE FROM asyncops_jobs WHERE id IN
		(SELECT id FROM asyncops_jobs WHERE purge_at IS NOT NULL AND purge_at <= ?now ORDER BY purge_at LIMIT ? ?skip)`
	res, err := l.write.ExecContext(ctx, l.timed(jobs), limit, bun.Safe(l.dialect.skipLocked))
	if err != nil {
		return 0, l.wrap(err, "prune jobs")
	}
	const keys = `DELETE FROM asyncops_idempotency WHERE (owner, key) IN
		(SELECT owner, key FROM asyncops_idempotency k WHERE created_at < ?now - ?
			AND NOT EXISTS (SELECT 1 FROM asyncops_jobs j WHERE j.id = k.job_id) ORDER BY created_at LIMIT ?)`
	if _, err := l.write.ExecContext(ctx, l.timed(keys), (24 * time.Hour).Microseconds(), limit); err != nil {
		return 0, l.wrap(err, "prune idempotency keys")
	}
	const workers = `DELETE FROM asyncops_workers WHERE state = 'gone' AND beat_at < ?now - ?
		AND NOT EXISTS (SELECT 1 FROM asyncops_jobs WHERE state = 'active' AND worker = asyncops_workers.id)`
	if _, err := l.write.ExecContext(ctx, l.timed(workers), (24 * time.Hour).Microseconds()); err != nil {
		return 0, l.wrap(err, "prune workers")
	}
	n, err := res.RowsAffected()
	return int(n), l.wrap(err, "prune")
}
