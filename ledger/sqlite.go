package ledger

import (
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"

	"github.com/asyncops/asyncops/internal/sqliteconn"
)

var sqlite = dialect{
	name:         "sqlite",
	now:          "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)",
	least:        "min",
	uuid:         "?",
	integer:      "?",
	boolean:      "?",
	text:         "?",
	hasTag:       "EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)",
	contains:     "LIKE",
	schemaMade:   "SELECT count(*) > 0 FROM sqlite_master WHERE name = 'asyncops_migrations'",
	missingTable: func(err error) bool { return sqliteconn.Code(err) == 1 }, // SQLITE_ERROR: there is no code of its own for it
	unreachable:  func(err error) bool { return sqliteconn.Unreachable(err) || sqliteconn.Busy(err) },
	refused:      sqliteconn.Unreachable, // a statement of SQLite that fails has done nothing
	deadlock:     sqliteconn.Busy,
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
