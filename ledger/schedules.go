package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// scheduleRow is one line of asyncops_schedules.
type scheduleRow struct {
	bun.BaseModel `bun:"table:asyncops_schedules"`

	Name      string      `bun:"name"`
	Version   int64       `bun:"version"`
	Source    job.Source  `bun:"source"`
	Owner     string      `bun:"owner"`
	Cron      string      `bun:"cron"`
	Timezone  string      `bun:"timezone"`
	Template  string      `bun:"template"`
	Missed    job.Missed  `bun:"missed"`
	Overlap   job.Overlap `bun:"overlap"`
	Jitter    int64       `bun:"jitter"`
	StartAt   *micros     `bun:"start_at"`
	EndAt     *micros     `bun:"end_at"`
	Paused    bool        `bun:"paused"`
	Anchor    micros      `bun:"anchor"`
	CreatedAt micros      `bun:"created_at"`
	UpdatedAt micros      `bun:"updated_at"`
	NextFire  *micros     `bun:"next_fire"`
	LastFire  *micros     `bun:"last_fire"`
	LastJob   *string     `bun:"last_job"`
}

const scheduleColumns = `name, version, source, owner, cron, timezone, template, missed, overlap, jitter, start_at, end_at, paused,
	anchor, created_at, updated_at, next_fire, last_fire, last_job`

func (r *scheduleRow) schedule() job.Schedule {
	s := job.Schedule{
		Name: r.Name, Version: r.Version, Source: r.Source, Owner: r.Owner, Cron: r.Cron, Timezone: r.Timezone,
		Template: json.RawMessage(r.Template), Missed: r.Missed, Overlap: r.Overlap, Jitter: time.Duration(r.Jitter) * time.Microsecond,
		Start: timeOf(r.StartAt), End: timeOf(r.EndAt), Paused: r.Paused, Anchor: r.Anchor.time(),
		CreatedAt: r.CreatedAt.time(), UpdatedAt: r.UpdatedAt.time(), NextFire: timeOf(r.NextFire), LastFire: timeOf(r.LastFire),
	}
	if r.LastJob != nil {
		s.LastJob = job.ID(*r.LastJob)
	}
	return s
}

func scheduleRowOf(s *job.Schedule) scheduleRow {
	return scheduleRow{
		Name: s.Name, Version: s.Version, Source: s.Source, Owner: s.Owner, Cron: s.Cron, Timezone: s.Timezone,
		Template: string(s.Template), Missed: s.Missed, Overlap: s.Overlap, Jitter: s.Jitter.Microseconds(),
		StartAt: orNull(microsOf(s.Start)), EndAt: orNull(microsOf(s.End)), Paused: s.Paused, Anchor: microsOf(s.Anchor),
		CreatedAt: microsOf(s.CreatedAt), UpdatedAt: microsOf(s.UpdatedAt), NextFire: orNull(microsOf(s.NextFire)),
		LastFire: orNull(microsOf(s.LastFire)), LastJob: orNull(string(s.LastJob)),
	}
}

// timeOf is the zero time for NULL.
func timeOf(m *micros) time.Time {
	if m == nil {
		return time.Time{}
	}
	return m.time()
}

// Schedules lists schedules in the order of their names, those after the given
// one, at most limit.
func (l *Ledger) Schedules(ctx context.Context, after string, limit int) ([]job.Schedule, error) {
	if !isStorable(after) {
		return nil, nil
	}
	var rows []scheduleRow
	err := l.read.NewRaw(`SELECT `+scheduleColumns+` FROM asyncops_schedules WHERE name > ? ORDER BY name LIMIT ?`, after, limit).Scan(ctx, &rows)
	if err != nil {
		return nil, l.wrap(err, "list schedules")
	}
	found := make([]job.Schedule, len(rows))
	for i := range rows {
		found[i] = rows[i].schedule()
	}
	return found, nil
}

