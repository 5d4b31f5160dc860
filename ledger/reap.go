package ledger

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// maxReap bounds one transaction of the reaper.
const maxReap = 500

// Reap takes their jobs from workers whose lease has ended, or that left
// without handing them back: epoch+1, crashes+1, no attempt counted, pending
// again. Those that must run once only are unknown instead. Jobs at their job.MaxCrashes-th death are archived as poison, and
// those that a caller wanted to stop are canceled, after the target has been
// sealed where the job's effect is exactly once. It returns the jobs' events;
// call it again at once while there are as many as one call takes. Any number
// of processes may reap.
func (l *Ledger) Reap(ctx context.Context) ([]job.Event, error) {
	const expired = `UPDATE asyncops_workers SET state = 'gone', lost_at = ?now WHERE state <> 'gone' AND lease_until < ?now`
	if _, err := l.exec(ctx, expired); err != nil {
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
	if err != nil {
		return nil, l.wrap(err, "reap")
	}
	return events, nil
}

// poisonVerdict is the end of a job at its job.MaxCrashes-th death.
var poisonVerdict = verdict{State: job.Archived, Code: job.CodePoison, Message: "it was running at three deaths of its worker"}

// lostVerdict is the end of a job that must run once only and whose run was
// lost.
var lostVerdict = verdict{State: job.Unknown, Code: job.CodeAmbiguous, Message: "its worker was lost while a request may have been under way, which is not safe to repeat"}

// reapJobs takes active jobs, whose rows the transaction holds, from their
// workers. A run that was only to seal is no attempt, keeps its verdict and
// costs the job nothing.
func (l *Ledger) reapJobs(ctx context.Context, tx bun.Tx, ids []job.ID) ([]job.Event, error) {
	const keep = `INSERT INTO asyncops_attempts (job_id, epoch, number, generation, worker, started_at, finished_at,
			outcome, error_code, error_message)
		SELECT id, epoch, attempt, generation, worker, started_at, ?now, 'lost', ?, ?
		FROM asyncops_jobs WHERE id ? AND run_epoch = epoch ON CONFLICT DO NOTHING`
	_, err := tx.ExecContext(ctx, l.timed(keep), string(job.CodeWorkerLost), "the worker's lease ended during this attempt", l.among(ids))
	if err != nil {
		return nil, err
	}
	const back = `UPDATE asyncops_jobs SET epoch = epoch + 1, state = 'pending', run_at = ?now, doorbell = NULL, rung_at = 0,
			attempt = attempt - CASE WHEN verdict IS NULL AND attempt > 0 THEN 1 ELSE 0 END,
			crashes = crashes + CASE WHEN verdict IS NULL THEN 1 ELSE 0 END,
			cancel_requested = cancel_requested AND verdict IS NULL
		WHERE id ? RETURNING id, kind, queue, crashes, cancel_requested, run_once, verdict IS NOT NULL AS sealing`
	var reaped []struct {
		ID              job.ID
		Kind, Queue     string
		Crashes         int
		RunOnce         bool
		CancelRequested bool
		Sealing         bool
	}
	if err := tx.NewRaw(l.timed(back), l.among(ids)).Scan(ctx, &reaped); err != nil {
		return nil, err
	}
	var poison, doubtful, canceled []job.ID
	var events []job.Event
	for _, r := range reaped {
		switch {
		case !r.Sealing && r.Crashes >= job.MaxCrashes:
			poison = append(poison, r.ID)
		case !r.Sealing && r.RunOnce:
			doubtful = append(doubtful, r.ID)
		case !r.Sealing && r.CancelRequested:
			canceled = append(canceled, r.ID)
		default:
			events = append(events, job.Event{Job: r.ID, State: job.Pending, Kind: r.Kind, Queue: r.Queue})
		}
	}
	dead, err := l.end(ctx, tx, poison, poisonVerdict)
	if err != nil {
		return nil, err
	}
	unknown, err := l.end(ctx, tx, doubtful, lostVerdict)
	if err != nil {
		return nil, err
	}
	stopped, err := l.end(ctx, tx, canceled, canceledVerdict)
	return slices.Concat(events, dead, unknown, stopped), err
}

// Lapse ends jobs whose time is over: those not started by their expires_at
// expire, those past their deadline are archived. A job that has run before,
// and may yet take effect by a run that is only believed dead, is sealed first:
// it moves to pending. Lapse returns the events of those it moved; call it
// again at once while there are as many as one call takes.
func (l *Ledger) Lapse(ctx context.Context) ([]job.Event, error) {
	var events []job.Event
	for _, rule := range []struct {
		where, order string
		end          verdict
	}{
		{
			where: "expires_at IS NOT NULL AND epoch = 0 AND finished_at IS NULL AND expires_at <= ?now AND state IN ('waiting', 'scheduled', 'pending')",
			order: "expires_at",
			end:   verdict{State: job.Expired, Code: job.CodeExpired, Message: "not started by expires_at"},
		},
		{ // it was taken, and did not begin: there was no room in its target
			where: "expires_at IS NOT NULL AND parked_on IS NOT NULL AND started_at IS NULL AND state = 'parked' AND expires_at <= ?now",
			order: "expires_at",
			end:   verdict{State: job.Expired, Code: job.CodeExpired, Message: "not started by expires_at"},
		},
		{
			where: "deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?now AND verdict IS NULL AND state IN ('waiting', 'scheduled', 'pending', 'retry', 'parked')",
			order: "deadline",
			end:   verdict{State: job.Archived, Code: job.CodeDeadlineExceeded, Message: "the deadline passed before it completed"},
		},
	} {
		var ended []job.Event
		err := l.transact(ctx, func(tx bun.Tx) error {
			ended = nil
			var ids []job.ID
			query := `SELECT id FROM asyncops_jobs WHERE ` + rule.where + ` ORDER BY ` + rule.order + ` LIMIT ? ` + l.dialect.skipLocked
			if err := tx.NewRaw(l.timed(query), maxReap).Scan(ctx, &ids); err != nil || len(ids) == 0 {
				return err
			}
			var err error
			ended, err = l.end(ctx, tx, ids, rule.end)
			return err
		})
		if err != nil {
			return events, l.wrap(err, "lapse")
		}
		events = append(events, ended...)
	}
	return events, nil
}

// end ends jobs that do not run, whose rows the transaction holds. Those whose
// target must be sealed first, because a run that is only believed dead may yet
// take effect there, get the verdict and are claimed for it.
func (l *Ledger) end(ctx context.Context, tx bun.Tx, ids []job.ID, end verdict) ([]job.Event, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	text, err := json.Marshal(end)
	if err != nil {
		return nil, err
	}
	const seal = `(started_at IS NOT NULL AND delivery = 'exactly_once_effect')`
	const query = `UPDATE asyncops_jobs SET doorbell = NULL, rung_at = 0, parked = NULL, parked_on = NULL, cancel_requested = false,
			state = CASE WHEN ` + seal + ` THEN 'pending' ELSE ?state END,
			verdict = CASE WHEN ` + seal + ` THEN coalesce(verdict, ?verdict) END,
			run_at = CASE WHEN ` + seal + ` THEN ?now ELSE run_at END,
			error_code = CASE WHEN ` + seal + ` THEN error_code ELSE ?code END,
			error_message = CASE WHEN ` + seal + ` THEN error_message ELSE ?message END,
			error_private = ` + seal + ` AND error_private,
			finished_at = CASE WHEN ` + seal + ` THEN NULL ELSE ?now END,
			purge_at = CASE WHEN ` + seal + ` THEN NULL ELSE ?now + coalesce(retention, ?retention) END
		WHERE id ?ids RETURNING id AS job, state, kind, queue`
	var events []job.Event
	err = tx.NewRaw(l.timed(query), struct {
		State     string `bun:"state"`
		Verdict   string `bun:"verdict"`
		Code      string `bun:"code"`
		Message   string `bun:"message"`
		Retention int64  `bun:"retention"`
		IDs       any    `bun:"ids"`
	}{string(end.State), string(text), string(end.Code), end.Message, l.cfg.Retention.Microseconds(), l.among(ids)}).
		Scan(ctx, &events)
	return events, err
}
