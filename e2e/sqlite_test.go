package e2e_test

import (
	"path/filepath"
	"testing"

	"github.com/asyncops/asyncops/internal/sqliteconn"
)

// startSQLiteTarget makes a file for a target. Its writers, of all processes,
// come one after the other.
func startSQLiteTarget(t testing.TB) *target {
	t.Helper()
	path := filepath.Join(t.TempDir(), "target.db")
	file, err := sqliteconn.Open(sqliteconn.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, file)
	db := file.Writer()
	execute(t, db, tables...)
	execute(t, db, `CREATE TRIGGER note AFTER UPDATE ON counters BEGIN INSERT INTO journal VALUES (NEW.latest); END`)
	return &target{
		dsn: "sqlite:" + path, db: db,
		endless: `CREATE VIEW endless AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS id FROM c`,
		lockFacts: func(t testing.TB) func() {
			t.Helper()
			return lockInTx(t, db) // it locks the whole file when it begins
		},
	}
}
