package ledger

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/asyncops/asyncops/job"
)

// maxFireJobs is about how many jobs one transaction of Fire makes.
const maxFireJobs = 1000

// maxOpen is up to where the open jobs of a schedule are counted.
const maxOpen = job.MaxQueued + 1

// UntilFire returns how long it is until the next fire of any schedule, by the
// ledger's clock: less than zero when it is late. ok is false when none fires.
// The schedules that are named by except do not count.
func (l *Ledger) UntilFire(ctx context.Context, except ...string) (wait time.Duration, ok bool, err error) {
	var until *int64
	query := `SELECT min(next_fire) - ?now FROM asyncops_schedules WHERE next_fire IS NOT NULL ?`
	if err := l.read.NewRaw(l.timed(query), notNamed(except)).Scan(ctx, &until); err != nil {
		return 0, false, l.wrap(err, "look for the next fire")
	}
	if until == nil {
		return 0, false, nil
	}
	return time.Duration(*until) * time.Microsecond, true, nil
}

// notNamed is the condition on schedules that they have none of the names.
func notNamed(names []string) schema.QueryAppender {
	if len(names) == 0 {
		return bun.SafeQuery("")
	}
	return bun.SafeQuery("AND name NOT IN (?)", bun.List(names))
}

// Fire asks plan what becomes of schedules that are due, at most limit of them,
// and commits the jobs together with the schedules' next fires. A fire of which
// there is a job already gets no other. Any number of processes may fire: none
// waits for another, and a schedule is planned by one at a time. now is zero for
// the ledger's clock. The schedules that are named by except are passed over.
//
// plan is given a schedule, the time, and how many of its jobs have not ended
// (counted to job.MaxQueued+1; not with job.OverlapAllow). It may be called
// again for the same, and must not wait.
func (l *Ledger) Fire(
	ctx context.Context, now time.Time, limit int, plan func(s *job.Schedule, now time.Time, open int) job.Firing,
	except ...string,
) (job.Fired, error) {
	var fired job.Fired
	ringer := l.newRinger()
	err := l.transact(ctx, func(tx bun.Tx) (err error) {
		ringer.bells = nil
		fired, err = l.fire(ctx, tx, now, limit, plan, except, ringer)
		return err
	})
	if err != nil {
		return job.Fired{}, l.wrap(err, "fire schedules")
	}
	if l.cfg.Bell != nil && len(ringer.bells) > 0 {
		l.cfg.Bell.Ring(ringer.bells)
	}
	return fired, nil
}

func (l *Ledger) fire(
	ctx context.Context, tx bun.Tx, now time.Time, limit int, plan func(*job.Schedule, time.Time, int) job.Firing, except []string,
	ringer *ringer,
) (job.Fired, error) {
	var fired job.Fired
	clock := bun.SafeQuery(l.dialect.now)
	if !now.IsZero() {
		clock = bun.SafeQuery("?", microsOf(now))
	}
	var due []struct {
		scheduleRow

		Now  micros
		Open int
	}
	query := `SELECT ` + scheduleColumns + `, ? AS now, CASE WHEN overlap = 'allow' THEN 0 ELSE
			(SELECT count(*) FROM (SELECT 1 FROM asyncops_jobs j WHERE j.schedule = s.name AND j.schedule IS NOT NULL
				AND j.finished_at IS NULL LIMIT ?) AS o) END AS open
		FROM asyncops_schedules AS s WHERE next_fire IS NOT NULL AND next_fire <= ? ? ORDER BY next_fire LIMIT ? ` + l.dialect.skipLocked
	if err := tx.NewRaw(query, clock, maxOpen, clock, notNamed(except), limit).Scan(ctx, &due); err != nil {
		return fired, err
	}
	var rows []insertRow
	planned := make([]firedSchedule, 0, len(due))
	for i := range due {
		s := due[i].schedule()
		f := plan(&s, due[i].Now.time(), due[i].Open)
		if f.Left {
			continue
		}
		for j := range f.Jobs {
			row, err := newRow(&f.Jobs[j])
			if err != nil {
				return fired, err
			}
			rows = append(rows, row)
		}
		fired.Jobs = append(fired.Jobs, f.Jobs...)
		planned = append(planned, firedSchedule{name: s.Name, next: f.Next, jobs: f.Jobs})
		if fired.Schedules++; len(rows) >= maxFireJobs {
			break // the rest stays due
		}
	}
	if len(planned) == 0 {
		return fired, nil
	}
	if l.cfg.Bell != nil {
		ringer.assign(rows)
	}
	made, err := l.insertFires(ctx, tx, rows)
	if err != nil {
		return fired, err
	}
	if len(made) < len(fired.Jobs) {
		fired.Jobs = jobsAmong(fired.Jobs, made)
	}
	return fired, advance(ctx, tx, planned)
}

