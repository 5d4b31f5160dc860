package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"math"
	"sync"

	"github.com/uptrace/bun"
)

// lone is the INSERT of one row as a prepared statement, where the dialect has
// one: PostgreSQL reads and plans it for a quarter of the time that a lone
// submission takes. Its plan cannot grow old, as one that looks for rows can.
type lone struct {
	query string // "": not worth it

	mu   sync.Mutex
	stmt *sql.Stmt // guarded by mu; nil until it is needed; ends with the pool
}

// insert writes the row through in, which is pool or a transaction of it.
func (s *lone) insert(ctx context.Context, pool *bun.DB, in bun.IDB, r *insertRow) error {
	stmt, err := s.prepared(ctx, pool)
	if err != nil {
		return err
	}
	if tx, ok := in.(bun.Tx); ok {
		stmt = tx.StmtContext(ctx, stmt)
		defer func() { _ = stmt.Close() }() // the transaction's end says whether it was written
	}
	_, err = stmt.ExecContext(ctx, string(r.ID), r.RunAt.sql != "", cmp.Or(int64(r.RunAt.at), math.MaxInt64), r.RungAt.sql != "",
		int64(r.CreatedAt), r.Deadline, r.ExpiresAt, r.Retention, r.MaxAttempts, r.Kind, r.Queue, string(r.State), string(r.Delivery),
		r.RunOnce, r.Owner, r.Key, r.Doorbell, r.Traceparent, r.Tags, r.Options, r.Args)
	return err
}

func (s *lone) prepared(ctx context.Context, pool *bun.DB) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stmt != nil {
		return s.stmt, nil
	}
	stmt, err := pool.DB.PrepareContext(ctx, s.query)
	if err == nil {
		s.stmt = stmt
	}
	return stmt, err
}
