package ledger

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Cancel stops a job. One that does not run ends at once, unless its target
// must be sealed first; one that runs is asked to stop. The state of the
// returned job tells which: job.Canceled, or another while it is stopping. One
// that is only waiting to be sealed keeps the end that it gets.
// job.ErrNotFound and job.ErrTerminal come back as they say; asking twice is
// no error.
func (l *Ledger) Cancel(ctx context.Context, id job.ID) (*job.Job, error) {
	err := l.audited(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case state.Terminal():
			return job.ErrTerminal
		case state == job.Active:
			_, err = tx.ExecContext(ctx, `UPDATE asyncops_jobs SET cancel_requested = true WHERE id = ?`, id)
		default:
			_, err = l.end(ctx, tx, []job.ID{id}, canceledVerdict)
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
// attempts: one that was archived, canceled, expired or is unknown. what, if
// not nil, replaces the job's own args and what they bring; without, what its
// runs have got done stays. Its deadline and expires_at, which have
// passed or would, are gone. Any other job answers job.ErrNotRevivable.
func (l *Ledger) Revive(ctx context.Context, id job.ID, what *job.Work) (*job.Job, error) {
	err := l.audited(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if !job.Legal(state, job.Pending) || !state.Terminal() {
			return job.ErrNotRevivable
		}
		const keep = copyAttempt + ` WHERE id = ? AND run_epoch > 0 ON CONFLICT DO NOTHING`
		if _, err := tx.ExecContext(ctx, keep, bun.Safe("finished_at"), string(state), id); err != nil {
			return err
		}
		const query = `UPDATE asyncops_jobs SET state = 'pending', generation = generation + 1, attempt = 0, crashes = 0,
				epoch = epoch + 1, run_epoch = 0, run_at = ?now, rung_at = 0, doorbell = NULL, deadline = NULL, expires_at = NULL,
				started_at = NULL, finished_at = NULL, purge_at = NULL, verdict = NULL, cancel_requested = false,
				parked = NULL, parked_on = NULL, progress = NULL, summary = NULL, error_code = NULL, error_message = NULL, error_private = false,
				args = coalesce(?args, args), result = CASE WHEN ?args IS NULL THEN result END,
				key_generation = CASE WHEN ?args IS NULL THEN key_generation ELSE generation + 1 END,
				delivery = coalesce(?delivery, delivery), run_once = coalesce(?run_once, run_once)
			WHERE id = ?id`
		set := struct {
			Args     *string       `bun:"args"`
			Delivery *job.Delivery `bun:"delivery"`
			RunOnce  *bool         `bun:"run_once"`
			ID       job.ID        `bun:"id"`
		}{ID: id}
		if what != nil {
			args := string(what.Args)
			set.Args, set.Delivery, set.RunOnce = &args, &what.Delivery, &what.RunOnce
		}
		_, err = tx.NewRaw(l.timed(query), set).Exec(ctx)
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
	err := l.audited(ctx, func(tx bun.Tx) error {
		state, err := l.lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !state.Terminal():
			return job.ErrNotTerminal
		}
		_, err = l.delete(ctx, tx, `WHERE id = ?`, id)
		return err
	})
	return l.wrap(err, "delete %s", id)
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
	rows, err := l.rowsByIDs(ctx, ids)
	if err != nil {
		return nil, err
	}
	return l.explained(ctx, rows)
}

func (l *Ledger) rowsByIDs(ctx context.Context, ids []job.ID) ([]row, error) {
	var rows []row
	err := l.read.NewRaw(`SELECT `+allColumns+` FROM asyncops_jobs WHERE id ?`, l.among(ids)).Scan(ctx, &rows)
	return rows, err
}

// Ended returns those of the jobs that have ended, and those that are gone,
// without a state, as events. It reads no payload.
func (l *Ledger) Ended(ctx context.Context, ids []job.ID) ([]job.Event, error) {
	var found []job.Event
	err := l.read.NewRaw(`SELECT id AS job, state FROM asyncops_jobs WHERE id ?`, l.among(ids)).Scan(ctx, &found)
	if err != nil {
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
