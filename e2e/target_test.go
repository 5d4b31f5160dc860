package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

// dialect is a sort of target database.
type dialect struct {
	name  string
	start func(testing.TB) *target
}

// dialects are all sorts. What depends on the target is tried with each.
var dialects = []dialect{{"postgres", startPostgresTarget}, {"mariadb", startMariaDBTarget}, {"sqlite", startSQLiteTarget}}

// perDialect runs a test with each sort of target.
func perDialect(t *testing.T, test func(*testing.T, dialect)) {
	t.Helper()
	perLeadingDialect(t, "", test)
}

// perLeadingDialect is perDialect for tests that take long: the short tier runs
// them with the leading sort only, each test with another.
func perLeadingDialect(t *testing.T, leading string, test func(*testing.T, dialect)) {
	t.Helper()
	for _, d := range dialects {
		if leading != "" && d.name != leading && !testkit.Long() {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

// target is a database that jobs work on, of the test's own, as the test sees
// it: past the system.
type target struct {
	dsn    string
	db     *sql.DB
	server server // that can be killed; nil for a file

	// slowInserts has each insert into facts take a while. Nil: they are slow
	// enough by themselves, because they come one after the other.
	slowInserts []string
	// endless makes the view "endless", which nobody lives to see the end of.
	endless string
	// lockFacts keeps everybody else from the table facts until unlock.
	lockFacts func(testing.TB) (unlock func())
	// locked and sleeping check how many statements of others wait for that
	// lock, or read endless. Nil where nobody can see that.
	locked, sleeping func(n int) func() error
}

// server is a database server or Redis.
type server interface {
	Addr() string
	Kill()
	Restart()
}

// Tables for jobs. Nothing in facts, journal and transfers keeps out a second row
// for the same effect.
var tables = []string{
	`CREATE TABLE facts (n integer)`,
	`CREATE TABLE counters (id integer PRIMARY KEY, total integer NOT NULL, latest integer)`,
	`CREATE TABLE journal (n integer)`,
	`CREATE TABLE accounts (id integer PRIMARY KEY, balance integer NOT NULL)`,
	`CREATE TABLE transfers (n integer, source integer, target integer)`,
}

// execute runs statements that must succeed.
func execute(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// number asks for one integer.
func number(ctx context.Context, db *sql.DB, query string) (n int, err error) {
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}

// requireNumber fails the test unless the query's answer is want.
func requireNumber(t testing.TB, db *sql.DB, want int, query string) {
	t.Helper()
	got, err := number(t.Context(), db, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if got != want {
		t.Errorf("%s = %d, want %d", query, got, want)
	}
}

// numberIs checks that the query's answer is want.
func numberIs(ctx context.Context, db *sql.DB, want int, query string) func() error {
	return func() error {
		got, err := number(ctx, db, query)
		if err == nil && got != want {
			err = fmt.Errorf("%s = %d, want %d", query, got, want)
		}
		return err
	}
}

func closeAtEnd(t testing.TB, db interface{ Close() error }) {
	t.Helper()
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

// lockInTx holds what the statements lock until unlock ends their transaction.
func lockInTx(t testing.TB, db *sql.DB, statements ...string) (unlock func()) {
	t.Helper()
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() }) // after the commit it does nothing
	for _, statement := range statements {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return func() {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
}
