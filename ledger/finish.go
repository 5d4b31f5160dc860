package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Finish writes how runs ended, all in one transaction, and returns the ids
// that it did not touch because their run had been superseded: the job is not
// active any more, or under another epoch. The caller's work on those counts
// for nothing.
//
// A job that a caller wanted to cancel and that would run again gets the
// verdict canceled instead. One that was claimed to be sealed and could not be
// keeps its verdict. Text that no database can hold (NUL, invalid UTF-8) is
// replaced. An outcome without a result leaves what an earlier run has kept.
//
// Finish may be repeated after an error: what an earlier try wrote is then
// reported as superseded, and only then.
func (l *Ledger) Finish(ctx context.Context, outcomes []job.Outcome) (superseded []job.ID, err error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	outcomes = slices.Clone(outcomes)
	slices.SortFunc(outcomes, func(a, b job.Outcome) int { return cmp.Compare(a.Job, b.Job) })
	parking := slices.ContainsFunc(outcomes, parks)
	args, err := l.finishArgs(outcomes, parking)
	if err != nil {
		return nil, l.wrap(err, "finish")
	}
	query := l.queries.finish
	if parking {
		query = l.queries.finishParking
	}
	var written []run
	if !slices.ContainsFunc(outcomes, keepsAttempt) && !slices.ContainsFunc(outcomes, dropsNotes) {
		err = l.again(ctx, func() error {
			written = written[:0]
			return query.scan(ctx, l.write, args, &written)
		})
	} else {
		err = l.transact(ctx, func(tx bun.Tx) error {
			written = written[:0]
			if err := query.scan(ctx, tx, args, &written); err != nil {
				return err
			}
			if err := l.dropNotes(ctx, tx, outcomes, written); err != nil {
				return err
			}
			return l.keepAttempts(ctx, tx, outcomes, written)
		})
	}
	if err != nil {
		return nil, l.wrap(err, "finish %d jobs", len(outcomes))
	}
	done := make(map[run]bool, len(written))
	for _, r := range written {
		done[r] = true
	}
	for _, o := range outcomes {
		if !done[run{o.Job, o.Epoch}] {
			superseded = append(superseded, o.Job)
		}
	}
	return superseded, nil
}

// run is one run of a job.
type run struct {
	ID    job.ID
	Epoch int64
}

// keepsAttempt reports whether the run needs a row of its own: another run
// will take its place in the job's row.
func keepsAttempt(o job.Outcome) bool { return o.State == job.Retry }

// parks reports whether the run leaves its job to wait for a target, or did not
// begin. Few do; the others are spared the columns for it.
func parks(o job.Outcome) bool { return o.ParkedOn != "" || o.Unrun }

// What a finished run changes. v_ columns come from the outcomes, the others
// are those of the row before.
const (
	// A caller wants it stopped, and it would run again.
	finishStops = `(v_again AND cancel_requested AND verdict IS NULL AND v_verdict IS NULL)`
	// Still the outcome's to write. It names a column of v so that the planner
	// cannot take it for a condition of the jobs alone, few of which it would
	// expect to pass: it would begin with all jobs and look for each in v.
	finishActive = `(state = 'active' OR v_id IS NULL)`
	// It ran, but not so that it counts.
	finishUncounted = `(v_state IN ('parked', 'pending') AND verdict IS NULL AND v_verdict IS NULL)`

	finishColumns = `v_id, v_epoch, v_state, v_again, v_delay, v_result, v_code, v_message, v_private, v_summary, v_parked, v_verdict`
	finishPlain   = `
	summary = CASE WHEN run_epoch = epoch THEN v_summary ELSE coalesce(v_summary, summary) END,
	error_code = v_code, error_message = v_message, error_private = v_private, ` + finishRest

	finishParking = `
	summary = CASE WHEN run_epoch = epoch AND NOT v_unrun THEN v_summary ELSE coalesce(v_summary, summary) END,
	error_code = CASE WHEN v_unrun THEN error_code ELSE v_code END,
	error_message = CASE WHEN v_unrun THEN error_message ELSE v_message END,
	error_private = CASE WHEN v_unrun THEN error_private ELSE v_private END,
	parked_on = CASE WHEN ` + finishStops + ` THEN NULL ELSE v_parked_on END,
	started_at = CASE WHEN v_unrun AND epoch = 1 THEN NULL ELSE started_at END, ` + finishRest

	finishRest = `
	state = CASE WHEN ` + finishStops + ` THEN 'pending' ELSE v_state END,
	verdict = CASE WHEN ` + finishStops + ` THEN ?canceled WHEN v_again THEN coalesce(v_verdict, verdict) END,
	run_at = CASE WHEN ` + finishStops + ` THEN ?now WHEN v_again THEN ?now + v_delay ELSE run_at END,
	attempt = attempt - CASE WHEN ` + finishUncounted + ` AND attempt > 0 THEN 1 ELSE 0 END,
	run_epoch = CASE WHEN ` + finishUncounted + ` THEN 0 ELSE run_epoch END,
	result = coalesce(v_result, result), parked = CASE WHEN ` + finishStops + ` THEN NULL ELSE v_parked END,
	cancel_requested = cancel_requested AND NOT v_again,
	finished_at = CASE WHEN v_again THEN NULL ELSE ?now END,
	purge_at = CASE WHEN v_again THEN NULL ELSE ?now + coalesce(retention, ?retention) END
	FROM v WHERE id = v_id AND epoch = v_epoch AND ` + finishActive + ` RETURNING id, epoch`
)

