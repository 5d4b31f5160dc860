package ledger

import (
	"strings"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/asyncops/asyncops/internal/sqliteconn"
	"github.com/asyncops/asyncops/job"
)

var sqlite = dialect{
	name:         "sqlite",
	now:          "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)",
	among:        func(arg string) string { return "IN (" + arg + ")" },
	list:         func(ids []job.ID) any { return bun.List(ids) },
	outcomes:     func(bool) string { return "?outcomes" },
	outcomeArgs:  outcomeRows,
	hasTag:       "EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)",
	contains:     "LIKE",
	schemaMade:   "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'asyncops_migrations'",
	missingTable: func(err error) bool { return sqliteconn.Code(err) == 1 }, // SQLITE_ERROR: there is no code of its own for it
	unreachable:  func(err error) bool { return sqliteconn.Unreachable(err) || sqliteconn.Busy(err) },
	refused:      sqliteconn.Unreachable, // a statement of SQLite that fails has done nothing
	deadlock:     sqliteconn.Busy,
}

func outcomeRows(outcomes []outcome, parking bool) named {
	args := make([]any, 0, 14*len(outcomes))
	for _, o := range outcomes {
		args = append(args, string(o.id), o.epoch, o.state, o.again, o.delay, o.result, o.code, o.message, o.private,
			o.summary, o.parked, o.verdict)
		if parking {
			args = append(args, o.parkedOn, o.unrun)
		}
	}
	row := ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	if parking {
		row = ", (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	}
	return named{"outcomes": bun.SafeQuery("VALUES "+strings.Repeat(row, len(outcomes))[2:], args...)}
}

func (l *Ledger) openSQLite() error {
	db, err := sqliteconn.Open(sqliteconn.Config{Path: l.cfg.SQLitePath, ReadOnlyConns: l.cfg.PoolSize})
	if err != nil {
		return err
	}
	l.dialect = sqlite
	l.write = bun.NewDB(db.Writer(), sqlitedialect.New())
	l.read = bun.NewDB(db.Reader(), sqlitedialect.New())
	l.close = db.Close
	return nil
}
