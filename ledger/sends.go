package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// NoteSends keeps what the run of the epoch notes of its job's requests. It
// holds the job's row, so that whoever takes the job from the run either sees
// the notes or refuses them: job.ErrLeaseLost, and nothing was noted.
func (l *Ledger) NoteSends(ctx context.Context, id job.ID, epoch int64, sends []job.Send) error {
	if len(sends) == 0 {
		return nil
	}
	sends = slices.Clone(sends)
	slices.SortFunc(sends, func(a, b job.Send) int { return cmp.Compare(a.Index, b.Index) })
	err := l.transact(ctx, func(tx bun.Tx) error {
		// An update of nothing, for SQLite has no other lock on a row, and needs none.
		const hold = `UPDATE asyncops_jobs SET epoch = epoch WHERE id = ? AND epoch = ? AND ` + knownActive + ` RETURNING generation`
		var generation int
		err := tx.NewRaw(hold, id, epoch).Scan(ctx, &generation)
		if errors.Is(err, sql.ErrNoRows) {
			return job.ErrLeaseLost
		}
		if err != nil {
			return err
		}
		const note = `INSERT INTO asyncops_sends (job_id, item, generation, sent_at, doubt, answer) VALUES (?id, ?item, ?generation, ?now - ?ago, ?doubt, ?answer)
			ON CONFLICT (job_id, item) DO UPDATE SET
				answer = coalesce(excluded.answer, CASE WHEN asyncops_sends.generation = excluded.generation THEN asyncops_sends.answer END),
				doubt = excluded.doubt OR (asyncops_sends.doubt AND asyncops_sends.generation = excluded.generation),
				sent_at = CASE WHEN asyncops_sends.generation = excluded.generation AND asyncops_sends.sent_at < excluded.sent_at
					THEN asyncops_sends.sent_at ELSE excluded.sent_at END,
				generation = excluded.generation`
		for _, s := range sends {
			_, err := tx.NewRaw(l.timed(note), struct {
				ID         job.ID  `bun:"id"`
				Item       int     `bun:"item"`
				Generation int     `bun:"generation"`
				Ago        int64   `bun:"ago"`
				Doubt      bool    `bun:"doubt"`
				Answer     *string `bun:"answer"`
			}{id, s.Index, generation, s.Ago.Microseconds(), s.Doubt && s.Answer == nil, orNull(storable(string(s.Answer)))}).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return l.wrap(err, "note %d requests of %s", len(sends), id)
}

// Notes returns what runs of the job have noted since it was last run by hand.
func (l *Ledger) Notes(ctx context.Context, id job.ID) (job.Notes, error) {
	notes := job.Notes{Sends: map[int]job.Noted{}}
	err := l.again(ctx, func() error {
		clear(notes.Sends)
		var rows []struct {
			Item   int
			SentAt micros
			Answer string
		}
		const noted = `SELECT item, sent_at, coalesce(answer, '') AS answer FROM asyncops_sends
			WHERE job_id = ?0 AND generation = (SELECT generation FROM asyncops_jobs WHERE id = ?0)`
		if err := l.write.NewRaw(noted, id).Scan(ctx, &rows); err != nil {
			return err
		}
		for _, r := range rows {
			notes.Sends[r.Item] = job.Noted{Answer: raw(r.Answer), At: r.SentAt.time()}
		}
		var lost sql.NullInt64
		const first = `SELECT min(started_at) FROM asyncops_attempts WHERE job_id = ?0 AND outcome = 'lost'
			AND generation = (SELECT generation FROM asyncops_jobs WHERE id = ?0)`
		if err := l.write.NewRaw(first, id).Scan(ctx, &lost); err != nil {
			return err
		}
		notes.LostAt = micros(lost.Int64).time()
		return nil
	})
	return notes, l.wrap(err, "read the notes of %s", id)
}

// dropsNotes reports whether the outcome has what its run has noted.
func dropsNotes(o job.Outcome) bool { return o.Noted && o.Result != nil }

// dropNotes deletes the notes of which the outcomes just written tell more: all
// but those of requests that nobody can tell about.
func (l *Ledger) dropNotes(ctx context.Context, tx bun.Tx, outcomes []job.Outcome, written []run) error {
	var ids []job.ID
	for _, o := range outcomes {
		if dropsNotes(o) && slices.Contains(written, run{o.Job, o.Epoch}) {
			ids = append(ids, o.Job)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, `DELETE FROM asyncops_sends WHERE (answer IS NOT NULL OR NOT doubt) AND job_id ?`, l.among(ids))
	return err
}
