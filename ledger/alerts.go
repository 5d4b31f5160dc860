package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

const (
	// keepAlerts is how long a resolved alert is kept, and maxAlerts how many of
	// them are.
	keepAlerts = 24 * time.Hour
	maxAlerts  = 1000
	// maxAlertGap is how far apart two looks at the alerts may be for what lay
	// between them to count as seen.
	maxAlertGap = 20 * time.Second
)

// alertRow is one line of asyncops_alerts.
type alertRow struct {
	bun.BaseModel `bun:"table:asyncops_alerts"`

	ID         string         `bun:"id,pk"`
	Rule       job.AlertRule  `bun:"rule"`
	AboutType  job.TargetType `bun:"about_type"`
	AboutName  string         `bun:"about_name"`
	State      job.AlertState `bun:"state"`
	Value      float64        `bun:"value"`
	Threshold  float64        `bun:"threshold"`
	Detail     string         `bun:"detail"`
	Since      micros         `bun:"since"`
	FiredAt    *micros        `bun:"fired_at"`
	ClearSince *micros        `bun:"clear_since"`
	ResolvedAt *micros        `bun:"resolved_at"`
	SeenAt     micros         `bun:"seen_at"`
}

const alertColumns = `id, rule, about_type, about_name, state, value, threshold, detail, since, fired_at, clear_since, resolved_at, seen_at`

func (r *alertRow) alert() job.Alert {
	return job.Alert{
		ID: job.ID(r.ID), Rule: r.Rule, About: job.Target{Type: r.AboutType, Name: r.AboutName}, State: r.State, Value: r.Value,
		Threshold: r.Threshold, Detail: r.Detail, Since: r.Since.time(), FiredAt: timeOf(r.FiredAt), ClearSince: timeOf(r.ClearSince),
		ResolvedAt: timeOf(r.ResolvedAt), SeenAt: r.SeenAt.time(),
	}
}

func alertRowOf(a *job.Alert) alertRow {
	return alertRow{
		ID: string(a.ID), Rule: a.Rule, AboutType: a.About.Type, AboutName: storable(a.About.Name), State: a.State, Value: a.Value,
		Threshold: a.Threshold, Detail: storable(a.Detail), Since: microsOf(a.Since), FiredAt: orNull(microsOf(a.FiredAt)),
		ClearSince: orNull(microsOf(a.ClearSince)), ResolvedAt: orNull(microsOf(a.ResolvedAt)), SeenAt: microsOf(a.SeenAt),
	}
}

// alertTurn is the one line of asyncops_alert_turns, and the clock.
type alertTurn struct {
	Number  int64
	TakenAt micros
	SeenAt  micros
	Since   micros
	Now     micros
}

const readAlertTurn = `SELECT number, taken_at, seen_at, since, ?now AS now FROM asyncops_alert_turns WHERE one = 1`

// TakeAlertTurn gives the holder leave to look at the alerts, if nobody has had
// it for as long as every; for others than who had it last, every and the grace.
// Any number of processes may ask, one gets it.
func (l *Ledger) TakeAlertTurn(ctx context.Context, holder string, every, grace time.Duration) (job.AlertTurn, error) {
	var wait int64
	args := struct {
		Holder string `bun:"holder"`
		Every  int64  `bun:"every"`
		Grace  int64  `bun:"grace"`
	}{holder, every.Microseconds(), grace.Microseconds()}
	// A clock that was set back must not keep everybody from it. A turn taken just
	// now may be later than the beginning of this statement, which waited for it.
	const until = `CASE WHEN taken_at > ?now + 60000000 THEN 0 WHEN holder = ?holder THEN taken_at - ?now + ?every
		ELSE taken_at - ?now + ?every + ?grace END`
	err := l.read.NewRaw(l.timed(`SELECT `+until+` FROM asyncops_alert_turns WHERE one = 1`), args).Scan(ctx, &wait)
	if err != nil || wait > 0 {
		return job.AlertTurn{Wait: min(time.Duration(wait)*time.Microsecond, every+grace)}, l.wrap(err, "look for a turn at the alerts")
	}
	var taken []int64
	err = l.again(ctx, func() error {
		taken = nil
		return l.write.NewRaw(l.timed(`UPDATE asyncops_alert_turns SET number = number + 1, holder = ?holder, taken_at = ?now
			WHERE one = 1 AND `+until+` <= 0 RETURNING number`), args).Scan(ctx, &taken)
	})
	if err != nil || len(taken) == 0 {
		return job.AlertTurn{Wait: every}, l.wrap(err, "take a turn at the alerts")
	}
	return job.AlertTurn{Number: taken[0]}, nil
}

// SettleAlerts commits what plan makes of the alerts that are not resolved, with
// the jobs that tell of it, and ends the turn. It does nothing and reports false
// when the turn is not the latest any more, or was taken longer ago than
// maxAge: what was seen then says nothing about now. plan may be called again,
// and must not wait.
func (l *Ledger) SettleAlerts(
	ctx context.Context, turn job.AlertTurn, maxAge time.Duration, plan func(job.AlertView) (job.AlertChange, error),
) (settled bool, err error) {
	ringer := l.newRinger()
	err = l.transact(ctx, func(tx bun.Tx) (err error) {
		ringer.bells = nil
		settled, err = l.settleAlerts(ctx, tx, turn, maxAge, plan, ringer)
		return err
	})
	if err != nil {
		return false, l.wrap(err, "settle alerts")
	}
	if l.cfg.Bell != nil && len(ringer.bells) > 0 {
		l.cfg.Bell.Ring(ringer.bells)
	}
	return settled, nil
}

