package mysqlconn

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
)

// conn is one guarded connection. database/sql gives it to one goroutine at a
// time; broken and raw.Close are the guard's.
type conn struct {
	link
	canceler *canceler
	broken   atomic.Bool // the protocol's state is not known, or the socket is closed
	spent    bool        // it may end its transaction, and nothing else
	inTx     bool
	txErr    error // the first error of the transaction
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// drop hangs up: whoever reads or writes gets an error at once.
func (c *conn) drop() {
	c.broken.Store(true)
	_ = c.raw.Close()
}

// ready refuses what would run after a transaction's first error: outside of
// it, or as a part of half of it.
func (c *conn) ready() error {
	switch {
	case c.broken.Load():
		return driver.ErrBadConn
	case c.txErr != nil:
		return fmt.Errorf("mysqlconn: the transaction has failed: %w", hideBadConn(c.txErr))
	}
	return nil
}

// call runs one call on the inner connection under ctx's guard.
func (c *conn) call(ctx context.Context, f func(context.Context) error) error {
	if err := c.ready(); err != nil {
		return err
	}
	g := c.watch(ctx)
	err := f(context.WithoutCancel(ctx))
	return c.check(ctx, g.finish(), err)
}

// check takes note of how a call ended and completes its error.
func (c *conn) check(ctx context.Context, killed bool, err error) error {
	if killed {
		c.spent = true
		if err == nil {
			err = errKilled
		}
	}
	if err == nil || errors.Is(err, driver.ErrSkip) { // ErrSkip asks database/sql to prepare
		return err
	}
	c.spent = c.spent || ends(err)
	if Code(err) == 0 && !errors.Is(err, errKilled) && !errors.Is(err, mysql.ErrPktTooLarge) {
		c.broken.Store(true)
	}
	err = interrupted(ctx, err)
	if c.inTx && c.txErr == nil {
		c.txErr = err
	}
	return err
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		res, err = c.inner.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, func(ctx context.Context) (driver.Rows, error) { return c.inner.QueryContext(ctx, query, args) })
}

// query keeps the guard on until the rows are closed.
func (c *conn) query(ctx context.Context, f func(context.Context) (driver.Rows, error)) (driver.Rows, error) {
	if err := c.ready(); err != nil {
		return nil, err
	}
	g := c.watch(ctx)
	inner, err := f(context.WithoutCancel(ctx))
	if err != nil {
		return nil, c.check(ctx, g.finish(), err)
	}
	return &rows{c: c, inner: inner, ctx: ctx, guard: g}, nil
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	var inner driver.Stmt
	err := c.call(ctx, func(ctx context.Context) (err error) {
		inner, err = c.inner.PrepareContext(ctx, query)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &stmt{c: c, inner: inner.(innerStmt)}, nil
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
		c.spent = true // it may have begun
		return nil, err
	}
	c.inTx, c.txErr = true, nil
	return &tx{c: c, inner: inner, ctx: ctx}, nil
}

// Begin is BeginTx without a context.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

func (c *conn) Ping(ctx context.Context) error { return c.call(ctx, c.inner.Ping) }

// CheckNamedValue has the driver convert an argument.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error { return c.inner.CheckNamedValue(v) }

// ResetSession is asked before the connection is used again: a server that
// hung up while it was idle is noticed here, where database/sql takes another.
func (c *conn) ResetSession(ctx context.Context) error {
	if !c.IsValid() || c.inTx {
		return driver.ErrBadConn
	}
	return c.inner.ResetSession(ctx)
}

func (c *conn) IsValid() bool {
	return !c.broken.Load() && !c.spent && c.inner.IsValid()
}

func (c *conn) Close() error { return c.inner.Close() }
