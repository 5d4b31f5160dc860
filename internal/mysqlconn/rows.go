package mysqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"reflect"
	"time"
)

// rows keeps its query's guard until it is closed.
type rows struct {
	c     *conn
	inner driver.Rows
	ctx   context.Context //nolint:containedctx // database/sql gives Next and Close none
	guard *guard
}

func (r *rows) Columns() []string { return r.inner.Columns() }

// ColumnTypeDatabaseTypeName returns the type, such as UNSIGNED BIGINT.
func (r *rows) ColumnTypeDatabaseTypeName(i int) string {
	if typed, ok := r.inner.(driver.RowsColumnTypeDatabaseTypeName); ok {
		return typed.ColumnTypeDatabaseTypeName(i)
	}
	return ""
}

// ColumnTypeLength returns the display width: 1 for the TINYINT(1) and BIT(1)
// that hold a boolean. The driver knows it and tells nobody.
func (r *rows) ColumnTypeLength(i int) (width int64, ok bool) {
	columns := reflect.Indirect(reflect.ValueOf(r.inner)).FieldByName("rs").FieldByName("columns")
	if columns.Kind() != reflect.Slice || i >= columns.Len() {
		return 0, false
	}
	length := columns.Index(i).FieldByName("length")
	if !length.CanUint() {
		return 0, false
	}
	return int64(length.Uint()), true
}

func (r *rows) Next(dest []driver.Value) error {
	err := r.inner.Next(dest)
	if err == nil {
		return nil
	}
	killed := r.guard.finish()
	if !errors.Is(err, io.EOF) {
		return r.c.check(r.ctx, killed, err)
	}
	if err := r.c.check(r.ctx, killed, nil); err != nil {
		return err
	}
	return io.EOF
}

// Close reads what is left of the result.
func (r *rows) Close() error {
	err := r.inner.Close()
	return r.c.check(r.ctx, r.guard.finish(), err)
}

// innerStmt is what the driver's prepared statements can do.
type innerStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// stmt is a prepared statement.
type stmt struct {
	c     *conn
	inner innerStmt
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) NumInput() int { return s.inner.NumInput() }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = s.c.call(ctx, func(ctx context.Context) error {
		res, err = s.inner.ExecContext(ctx, args)
		return err
	})
	return res, err
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.c.query(ctx, func(ctx context.Context) (driver.Rows, error) { return s.inner.QueryContext(ctx, args) })
}

// Exec is not called: database/sql prefers ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query is not called: database/sql prefers QueryContext.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }

// Close tells the server to forget the statement, which answers nothing.
func (s *stmt) Close() error {
	if s.c.broken.Load() {
		return nil // it ended with its connection
	}
	return s.inner.Close()
}

// endTimeout bounds what must run although no caller waits for it: the end of
// a transaction whose context is done already.
const endTimeout = 5 * time.Second

// tx ends under the context that began it.
type tx struct {
	c     *conn
	inner driver.Tx
	ctx   context.Context //nolint:containedctx // database/sql gives Commit and Rollback none
}

// Commit of a transaction that had an error rolls it back and returns that
// error. An error that is not the server's leaves the outcome unknown.
func (t *tx) Commit() error {
	if t.c.txErr != nil {
		err := t.c.ready()
		_ = t.Rollback()
		return err
	}
	g := t.c.watch(t.ctx)
	err := t.inner.Commit()
	killed := g.finish()
	if err == nil {
		t.c.spent = t.c.spent || killed
		t.end()
		return nil
	}
	err = t.c.check(t.ctx, killed, err)
	t.c.spent = true
	_ = t.Rollback()
	return err
}

// Rollback runs even when the transaction's context is done. What cannot be
// rolled back ends with its connection.
func (t *tx) Rollback() error {
	defer t.end()
	if t.c.broken.Load() {
		return driver.ErrBadConn
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), endTimeout)
	defer cancel()
	g := t.c.watch(ctx)
	_, err := t.c.inner.ExecContext(context.WithoutCancel(ctx), "ROLLBACK", nil)
	if Code(err) == codeInterrupted { // a late KILL, which is used up now
		_, err = t.c.inner.ExecContext(context.WithoutCancel(ctx), "ROLLBACK", nil)
	}
	if g.finish() || err != nil {
		t.c.drop()
	}
	if err != nil {
		return interrupted(ctx, wrap("roll back", err))
	}
	return nil
}

func (t *tx) end() { t.c.inTx, t.c.txErr = false, nil }
