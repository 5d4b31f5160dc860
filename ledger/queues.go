package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// Queue is a queue as the ledger sees it.
type Queue struct {
	Name   string
	Paused bool
	Counts map[job.State]int // jobs in each state that has any
	// Oldest is when the job that may start and has waited longest became due;
	// zero when none waits.
	Oldest time.Time
	Now    time.Time // the ledger's clock at the time of counting
	// FinishedLastMinute is the number of jobs that ended in the last 60 s.
	FinishedLastMinute int
}

// EnsureQueues makes queues known. Those that are known stay as they are.
func (l *Ledger) EnsureQueues(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	values := strings.TrimSuffix(strings.Repeat("(?), ", len(names)), ", ")
	args := make([]any, len(names))
	for i, name := range slices.Sorted(slices.Values(names)) {
		args[i] = name
	}
	_, err := l.exec(ctx, `INSERT INTO asyncops_queues (name) VALUES `+values+` ON CONFLICT DO NOTHING`, args...)
	return l.wrap(err, "make queues known")
}

// QueueNames lists the queues that are known, in the order of their names.
func (l *Ledger) QueueNames(ctx context.Context) ([]string, error) {
	var names []string
	err := l.read.NewRaw(`SELECT name FROM asyncops_queues ORDER BY name`).Scan(ctx, &names)
	return names, l.wrap(err, "list queues")
}

// Queues counts the jobs of the named queues, of all when none is named, in
// the order of their names. A name that is not known is left out. Counting
// reads every row of the queues that is kept.
func (l *Ledger) Queues(ctx context.Context, names ...string) ([]Queue, error) {
	var known []struct {
		Name   string
		Paused bool
		Now    micros
	}
	query, only := `SELECT name, paused, ?now AS now FROM asyncops_queues`, ""
	var args []any
	if len(names) > 0 {
		only = ` WHERE name IN (?)`
		args = append(args, bun.List(names))
	}
	if err := l.read.NewRaw(l.timed(query+only+` ORDER BY name`), args...).Scan(ctx, &known); err != nil {
		return nil, l.wrap(err, "list queues")
	}
	var counts []struct {
		Queue  string
		State  job.State
		Jobs   int
		Oldest micros
		Recent int
	}
	query = `SELECT queue, state, count(*) AS jobs, min(CASE WHEN run_at <= ?now THEN run_at END) AS oldest,
		count(CASE WHEN finished_at > ?now - 60000000 THEN 1 END) AS recent FROM asyncops_jobs`
	if len(names) > 0 {
		only = ` WHERE queue IN (?)`
	}
	if err := l.read.NewRaw(l.timed(query+only+` GROUP BY queue, state`), args...).Scan(ctx, &counts); err != nil {
		return nil, l.wrap(err, "count queues")
	}
	queues := make([]Queue, len(known))
	for i, k := range known {
		q := Queue{Name: k.Name, Paused: k.Paused, Counts: map[job.State]int{}, Now: k.Now.time()}
		for _, c := range counts {
			if c.Queue != k.Name {
				continue
			}
			q.Counts[c.State] = c.Jobs
			q.FinishedLastMinute += c.Recent
			if oldest := c.Oldest.time(); c.State.Startable() && !oldest.IsZero() && (q.Oldest.IsZero() || oldest.Before(q.Oldest)) {
				q.Oldest = oldest
			}
		}
		queues[i] = q
	}
	return queues, nil
}

// Backlog is what of a queue waits to start, for metrics.
type Backlog struct {
	Queue   string
	Pending int           // jobs that may start
	Oldest  time.Duration // how long the first of them has waited
}

// Backlogs counts what may start now in every known queue. It reads only the
// jobs that wait, and of them only the index.
func (l *Ledger) Backlogs(ctx context.Context) ([]Backlog, error) {
	queues, err := l.QueueNames(ctx)
	if err != nil {
		return nil, err
	}
	backlogs := make([]Backlog, len(queues))
	for i, queue := range queues {
		var row struct {
			Pending int
			Oldest  int64
		}
		const query = `SELECT count(*) AS pending, coalesce(?now - min(run_at), 0) AS oldest FROM asyncops_jobs
			WHERE queue = ? AND run_at <= ?now AND ` + startable
		if err := l.read.NewRaw(l.timed(query), queue).Scan(ctx, &row); err != nil {
			return nil, l.wrap(err, "count the backlog of %s", queue)
		}
		backlogs[i] = Backlog{Queue: queue, Pending: row.Pending, Oldest: max(0, time.Duration(row.Oldest)*time.Microsecond)}
	}
	return backlogs, nil
}

// Parked counts the parked jobs by why they are.
func (l *Ledger) Parked(ctx context.Context) (map[job.WaitReason]int, error) {
	var rows []struct {
		Parked job.WaitReason
		Jobs   int
	}
	const query = `SELECT parked, count(*) AS jobs FROM asyncops_jobs
		WHERE state = 'parked' AND state <> 'completed' GROUP BY parked` // the second condition names the index
	if err := l.read.NewRaw(query).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "count parked jobs")
	}
	counts := make(map[job.WaitReason]int, len(rows))
	for _, r := range rows {
		counts[r.Parked] = r.Jobs
	}
	return counts, nil
}

// PauseQueue stops claims of the queue's jobs, or lets them go on. Jobs that
// run are left alone. An unknown queue answers job.ErrNotFound.
func (l *Ledger) PauseQueue(ctx context.Context, name string, paused bool) error {
	err := l.audited(ctx, func(tx bun.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE asyncops_queues SET paused = ? WHERE name = ?`, paused, name)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return cmp.Or(err, fmt.Errorf("queue %s: %w", name, job.ErrNotFound))
		}
		return nil
	})
	if err != nil {
		return l.wrap(err, "pause queue %s", name)
	}
	l.scene.forget()
	return nil
}
