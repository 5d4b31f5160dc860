// Package pgconn owns the connection to PostgreSQL: it opens database/sql
// pools on pgdriver that obey their contexts, and turns the driver's errors
// into SQLSTATEs and a few questions about them.
//
// pgdriver by itself goes on waiting when a context is done and leaves the
// statement running on the server. Here every call carries a guard: when its
// context is done, the server is asked to cancel the statement
// (pg_cancel_backend over a small side pool), and a server that does not
// answer loses the connection. A call returns only when its cancel request has
// been carried out or the connection is gone, so that no late cancel hits the
// next statement.
//
// A transaction-mode pooler between client and server (PgBouncer) breaks the
// side pool's aim: connect to the server itself, or use session mode.
//
// It knows no table and builds no SQL of its own beyond what connections need.
package pgconn

import (
	"database/sql"
	"fmt"
)

// Open returns a pool for the server that cfg names. It does not dial: the
// first use does, and a server that is down is an error of that use. The
// caller closes the pool, which closes the side pool too.
func Open(cfg Config) (*sql.DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	dial := &dialer{cfg: cfg, tls: tlsConfig}
	db := sql.OpenDB(&connector{dialer: dial, canceler: newCanceler(dial)})
	db.SetMaxOpenConns(cfg.MaxOpen)
	db.SetMaxIdleConns(cfg.idle())
	db.SetConnMaxLifetime(cfg.MaxLifetime)
	db.SetConnMaxIdleTime(cfg.MaxIdleTime)
	return db, nil
}

// Literal returns s as a string constant of SQL. It is safe because every
// connection of this package has standard_conforming_strings on and
// client_encoding UTF8; the driver refuses others. s must hold no NUL.
func Literal(s string) string { return string(AppendLiteral(nil, s)) }

// AppendLiteral appends what Literal returns to b.
func AppendLiteral(b []byte, s string) []byte {
	b = append(b, '\'')
	for i := range len(s) {
		if s[i] == '\'' {
			b = append(b, '\'')
		}
		b = append(b, s[i])
	}
	return append(b, '\'')
}

func wrap(what string, err error) error { return fmt.Errorf("pgconn: %s: %w", what, err) }
