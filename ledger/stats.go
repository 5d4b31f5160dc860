package ledger

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// rung is one step of the ladder of spans: what is counted in minutes is folded
// into longer spans as it grows old, so that ninety days are few rows.
type rung struct {
	step time.Duration
	kept time.Duration // from the end of a span of the next step; it lies in one
}

// ladder has the shortest step first. What the last keeps is deleted then.
var ladder = []rung{
	{time.Minute, 3 * time.Hour},
	{10 * time.Minute, 50 * time.Hour},
	{time.Hour, 8 * 24 * time.Hour},
	{24 * time.Hour, 91 * 24 * time.Hour},
}

// StatsStep is the shortest span in which everything of a window as long as
// that is kept.
func StatsStep(window time.Duration) time.Duration {
	for _, r := range ladder {
		if window+r.step <= r.kept {
			return r.step
		}
	}
	return ladder[len(ladder)-1].step
}

// ladderSteps are all steps of the ladder, in seconds.
func ladderSteps() []int64 {
	steps := make([]int64, len(ladder))
	for i, r := range ladder {
		steps[i] = int64(r.step / time.Second)
	}
	return steps
}

// maxFolds is how many spans of each step one call of Prune folds.
const maxFolds = 20

// statsRow is one line of asyncops_stats.
type statsRow struct {
	bun.BaseModel `bun:"table:asyncops_stats"`

	Step      int64  `bun:"step"`
	At        micros `bun:"at"`
	Queue     string `bun:"queue"`
	Kind      string `bun:"kind"`
	Source    string `bun:"source"`
	Submitted int64  `bun:"submitted"`
	Retried   int64  `bun:"retried"`
	Completed int64  `bun:"completed"`
	Archived  int64  `bun:"archived"`
	Canceled  int64  `bun:"canceled"`
	Expired   int64  `bun:"expired"`
	Unknown   int64  `bun:"unknown"`
	Wait      string `bun:"wait"`
	Run       string `bun:"run"`
}

const statsColumns = `step, at, queue, kind, source, submitted, retried, completed, archived, canceled, expired, unknown, wait, run`

func statsRowOf(source string, t *job.Tally) statsRow {
	return statsRow{
		Step: int64(t.Step / time.Second), At: microsOf(t.At), Queue: t.Queue, Kind: t.Kind, Source: source,
		Submitted: t.Submitted, Retried: t.Retried, Completed: t.Completed, Archived: t.Archived, Canceled: t.Canceled, Expired: t.Expired,
		Unknown: t.Unknown, Wait: t.Wait.String(), Run: t.Run.String(),
	}
}

func (r *statsRow) tally() (job.Tally, error) {
	t := job.Tally{
		At: r.At.time(), Step: time.Duration(r.Step) * time.Second, Queue: r.Queue, Kind: r.Kind,
		Submitted: r.Submitted, Retried: r.Retried, Completed: r.Completed, Archived: r.Archived, Canceled: r.Canceled, Expired: r.Expired, Unknown: r.Unknown,
	}
	var err, err2 error
	t.Wait, err = job.ParseHistogram(r.Wait)
	t.Run, err2 = job.ParseHistogram(r.Run)
	return t, errors.Join(err, err2)
}

// WriteTallies keeps what the source has counted so far, in place of what it
// said before of the same spans: to write again after a lost answer counts
// nothing twice.
func (l *Ledger) WriteTallies(ctx context.Context, source string, tallies []job.Tally) error {
	rows := make([]statsRow, len(tallies))
	for i := range tallies {
		rows[i] = statsRowOf(source, &tallies[i])
	}
	for part := range slices.Chunk(rows, 100) {
		err := l.again(ctx, func() error {
			_, err := l.write.NewInsert().Model(&part).On("CONFLICT (step, at, queue, kind, source) DO UPDATE").
				Set(`submitted = EXCLUDED.submitted, retried = EXCLUDED.retried, completed = EXCLUDED.completed, archived = EXCLUDED.archived,
					canceled = EXCLUDED.canceled, expired = EXCLUDED.expired, unknown = EXCLUDED.unknown, wait = EXCLUDED.wait, run = EXCLUDED.run`).
				Returning("NULL").Exec(ctx)
			return err
		})
		if err != nil {
			return l.wrap(err, "write %d tallies", len(tallies))
		}
	}
	return nil
}

