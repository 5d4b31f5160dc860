package ledger

import (
	"context"
	"errors"
	"maps"
	"net"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/job"
)

// date_part is a float8, exact to the microsecond until 2255; extract is a
// numeric, and several times as slow.
const postgresNow = "(date_part('epoch', statement_timestamp()) * 1000000)::bigint"

var postgres = dialect{
	name:        "postgres",
	now:         postgresNow,
	prepares:    true,
	among:       func(arg string) string { return "= ANY(CAST(" + arg + " AS uuid[]))" },
	list:        func(ids []job.ID) any { return pgconn.Array(ids, func(id *job.ID) string { return string(*id) }) },
	outcomes:    outcomeArrays,
	outcomeArgs: outcomeColumns,
	insertOne:   insertValues,
	insertMany:  insertArrays,
	insertKeyed: insertKeyed,
	insertArgs:  insertColumns,
	keyArgs:     keyColumns,

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
		case "25P03", "55P03": // idle in a transaction, or waiting for a lock, longer than the server allows
			return true
		case "57014": // ended by the server's own timeout, unless the caller's context did
			return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
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
	params := map[string]string{}
	maps.Copy(params, cfg.Params)
	// Whatever the server's defaults are: what is answered is on disk,
	// statements see what was committed before them, and a process that is
	// frozen inside a transaction does not keep its rows from others.
	params["synchronous_commit"] = "on"
	params["default_transaction_isolation"] = "read committed"
	params["idle_in_transaction_session_timeout"] = "10s"
	// Rows are found by indexes, which the planner does not believe while its
	// statistics are older than the backlog: it would rather read the whole table
	// for each batch of outcomes. Compiling would cost more than the statements.
	for _, name := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		params[name] = "off"
	}
	params["plan_cache_mode"] = "force_generic_plan" // nor does it know better with the values at hand
	cfg.Params = params
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
