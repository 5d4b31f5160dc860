package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Cancel stops a job. One that does not run ends at once, unless its target
// must be sealed first; one that runs is asked to stop. The state of the
// returned job tells which: job.Canceled, or another while it is stopping.
// job.ErrNotFound and job.ErrTerminal come back as they say; asking twice is
// no error.
func (l *Ledger) Cancel(ctx context.Context, id job.ID) (*job.Job, error) {
	err := l.transact(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case state.Terminal():
			return job.ErrTerminal
		case state == job.Active:
			_, err = tx.ExecContext(ctx, `UPDATE asyncops_jobs SET cancel_requested = true WHERE id = ?`, id)
		default:
			_, err = l.endWaiting(ctx, tx, []job.ID{id}, canceledVerdict)
		}
		return err
	})
	if err != nil {
		return nil, l.wrap(err, "cancel %s", id)
	}
	return l.Get(ctx, id)
}

// lock reads a job's state and keeps others from changing it while the
// transaction lasts.
func (l *Ledger) lock(ctx context.Context, tx bun.Tx, id job.ID) (job.State, error) {
	var states []job.State
	err := tx.NewRaw(`SELECT state FROM asyncops_jobs WHERE id = ? `+l.dialect.forUpdate, id).Scan(ctx, &states)
	if err != nil {
		return "", err
	}
	if len(states) == 0 {
		return "", job.ErrNotFound
	}
	return states[0], nil
}

// Revive runs an ended job again, under the next generation and with all its
// attempts: one that was archived, canceled, expired or is unknown. args, if
// not nil, replaces the job's own. Its deadline and expires_at, which have
// passed or would, are gone. Any other job answers job.ErrNotRevivable.
func (l *Ledger) Revive(ctx context.Context, id job.ID, args json.RawMessage) (*job.Job, error) {
	err := l.transact(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if !job.Legal(state, job.Pending) || !state.Terminal() {
			return job.ErrNotRevivable
		}
		keep := copyAttempt + ` WHERE id = ? AND epoch > 0 AND started_at IS NOT NULL ON CONFLICT DO NOTHING`
		if _, err := tx.ExecContext(ctx, keep, bun.Safe("finished_at"), string(state), id); err != nil {
			return err
		}
		const query = `UPDATE asyncops_jobs SET state = 'pending', generation = generation + 1, attempt = 0, crashes = 0,
				epoch = epoch + 1, run_at = ?now, rung_at = 0, doorbell = NULL, deadline = NULL, expires_at = NULL,
				started_at = NULL, finished_at = NULL, purge_at = NULL, verdict = NULL, cancel_requested = false,
				parked = NULL, result = NULL, summary = NULL, error_code = NULL, error_message = NULL, error_private = false,
				args = coalesce(?args, args),
				key_generation = CASE WHEN ?args IS NULL THEN key_generation ELSE generation + 1 END
			WHERE id = ?id`
		_, err = tx.NewRaw(l.timed(query), struct {
			Args *string `bun:"args"`
			ID   job.ID  `bun:"id"`
		}{orNull(string(args)), id}).Exec(ctx)
		return err
	})
	if err != nil {
		return nil, l.wrap(err, "revive %s", id)
	}
	return l.Get(ctx, id)
}

// Delete removes an ended job with its args, result and attempts. Its
// idempotency key outlives it. job.ErrNotTerminal refuses one that may still run.
func (l *Ledger) Delete(ctx context.Context, id job.ID) error {
	err := l.transact(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !state.Terminal():
			return job.ErrNotTerminal
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM asyncops_jobs WHERE id = ?`, id)
		return err
	})
	return l.wrap(err, "delete %s", id)
}

// Attempts lists the runs of a job that ended in a retryable failure, loss or
// death, and its current or last one, oldest first.
func (l *Ledger) Attempts(ctx context.Context, id job.ID) ([]job.Attempt, error) {
	j, err := l.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []attemptRow
	const query = `SELECT epoch, started_at, finished_at, number, generation, worker, outcome, error_message, summary,
		error_code, error_private FROM asyncops_attempts WHERE job_id = ? ORDER BY epoch`
	if err := l.read.NewRaw(query, id).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "attempts of %s", id)
	}
	attempts := make([]job.Attempt, 0, len(rows)+1)
	for _, r := range rows {
		finished := r.FinishedAt.time()
		a := job.Attempt{
			Number: r.Number, Generation: r.Generation, Worker: r.Worker, StartedAt: r.StartedAt.time(),
			FinishedAt: &finished, Outcome: r.Outcome, Summary: raw(r.Summary),
		}
		if r.ErrorCode != "" {
			a.Error = &job.Error{Code: r.ErrorCode, Message: r.ErrorMessage, Private: r.ErrorPrivate}
		}
		attempts = append(attempts, a)
	}
	kept := slices.ContainsFunc(rows, func(r attemptRow) bool { return r.Epoch == j.Epoch })
	if !kept && (j.State == job.Active || j.State.Terminal()) && !j.StartedAt.IsZero() {
		attempts = append(attempts, lastAttempt(j))
	}
	return attempts, nil
}

// attemptRow is one line of asyncops_attempts.
type attemptRow struct {
	Epoch        int64
	Number       int
	Generation   int
	Worker       string
	StartedAt    micros
	FinishedAt   micros
	Outcome      string
	ErrorCode    job.Code
	ErrorMessage string
	ErrorPrivate bool
	Summary      string
}

// lastAttempt is the run that the job's own row tells of.
func lastAttempt(j *job.Job) job.Attempt {
	a := job.Attempt{
		Number: j.Attempt, Generation: j.Generation, Worker: j.Worker, StartedAt: j.StartedAt,
		Outcome: string(j.State), Error: j.Error, Summary: j.Summary,
	}
	if !j.FinishedAt.IsZero() {
		a.FinishedAt = &j.FinishedAt
	}
	return a
}

// Get returns the job, or job.ErrNotFound.
func (l *Ledger) Get(ctx context.Context, id job.ID) (*job.Job, error) {
	jobs, err := l.byIDs(ctx, []job.ID{id})
	if err != nil {
		return nil, l.wrap(err, "get %s", id)
	}
	if len(jobs) == 0 {
		return nil, l.wrap(job.ErrNotFound, "get %s", id)
	}
	return &jobs[0], nil
}

func (l *Ledger) byIDs(ctx context.Context, ids []job.ID) ([]job.Job, error) {
	var rows []row
	if err := l.read.NewRaw(`SELECT `+allColumns+` FROM asyncops_jobs WHERE id IN (?)`, bun.In(ids)).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	return l.explained(ctx, rows)
}

// Ended returns those of the jobs that have ended, and those that are gone, as
// events. It reads no payload.
func (l *Ledger) Ended(ctx context.Context, ids []job.ID) ([]job.Event, error) {
	var found []job.Event
	err := l.read.NewRaw(`SELECT id AS job, state FROM asyncops_jobs WHERE id IN (?)`, bun.In(ids)).Scan(ctx, &found)
	if err != nil && !errors.Is(err, context.Canceled) {
		return nil, l.wrap(err, "find ended jobs")
	}
	states := make(map[job.ID]job.State, len(found))
	for _, e := range found {
		states[e.Job] = e.State
	}
	var ended []job.Event
	for _, id := range ids {
		if state, ok := states[id]; !ok || state.Terminal() {
			ended = append(ended, job.Event{Job: id, State: state})
		}
	}
	return ended, nil
}