// Tallies returns what was counted in spans that begin at from or later, of the
// named queues and kinds, of all where none is named. Nothing is in two of them.
func (l *Ledger) Tallies(ctx context.Context, from time.Time, queues, kinds []string) ([]job.Tally, error) {
	var rows []statsRow
	q := l.read.NewSelect().Model(&rows).Where("step IN (?)", bun.List(ladderSteps())).Where("at >= ?", microsOf(from))
	if len(queues) > 0 {
		q.Where("queue IN (?)", bun.List(queues))
	}
	if len(kinds) > 0 {
		q.Where("kind IN (?)", bun.List(kinds))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, l.wrap(err, "read tallies")
	}
	tallies, err := talliesOf(rows)
	return tallies, l.wrap(err, "read tallies")
}

func talliesOf(rows []statsRow) ([]job.Tally, error) {
	tallies := make([]job.Tally, len(rows))
	for i := range rows {
		var err error
		if tallies[i], err = rows[i].tally(); err != nil {
			return nil, err
		}
	}
	return tallies, nil
}

// foldTallies folds what has grown old into longer spans, and deletes what is
// kept no longer.
func (l *Ledger) foldTallies(ctx context.Context) error {
	for i, r := range ladder[:len(ladder)-1] {
		for range maxFolds {
			folded, err := l.fold(ctx, r, ladder[i+1].step)
			if err != nil {
				return err
			}
			if !folded {
				break
			}
		}
	}
	last := ladder[len(ladder)-1]
	_, err := l.exec(ctx, `DELETE FROM asyncops_stats WHERE step = ? AND at < ?now - ?`, int64(last.step/time.Second), last.kept.Microseconds())
	return err
}

// fold folds the oldest spans of r that are old enough into one of the step
// into; false when there are none. Whoever deletes the rows writes their sum.
func (l *Ledger) fold(ctx context.Context, r rung, into time.Duration) (folded bool, err error) {
	step, size := int64(r.step/time.Second), into.Microseconds()
	var oldest []int64
	query := l.timed(`SELECT at FROM asyncops_stats WHERE step = ? AND at < ?now - ? ORDER BY at LIMIT 1`)
	if err := l.read.NewRaw(query, step, (r.kept+into).Microseconds()).Scan(ctx, &oldest); err != nil || len(oldest) == 0 {
		return false, err
	}
	begin := oldest[0] - oldest[0]%size
	err = l.transact(ctx, func(tx bun.Tx) error {
		var rows []statsRow
		const take = `DELETE FROM asyncops_stats WHERE step = ? AND at >= ? AND at < ? OR step = ? AND at = ? RETURNING ` + statsColumns
		if err := tx.NewRaw(take, step, begin, begin+size, int64(into/time.Second), begin).Scan(ctx, &rows); err != nil || len(rows) == 0 {
			return err
		}
		tallies, err := talliesOf(rows)
		if err != nil {
			return err
		}
		type name struct{ queue, kind string }
		sums := map[name]*job.Tally{}
		for i := range tallies {
			t := &tallies[i]
			sum := sums[name{t.Queue, t.Kind}]
			if sum == nil {
				sum = &job.Tally{At: micros(begin).time(), Step: into, Queue: t.Queue, Kind: t.Kind}
				sums[name{t.Queue, t.Kind}] = sum
			}
			sum.Merge(t)
		}
		whole := make([]statsRow, 0, len(sums))
		for _, sum := range sums {
			whole = append(whole, statsRowOf("", sum))
		}
		slices.SortFunc(whole, func(a, b statsRow) int { return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Kind, b.Kind)) })
		_, err = tx.NewInsert().Model(&whole).Returning("NULL").Exec(ctx)
		return err
	})
	return err == nil, err
}
