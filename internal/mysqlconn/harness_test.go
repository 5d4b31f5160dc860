package mysqlconn_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const hang = 15 * time.Second // below the statements' 20 s: nobody waits them out

// queryer is a pool, a transaction or a connection.
type queryer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

// startMariaDB starts a server that keeps its temporary files to itself: one
// that starts removes those it takes for left over from where others have theirs.
func startMariaDB(t *testing.T, options ...testkit.MariaDBOption) *testkit.MariaDBServer {
	t.Helper()
	return testkit.StartMariaDB(t, append(options, testkit.MariaDBSetting("tmpdir", "."))...)
}

// configOf returns the settings for a DSN of testkit's.
func configOf(t *testing.T, dsn string) mysqlconn.Config {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	return mysqlconn.Config{
		Address: u.Host, User: u.User.Username(), Database: u.Path[1:], TLSMode: mysqlconn.TLSDisable, MaxOpen: 20, MaxIdle: 20,
	}
}

func open(t *testing.T, cfg mysqlconn.Config) *mysqlconn.DB {
	t.Helper()
	db, err := mysqlconn.Open(cfg)
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

func mustExec(t *testing.T, q queryer, query string, args ...any) {
	t.Helper()
	if _, err := q.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// number returns the integer that a query answers.
func number(t *testing.T, q queryer, query string) (n int) {
	t.Helper()
	if err := q.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

func begin(t *testing.T, db *mysqlconn.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

// running returns an error while a session of the database other than the
// asking one runs a statement that matches.
func running(db *mysqlconn.DB, like string) error {
	var n int
	err := db.QueryRowContext(context.Background(), `SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE()
		AND ID <> CONNECTION_ID() AND COMMAND <> 'Sleep' AND INFO LIKE ?`, like).Scan(&n)
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
