package mysqlconn

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// resendAfter is the wait before a KILL is sent again: one that arrives before
// its statement does is lost.
const resendAfter = 100 * time.Millisecond

// guard watches the context of one call on a connection. Whoever begins it
// calls finish when the call has ended.
type guard struct {
	c        *conn
	stop     func() bool
	once     sync.Once
	returned chan struct{} // closed by finish: the call is over
	done     chan struct{} // closed by interrupt: no KILL is under way
	fired    bool          // guarded by once; interrupt has run
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

// finish ends the watch and reports whether the call was interrupted. After it
// no KILL of this guard can reach the server any more; one that was sent may
// still hit what the connection does next.
func (g *guard) finish() (killed bool) {
	if g == nil {
		return false
	}
	g.once.Do(func() {
		if g.stop() {
			return
		}
		close(g.returned)
		<-g.done
		g.fired = true
	})
	return g.fired
}

// interrupt runs once the context is done: it has the server kill the statement
// until the call returns, and drops the connection if that takes too long or if
// it cannot be known whether a KILL is still on its way.
func (g *guard) interrupt() {
	defer close(g.done)
	ctx, cancel := context.WithTimeout(context.Background(), g.c.canceler.timeout)
	defer cancel()
	resend := time.NewTicker(resendAfter)
	defer resend.Stop()
	for {
		if err := g.c.canceler.kill(ctx, g.c.session); err != nil {
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

// canceler sends KILLs over connections of its own.
type canceler struct {
	db      *sql.DB
	timeout time.Duration
}

const (
	cancelConns    = 2
	cancelIdleTime = 10 * time.Second
)

func newCanceler(d *dialer) *canceler {
	db := sql.OpenDB(sideConnector{d})
	db.SetMaxOpenConns(cancelConns)
	db.SetMaxIdleConns(1)
	db.SetConnMaxIdleTime(cancelIdleTime)
	return &canceler{db: db, timeout: d.cfg.cancelTimeout()}
}

var errOtherServer = errors.New("mysqlconn: the way to the server leads to another one")

// kill returns when the server has carried the KILL QUERY out. On an error it
// may still do so at any later time.
func (c *canceler) kill(ctx context.Context, victim session) error {
	conn, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return conn.Raw(func(driverConn any) error {
		side := driverConn.(*sideConn) // the only kind that sideConnector makes
		if side.host != victim.host {
			return errOtherServer
		}
		err := side.exec(ctx, "KILL QUERY "+strconv.FormatUint(victim.thread, 10))
		if Code(err) == codeNoSuchThread {
			return nil
		}
		return err
	})
}

func (c *canceler) close() error { return c.db.Close() }

// sideConnector makes the connections that KILLs travel on: no guard, but a
// socket that is closed when the context is done.
type sideConnector struct{ *dialer }

func (s sideConnector) Connect(ctx context.Context) (driver.Conn, error) {
	l, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &sideConn{innerConn: l.inner, raw: l.raw, host: l.session.host}, nil
}

func (s sideConnector) Driver() driver.Driver { return (*connector)(nil).Driver() }

// sideConn adds hanging up to what database/sql needs.
type sideConn struct {
	innerConn
	raw    net.Conn
	host   string
	broken bool // only touched by the goroutine that database/sql lends the connection to
}

func (s *sideConn) exec(ctx context.Context, query string) error {
	stop := context.AfterFunc(ctx, func() { _ = s.raw.Close() })
	_, err := s.ExecContext(context.WithoutCancel(ctx), query, nil)
	if !stop() {
		s.broken = true
		return errors.Join(context.Cause(ctx), hideBadConn(err))
	}
	s.broken = s.broken || err != nil && Code(err) == 0
	return err
}

func (s *sideConn) IsValid() bool { return !s.broken && s.innerConn.IsValid() }
