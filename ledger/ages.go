package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Age is how long the oldest due job of a queue had waited, at the most, in a
// span of time.
type Age struct {
	Queue  string
	At     time.Time // when the span begins
	Oldest time.Duration
}

// keepGreatest is what becomes of an age that is noted already: to note the
// same again changes nothing, whoever does it.
const keepGreatest = ` ON CONFLICT (step, at, queue) DO UPDATE SET oldest = EXCLUDED.oldest WHERE EXCLUDED.oldest > asyncops_ages.oldest`

// NoteAges keeps the ages for the present minute. Any number of processes may
// note what they saw; the greatest counts.
func (l *Ledger) NoteAges(ctx context.Context, ages []QueueAge) error {
	if len(ages) == 0 {
		return nil
	}
	values := ""
	args := make([]any, 0, 3*len(ages))
	for i, a := range ages {
		if i > 0 {
			values += `, `
		}
		values += `(?, ?now - ?now % 60000000, ?, ?)`
		args = append(args, int64(ladder[0].step/time.Second), a.Queue, a.Oldest.Microseconds())
	}
	_, err := l.exec(ctx, `INSERT INTO asyncops_ages (step, at, queue, oldest) VALUES `+values+keepGreatest, args...)
	return l.wrap(err, "note the ages of %d queues", len(ages))
}

// Ages returns what was noted in spans that begin at from or later, of the named
// queues, of all when none is named. A span without any is one in which nobody
// looked.
func (l *Ledger) Ages(ctx context.Context, from time.Time, queues []string) ([]Age, error) {
	var rows []struct {
		At     micros
		Queue  string
		Oldest int64
	}
	q := l.read.NewSelect().Table("asyncops_ages").Column("at", "queue", "oldest").Where("step IN (?)", bun.List(ladderSteps())).Where("at >= ?", microsOf(from))
	if len(queues) > 0 {
		q.Where("queue IN (?)", bun.List(queues))
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "read the ages of queues")
	}
	ages := make([]Age, len(rows))
	for i, r := range rows {
		ages[i] = Age{Queue: r.Queue, At: r.At.time(), Oldest: time.Duration(r.Oldest) * time.Microsecond}
	}
	return ages, nil
}

// foldAges folds what has grown old into longer spans, and deletes what is kept
// no longer.
func (l *Ledger) foldAges(ctx context.Context) error {
	for i, r := range ladder[:len(ladder)-1] {
		if err := l.foldAgesOf(ctx, r, ladder[i+1].step); err != nil {
			return err
		}
	}
	last := ladder[len(ladder)-1]
	_, err := l.exec(ctx, `DELETE FROM asyncops_ages WHERE step = ? AND at < ?now - ?`, int64(last.step/time.Second), last.kept.Microseconds())
	return err
}

// foldAgesOf folds all spans of r that are old enough into those of the step
// into. To fold the same twice gives the same.
func (l *Ledger) foldAgesOf(ctx context.Context, r rung, into time.Duration) error {
	step, size := int64(r.step/time.Second), into.Microseconds()
	var now []int64
	const due = `SELECT ?now FROM asyncops_ages WHERE step = ? AND at < ?now - ? LIMIT 1`
	if err := l.read.NewRaw(l.timed(due), step, r.kept.Microseconds()+size).Scan(ctx, &now); err != nil || len(now) == 0 {
		return err
	}
	end := now[0] - r.kept.Microseconds()
	end -= end % size // only whole spans
	return l.transact(ctx, func(tx bun.Tx) error {
		const fold = `INSERT INTO asyncops_ages (step, at, queue, oldest) SELECT ?, at - at % ?, queue, max(oldest) FROM asyncops_ages
			WHERE step = ? AND at < ? GROUP BY 2, 3 ORDER BY 2, 3` + keepGreatest
		if _, err := tx.ExecContext(ctx, fold, int64(into/time.Second), size, step, end); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM asyncops_ages WHERE step = ? AND at < ?`, step, end)
		return err
	})
}
