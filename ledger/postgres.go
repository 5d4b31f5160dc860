package ledger

import (
	"errors"
	"net"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/asyncops/asyncops/internal/pgconn"
)

var postgres = dialect{
	name:         "postgres",
	now:          "(extract(epoch FROM statement_timestamp()) * 1000000)::bigint",
	uuid:         "CAST(? AS uuid)",
	integer:      "CAST(? AS bigint)",
	boolean:      "CAST(? AS boolean)",
	text:         "CAST(? AS text)",
	skipLocked:   "FOR UPDATE SKIP LOCKED",
	forUpdate:    "FOR UPDATE",
	materialized: "MATERIALIZED",
	hasTag:       "tags::jsonb @> to_jsonb(CAST(? AS text))",
	contains:     "ILIKE",
	schemaMade:   "SELECT to_regclass('asyncops_migrations') IS NOT NULL",
	missingTable: func(err error) bool { return pgconn.Code(err) == "42P01" || pgconn.Code(err) == "42703" },
	unreachable: func(err error) bool {
		switch pgconn.Code(err) {
		case "53100", "53200", "53300", "53400", "25006": // out of disk, memory, connections; read-only
			return true
		}
		return pgconn.Unreachable(err)
	},
	refused: func(err error) bool {
		var op *net.OpError
		return errors.As(err, &op) && op.Op == "dial"
	},
	deadlock: func(err error) bool { return pgconn.Code(err) == "40P01" || pgconn.Code(err) == "40001" },
}

func (l *Ledger) openPostgres() error {
	cfg := *l.cfg.Postgres
	cfg.MaxOpen, cfg.MaxIdle = l.cfg.PoolSize, l.cfg.PoolSize
	if cfg.Params == nil {
		cfg.Params = map[string]string{}
	}
	// What is answered must be on disk, whatever the server's default is.
	cfg.Params["synchronous_commit"] = "on"
	db, err := pgconn.Open(cfg)
	if err != nil {
		return err
	}
	l.dialect = postgres
	l.write = bun.NewDB(db, pgdialect.New())
	l.read = l.write
	l.close = db.Close
	return nil
}