// Schedule returns the schedule with the name, or job.ErrNotFound.
func (l *Ledger) Schedule(ctx context.Context, name string) (*job.Schedule, error) {
	if !isStorable(name) {
		return nil, l.wrap(job.ErrNotFound, "get a schedule")
	}
	var rows []scheduleRow
	if err := l.read.NewRaw(`SELECT `+scheduleColumns+` FROM asyncops_schedules WHERE name = ?`, name).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "get schedule %s", name)
	}
	if len(rows) == 0 {
		return nil, l.wrap(job.ErrNotFound, "get schedule %s", name)
	}
	s := rows[0].schedule()
	return &s, nil
}

// errScheduleMade says that somebody else made a schedule of the name meanwhile.
var errScheduleMade = errors.New("a schedule of this name was made meanwhile")

// ChangeSchedule stores what change makes of the schedule with the name. change
// is given the schedule, nil when there is none, and the ledger's clock; it
// returns what to store, nil to delete it, the same pointer to leave it as it is,
// or an error, which is passed on. It may be called again, and must not wait.
// Version, CreatedAt and UpdatedAt are the ledger's to set. Jobs that the
// schedule has made stay.
func (l *Ledger) ChangeSchedule(
	ctx context.Context, name string, change func(old *job.Schedule, now time.Time) (*job.Schedule, error),
) (*job.Schedule, error) {
	var stored *job.Schedule
	for try := 1; ; try++ {
		err := l.audited(ctx, func(tx bun.Tx) (err error) {
			stored, err = l.changeSchedule(ctx, tx, name, change)
			return err
		})
		if errors.Is(err, errScheduleMade) && try < maxTries && pause(ctx, try) {
			continue
		}
		return stored, l.wrap(err, "change schedule %s", name)
	}
}

func (l *Ledger) changeSchedule(
	ctx context.Context, tx bun.Tx, name string, change func(*job.Schedule, time.Time) (*job.Schedule, error),
) (*job.Schedule, error) {
	var now micros
	if err := tx.NewRaw(l.timed(`SELECT ?now`)).Scan(ctx, &now); err != nil {
		return nil, err
	}
	var rows []scheduleRow
	query := `SELECT ` + scheduleColumns + ` FROM asyncops_schedules WHERE name = ? ` + l.dialect.forUpdate
	if err := tx.NewRaw(query, name).Scan(ctx, &rows); err != nil {
		return nil, err
	}
	var old *job.Schedule
	if len(rows) > 0 {
		s := rows[0].schedule()
		old = &s
	}
	changed, err := change(old, now.time())
	switch {
	case err != nil, changed == old:
		return old, err
	case changed == nil:
		_, err = tx.ExecContext(ctx, `DELETE FROM asyncops_schedules WHERE name = ?`, name)
		return nil, err
	}
	return storeSchedule(ctx, tx, changed, old, now)
}

func storeSchedule(ctx context.Context, tx bun.Tx, s, old *job.Schedule, now micros) (*job.Schedule, error) {
	stored := *s
	stored.Version, stored.CreatedAt, stored.UpdatedAt = int64(now), now.time(), now.time()
	if old != nil {
		stored.Version, stored.CreatedAt = max(old.Version+1, int64(now)), old.CreatedAt
	}
	row := scheduleRowOf(&stored)
	if old != nil {
		_, err := tx.NewUpdate().Model(&row).Where("name = ?", row.Name).Exec(ctx)
		return &stored, err
	}
	res, err := tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return nil, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, errors.Join(err, errScheduleMade)
	}
	return &stored, nil
}

// ScheduleNames lists the names of the schedules that belong to the source, in
// their order.
func (l *Ledger) ScheduleNames(ctx context.Context, source job.Source) ([]string, error) {
	var names []string
	err := l.read.NewRaw(`SELECT name FROM asyncops_schedules WHERE source = ? ORDER BY name`, string(source)).Scan(ctx, &names)
	return names, l.wrap(err, "list the schedules of %s", source)
}
