package mysqlconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

func TestOpenDoesNotDial(t *testing.T) {
	t.Parallel()
	db := open(t, mysqlconn.Config{Address: testkit.FreeAddr(t), User: "u", Database: "d"})
	if err := db.PingContext(t.Context()); !mysqlconn.Unreachable(err) || !mysqlconn.Connecting(err) {
		t.Errorf("ping of nobody = %v, want unreachable", err)
	}
	if s, ok := db.Server(); ok {
		t.Errorf("Server() = %v, want none", s)
	}
}

func TestConnectObeysItsContext(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	cfg := mysqlconn.Config{Address: mute.Addr().String(), User: "u", Database: "d"}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, hang, func() {
		if err := open(t, cfg).PingContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want %v", err, context.DeadlineExceeded)
		}
	})
	cfg.ConnectTimeout = 100 * time.Millisecond
	within(t, hang, func() {
		if err := open(t, cfg).PingContext(t.Context()); !mysqlconn.Unreachable(err) {
			t.Errorf("err = %v, want unreachable", err)
		}
	})
}

func TestLoginIsRefused(t *testing.T) {
	t.Parallel()
	cfg := configOf(t, testkit.MariaDBDatabase(t))
	cfg.User, cfg.Password = "nobody", func() string { return "secret" }
	err := open(t, cfg).PingContext(t.Context())
	if !mysqlconn.Connecting(err) || mysqlconn.Code(err) != 1045 || strings.Contains(err.Error(), "secret") {
		t.Errorf("err = %v, want a refused login without the password", err)
	}
}

// The session is ours, whatever the server's own settings are.
func TestSession(t *testing.T) {
	t.Parallel()
	options := []testkit.MariaDBOption{
		testkit.MariaDBSetting("sql-mode", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES"), testkit.MariaDBSetting("autocommit", "0"),
		testkit.MariaDBSetting("completion-type", "1"), testkit.MariaDBSetting("character-set-server", "latin1"),
		testkit.MariaDBSetting("transaction-isolation", "SERIALIZABLE"),
	}
	for _, mariaDB := range []bool{true, false} {
		t.Run(fmt.Sprintf("MariaDB=%t", mariaDB), func(t *testing.T) {
			t.Parallel()
			options, special := options, map[string]string{"idle_transaction_timeout": "12", "max_statement_time": "1.5", "wait_timeout": "28800"}
			if !mariaDB {
				options = append(slices.Clone(options), testkit.MariaDBSetting("version", "8.0.36"))
				special = map[string]string{"wait_timeout": "12"}
			}
			cfg := configOf(t, startMariaDB(t, options...).Database(t))
			cfg.StatementTimeout, cfg.Collation = 1500*time.Millisecond, "utf8mb4_bin"
			db := open(t, cfg)
			want := map[string]string{
				"time_zone": "+00:00", "autocommit": "1", "tx_isolation": "READ-COMMITTED", "completion_type": "NO_CHAIN", "innodb_lock_wait_timeout": "10",
				"lock_wait_timeout": "10", "net_write_timeout": "12", "character_set_client": "utf8mb4", "character_set_results": "utf8mb4",
				"collation_connection": "utf8mb4_bin",
			}
			for name, value := range special {
				want[name] = value
			}
			for name, value := range want {
				var got string
				if err := db.QueryRowContext(t.Context(), "SELECT @@SESSION."+name).Scan(&got); err != nil || got != value {
					t.Errorf("%s = %q, %v, want %q", name, got, err, value)
				}
			}
			var mode string
			if err := db.QueryRowContext(t.Context(), "SELECT @@SESSION.sql_mode").Scan(&mode); err != nil || !strings.Contains(mode, "STRICT_TRANS_TABLES") ||
				strings.Contains(mode, "ANSI") || strings.Contains(mode, "NO_BACKSLASH_ESCAPES") {
				t.Errorf("sql_mode = %q, %v, want a strict one without surprises", mode, err)
			}
			if s, ok := db.Server(); !ok || s.MariaDB != mariaDB || !s.AtLeast(8, 0, 1) {
				t.Errorf("Server() = %v, %t, want MariaDB: %t", s, ok, mariaDB)
			}
		})
	}
}

// One call is one statement, and an UPDATE counts what it matched.
func TestStatements(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	mustExec(t, db, "CREATE TABLE t (n int)")
	mustExec(t, db, "INSERT INTO t VALUES (?), (?)", 1, 1)
	if _, err := db.ExecContext(t.Context(), "SELECT 1; DROP TABLE t"); mysqlconn.Code(err) != 1064 {
		t.Errorf("two statements = %v, want a syntax error", err)
	}
	res, err := db.ExecContext(t.Context(), "UPDATE t SET n = 1")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 2 || err != nil {
		t.Errorf("RowsAffected() = %d, %v, want the 2 that matched", n, err)
	}
	mustExec(t, db, "SET SESSION max_statement_time = 0")
	_, err = db.ExecContext(t.Context(), "DO '"+strings.Repeat("x", 32<<20)+"'")
	if !mysqlconn.TooLarge(err) || mysqlconn.Unreachable(err) {
		t.Errorf("a statement over max_allowed_packet = %v, want too large", err)
	}
}

func TestKilledServer(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	db := open(t, configOf(t, server.Database(t)))
	for range 3 { // connections that will be idle when the server dies
		mustExec(t, db, "DO 1")
	}
	failed := make(chan error, 1)
	go func() {
		_, err := db.ExecContext(context.Background(), "DO SLEEP(20)")
		failed <- err
	}()
	testkit.Eventually(t, hang, 10*time.Millisecond, func() error {
		if running(db, "DO SLEEP(20)") == nil {
			return errors.New("the statement does not run yet")
		}
		return nil
	})
	server.Kill()
	within(t, hang, func() {
		if err := <-failed; !mysqlconn.Unreachable(err) {
			t.Errorf("a statement under a killed server = %v, want unreachable", err)
		}
	})
	server.Restart()
	mustExec(t, db, "DO 1") // dead connections are noticed before they are used
}

func TestTerminatedSession(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, fmt.Sprintf("KILL %d", thread(t, conn)))
	if _, err = conn.ExecContext(t.Context(), "DO 1"); !mysqlconn.Unreachable(err) {
		t.Errorf("err = %v, want unreachable", err)
	}
	_ = conn.Close()
	mustExec(t, db, "DO 1")
}

