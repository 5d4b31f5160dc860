package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Finish writes how runs ended, all in one transaction, and returns the ids
// that it did not touch because their run had been superseded: the job is not
// active any more, or under another epoch. The caller's work on those counts
// for nothing.
//
// A job that a caller wanted to cancel and that would run again gets the
// verdict canceled instead.
//
// Finish may be repeated after an error: what an earlier try wrote is then
// reported as superseded, and only then.
func (l *Ledger) Finish(ctx context.Context, outcomes []job.Outcome) (superseded []job.ID, err error) {
	if len(outcomes) == 0 {
		return nil, nil
	}
	outcomes = slices.Clone(outcomes)
	slices.SortFunc(outcomes, func(a, b job.Outcome) int { return cmp.Compare(a.Job, b.Job) })
	query, args, err := l.finishQuery(outcomes)
	if err != nil {
		return nil, l.wrap(err, "finish")
	}
	var written []job.ID
	if !slices.ContainsFunc(outcomes, keepsAttempt) {
		err = l.again(func() error {
			written = written[:0]
			return l.write.NewRaw(query, args...).Scan(ctx, &written)
		})
	} else {
		err = l.transact(ctx, func(tx bun.Tx) error {
			written = written[:0]
			if err := tx.NewRaw(query, args...).Scan(ctx, &written); err != nil {
				return err
			}
			return l.keepAttempts(ctx, tx, outcomes, written)
		})
	}
	if err != nil {
		return nil, l.wrap(err, "finish %d jobs", len(outcomes))
	}
	if len(written) == len(outcomes) {
		return nil, nil
	}
	for _, o := range outcomes {
		if !slices.Contains(written, o.Job) {
			superseded = append(superseded, o.Job)
		}
	}
	return superseded, nil
}

// keepsAttempt reports whether the run needs a row of its own: another run
// will take its place in the job's row.
func keepsAttempt(o job.Outcome) bool { return o.State == job.Retry }

// finishSet is what a finished run changes. v_ columns come from the outcomes.
const finishSet = ` UPDATE asyncops_jobs SET
	state = CASE WHEN v_again AND cancel_requested THEN 'pending' ELSE v_state END,
	verdict = CASE WHEN v_again AND cancel_requested THEN ? END,
	run_at = CASE WHEN v_again AND NOT cancel_requested THEN ?now + v_delay WHEN v_again THEN ?now ELSE run_at END,
	attempt = attempt - CASE WHEN v_state IN ('parked', 'pending') AND attempt > 0 THEN 1 ELSE 0 END,
	result = v_result, error_code = v_code, error_message = v_message, error_private = v_private,
	summary = v_summary, parked = v_parked,
	cancel_requested = cancel_requested AND NOT v_again,
	finished_at = CASE WHEN v_again THEN NULL ELSE ?now END,
	purge_at = CASE WHEN v_again THEN NULL ELSE ?now + coalesce(retention, ?retention) END
	FROM v WHERE id = v_id AND epoch = v_epoch AND state = 'active' RETURNING id`

// finishQuery builds the one statement that writes all outcomes.
func (l *Ledger) finishQuery(outcomes []job.Outcome) (string, []any, error) {
	d := l.dialect
	line := "(" + strings.Join([]string{d.uuid, d.integer, d.text, d.boolean, d.integer, d.text, d.text, d.text,
		d.boolean, d.text, d.text}, ", ") + ")"
	var b strings.Builder
	b.WriteString(`WITH v (v_id, v_epoch, v_state, v_again, v_delay, v_result, v_code, v_message, v_private, v_summary, v_parked) AS (VALUES `)
	args := make([]any, 0, 11*len(outcomes)+1)
	for i, o := range outcomes {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(line)
		e := o.Error
		if e == nil {
			e = &job.Error{}
		}
		args = append(args, string(o.Job), o.Epoch, string(o.State), !o.State.Terminal(), o.Delay.Microseconds(),
			orNull(string(o.Result)), orNull(string(e.Code)), orNull(e.Message), e.Private,
			orNull(string(o.Summary)), orNull(string(o.Parked)))
	}
	b.WriteString(")")
	canceled, err := json.Marshal(canceledVerdict)
	if err != nil {
		return "", nil, err
	}
	args = append(args, string(canceled))
	set := strings.NewReplacer("?now", d.now, "?retention", strconv.FormatInt(l.cfg.Retention.Microseconds(), 10)).Replace(finishSet)
	b.WriteString(set)
	return b.String(), args, nil
}

// canceledVerdict is the end of a job that was asked to stop between its runs.
var canceledVerdict = verdict{State: job.Canceled, Code: job.CodeCanceled, Message: "canceled by a caller"}

// keepAttempts copies the runs that were just written out of their jobs' rows.
func (l *Ledger) keepAttempts(ctx context.Context, tx bun.Tx, outcomes []job.Outcome, written []job.ID) error {
	var ids []job.ID
	for _, o := range outcomes {
		if keepsAttempt(o) && slices.Contains(written, o.Job) {
			ids = append(ids, o.Job)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, copyAttempt+` WHERE id IN (?) ON CONFLICT DO NOTHING`,
		bun.Safe(l.dialect.now), string(job.Retry), bun.In(ids))
	return err
}

// copyAttempt writes the last run of jobs as attempts that ended now with the
// outcome given; the caller adds which jobs.
const copyAttempt = `INSERT INTO asyncops_attempts (job_id, epoch, number, generation, worker, started_at, finished_at,
		outcome, error_code, error_message, error_private, summary)
	SELECT id, epoch, attempt, generation, worker, started_at, ?, ?, error_code, error_message, error_private, summary
	FROM asyncops_jobs`
