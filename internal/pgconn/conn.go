package pgconn

import (
	"context"
	"database/sql/driver"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/uptrace/bun/driver/pgdriver"
)

// conn is one guarded connection. database/sql gives it to one goroutine at a
// time; broken and raw.Close are the guard's.
type conn struct {
	inner    *pgdriver.Conn
	raw      net.Conn
	pid      int64 // of the server's process
	canceler *canceler
	textRows bool
	broken   atomic.Bool // must not be used again
	inTx     bool
	txFailed bool // a statement of the transaction failed: it may be aborted
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// drop hangs up: whoever reads or writes gets an error at once.
func (c *conn) drop() {
	c.broken.Store(true)
	_ = c.raw.Close()
}

// call runs one call on the inner connection under ctx's guard.
func (c *conn) call(ctx context.Context, f func(context.Context) error) error {
	g := c.watch(ctx)
	err := f(context.WithoutCancel(ctx))
	g.finish()
	return c.check(ctx, err)
}

// check takes note of a failed call and completes its error.
func (c *conn) check(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	c.txFailed = c.txFailed || c.inTx
	if !isServerError(err) {
		c.broken.Store(true) // the protocol's state is not known
	}
	return interrupted(ctx, err)
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	err = c.call(ctx, func(ctx context.Context) error {
		res, err = c.inner.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := checkText(args); err != nil {
		return nil, err
	}
	return c.query(ctx, func(ctx context.Context) (driver.Rows, error) { return c.inner.QueryContext(ctx, query, args) })
}

// query keeps the guard on until the rows are closed.
func (c *conn) query(ctx context.Context, f func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	g := c.watch(ctx)
	inner, err := f(context.WithoutCancel(ctx))
	if err != nil {
		g.finish()
		return nil, c.check(ctx, err)
	}
	return &rows{c: c, inner: inner, ctx: ctx, guard: g, columns: slices.Clone(inner.Columns())}, nil
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if c.textRows {
		return c.prepareText(ctx, query)
	}
	var inner driver.Stmt
	err := c.call(ctx, func(ctx context.Context) (err error) {
		inner, err = c.inner.PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stmt{c: c, inner: inner}, nil
}

// Prepare is PrepareContext without a context.
func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	var inner driver.Tx
	err := c.call(ctx, func(ctx context.Context) (err error) {
		inner, err = c.inner.BeginTx(ctx, opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.inTx, c.txFailed = true, false
	return &tx{c: c, inner: inner, ctx: ctx}, nil
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) Ping(ctx context.Context) error { return c.call(ctx, c.inner.Ping) }

// ResetSession is asked before the connection is used again: a server that
// hung up while it was idle is noticed here, where database/sql takes another.
func (c *conn) ResetSession(ctx context.Context) error {
	if c.broken.Load() || c.inTx || hungUp(c.raw) {
		return driver.ErrBadConn
	}
	return c.inner.ResetSession(ctx)
}

func (c *conn) IsValid() bool { return !c.broken.Load() && c.inner.IsValid() }

func (c *conn) Close() error { return c.inner.Close() }

// checkText refuses strings that pgdriver would alter silently.
func checkText(args []driver.NamedValue) error {
	for _, arg := range args {
		s, ok := arg.Value.(string)
		switch {
		case !ok:
		case strings.IndexByte(s, 0) >= 0:
			return fmt.Errorf("pgconn: argument %d holds a NUL byte, which PostgreSQL cannot store as text", arg.Ordinal)
		case !utf8.ValidString(s):
			return fmt.Errorf("pgconn: argument %d is not valid UTF-8", arg.Ordinal)
		}
	}
	return nil
}
