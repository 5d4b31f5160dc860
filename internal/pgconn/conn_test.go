package pgconn_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/pgconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func mustExec(t *testing.T, q queryer, query string, args ...any) {
	t.Helper()
	if _, err := q.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestOpenDoesNotDial(t *testing.T) {
	t.Parallel()
	db := open(t, pgconn.Config{Address: testkit.FreeAddr(t), User: "u", Database: "d"})
	err := db.PingContext(t.Context())
	if !pgconn.Unreachable(err) {
		t.Errorf("ping of nobody = %v, want unreachable", err)
	}
}

func TestConnectObeysItsContext(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	cfg := pgconn.Config{Address: mute.Addr().String(), User: "u", Database: "d"}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, hang, func() {
		if err := open(t, cfg).PingContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want %v", err, context.DeadlineExceeded)
		}
	})
	cfg.ConnectTimeout = 100 * time.Millisecond
	within(t, hang, func() {
		if err := open(t, cfg).PingContext(t.Context()); !pgconn.Unreachable(err) {
			t.Errorf("err = %v, want unreachable", err)
		}
	})
}

func TestSessionParameters(t *testing.T) {
	t.Parallel()
	cfg := configOf(t, testkit.PostgresDatabase(t))
	cfg.Params = map[string]string{"search_path": "a'b", "statement_timeout": "12345"}
	db := open(t, cfg)
	for name, want := range map[string]string{"search_path": "a'b", "statement_timeout": "12345ms", "client_connection_check_interval": "2s"} {
		var got string
		if err := db.QueryRowContext(t.Context(), "SHOW "+name).Scan(&got); err != nil || got != want {
			t.Errorf("SHOW %s = %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := pgconn.Config{Address: "h:1", User: "u", Database: "d"}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	for want, change := range map[string]func(*pgconn.Config){
		"host:port":                   func(c *pgconn.Config) { c.Address = "h" },
		"network":                     func(c *pgconn.Config) { c.Network = "udp" },
		"user":                        func(c *pgconn.Config) { c.User = "" },
		"database":                    func(c *pgconn.Config) { c.Database = "" },
		"sslmode":                     func(c *pgconn.Config) { c.SSLMode = "prefer" },
		"standard_conforming_strings": func(c *pgconn.Config) { c.Params = map[string]string{"standard_conforming_strings": "off"} },
	} {
		bad := good
		change(&bad)
		if err := bad.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Validate() = %v, want it to name %q", err, want)
		}
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	db := open(t, configOf(t, server.DSN("postgres")))
	for range 3 { // connections that will be idle when the server dies
		mustExec(t, db, "SELECT 1")
	}
	failed := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(context.Background(), "SELECT pg_sleep(20)")
		failed <- err
	}()
	testkit.Eventually(t, hang, 10*time.Millisecond, func() error {
		if running(db, "%pg_sleep(20)%") == nil {
			return errors.New("the statement does not run yet")
		}
		return nil
	})
	server.Kill()
	within(t, hang, func() {
		if err := <-failed; !pgconn.Unreachable(err) {
			t.Errorf("a statement under a killed server = %v, want unreachable", err)
		}
	})
	server.Restart()
	mustExec(t, db, "SELECT 1") // dead connections are noticed before they are used
}

func TestTerminatedSession(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", pid(t, conn)))
	_, err = conn.ExecContext(t.Context(), "SELECT 1")
	if !pgconn.Unreachable(err) {
		t.Errorf("err = %v, want unreachable", err)
	}
	_ = conn.Close()
	mustExec(t, db, "SELECT 1")
}

// The server answers COMMIT of an aborted transaction with a rollback, which
// pgdriver takes for success.
func TestCommitOfAnAbortedTransaction(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	mustExec(t, db, "CREATE TABLE t (n int PRIMARY KEY)")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, "INSERT INTO t VALUES (1)")
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); pgconn.Code(err) != "23505" {
		t.Fatalf("Code(%v) = %q, want 23505", err, pgconn.Code(err))
	}
	if err := tx.Commit(); pgconn.Code(err) != "25P02" {
		t.Errorf("Commit() = %v, want SQLSTATE 25P02", err)
	}

	tx, err = db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, "INSERT INTO t VALUES (2)")
	mustExec(t, tx, "SAVEPOINT s")
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); err == nil {
		t.Fatal("the duplicate was accepted")
	}
	mustExec(t, tx, "ROLLBACK TO SAVEPOINT s")
	if err := tx.Commit(); err != nil {
		t.Errorf("Commit() after going back to a savepoint = %v, want nil", err)
	}
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT sum(n) FROM t").Scan(&n); err != nil || n != 2 {
		t.Errorf("sum = %d, %v, want 2", n, err)
	}
}

func TestTextThatCannotBeStoredIsRefused(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	for _, s := range []string{"a\x00b", "\xff"} {
		if _, err := db.ExecContext(t.Context(), "SELECT $1", s); err == nil {
			t.Errorf("argument %q was accepted", s)
		}
	}
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	for _, want := range []string{"", "'", "''", `\`, `\'`, "a'b", "$1", "?", "--", "/*", "ü€😀", "\n\t", `E'\''`, strings.Repeat("'", 1000)} {
		var got string
		if err := db.QueryRowContext(t.Context(), "SELECT "+pgconn.Literal(want)).Scan(&got); err != nil || got != want {
			t.Errorf("SELECT %s = %q, %v", pgconn.Literal(want), got, err)
		}
	}
}

// Prepared statements do not keep their connections to a server that hangs.
func TestCloseWhileTheServerHangs(t *testing.T) {
	t.Parallel()
	cfg := configOf(t, testkit.PostgresDatabase(t))
	proxy := testkit.Proxy(t, cfg.Address)
	cfg.Address = proxy.Addr()
	db := open(t, cfg)
	stmt, err := db.PrepareContext(t.Context(), "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stmt.Close() }()
	var txs []*sql.Tx
	for range 6 { // each has a connection of its own
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		txs = append(txs, tx)
		if _, err := tx.StmtContext(t.Context(), stmt).ExecContext(t.Context()); err != nil { //nolint:sqlclosecheck // it ends with tx
			t.Fatal(err)
		}
	}
	for _, tx := range txs {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	proxy.Pause()
	within(t, hang, func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
}
