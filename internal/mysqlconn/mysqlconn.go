// Package mysqlconn owns the connection to MariaDB and MySQL: it opens
// database/sql pools on go-sql-driver/mysql that obey their contexts, keeps a
// transaction from going on after an error, learns which server answers, and
// turns the driver's errors into numbers and a few questions about them.
//
// The driver by itself hangs up when a context is done and leaves the statement
// running on the server. Here every call carries a guard: when its context is
// done, the server is told to KILL QUERY over a small side pool, and a server
// that does not answer loses the connection. A connection that a KILL was sent
// for serves nothing but the end of its transaction, so that no late KILL hits
// the next statement.
//
// After error 1213 the server has rolled back and runs what follows outside of
// any transaction; after 1205 it has undone one statement and would commit the
// others. So the first error of a transaction is its last statement: everything
// but Rollback is refused.
//
// Behind a proxy that spreads connections over servers, cancelling works only
// where the side pool reaches the same server; otherwise the connection is
// dropped.
//
// It knows no table and builds no SQL of its own beyond what connections need.
package mysqlconn

import (
	"database/sql"
	"fmt"
	"sync/atomic"
)

// DB is a pool. It is safe for concurrent use.
type DB struct {
	*sql.DB
	server *atomic.Pointer[Server]
}

// Open returns a pool for the server that cfg names. It does not dial: the
// first use does, and a server that is down is an error of that use. The
// caller closes the pool, which closes the side pool too.
func Open(cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	dial := &dialer{cfg: cfg, tls: tlsConfig}
	server := new(atomic.Pointer[Server])
	db := sql.OpenDB(&connector{dialer: dial, canceler: newCanceler(dial), server: server})
	db.SetMaxOpenConns(cfg.MaxOpen)
	db.SetMaxIdleConns(cfg.idle())
	db.SetConnMaxLifetime(cfg.MaxLifetime)
	db.SetConnMaxIdleTime(cfg.MaxIdleTime)
	return &DB{DB: db, server: server}, nil
}

// Server returns what the newest connection has found; false before there was
// one.
func (db *DB) Server() (Server, bool) {
	if s := db.server.Load(); s != nil {
		return *s, true
	}
	return Server{}, false
}

// Literal returns s as a string constant of SQL. It is safe because every
// connection of this package talks utf8mb4 and has an sql_mode in which the
// backslash escapes.
func Literal(s string) string { return string(AppendLiteral(nil, s)) }

// AppendLiteral appends what Literal returns to b.
func AppendLiteral(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b = append(b, s[i])
		}
		b = append(b, s[i])
	}
	return append(b, '\'')
}

func wrap(what string, err error) error { return fmt.Errorf("mysqlconn: %s: %w", what, err) }
