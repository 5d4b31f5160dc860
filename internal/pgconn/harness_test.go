package pgconn_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// configOf returns the settings for a DSN of testkit's. Its application name is
// the test's own, so that sessions can be told apart.
func configOf(t *testing.T, dsn string) pgconn.Config {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return pgconn.Config{
		Address: u.Host, User: u.User.Username(), Database: u.Path[1:], SSLMode: pgconn.SSLDisable,
		ApplicationName: u.Path[1:], MaxOpen: 20, MaxIdle: 20,
	}
}

func open(t *testing.T, cfg pgconn.Config) *sql.DB {
	t.Helper()
	db, err := pgconn.Open(cfg)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return db
}

// running returns an error while a session of the database other than the
// asking one runs a statement that matches.
func running(db *sql.DB, like string) error {
	var n int
	err := db.QueryRowContext(context.Background(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
		AND pid <> pg_backend_pid() AND state = 'active' AND query LIKE $1`, like).Scan(&n)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d statements like %q still run", n, like)
	}
	return err
}

// within fails the test if f has not returned after limit; it is a bound for
// what must not hang, far above what is expected.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("still waiting after %s", limit)
	}
}
