package testkit_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/uptrace/bun/driver/pgdriver"

	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// open connects to PostgreSQL; the handle is closed when the test ends.
func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db := sql.OpenDB(pgdriver.NewConnector(pgdriver.WithDSN(dsn), pgdriver.WithTimeout(5*time.Second)))
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(context.Background(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func count(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRowContext(context.Background(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestPostgresDatabaseIsOnesOwn(t *testing.T) {
	t.Parallel()
	first, second := open(t, testkit.PostgresDatabase(t)), open(t, testkit.PostgresDatabase(t))
	mustExec(t, first, "CREATE TABLE users (id int)")
	mustExec(t, second, "CREATE TABLE users (id int)")
	mustExec(t, first, "INSERT INTO users VALUES (1)")
	if got := count(t, second, "users"); got != 0 {
		t.Errorf("rows in the other database = %d, want 0", got)
	}
	var fsync string
	if err := first.QueryRowContext(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync = %q, %v, want on", fsync, err)
	}
}

func TestPostgresDatabaseIsDropped(t *testing.T) { //nolint:tparallel // what its subtest leaves behind is looked at after it
	t.Parallel()
	server := testkit.Postgres(t)
	admin := open(t, server.DSN("postgres"))
	var name string
	t.Run("user", func(t *testing.T) {
		db := open(t, testkit.PostgresDatabase(t))
		if err := db.QueryRowContext(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
			t.Fatal(err)
		}
	})
	var n int
	err := admin.QueryRowContext(t.Context(), "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'").Scan(&n)
	if err != nil || name == "" || n != 0 {
		t.Errorf("databases named %q after its test = %d, %v, want 0", name, n, err)
	}
}

func TestPostgresSurvivesKill(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	db := open(t, server.Database(t))
	mustExec(t, db, "CREATE TABLE users (id int)")
	mustExec(t, db, "INSERT INTO users VALUES (1)")
	for name, end := range map[string]func(){"killed": server.Kill, "aborted": server.Abort} {
		end()
		if conn, err := net.DialTimeout("tcp", server.Addr(), time.Second); err == nil {
			_ = conn.Close()
			t.Errorf("a server that was %s still accepts connections", name)
		}
		server.Restart()
		testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error { return db.PingContext(t.Context()) })
		if got := count(t, db, "users"); got != 1 {
			t.Errorf("rows of a server that was %s = %d, want 1", name, got)
		}
	}
	server.Stop()
	server.Restart()
	testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error { return db.PingContext(t.Context()) })
	if got := count(t, db, "users"); got != 1 {
		t.Errorf("rows after the restart = %d, want 1", got)
	}
}

// A frozen server must not answer on a connection that is open already: the
// process behind it is in a group of its own.
func TestPostgresFreezesItsSessions(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t, testkit.PostgresSetting("fsync", "off"))
	db := open(t, server.DSN("postgres"))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answer := make(chan error, 1)
	server.Freeze()
	go func() { // the driver gives up by itself when the server stays frozen
		_, err := conn.ExecContext(context.Background(), "SELECT 1")
		answer <- err
	}()
	select {
	case err := <-answer:
		t.Errorf("a frozen server answered: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	server.Thaw()
	if err := <-answer; err != nil {
		t.Errorf("after Thaw: %v", err)
	}
}

func TestRedisFaults(t *testing.T) {
	t.Parallel()
	server := testkit.Redis(t)
	do := func(want string, args ...string) {
		t.Helper()
		if got, err := server.Do(args...); err != nil || got != want {
			t.Errorf("Do(%q) = %q, %v, want %q", args, got, err, want)
		}
	}
	do("OK", "SET", "k", "v")
	do("v", "GET", "k")
	do("1", "EXISTS", "k")
	if _, err := server.Do("NOSUCH"); err == nil {
		t.Error("Do(NOSUCH) = nil error, want the server's")
	}
	server.Kill()
	if _, err := server.Do("PING"); err == nil {
		t.Error("a killed server answers")
	}
	server.Restart()
	do("", "GET", "k") // nothing was on disk
}

func TestRedisAppendOnlySurvivesKill(t *testing.T) {
	t.Parallel()
	server := testkit.StartRedis(t, testkit.RedisAppendOnly())
	if _, err := server.Do("SET", "k", "v"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	server.Restart()
	if got, err := server.Do("GET", "k"); err != nil || got != "v" {
		t.Errorf("GET after the crash = %q, %v, want v", got, err)
	}
}

func TestMariaDBSurvivesKill(t *testing.T) {
	t.Parallel()
	server := testkit.StartMariaDB(t)
	dsn := server.Database(t)
	if dsn == server.Database(t) {
		t.Errorf("two databases have the DSN %s", dsn)
	}
	server.Kill()
	server.Restart()
	server.Freeze()
	server.Thaw()
	server.Stop()
	server.Restart()
	server.Database(t)
}

func TestMariaDBIsShared(t *testing.T) {
	t.Parallel()
	first, second := testkit.MariaDB(t), testkit.MariaDB(t)
	if first.Addr() != second.Addr() {
		t.Errorf("addresses = %s and %s, want one server", first.Addr(), second.Addr())
	}
	testkit.MariaDBDatabase(t)
}

func TestSharedServerRefusesFaults(t *testing.T) {
	t.Parallel()
	probe := &recorder{TB: t}
	server := testkit.Postgres(t)
	testkit.Postgres(probe).Kill()
	if probe.errors != 1 {
		t.Errorf("errors of Kill on the shared server = %d, want 1", probe.errors)
	}
	if err := open(t, server.DSN("postgres")).PingContext(t.Context()); err != nil {
		t.Errorf("the shared server after a refused Kill: %v", err)
	}
}

// recorder is a testing.TB that counts errors and lets the test go on.
type recorder struct {
	testing.TB
	errors int
}

func (r *recorder) Errorf(string, ...any) { r.errors++ }
func (r *recorder) Error(...any)          { r.errors++ }

func TestFreeAddr(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 50 {
		addr := testkit.FreeAddr(t)
		if seen[addr] {
			t.Fatalf("FreeAddr() = %s twice", addr)
		}
		seen[addr] = true
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatalf("FreeAddr() = %s: %v", addr, err)
		}
		_ = listener.Close()
	}
}

func TestEventually(t *testing.T) {
	t.Parallel()
	calls := 0
	testkit.Eventually(t, time.Minute, time.Millisecond, func() error {
		if calls++; calls < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if calls != 3 {
		t.Errorf("calls = %d, want 3", calls)
	}
}
