package pgconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// resendAfter is the wait before a cancel request is sent again: one that
// arrives before its statement does is lost.
const resendAfter = 100 * time.Millisecond

// guard watches the context of one call on a connection. Whoever begins it
// calls finish exactly when the call has ended.
type guard struct {
	c        *conn
	stop     func() bool
	once     sync.Once
	returned chan struct{} // closed by finish: the call is over
	done     chan struct{} // closed by interrupt: no cancel request is under way
}

// watch begins a guard; a context that can never be done needs none (nil).
func (c *conn) watch(ctx context.Context) *guard {
	if ctx.Done() == nil {
		return nil
	}
	g := &guard{c: c, returned: make(chan struct{}), done: make(chan struct{})}
	g.stop = context.AfterFunc(ctx, g.interrupt)
	return g
}

// finish ends the watch. After it no cancel request of this guard can reach
// the server any more.
func (g *guard) finish() {
	if g == nil {
		return
	}
	g.once.Do(func() {
		if g.stop() {
			return
		}
		close(g.returned)
		<-g.done
	})
}

// interrupt runs once the context is done: it asks the server to cancel until
// the call returns, and drops the connection if that takes too long or if it
// cannot be known whether a request is still on its way.
func (g *guard) interrupt() {
	defer close(g.done)
	ctx, cancel := context.WithTimeout(context.Background(), g.c.canceler.timeout)
	defer cancel()
	resend := time.NewTicker(resendAfter)
	defer resend.Stop()
	for {
		if err := g.c.canceler.cancel(ctx, g.c.pid); err != nil {
			g.c.drop()
			return
		}
		select {
		case <-g.returned:
			return
		case <-resend.C:
		case <-ctx.Done():
			g.c.drop()
			return
		}
	}
}

// canceler sends cancel requests over connections of its own.
type canceler struct {
	db      *sql.DB
	timeout time.Duration
}

const (
	cancelConns    = 2
	cancelIdleTime = time.Minute
)

func newCanceler(d *dialer) *canceler {
	db := sql.OpenDB(sideConnector{d})
	db.SetMaxOpenConns(cancelConns)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(cancelIdleTime)
	return &canceler{db: db, timeout: d.cfg.cancelTimeout()}
}

// cancel returns when the server has sent the signal. On an error the request
// may still be carried out at any later time.
func (c *canceler) cancel(ctx context.Context, pid int64) error {
	_, err := c.db.ExecContext(ctx, fmt.Sprintf("SELECT pg_catalog.pg_cancel_backend(%d)", pid))
	return err
}

func (c *canceler) close() error { return c.db.Close() }

// sideConnector makes the connections that cancel requests travel on: no
// guard, but a socket that is closed when the context is done.
type sideConnector struct{ *dialer }

func (s sideConnector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, raw, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &sideConn{Conn: inner, raw: raw}, nil
}

func (s sideConnector) Driver() driver.Driver { return (*connector)(nil).Driver() }

// sideConn adds hanging up to what database/sql needs for Exec.
type sideConn struct {
	driver.Conn
	raw    net.Conn
	broken bool // only touched by the goroutine that database/sql lends the connection to
}

func (s *sideConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	res, err := s.Conn.(driver.ExecerContext).ExecContext(context.WithoutCancel(ctx), query, args)
	if !stop() {
		s.broken = true
		return nil, errors.Join(context.Cause(ctx), hideBadConn(err))
	}
	return res, err
}

func (s *sideConn) IsValid() bool { return !s.broken && s.Conn.(driver.Validator).IsValid() }

// ResetSession refuses a connection that the server has closed meanwhile.
func (s *sideConn) ResetSession(ctx context.Context) error {
	if hungUp(s.raw) {
		return driver.ErrBadConn
	}
	return s.Conn.(driver.SessionResetter).ResetSession(ctx)
}
