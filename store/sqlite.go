package store

import (
	"context"
	"errors"

	"github.com/asyncops/asyncops/internal/sqliteconn"
	"github.com/asyncops/asyncops/job"
	"github.com/uptrace/bun/dialect/sqlitedialect"
)

// sqlite is the dialect of SQLite files.
type sqlite struct{ words grammar }

func (sqlite) open(cfg Config) (*pools, error) {
	db, err := sqliteconn.Open(sqliteconn.Config{Path: cfg.Path, ReadOnlyConns: cfg.PoolSize + cfg.MaxOverflow + spareConns})
	if err != nil {
		return nil, err
	}
	limitAge(db.Reader(), cfg)
	limitAge(db.Writer(), cfg)
	return &pools{read: db.Reader(), write: db.Writer(), writers: 1, close: db.Close}, nil
}

func (d sqlite) grammar() grammar { return d.words }

func newSQLite() sqlite {
	return sqlite{grammar{
		bun: sqlitedialect.New(), likeEscape: `'\'`, emptyRow: "DEFAULT VALUES", insertAlias: true, returning: true, onConflict: true, deleteFrom: "DELETE FROM ", plainReads: true, nullsFirst: true, oneWriter: true,
		effects: effectsWords{
			onDuplicate: " ON CONFLICT DO NOTHING",
			prune:       pruneByKey,
			create: `CREATE TABLE IF NOT EXISTS asyncops_effects (
	job_id     TEXT    NOT NULL,
	generation INTEGER NOT NULL,
	outcome    TEXT    NOT NULL CHECK (outcome IN ('done', 'void')),
	result     TEXT,
	created_at TEXT    NOT NULL DEFAULT CURRENT_TIMESTAMP,
	PRIMARY KEY (job_id, generation)
)`,
			probe: `SELECT CASE WHEN count(*) >= 0 THEN '' END FROM (SELECT job_id, generation, outcome, result, created_at FROM asyncops_effects LIMIT 1)`,
		},
	}}
}

func (sqlite) codec() codec { return sqliteCodec{} }

func (sqlite) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	if schema != "" && schema != "main" {
		return nil, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT c.name, c.type, c.pk, c."notnull" = 0 AND c.pk = 0 FROM sqlite_schema AS s, pragma_table_xinfo(s.name) AS c
WHERE s.name = ? AND s.type IN ('table', 'view') AND c.hidden <> 1 ORDER BY c.cid`, name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	t := &table{schema: schema, name: name}
	key := map[int]string{}
	for rows.Next() {
		var c columnInfo
		var position int // in the primary key, from 1; 0 is not in it
		if err := rows.Scan(&c.name, &c.declared, &position, &c.nullable); err != nil {
			return nil, err
		}
		c.class = sqliteClass(c.declared)
		t.columns = append(t.columns, c)
		if position > 0 {
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
		t.key = append(t.key, key[i+1])
	}
	return t, nil
}

func (sqlite) diagnose(err error) fault {
	private := fault{class: job.ClassPermanent, message: sqliteconn.Message(err), private: true}
	switch {
	case sqliteconn.Code(err) == sqliteconn.CodeConstraintDataType:
		private.code = job.CodeInvalidValue
	case sqliteconn.Constraint(err):
		private.code, private.duplicate = job.CodeConstraint, sqliteconn.Duplicate(err)
	case sqliteconn.Busy(err):
		return fault{class: job.ClassRetryable, code: job.CodeConflict, message: "another process holds the file's lock", transient: true}
	case sqliteconn.ReadOnly(err):
		return fault{class: job.ClassPermanent, code: job.CodeReadOnly, message: "the file, or its folder, takes no writes"}
	case sqliteconn.Unreachable(err):
		return fault{class: job.ClassRetryable, code: job.CodeDatabaseUnreachable, message: "the file cannot be read or written", transient: true, undone: sqliteconn.Primary(err) != sqliteconn.CodeIO}
	case sqliteconn.Interrupted(err), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fault{class: job.ClassRetryable, code: job.CodeTimeout, message: "the statement was interrupted"}
	default:
		switch sqliteconn.Primary(err) {
		case sqliteconn.CodeMismatch, sqliteconn.CodeTooBig, sqliteconn.CodeRange:
			private.code = job.CodeInvalidValue
		case sqliteconn.CodeAuth, sqliteconn.CodePerm:
			private.code = job.CodePermission
		case sqliteconn.CodeError, sqliteconn.CodeSchema:
			private.code, private.stale = job.CodeInvalid, true
		default:
			return fault{class: job.ClassRetryable, code: job.CodeInternal, message: "the database failed in a way that is not known"}
		}
	}
	return private
}
