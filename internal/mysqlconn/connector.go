package mysqlconn

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"net"
	"sync/atomic"

	"github.com/go-sql-driver/mysql"
)

// innerConn is what the driver's connections can do.
//
//nolint:interfacebloat // it stands for a type of the driver's that is not exported
type innerConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// dialer makes bare connections of the driver.
type dialer struct {
	cfg Config
	tls *tls.Config
}

// link is a bare connection with its session set up.
type link struct {
	inner   innerConn
	raw     net.Conn // the socket below it
	session session
}

// dial connects, logs in and sets the session up. All of it obeys ctx and the
// connect timeout; on an error nothing is left open.
func (d *dialer) dial(ctx context.Context) (link, error) {
	dialCtx, cancel := context.WithTimeout(ctx, d.cfg.connectTimeout())
	defer cancel()
	var l link
	fail := func(err error) (link, error) {
		if l.raw != nil {
			_ = l.raw.Close()
		}
		return link{}, &connectError{interrupted(ctx, err)}
	}
	connector, err := mysql.NewConnector(d.config(func(ctx context.Context, network, address string) (net.Conn, error) {
		raw, err := new(net.Dialer).DialContext(ctx, network, address)
		l.raw = raw
		return raw, err
	}))
	if err != nil {
		return fail(err)
	}
	bare, err := connector.Connect(dialCtx)
	if err != nil {
		return fail(err)
	}
	l.inner = bare.(innerConn) // the driver has one kind of connection
	// Without the number of the server's thread the only way to interrupt is to hang up.
	stop := context.AfterFunc(dialCtx, func() { _ = l.raw.Close() })
	l.session, err = setUp(context.WithoutCancel(dialCtx), l.inner, d.cfg)
	if !stop() && err == nil {
		err = context.Cause(dialCtx)
	}
	if err != nil {
		_ = l.inner.Close()
		return fail(err)
	}
	return l, nil
}

func (d *dialer) config(dial func(context.Context, string, string) (net.Conn, error)) *mysql.Config {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.DialFunc = d.cfg.network(), d.cfg.Address, dial
	c.TLS = d.tls
	c.User, c.Passwd, c.DBName = d.cfg.User, d.cfg.password(), d.cfg.Database
	if d.cfg.ApplicationName != "" {
		c.ConnectionAttributes = "program_name:" + d.cfg.ApplicationName
	}
	_ = c.Apply(mysql.Charset("utf8mb4", d.cfg.Collation)) // it always returns nil
	c.ClientFoundRows = true                               // an UPDATE counts what it matched, changed or not
	c.MaxAllowedPacket = 0                                 // the server's own: what is larger fails before it is sent
	c.WriteTimeout = writeTimeout
	c.Logger = &mysql.NopLogger{} // what it has to say comes as errors, too
	return c
}

// connector makes guarded connections. It is safe for concurrent use.
type connector struct {
	dialer   *dialer
	canceler *canceler
	server   *atomic.Pointer[Server]
}

// Connect returns a connection that is ready for use, and remembers which
// server it has reached.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	l, err := c.dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	c.server.Store(&l.session.server)
	return &conn{link: l, canceler: c.canceler}, nil
}

// Driver answers database/sql's question; connections come from Connect only.
func (c *connector) Driver() driver.Driver { return mysql.MySQLDriver{} }

// Close is called by sql.DB.Close.
func (c *connector) Close() error { return c.canceler.close() }
