package ledger

import (
	"context"
	"errors"
	"maps"
	"net"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/schema"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/job"
)

var postgres = dialect{
	name: "postgres",
	// date_part is a float8, exact to the microsecond until 2255; extract is a
	// numeric, and several times as slow.
	now:          "(date_part('epoch', statement_timestamp()) * 1000000)::bigint",
	least:        "least",
	among:        amongArray,
	outcomes:     outcomeArrays,
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

// postgresLone is the query of lone.
const postgresLone = `INSERT INTO asyncops_jobs (id, run_at, rung_at, created_at, deadline, expires_at, retention, max_attempts, kind,
	queue, state, delivery, run_once, owner, idempotency_key, doorbell, traceparent, tags, options, args)
	VALUES ($1, CASE WHEN $2 THEN least($3, ?now) ELSE $3 END, CASE WHEN $4 THEN ?now ELSE 0 END,
	$5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON CONFLICT (id) DO NOTHING`

func amongArray(ids []job.ID) schema.QueryAppender {
	return bun.SafeQuery("= ANY(CAST(? AS uuid[]))", pgdialect.Array(ids))
}

// outcomeArrays passes each column as one array.
func outcomeArrays(outcomes []outcome, parking bool) schema.QueryAppender {
	var c struct {
		id                             []job.ID
		epoch, delay                   []int64
		state                          []string
		again, private                 []bool
		result, code, message, summary []*string
		parked, verdict, parkedOn      []*string
		unrun                          []bool
	}
	for _, o := range outcomes {
		c.id, c.epoch, c.delay = append(c.id, o.id), append(c.epoch, o.epoch), append(c.delay, o.delay)
		c.state, c.again, c.private = append(c.state, o.state), append(c.again, o.again), append(c.private, o.private)
		c.result, c.code, c.message = append(c.result, o.result), append(c.code, o.code), append(c.message, o.message)
		c.summary, c.parked, c.verdict = append(c.summary, o.summary), append(c.parked, o.parked), append(c.verdict, o.verdict)
		c.parkedOn, c.unrun = append(c.parkedOn, o.parkedOn), append(c.unrun, o.unrun)
	}
	const query = `SELECT * FROM unnest(CAST(? AS uuid[]), CAST(? AS bigint[]), CAST(? AS text[]), CAST(? AS boolean[]),
		CAST(? AS bigint[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS text[]), CAST(? AS boolean[]), CAST(? AS text[]),
		CAST(? AS text[]), CAST(? AS text[])`
	array := func(column any) any { return pgdialect.Array(column) }
	columns := []any{
		array(c.id), array(c.epoch), array(c.state), array(c.again), array(c.delay), array(c.result),
		array(c.code), array(c.message), array(c.private), array(c.summary), array(c.parked), array(c.verdict),
	}
	if !parking {
		return bun.SafeQuery(query+")", columns...)
	}
	return bun.SafeQuery(query+", CAST(? AS text[]), CAST(? AS boolean[]))", append(columns, array(c.parkedOn), array(c.unrun))...)
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
	cfg.Params = params
	db, err := pgconn.Open(cfg)
	if err != nil {
		return err
	}
	l.dialect = postgres
	l.write = bun.NewDB(db, pgdialect.New())
	l.read = l.write
	l.close = db.Close
	l.lone.query = l.timed(postgresLone)
	return nil
}
