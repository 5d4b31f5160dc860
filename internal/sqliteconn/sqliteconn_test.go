package sqliteconn_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/sqliteconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, cfg sqliteconn.Config) *sqliteconn.DB {
	t.Helper()
	db, err := sqliteconn.Open(cfg)
	if err != nil {
		t.Fatalf("Open(%q) = %v", cfg.Path, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
	return db
}

func exec(t *testing.T, db *sqliteconn.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.Writer().ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func TestReaderSeesWhatWriterCommitted(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"plain.db", "with space.db", "q?mark&a=b.db", "100%.db", "%41#frag.db", "sub/folder/ü.db", sqliteconn.Memory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := name
			if name != sqliteconn.Memory {
				path = filepath.Join(t.TempDir(), name)
			}
			db := open(t, sqliteconn.Config{Path: path})
			exec(t, db, "CREATE TABLE t (n INTEGER)")
			exec(t, db, "INSERT INTO t VALUES (?)", 42)
			var n int
			if err := db.Reader().QueryRowContext(t.Context(), "SELECT n FROM t").Scan(&n); err != nil || n != 42 {
				t.Fatalf("the reader got %d, %v, want 42", n, err)
			}
			if name == sqliteconn.Memory {
				return
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != 0o600 {
				t.Errorf("mode of the file = %o, want 600", got)
			}
		})
	}
}

func TestMakesFolderPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	open(t, sqliteconn.Config{Path: filepath.Join(dir, "x.db")})
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("mode of the folder = %o, want 700", got)
	}
}

func TestPragmas(t *testing.T) {
	t.Parallel()
	db := open(t, sqliteconn.Config{Path: filepath.Join(t.TempDir(), "x.db"), BusyTimeout: 1234 * time.Millisecond})
	exec(t, db, "CREATE TABLE t (n)") // the first use of the writer turns WAL on
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": "1234"} {
		for name, pool := range map[string]*sql.DB{"writer": db.Writer(), "reader": db.Reader()} {
			var got string
			if err := pool.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: PRAGMA %s = %q, %v, want %q", name, pragma, got, err, want)
			}
		}
	}
}

func TestMemoryIsPrivateAndOutlivesItsConnections(t *testing.T) {
	t.Parallel()
	a, b := open(t, sqliteconn.Config{Path: sqliteconn.Memory}), open(t, sqliteconn.Config{Path: sqliteconn.Memory})
	exec(t, a, "CREATE TABLE only_a (n)")
	if _, err := b.Writer().ExecContext(t.Context(), "SELECT * FROM only_a"); err == nil {
		t.Error("another database in memory has the table too")
	}
	a.Writer().SetMaxIdleConns(0) // closes the connection
	a.Reader().SetMaxIdleConns(0)
	exec(t, a, "INSERT INTO only_a VALUES (1)")
}

func TestReaderCannotWrite(t *testing.T) {
	t.Parallel()
	db := open(t, sqliteconn.Config{Path: filepath.Join(t.TempDir(), "x.db")})
	exec(t, db, "CREATE TABLE t (n)")
	_, err := db.Reader().ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	if !sqliteconn.ReadOnly(err) {
		t.Errorf("a write by the reader = %v, want a read-only error", err)
	}
}

func TestContextEndsAStatementAndAWait(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "x.db")
	db, other := open(t, sqliteconn.Config{Path: path, BusyTimeout: time.Minute}), open(t, sqliteconn.Config{Path: path, BusyTimeout: time.Millisecond})
	exec(t, db, "CREATE TABLE t (n)")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var n int
	err := db.Reader().QueryRowContext(ctx, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c").Scan(&n)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an endless query = %v, want %v", err, context.DeadlineExceeded)
	}

	tx, err := db.Writer().BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Writer().BeginTx(t.Context(), nil); !sqliteconn.Busy(err) {
		t.Errorf("a second writer = %v, want busy", err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	third := open(t, sqliteconn.Config{Path: path, BusyTimeout: time.Minute})
	if _, err := third.Writer().BeginTx(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a wait for the lock = %v, want %v", err, context.DeadlineExceeded)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

func TestReadersAndWriterTogether(t *testing.T) {
	t.Parallel()
	for _, path := range []string{filepath.Join(t.TempDir(), "x.db"), sqliteconn.Memory} {
		db := open(t, sqliteconn.Config{Path: path})
		exec(t, db, "CREATE TABLE t (n)")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if _, err := db.Writer().ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); err != nil {
						t.Errorf("write: %v", err)
					}
				}
			})
			wg.Go(func() {
				var n int
				for range 50 {
					if err := db.Reader().QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil {
						t.Errorf("read: %v", err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	db := open(t, sqliteconn.Config{Path: filepath.Join(t.TempDir(), "x.db")})
	exec(t, db, "CREATE TABLE t (n INTEGER PRIMARY KEY)")
	exec(t, db, "INSERT INTO t VALUES (1)")
	_, err := db.Writer().ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
	if got, want := sqliteconn.Code(err), 1555; got != want || !sqliteconn.Constraint(err) {
		t.Errorf("Code(%v) = %d, want %d", err, got, want)
	}

	broken := open(t, sqliteconn.Config{Path: notADatabase(t)})
	if err := broken.Writer().PingContext(t.Context()); !sqliteconn.Unreachable(err) {
		t.Errorf("ping of a file that is no database = %v, want unreachable", err)
	}
	if _, err := sqliteconn.Open(sqliteconn.Config{}); err == nil {
		t.Error("Open without a path = nil, want an error")
	}
}

func notADatabase(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(path, []byte("this is a text file, long enough to be taken for a header of one hundred bytes, which it is not, not at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
