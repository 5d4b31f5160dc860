package pgconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"time"
)

// rows keeps its query's guard until it is closed.
type rows struct {
	c       *conn
	inner   driver.Rows
	ctx     context.Context //nolint:containedctx // database/sql gives Next and Close none
	guard   *guard
	columns []string // pgdriver's own slice is used again for other queries
}

func (r *rows) Columns() []string { return r.columns }

// ColumnTypeDatabaseTypeName returns the OID of the type with Config.TextRows,
// else "".
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if typed, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return typed.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

func (r *rows) Next(dest []driver.Value) error {
	err := r.inner.Next(dest)
	if err == nil {
		return nil
	}
	r.guard.finish()
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	return r.c.check(r.ctx, err)
}

// Close reads what is left of the result. It does so itself, because pgdriver's
// Close hangs up when a result ends with an error, as one that is canceled does.
func (r *rows) Close() error {
	var err error
	for err == nil {
		err = r.inner.Next(nil)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if closing := r.inner.Close(); err == nil {
		err = closing
	}
	r.guard.finish()
	return r.c.check(r.ctx, err)
}

// stmt is a prepared statement. pgdriver itself does not notice when one of
// its calls leaves the connection unusable; conn.check does.
type stmt struct {
	c     *conn
	inner driver.Stmt
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) NumInput() int { return s.inner.NumInput() }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	err = s.c.call(ctx, func(ctx context.Context) error {
		res, err = s.inner.(driver.StmtExecContext).ExecContext(ctx, args)
		return err
	})
	return res, err
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	return s.c.query(ctx, func(ctx context.Context) (driver.Rows, error) {
		return s.inner.(driver.StmtQueryContext).QueryContext(ctx, args)
	})
}

// Exec is not called: database/sql prefers ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is not called: database/sql prefers QueryContext.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// Close does nothing: a statement ends with its connection, which closes those
// that it has first. To ask the server for each would keep a connection to one
// that hangs open for seconds.
func (s *stmt) Close() error { return nil }

// endTimeout bounds what must run although no caller waits for it: the end of
// a transaction or statement whose context is done already.
const endTimeout = 5 * time.Second

// tx ends under the context that began it.
type tx struct {
	c     *conn
	inner driver.Tx
	ctx   context.Context //nolint:containedctx // database/sql gives Commit and Rollback none
}

// Commit reports a transaction that the server has aborted as an error: the
// server itself answers its COMMIT with a rollback and no error. An error
// that is not the server's leaves the outcome unknown.
func (t *tx) Commit() error {
	defer t.end()
	if t.c.txFailed {
		if err := t.c.Ping(t.ctx); err != nil {
			t.c.drop() // the transaction ends with its connection
			return wrap("commit", err)
		}
	}
	return t.c.call(t.ctx, func(context.Context) error { return t.inner.Commit() })
}

// Rollback runs even when the transaction's context is done.
func (t *tx) Rollback() error {
	defer t.end()
	if !t.c.IsValid() {
		return driver.ErrBadConn
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), endTimeout)
	defer cancel()
	return t.c.call(ctx, func(context.Context) error { return t.inner.Rollback() })
}

func (t *tx) end() { t.c.inTx, t.c.txFailed = false, false }
