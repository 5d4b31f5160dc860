package pgconn

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/uptrace/bun/driver/pgdriver"
)

// dialer makes bare pgdriver connections.
type dialer struct {
	cfg Config
	tls *tls.Config
}

// dial returns a connection and the socket below it. Everything up to the end
// of the login obeys ctx and the connect timeout; on an error nothing is left
// open.
func (d *dialer) dial(ctx context.Context) (*pgdriver.Conn, net.Conn, error) {
	dialCtx, cancel := context.WithTimeout(ctx, d.cfg.connectTimeout())
	defer cancel()
	var raw net.Conn
	stop := func() bool { return true }
	connect := func(_ context.Context, network, address string) (net.Conn, error) {
		var err error
		if raw, err = new(net.Dialer).DialContext(dialCtx, network, address); err != nil {
			return nil, err
		}
		stop = context.AfterFunc(dialCtx, func() { _ = raw.Close() })
		return raw, nil
	}
	inner, err := pgdriver.NewConnector(func(c *pgdriver.Config) { d.configure(c, connect) }).Connect(dialCtx)
	if !stop() && err == nil {
		err = context.Cause(dialCtx) // the socket was closed under a login that had just succeeded
	}
	if err != nil {
		if raw != nil {
			_ = raw.Close() // pgdriver leaves the socket of a failed login open
		}
		return nil, nil, &connectError{interrupted(ctx, err)}
	}
	return inner.(*pgdriver.Conn), raw, nil
}

func (d *dialer) configure(c *pgdriver.Config, connect func(context.Context, string, string) (net.Conn, error)) {
	c.Network, c.Addr, c.Dialer = d.cfg.network(), d.cfg.Address, connect
	c.TLSConfig = d.tls
	c.User, c.Password, c.Database = d.cfg.User, d.cfg.password(), d.cfg.Database
	c.AppName = d.cfg.ApplicationName
	c.ReadTimeout = 0 // contexts and the guard bound waiting, not a clock that knows no statement
	c.WriteTimeout = writeTimeout
	c.EnableTracing = false
}

// connector makes guarded connections. It is safe for concurrent use.
type connector struct {
	dialer   *dialer
	canceler *canceler
}

// Connect dials, logs in, sets the session's parameters and learns the pid of
// the server's process.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, raw, err := c.dialer.dial(ctx)
	if err != nil {
		return nil, err
	}
	// While the pid is unknown the only way to interrupt is to hang up.
	ctx, cancel := context.WithTimeout(ctx, c.dialer.cfg.connectTimeout())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	pid, err := setUp(context.WithoutCancel(ctx), inner, c.dialer.cfg.Params)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Close()
		return nil, &connectError{interrupted(ctx, err)}
	}
	return &conn{inner: inner, raw: raw, pid: pid, canceler: c.canceler, textRows: c.dialer.cfg.TextRows}, nil
}

// Driver answers database/sql's question; connections come from Connect only.
func (c *connector) Driver() driver.Driver { return pgdriver.NewDriver() }

// Close is called by sql.DB.Close.
func (c *connector) Close() error { return c.canceler.close() }

// checkInterval makes a server of version 14 or newer look, while it runs a
// statement, whether the client is still there: the statement of a killed
// worker ends.
const checkInterval = `(SELECT set_config(name, '2000', false) FROM pg_catalog.pg_settings WHERE name = 'client_connection_check_interval')`

func setUp(ctx context.Context, inner *pgdriver.Conn, params map[string]string) (pid int64, err error) {
	columns := []string{"pg_catalog.pg_backend_pid()"}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		columns = append(columns, fmt.Sprintf("set_config(%s, %s, false)", Literal(name), Literal(params[name])))
	}
	pid, err = queryInt(ctx, inner, "SELECT "+strings.Join(append(columns, checkInterval), ", "))
	if Code(err) == "22023" { // this server's platform cannot watch its clients
		pid, err = queryInt(ctx, inner, "SELECT "+strings.Join(columns, ", "))
	}
	return pid, err
}

// queryInt returns the first column of the only row.
func queryInt(ctx context.Context, inner driver.QueryerContext, query string) (int64, error) {
	rows, err := inner.QueryContext(ctx, query, nil)
	if err != nil {
		return 0, err
	}
	dest := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err != nil {
		_ = rows.Close()
		return 0, err
	}
	n, ok := dest[0].(int64)
	if err := rows.Close(); err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("the server answered %T where an integer was asked for", dest[0])
	}
	return n, nil
}
