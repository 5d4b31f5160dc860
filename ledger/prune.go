package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// keepKeys is how long an idempotency key is kept at least, and keepWorkers a
// worker that is gone.
const (
	keepKeys    = 24 * time.Hour
	keepWorkers = 24 * time.Hour
)

// Prune deletes what is kept no longer, at most limit of each: ended jobs with
// their attempts, a day old keys of deleted jobs, workers gone for a day, and
// sessions that are over, and what operators did long ago. It folds old tallies
// and ages. It returns the number of jobs deleted.
func (l *Ledger) Prune(ctx context.Context, limit int) (int, error) {
	args := struct {
		Limit int `bun:"limit"`
	}{limit}
	var n int
	err := l.transact(ctx, func(tx bun.Tx) error {
		var ids []job.ID
		query := `WITH ` + l.pick("picked", `purge_at IS NOT NULL AND purge_at <= ?now`, "purge_at") + ` SELECT picked_id FROM picked`
		if err := tx.NewRaw(l.timed(query), args).Scan(ctx, &ids); err != nil {
			return err
		}
		var err error
		n, err = l.delete(ctx, tx, `WHERE id ?`, l.among(ids))
		return err
	})
	if err != nil {
		return 0, l.wrap(err, "prune jobs")
	}
	const keys = `DELETE FROM asyncops_idempotency WHERE (owner, key) IN (SELECT owner, key FROM asyncops_idempotency
		WHERE expires_at IS NOT NULL AND expires_at <= ?now ORDER BY expires_at LIMIT ?)`
	if _, err := l.exec(ctx, keys, limit); err != nil {
		return 0, l.wrap(err, "prune idempotency keys")
	}
	const workers = `DELETE FROM asyncops_workers WHERE id IN
		(SELECT id FROM asyncops_workers w WHERE state = 'gone' AND beat_at < ?now - ?
			AND NOT EXISTS (SELECT 1 FROM asyncops_jobs j WHERE j.state = 'active' AND j.worker = w.id) LIMIT ?)`
	if _, err := l.exec(ctx, workers, keepWorkers.Microseconds(), limit); err != nil {
		return 0, l.wrap(err, "prune workers")
	}
	const sessions = `DELETE FROM asyncops_sessions WHERE id IN (SELECT id FROM asyncops_sessions WHERE expires_at <= ?now LIMIT ?)`
	if _, err := l.exec(ctx, sessions, limit); err != nil {
		return 0, l.wrap(err, "prune sessions")
	}
	const audit = `DELETE FROM asyncops_audit WHERE id IN (SELECT id FROM asyncops_audit WHERE at < ?now - ? ORDER BY at LIMIT ?)`
	if _, err := l.exec(ctx, audit, max(keepAudit, l.cfg.Retention).Microseconds(), limit); err != nil {
		return 0, l.wrap(err, "prune the audit log")
	}
	if err := l.foldTallies(ctx); err != nil {
		return 0, l.wrap(err, "fold tallies")
	}
	if err := l.foldAges(ctx); err != nil {
		return 0, l.wrap(err, "fold the ages of queues")
	}
	return n, nil
}

// delete removes ended jobs, whose rows the transaction holds, and begins the
// end of their idempotency keys.
func (l *Ledger) delete(ctx context.Context, tx bun.Tx, where string, args ...any) (int, error) {
	var deleted []struct {
		Owner string
		Key   *string `bun:"idempotency_key"`
	}
	if err := tx.NewRaw(`DELETE FROM asyncops_jobs `+where+` RETURNING owner, idempotency_key`, args...).Scan(ctx, &deleted); err != nil {
		return 0, err
	}
	var keys keyNames
	for _, d := range deleted {
		if d.Key != nil {
			keys = append(keys, keyName{d.Owner, *d.Key})
		}
	}
	if len(keys) == 0 {
		return len(deleted), nil
	}
	const expire = `UPDATE asyncops_idempotency SET expires_at = created_at + ? WHERE (owner, key) IN (VALUES ?)`
	_, err := tx.ExecContext(ctx, expire, keepKeys.Microseconds(), keys)
	return len(deleted), err
}

// OldestOpen returns when the oldest job was made that has not ended, and the
// ledger's clock; without such a job, the two are the same.
func (l *Ledger) OldestOpen(ctx context.Context) (oldest, now time.Time, err error) {
	var row struct{ Oldest, Now micros }
	const query = `SELECT coalesce(min(created_at), ?now) AS oldest, ?now AS now FROM asyncops_jobs
		WHERE state IN ('waiting', 'scheduled', 'pending', 'active', 'retry', 'parked')`
	if err := l.read.NewRaw(l.timed(query)).Scan(ctx, &row); err != nil {
		return time.Time{}, time.Time{}, l.wrap(err, "look for the oldest open job")
	}
	return row.Oldest.time(), row.Now.time(), nil
}