func (l *Ledger) finishQuery(parking bool) string {
	columns, changes := finishColumns, finishPlain
	if parking {
		columns, changes = columns+`, v_parked_on, v_unrun`, finishParking
	}
	return `WITH v (` + columns + `) AS (` + l.dialect.outcomes(parking) + `) UPDATE asyncops_jobs SET ` + changes
}

// finishArgs are the arguments of finishQuery.
func (l *Ledger) finishArgs(outcomes []job.Outcome, parking bool) (named, error) {
	rows := make([]outcome, len(outcomes))
	for i, o := range outcomes {
		e := o.Error
		if e == nil {
			e = &job.Error{}
		}
		end, err := verdictText(o.Verdict)
		if err != nil {
			return nil, err
		}
		rows[i] = outcome{
			id: o.Job, epoch: o.Epoch, state: string(o.State), again: !o.State.Terminal(), delay: o.Delay.Microseconds(),
			result: orNull(storable(string(o.Result))), code: orNull(string(e.Code)), message: orNull(storable(e.Message)),
			private: e.Private, summary: orNull(storable(string(o.Summary))), parked: orNull(string(o.Parked)), verdict: end,
			parkedOn: orNull(o.ParkedOn), unrun: o.Unrun,
		}
	}
	canceled, err := json.Marshal(canceledVerdict)
	args := l.dialect.outcomeArgs(rows, parking)
	args["canceled"], args["retention"] = string(canceled), l.cfg.Retention.Microseconds()
	return args, err
}

// outcome is one row of a finishQuery, in the order of its columns. The last two
// are those of finishParking only.
type outcome struct {
	id              job.ID
	epoch           int64
	state           string
	again           bool // it runs again, or waits to
	delay           int64
	result          *string
	code            *string
	message         *string
	private         bool
	summary         *string
	parked, verdict *string
	parkedOn        *string
	unrun           bool
}

// verdictText is what the column verdict holds.
func verdictText(v *job.Verdict) (*string, error) {
	if v == nil {
		return nil, nil
	}
	record := verdict{State: v.State}
	if v.Error != nil {
		record.Code, record.Message, record.Private = v.Error.Code, storable(v.Error.Message), v.Error.Private
	}
	text, err := json.Marshal(record)
	if err != nil {
		return nil, err
	}
	return orNull(string(text)), nil
}

// canceledVerdict is the end of a job that was asked to stop between its runs.
var canceledVerdict = verdict{State: job.Canceled, Code: job.CodeCanceled, Message: "canceled by a caller"}

// keepAttempts copies the runs that were just written out of their jobs' rows.
func (l *Ledger) keepAttempts(ctx context.Context, tx bun.Tx, outcomes []job.Outcome, written []run) error {
	retried := make(map[run]bool, len(outcomes))
	for _, o := range outcomes {
		retried[run{o.Job, o.Epoch}] = keepsAttempt(o)
	}
	var ids []job.ID
	for _, r := range written {
		if retried[r] {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, copyAttempt+` WHERE id ? AND run_epoch = epoch ON CONFLICT DO NOTHING`,
		bun.Safe(l.dialect.now), string(job.Retry), l.among(ids))
	return err
}

// copyAttempt writes the runs that jobs' rows tell of as attempts that ended
// at the time and with the outcome given; the caller adds which jobs.
const copyAttempt = `INSERT INTO asyncops_attempts (job_id, epoch, number, generation, worker, started_at, finished_at,
		outcome, error_code, error_message, error_private, summary)
	SELECT id, run_epoch, attempt, generation, worker, started_at, ?, ?, error_code, error_message, error_private, summary
	FROM asyncops_jobs`
