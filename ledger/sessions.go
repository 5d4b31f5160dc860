package ledger

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// maxSessions is how many sessions of one key last at a time; the oldest go.
const maxSessions = 100

// OpenSession keeps a session for as long as life, and returns its end.
func (l *Ledger) OpenSession(ctx context.Context, s job.Session, life time.Duration) (expires time.Time, err error) {
	var until []micros
	err = l.audited(ctx, func(tx bun.Tx) error {
		const surplus = `DELETE FROM asyncops_sessions WHERE key_id = ? AND created_at <=
			(SELECT created_at FROM asyncops_sessions WHERE key_id = ? ORDER BY created_at DESC LIMIT 1 OFFSET ?)`
		if _, err := tx.ExecContext(ctx, surplus, s.Key, s.Key, maxSessions-1); err != nil {
			return err
		}
		const query = `INSERT INTO asyncops_sessions (id, key_id, binding, created_at, expires_at) VALUES (?, ?, ?, ?now, ?now + ?) RETURNING expires_at`
		until = until[:0]
		return tx.NewRaw(l.timed(query), s.ID, s.Key, s.Binding, life.Microseconds()).Scan(ctx, &until)
	})
	if err != nil {
		return time.Time{}, l.wrap(err, "open a session of %s", s.Key)
	}
	return until[0].time(), nil
}

// Session returns the session with the id, or job.ErrNotFound once it has
// ended.
func (l *Ledger) Session(ctx context.Context, id string) (*job.Session, error) {
	var rows []struct {
		KeyID     string
		Binding   string
		ExpiresAt micros
	}
	const query = `SELECT key_id, binding, expires_at FROM asyncops_sessions WHERE id = ? AND expires_at > ?now`
	if err := l.read.NewRaw(l.timed(query), id).Scan(ctx, &rows); err != nil {
		return nil, l.wrap(err, "get a session")
	}
	if len(rows) == 0 {
		return nil, l.wrap(job.ErrNotFound, "get a session")
	}
	return &job.Session{ID: id, Key: rows[0].KeyID, Binding: rows[0].Binding, ExpiresAt: rows[0].ExpiresAt.time()}, nil
}

// CloseSession ends a session; one that is not there has ended already.
func (l *Ledger) CloseSession(ctx context.Context, id string) error {
	err := l.audited(ctx, func(tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM asyncops_sessions WHERE id = ?`, id)
		return err
	})
	return l.wrap(err, "close a session")
}
