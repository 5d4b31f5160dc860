package e2e_test

import (
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// openPostgres opens a database of testkit's for the test's own questions.
func openPostgres(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgconn.Open(pgconn.Config{
		Address: u.Host, User: u.User.Username(), Database: strings.TrimPrefix(u.Path, "/"), SSLMode: pgconn.SSLDisable,
		ApplicationName: "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, db)
	return db
}

// startPostgresTarget starts a server for a target.
func startPostgresTarget(t testing.TB) *target {
	t.Helper()
	server := testkit.StartPostgres(t)
	dsn := server.Database(t)
	db := openPostgres(t, dsn)
	execute(t, db, tables...)
	execute(t, db,
		`CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO journal VALUES (NEW.latest); RETURN NEW; END'`,
		`CREATE TRIGGER note BEFORE UPDATE ON counters FOR EACH ROW EXECUTE FUNCTION note()`)
	sessions := func(where string) func(int) func() error {
		return func(n int) func() error {
			return numberIs(t.Context(), db, n, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+where)
		}
	}
	return &target{
		dsn: dsn, db: db, server: server,
		slowInserts: []string{
			`CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END'`,
			`CREATE TRIGGER slowly BEFORE INSERT ON facts FOR EACH ROW EXECUTE FUNCTION slowly()`,
		},
		endless: `CREATE VIEW endless AS SELECT 1 AS id FROM pg_sleep(3600)`,
		lockFacts: func(t testing.TB) func() {
			t.Helper()
			return lockInTx(t, db, "LOCK TABLE facts IN ACCESS EXCLUSIVE MODE")
		},
		locked:   sessions("wait_event_type = 'Lock'"),
		sleeping: sessions("wait_event = 'PgSleep'"),
	}
}
