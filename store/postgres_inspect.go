package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/asyncops/asyncops/internal/pgconn"
)

// oldestPostgres is the oldest server that is held to keep what asyncops
// promises, as server_version_num has it.
const oldestPostgres = 130000

const (
	// The session's settings are the server's unless the DSN says otherwise.
	postgresSettings = `SELECT current_setting('fsync') = 'off', current_setting('full_page_writes') = 'off',
	current_setting('synchronous_commit') = 'off', current_setting('server_version_num')::int, current_setting('server_version')`
	// Argument: names as constants, as to_regclass reads them. A name that no
	// table has is no row.
	postgresUnlogged = `SELECT n.name FROM (VALUES %s) AS n (name, quoted)
JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass(n.quoted) WHERE c.relpersistence = 'u'`
)

// inspect reports what keeps the server from not losing a commit that it has
// answered.
func (postgres) inspect(ctx context.Context, db querier, look inspection) ([]string, error) {
	var fsync, pages, commit bool
	var number int
	var version string
	if err := queryOne(ctx, db, postgresSettings, &fsync, &pages, &commit, &number, &version); err != nil {
		return nil, err
	}
	var wrong []string
	note := func(is bool, format string, args ...any) {
		if is {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	note(number < oldestPostgres, "PostgreSQL %s is older than 13; upgrade the server", strings.Fields(version + " ?")[0])
	note(fsync, "fsync is off: a crash of the server's machine can lose or damage everything; set fsync = on in postgresql.conf")
	note(pages, "full_page_writes is off: a crash of the server's machine can damage pages; set full_page_writes = on in postgresql.conf")
	note(commit, "synchronous_commit is off: a crash of the server can lose effects of jobs that are shown completed; set synchronous_commit = on for the server, the role or the database")
	unlogged, err := postgresUnloggedTables(ctx, db, look.writable)
	for _, name := range unlogged {
		note(true, "table %s is UNLOGGED: a crash of the server empties it; ALTER TABLE %[1]s SET LOGGED", name)
	}
	return wrong, err
}

func postgresUnloggedTables(ctx context.Context, db querier, tables []string) ([]string, error) {
	if len(tables) == 0 {
		return nil, nil
	}
	values := make([]string, len(tables))
	for i, full := range tables {
		schema, name := splitTable(full)
		quoted := quoteIdent(name)
		if schema != "" {
			quoted = quoteIdent(schema) + "." + quoted
		}
		values[i] = "(" + pgconn.Literal(full) + ", " + pgconn.Literal(quoted) + ")"
	}
	return queryNames(ctx, db, fmt.Sprintf(postgresUnlogged, strings.Join(values, ", ")))
}

func quoteIdent(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