// insertFires inserts the rows of fires that have no job yet, and returns the
// ids of those.
func (l *Ledger) insertFires(ctx context.Context, tx bun.Tx, rows []insertRow) (map[job.ID]bool, error) {
	made := make(map[job.ID]bool, len(rows))
	for len(rows) > 0 {
		part := rows[:min(len(rows), maxInsertRows)]
		ids, err := l.insertFireRows(ctx, tx, part)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			made[id] = true
		}
		rows = rows[len(part):]
	}
	return made, nil
}

func jobsAmong(jobs []job.Job, ids map[job.ID]bool) []job.Job {
	var among []job.Job
	for _, j := range jobs {
		if ids[j.ID] {
			among = append(among, j)
		}
	}
	return among
}

// firedSchedule is a schedule that was planned.
type firedSchedule struct {
	name string
	next time.Time
	jobs []job.Job
}

// advance writes when the schedules fire next, and what they fired last.
func advance(ctx context.Context, tx bun.Tx, planned []firedSchedule) error {
	args := make([]any, 0, 4*len(planned))
	for _, p := range planned {
		var last job.Job
		if n := len(p.jobs); n > 0 {
			last = p.jobs[n-1]
		}
		args = append(args, p.name, orNull(microsOf(p.next)), orNull(microsOf(last.FireAt)), orNull(string(last.ID)))
	}
	const row = `(?, CAST(? AS bigint), CAST(? AS bigint), CAST(? AS text))`
	query := `WITH f (name, next_fire, last_fire, last_job) AS (VALUES ` + row + strings.Repeat(", "+row, len(planned)-1) + `)
		UPDATE asyncops_schedules SET next_fire = f.next_fire, last_fire = coalesce(f.last_fire, asyncops_schedules.last_fire),
			last_job = coalesce(f.last_job, asyncops_schedules.last_job)
		FROM f WHERE asyncops_schedules.name = f.name`
	_, err := tx.ExecContext(ctx, query, args...)
	return err
}

// ReleaseQueued lets those waiting jobs of schedules start before which no
// other job of their schedule has to end. It returns how many those were.
func (l *Ledger) ReleaseQueued(ctx context.Context) (int, error) {
	const query = `UPDATE asyncops_jobs SET state = CASE WHEN run_at > ?now THEN 'scheduled' ELSE 'pending' END,
			run_at = CASE WHEN run_at > ?now THEN run_at ELSE ?now END
		WHERE state = 'waiting' AND id IN (SELECT w.id FROM asyncops_jobs w
			WHERE w.schedule IS NOT NULL AND w.finished_at IS NULL AND w.state = 'waiting'
			AND NOT EXISTS (SELECT 1 FROM asyncops_jobs o WHERE o.schedule = w.schedule AND o.schedule IS NOT NULL
				AND o.finished_at IS NULL AND (o.state <> 'waiting' OR o.id < w.id)))`
	n, err := l.exec(ctx, query)
	return n, l.wrap(err, "release queued jobs of schedules")
}
