package ledger

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// keepAudit is how long at least is kept what operators did.
const keepAudit = 90 * 24 * time.Hour

// auditRow is one line of asyncops_audit.
type auditRow struct {
	bun.BaseModel `bun:"table:asyncops_audit"`

	ID        job.ID `bun:"id"`
	At        micros `bun:"at"`
	KeyID     string `bun:"key_id"`
	KeyName   string `bun:"key_name"`
	Via       string `bun:"via"`
	Address   string `bun:"address"`
	Action    string `bun:"action"`
	Target    string `bun:"target"`
	Outcome   string `bun:"outcome"`
	RequestID string `bun:"request_id"`
}

// audited is transact for what somebody asked for: where ctx is for an act, its
// entry is part of the transaction.
func (l *Ledger) audited(ctx context.Context, f func(tx bun.Tx) error) error {
	act := job.AuditOf(ctx)
	if act == nil {
		return l.transact(ctx, f)
	}
	err := l.transact(ctx, func(tx bun.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		return l.writeAudit(ctx, tx, &act.AuditEntry)
	})
	act.Written = err == nil
	return err
}

func (l *Ledger) writeAudit(ctx context.Context, in bun.IDB, e *job.AuditEntry) error {
	const query = `INSERT INTO asyncops_audit (id, at, key_id, key_name, via, address, action, target, outcome, request_id)
		VALUES (?, ?now, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := in.ExecContext(ctx, l.timed(query), job.NewID(), storable(e.Key), storable(e.KeyName), e.Via, storable(e.Address), e.Action,
		storable(e.Target), e.Outcome, storable(e.RequestID))
	return err
}

// Audit keeps that somebody did something that did not change the ledger, or
// was refused.
func (l *Ledger) Audit(ctx context.Context, e job.AuditEntry) error {
	return l.wrap(l.again(ctx, func() error { return l.writeAudit(ctx, l.write, &e) }), "audit %s", e.Action)
}

// AuditLog lists what was done, the latest first, and returns the cursor of the
// next page, "" on the last. A cursor that it did not make answers
// job.ErrMalformedCursor.
func (l *Ledger) AuditLog(ctx context.Context, f job.AuditFilter) (entries []job.AuditEntry, next string, err error) {
	var rows []auditRow
	q := l.read.NewSelect().Model(&rows).OrderExpr("id DESC").Limit(int64(f.Limit) + 1)
	if f.Cursor != "" {
		after, err := readCursor(f.Cursor)
		if err != nil {
			return nil, "", l.wrap(err, "read the audit log")
		}
		q.Where("id < ?", after)
	}
	for _, text := range []string{f.Action, f.Key, f.Target} {
		if !isStorable(text) {
			return nil, "", nil
		}
	}
	if group, ok := strings.CutSuffix(f.Action, "."); ok {
		q.Where(`action >= ? AND action < ?`, group+".", group+"/") // the sign after the point
	} else if f.Action != "" {
		q.Where("action = ?", f.Action)
	}
	if f.Key != "" {
		q.Where("key_id = ?", f.Key)
	}
	if f.Target != "" {
		q.Where("target = ?", f.Target)
	}
	if !f.After.IsZero() {
		q.Where("at > ?", microsOf(f.After))
	}
	if !f.Before.IsZero() {
		q.Where("at < ?", microsOf(f.Before))
	}
	if err := q.Scan(ctx); err != nil {
		return nil, "", l.wrap(err, "read the audit log")
	}
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		next = cursor(rows[f.Limit-1].ID)
	}
	entries = make([]job.AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = job.AuditEntry{
			ID: r.ID, At: r.At.time(), Key: r.KeyID, KeyName: r.KeyName, Via: r.Via, Address: r.Address, Action: r.Action, Target: r.Target,
			Outcome: r.Outcome, RequestID: r.RequestID,
		}
	}
	return entries, next, nil
}
