package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/uptrace/bun/dialect/mysqldialect"
)

// mysql is the dialect of MariaDB and MySQL. Which of them it speaks is known
// once a connection has been made, and may change with the next one.
type mysql struct {
	words, mariaDBWords grammar
	db                  atomic.Pointer[mysqlconn.DB] // nil until open
}

// The oldest servers that are held to keep what asyncops promises.
var (
	oldestMariaDB = mysqlconn.Server{MariaDB: true, Major: 10, Minor: 6}
	oldestMySQL   = mysqlconn.Server{Major: 8, Minor: 0, Patch: 1}
)

// How long one session may hold others up: less than a lease, so that a frozen
// worker's transaction has ended before its job runs elsewhere.
const (
	mysqlLockTimeout = 10 * time.Second
	mysqlIdleTimeout = 12 * time.Second
)

// quietDialect keeps bun from asking the server for its version when the
// target is opened: the server may be down, and is not asked twice.
type quietDialect struct{ *mysqldialect.Dialect }

func (quietDialect) Init(*sql.DB) {}

func newMySQL() *mysql {
	words := grammar{
		bun: quietDialect{mysqldialect.New()}, questionMarks: true, likeEscape: `'\\'`, defaultInValues: true, emptyRow: "() VALUES ()",
		nullsFirst: true,
		deleteFrom: "DELETE `t` FROM ", // the one way to give the table an alias that all versions know
		// MySQL keeps the time of reads only.
		statementGrace: time.Second,
		effects: effectsWords{
			create: `CREATE TABLE IF NOT EXISTS asyncops_effects (
	job_id     CHAR(36)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	generation INT         NOT NULL,
	outcome    VARCHAR(4)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL CHECK (outcome IN ('done', 'void')),
	result     LONGTEXT    CHARACTER SET utf8mb4,
	created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
	PRIMARY KEY (job_id, generation)
) ENGINE = InnoDB`,
			probe: `SELECT CASE
	WHEN (SELECT COUNT(*) FROM (SELECT job_id, generation, outcome, result, created_at FROM asyncops_effects LIMIT 1) AS e) < 0 THEN 'rows'
	WHEN (SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'asyncops_effects') <> 'InnoDB' THEN 'its engine is not InnoDB'
	WHEN (SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
		AND TABLE_NAME = 'asyncops_effects' AND INDEX_NAME = 'PRIMARY') = 'job_id,generation' THEN
		CASE WHEN (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'asyncops_effects'
			AND PRIVILEGES LIKE '%insert%' AND PRIVILEGES LIKE '%update%') >= 5 THEN '' ELSE 'permission' END
	ELSE 'its primary key is not (job_id, generation)' END`,
			prune: `DELETE FROM asyncops_effects WHERE job_id < %s AND created_at < '%s' ORDER BY job_id LIMIT %d`,
		},
	}
	mariaDB := words
	mariaDB.returning = true
	mariaDB.effects.inTransaction = "@@in_transaction = 1"
	return &mysql{words: words, mariaDBWords: mariaDB}
}

func (d *mysql) open(cfg Config) (*pools, error) {
	my := cfg.MySQL
	my.MaxOpen = cfg.PoolSize + cfg.MaxOverflow + spareConns
	my.MaxIdle = my.MaxOpen // keepPoolSize closes what is too much
	my.MaxLifetime, my.MaxIdleTime = cfg.MaxLifetime, cfg.MaxIdleTime
	my.StatementTimeout, my.IdleTimeout = cfg.StatementTimeout, mysqlIdleTimeout
	my.LockTimeout = min(mysqlLockTimeout, max(cfg.StatementTimeout-time.Second, time.Second)) // the lock is the better reason of the two
	if my.ApplicationName == "" {
		my.ApplicationName = "asyncops"
	}
	db, err := mysqlconn.Open(my)
	if err != nil {
		return nil, err
	}
	d.db.Store(db)
	return &pools{read: db.DB, write: db.DB, close: db.Close}, nil
}

func (d *mysql) server() (mysqlconn.Server, bool) {
	if db := d.db.Load(); db != nil {
		return db.Server()
	}
	return mysqlconn.Server{}, false
}

func (d *mysql) outdated() string {
	server, known := d.server()
	oldest := oldestMySQL
	if server.MariaDB {
		oldest = oldestMariaDB
	}
	if !known || server.AtLeast(oldest.Major, oldest.Minor, oldest.Patch) {
		return ""
	}
	return fmt.Sprintf("%s is older than %s", server, oldest)
}

// grammar takes a server that is not known yet for MySQL, which can do less.
func (d *mysql) grammar() grammar {
	if server, known := d.server(); known && server.MariaDB && server.AtLeast(oldestMariaDB.Major, oldestMariaDB.Minor, 0) {
		return d.mariaDBWords
	}
	return d.words
}

func (*mysql) codec() codec { return mysqlCodec{} }

func (*mysql) describe(ctx context.Context, db querier, schema, name string) (*table, error) {
	return describeMySQL(ctx, db, schema, name)
}

// mysqlOwn reports whether a table is in one of the server's own schemas.
func mysqlOwn(name string) bool {
	schema, _ := splitTable(strings.ToLower(name))
	return schema == "mysql" || schema == "performance_schema" || schema == "sys"
}
