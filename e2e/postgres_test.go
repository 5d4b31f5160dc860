package e2e_test

import (
	"context"
	"database/sql"
	"net/url"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/internal/pgconn"
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
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
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
