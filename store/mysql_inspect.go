package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/asyncops/asyncops/internal/mysqlconn"
)

const (
	mysqlSettings = `SELECT @@global.innodb_flush_log_at_trx_commit, @@global.log_bin = 1 AND @@global.sync_binlog <> 1,
	CAST(@@global.innodb_doublewrite AS CHAR) IN ('0', 'OFF'), @@session.sql_mode LIKE '%STRICT_%'`
	// Argument: conditions on schema and name.
	mysqlEngines = `SELECT CONCAT(IF(TABLE_SCHEMA = DATABASE(), '', CONCAT(TABLE_SCHEMA, '.')), TABLE_NAME, ' ', ENGINE) FROM information_schema.TABLES
WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE <> 'InnoDB' AND (%s) ORDER BY 1`
)

// inspect reports what keeps the server from not losing a commit that it has
// answered, and tables that cannot roll back.
func (d *mysql) inspect(ctx context.Context, db querier, look inspection) ([]string, error) {
	var flush int
	var binlog, doublewrite, strict bool
	if err := queryOne(ctx, db, mysqlSettings, &flush, &binlog, &doublewrite, &strict); err != nil {
		return nil, err
	}
	var wrong []string
	note := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	old := d.outdated()
	note(old != "", "%s; upgrade the server", old)
	note(flush != 1, "innodb_flush_log_at_trx_commit is %d: a crash can lose effects of jobs that are shown completed; set innodb_flush_log_at_trx_commit = 1", flush)
	note(doublewrite, "innodb_doublewrite is off: a crash of the server's machine can damage pages; set innodb_doublewrite = ON")
	note(binlog, "sync_binlog is not 1 while the binary log is on: after a crash a replica can miss effects of jobs that are shown completed; set sync_binlog = 1")
	note(!strict, "sql_mode is not strict, although asyncops asks for it: values would be bent to fit; take away what changes it on the way to the server")
	loose, err := mysqlLooseTables(ctx, db, look.writable)
	for _, found := range loose {
		at := strings.LastIndexByte(found, ' ')
		name, engine := found[:at], found[at+1:]
		note(true, "table %s is kept by %s, which cannot roll back: writes that are to happen exactly once fail there; ALTER TABLE %[1]s ENGINE = InnoDB", name, engine)
	}
	return wrong, err
}

func mysqlLooseTables(ctx context.Context, db querier, tables []string) ([]string, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	conditions := make([]string, len(tables))
	for i, full := range tables {
		schema, name := splitTable(full)
		in := "DATABASE()"
		if schema != "" {
			in = mysqlconn.Literal(schema)
		}
		conditions[i] = "TABLE_SCHEMA = " + in + " AND TABLE_NAME = " + mysqlconn.Literal(name)
	}
	return queryNames(ctx, db, fmt.Sprintf(mysqlEngines, strings.Join(conditions, " OR ")))
}
