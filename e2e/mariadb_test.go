package e2e_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// startMariaDBTarget starts a server for a target.
func startMariaDBTarget(t testing.TB) *target {
	t.Helper()
	server := testkit.StartMariaDB(t)
	dsn := server.Database(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := mysqlconn.Open(mysqlconn.Config{
		Address: u.Host, User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/"), TLSMode: mysqlconn.TLSDisable,
		ApplicationName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	execute(t, db.DB, tables...)
	execute(t, db.DB, `CREATE TRIGGER note AFTER UPDATE ON counters FOR EACH ROW INSERT INTO journal VALUES (NEW.latest)`)
	sessions := func(state string) func(int) func() error {
		return func(n int) func() error {
			return numberIs(t.Context(), db.DB, n,
				"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND STATE = '"+state+"'")
		}
	}
	return &target{
		dsn: dsn, db: db.DB, server: server,
		slowInserts: []string{`CREATE TRIGGER slowly BEFORE INSERT ON facts FOR EACH ROW SET @slept = SLEEP(0.1)`},
		endless:     `CREATE VIEW endless AS SELECT 1 AS id, SLEEP(3600) AS slept`,
		lockFacts: func(t testing.TB) func() {
			t.Helper()
			return lockTable(t, db)
		},
		locked:   sessions("Waiting for table metadata lock"),
		sleeping: sessions("User sleep"),
	}
}

// lockTable locks facts on a connection of its own: MariaDB's lock belongs to
// no transaction.
func lockTable(t testing.TB, db *mysqlconn.DB) (unlock func()) {
	t.Helper()
	conn, err := db.Conn(context.WithoutCancel(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // after the unlock it does nothing
	if _, err := conn.ExecContext(t.Context(), "LOCK TABLES facts WRITE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}
}