func (l *Ledger) settleAlerts(
	ctx context.Context, tx bun.Tx, turn job.AlertTurn, maxAge time.Duration, plan func(job.AlertView) (job.AlertChange, error), ringer *ringer,
) (bool, error) {
	var t alertTurn
	if err := tx.NewRaw(l.timed(readAlertTurn+` `+l.dialect.forUpdate)).Scan(ctx, &t); err != nil {
		return false, err
	}
	if t.Number != turn.Number || t.Now-t.TakenAt > micros(maxAge.Microseconds()) {
		return false, nil
	}
	if t.Since == 0 || t.Now-t.SeenAt > micros(maxAlertGap.Microseconds()) || t.SeenAt > t.Now {
		t.Since = t.Now
	}
	var rows []alertRow
	if err := tx.NewRaw(`SELECT `+alertColumns+` FROM asyncops_alerts WHERE state <> 'resolved' ORDER BY id`).Scan(ctx, &rows); err != nil {
		return false, err
	}
	change, err := plan(alertView(t, rows))
	if err != nil {
		return false, err
	}
	if err := putAlerts(ctx, tx, change); err != nil {
		return false, err
	}
	if err := l.insertAlertJobs(ctx, tx, change.Jobs, ringer); err != nil {
		return false, err
	}
	const forget = `DELETE FROM asyncops_alerts WHERE state = 'resolved' AND (resolved_at < ? OR resolved_at <
		(SELECT resolved_at FROM asyncops_alerts WHERE state = 'resolved' ORDER BY resolved_at DESC LIMIT 1 OFFSET ?))`
	if _, err := tx.ExecContext(ctx, forget, t.Now-micros(keepAlerts.Microseconds()), maxAlerts); err != nil {
		return false, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE asyncops_alert_turns SET seen_at = ?, since = ? WHERE one = 1`, t.Now, t.Since)
	return err == nil, err
}

func putAlerts(ctx context.Context, tx bun.Tx, change job.AlertChange) error {
	if len(change.Delete) > 0 {
		ids := make([]string, len(change.Delete))
		for i, id := range change.Delete {
			ids[i] = string(id)
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM asyncops_alerts WHERE id IN (?)`, bun.List(ids)); err != nil {
			return err
		}
	}
	if len(change.Put) == 0 {
		return nil
	}
	rows := make([]alertRow, len(change.Put))
	for i := range change.Put {
		rows[i] = alertRowOf(&change.Put[i])
	}
	_, err := tx.NewInsert().Model(&rows).On(`CONFLICT (id) DO UPDATE`).
		Set(`state = EXCLUDED.state, value = EXCLUDED.value, threshold = EXCLUDED.threshold, detail = EXCLUDED.detail, since = EXCLUDED.since,
			fired_at = EXCLUDED.fired_at, clear_since = EXCLUDED.clear_since, resolved_at = EXCLUDED.resolved_at, seen_at = EXCLUDED.seen_at`).
		Returning("NULL").Exec(ctx)
	return err
}

// insertAlertJobs makes the jobs that tell of a change, together with it.
func (l *Ledger) insertAlertJobs(ctx context.Context, tx bun.Tx, jobs []job.Job, ringer *ringer) error {
	if len(jobs) == 0 {
		return nil
	}
	rows := make([]insertRow, len(jobs))
	for i := range jobs {
		row, err := newRow(&jobs[i])
		if err != nil {
			return err
		}
		rows[i] = row
	}
	if l.cfg.Bell != nil {
		ringer.assign(rows)
	}
	_, err := l.insertFires(ctx, tx, rows)
	return err
}

func alertView(t alertTurn, rows []alertRow) job.AlertView {
	view := job.AlertView{Now: t.Now.time(), Seen: t.SeenAt.time(), Since: t.Since.time(), Alerts: make([]job.Alert, len(rows))}
	for i := range rows {
		view.Alerts[i] = rows[i].alert()
	}
	return view
}

// Alerts returns the alerts: those that fire first, then those that are pending,
// then those resolved in the last day, the latest of each first; at most limit.
func (l *Ledger) Alerts(ctx context.Context, limit int) (job.AlertView, error) {
	var t alertTurn
	if err := l.read.NewRaw(l.timed(readAlertTurn)).Scan(ctx, &t); err != nil {
		return job.AlertView{}, l.wrap(err, "list alerts")
	}
	var rows []alertRow
	const query = `SELECT ` + alertColumns + ` FROM asyncops_alerts
		ORDER BY CASE state WHEN 'firing' THEN 0 WHEN 'pending' THEN 1 ELSE 2 END, coalesce(resolved_at, since) DESC, id LIMIT ?`
	if err := l.read.NewRaw(query, limit).Scan(ctx, &rows); err != nil {
		return job.AlertView{}, l.wrap(err, "list alerts")
	}
	return alertView(t, rows), nil
}

// AlertsFiring counts the alerts that fire, by rule.
func (l *Ledger) AlertsFiring(ctx context.Context) (map[job.AlertRule]int, error) {
	var rows []struct {
		Rule   job.AlertRule
		Alerts int
	}
	const query = `SELECT rule, count(*) AS alerts FROM asyncops_alerts WHERE state = 'firing' AND state <> 'resolved' GROUP BY rule`
	if err := l.read.NewRaw(query).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "count alerts")
	}
	counts := make(map[job.AlertRule]int, len(rows))
	for _, r := range rows {
		counts[r.Rule] = r.Alerts
	}
	return counts, nil
}