func TestLiteral(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	for _, want := range []string{"", "'", "''", `\`, `\'`, `\\'`, `a\nb`, "a'b", "$1", "?", "--", "/*", "ü€😀", "\n\t", "\x1a\x00", `E'\''`, strings.Repeat(`'\`, 1000)} {
		var got string
		if err := db.QueryRowContext(t.Context(), "SELECT "+mysqlconn.Literal(want)).Scan(&got); err != nil || got != want {
			t.Errorf("SELECT %s = %q, %v", mysqlconn.Literal(want), got, err)
		}
	}
}

// The width of a column is the driver's own affair: an upgrade that hides it
// better shows here.
func TestColumnWidth(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a BOOLEAN, b TINYINT, c BIT(1), d BIT(8), e BIGINT UNSIGNED, f DECIMAL(10, 2))"); err != nil {
		t.Fatal(err)
	}
	for _, prepared := range []bool{false, true} {
		query, args := "SELECT * FROM t", []any(nil)
		if prepared {
			query, args = "SELECT * FROM t WHERE a = ?", []any{1}
		}
		want := []string{"a TINYINT true", "b TINYINT false", "c BIT true", "d BIT false", "e UNSIGNED BIGINT false", "f DECIMAL false"}
		if got := widths(t, db, query, args...); !slices.Equal(got, want) {
			t.Errorf("prepared %t: %v, want %v", prepared, got, want)
		}
	}
}

// widths returns the name and type of each column, and whether its width is 1.
func widths(t *testing.T, db *mysqlconn.DB, query string, args ...any) (all []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	for _, typ := range types {
		width, ok := typ.Length()
		all = append(all, fmt.Sprint(typ.Name(), " ", typ.DatabaseTypeName(), " ", ok && width == 1))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
