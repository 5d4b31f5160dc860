package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// postgres is the dialect of PostgreSQL 13 and newer.
type postgres struct {
	words grammar
	types *postgresTypes
}

// How long one session may hold others up. A frozen worker's transaction must
// end before its job runs elsewhere.
const (
	postgresLockTimeout = 10 * time.Second
	postgresIdleTimeout = 10 * time.Second
)

func (postgres) open(cfg Config) (*pools, error) {
	pg := cfg.Postgres
	pg.MaxOpen = cfg.PoolSize + cfg.MaxOverflow + spareConns
	pg.MaxIdle = pg.MaxOpen // keepPoolSize closes what is too much
	pg.MaxLifetime, pg.MaxIdleTime, pg.TextRows = cfg.MaxLifetime, cfg.MaxIdleTime, true
	params := map[string]string{
		"TimeZone":                            "UTC",
		"statement_timeout":                   milliseconds(cfg.StatementTimeout),
		"lock_timeout":                        milliseconds(min(postgresLockTimeout, cfg.StatementTimeout)),
		"idle_in_transaction_session_timeout": milliseconds(postgresIdleTimeout),
	}
	for name, value := range pg.Params {
		params[name] = value
	}
	pg.Params = params
	if pg.ApplicationName == "" {
		pg.ApplicationName = "asyncops"
	}
	db, err := pgconn.Open(pg)
	if err != nil {
		return nil, err
	}
	share, err := openShare(pg, cfg.StatementTimeout)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &pools{read: db, write: db, share: share, close: func() error { return errors.Join(db.Close(), share.Close()) }}, nil
}

// openShare opens the pool of inserts that share statements.
func openShare(pg pgconn.Config, statementTimeout time.Duration) (*sql.DB, error) {
	pg.MaxOpen, pg.MaxIdle = shareWriters, shareWriters
	pg.Params = maps.Clone(pg.Params)
	pg.Params["lock_timeout"] = milliseconds(min(shareLockTimeout, statementTimeout))
	pg.Params["statement_timeout"] = milliseconds(min(shareTimeout, statementTimeout))
	return pgconn.Open(pg)
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

func (d postgres) grammar() grammar { return d.words }

func newPostgres() postgres {
	return postgres{types: &postgresTypes{known: map[uint32]columnInfo{}}, words: grammar{
		bun: pgdialect.New(), likeEscape: `'\'`, defaultInValues: true, emptyRow: "DEFAULT VALUES", insertAlias: true, returning: true, countsParams: true, onConflict: true,
		deleteFrom:     "DELETE FROM ",
		statementGrace: 5 * time.Second,
		effects: effectsWords{
			onDuplicate: " ON CONFLICT DO NOTHING",
			prune:       pruneByKey,
			// A row that was there is locked before it is updated, which its new
			// version's xmax shows. A plain UPDATE would lock a page of the index, or the
			// table, against the rows of every other serializable transaction.
			recordUnread: `INSERT INTO asyncops_effects AS e (job_id, generation, outcome, result) VALUES (%s, %d, '%s', %s)
	ON CONFLICT (job_id, generation) DO UPDATE SET result = EXCLUDED.result WHERE e.outcome = '%s' RETURNING e.xmax::text <> '0'`,
			create: `CREATE TABLE IF NOT EXISTS asyncops_effects (
	job_id     uuid        NOT NULL,
	generation integer     NOT NULL,
	outcome    text        NOT NULL CHECK (outcome IN ('done', 'void')),
	result     text,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (job_id, generation)
)`,
			probe: `SELECT CASE WHEN (SELECT count(*) >= 0 FROM (SELECT job_id, generation, outcome, result, created_at FROM asyncops_effects LIMIT 1) AS e)
	AND has_table_privilege('asyncops_effects', 'INSERT') AND has_table_privilege('asyncops_effects', 'UPDATE') THEN '' ELSE 'permission' END`,
		},
	}}
}

func (postgres) codec() codec { return postgresCodec{} }

// describePostgres reads one table: the names of columns and types, whether
// the column is in the primary key and where.
// Arguments: the table's name, a condition on its schema.
const describePostgres = `SELECT a.attname::text, COALESCE(b.typname, t.typname)::text, t.typcategory::text, t.typtype::text,
	format_type(a.atttypid, a.atttypmod), COALESCE(array_position(i.indkey::int2[], a.attnum), -1)
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_type b ON b.oid = NULLIF(t.typbasetype, 0)
LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = %s AND %s
ORDER BY a.attnum`

func (postgres) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	where := "pg_catalog.pg_table_is_visible(c.oid) AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
	if schema != "" {
		where = "n.nspname = " + pgconn.Literal(schema)
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(describePostgres, pgconn.Literal(name), where))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	t := &table{schema: schema, name: name}
	key := map[int]string{}
	for rows.Next() {
		var c columnInfo
		var typ, category, kind string
		var position int
		if err := rows.Scan(&c.name, &typ, &category, &kind, &c.declared, &position); err != nil {
			return nil, err
		}
		c.class = postgresClass(typ, category, kind)
		t.columns = append(t.columns, c)
		if position >= 0 {
			key[position] = c.name
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(t.columns) == 0 {
		return nil, nil
	}
	for i := range len(key) {
		t.key = append(t.key, key[i])
	}
	return t, nil
}

// postgresClass knows a type by its name in the catalog, its category and
// whether it is composite; a domain comes with its base type's name.
func postgresClass(typ, category, kind string) class {
	switch typ {
	case "int2", "int4", "int8", "oid":
		return classInt
	case "float4", "float8":
		return classFloat
	case "numeric":
		return classDecimal
	case "bool":
		return classBool
	case "timestamptz":
		return classTime
	case "timestamp":
		return classLocalTime
	case "date":
		return classDate
	case "bytea":
		return classBytes
	case "json", "jsonb":
		return classJSON
	}
	switch {
	case category == "A":
		return classArray
	case kind == "c":
		return classComposite
	case category == "S":
		return classText
	}
	return classOther
}

// pgMessage is the server's own text, without the values it may quote in its
// detail.
func pgMessage(err error) string { return strings.TrimSpace(pgconn.Message(err)) }
