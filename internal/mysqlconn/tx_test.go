package mysqlconn_test

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/mysqlconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// thread returns the server's number of a transaction's connection.
func thread(t *testing.T, q queryer) int { t.Helper(); return number(t, q, "SELECT CONNECTION_ID()") }

// wantEnded checks that a transaction takes nothing any more, that its
// connection is given up, and that nothing of it stays.
func wantEnded(t *testing.T, db *mysqlconn.DB, tx *sql.Tx, code, connection int, table string) {
	t.Helper()
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO "+table+" VALUES (99)"); mysqlconn.Code(err) != code {
		t.Errorf("a statement after the error = %v, want it to be refused with %d", err, code)
	}
	if err := tx.Commit(); mysqlconn.Code(err) != code {
		t.Errorf("Commit() = %v, want %d", err, code)
	}
	testkit.Eventually(t, 5*time.Second, 5*time.Millisecond, func() error {
		if db.Stats().InUse > 0 {
			return errors.New("a connection is still in use")
		}
		return nil
	})
	for range 20 {
		if thread(t, db) == connection {
			t.Error("the connection is used again")
		}
	}
	if n := number(t, db, "SELECT COUNT(*) FROM "+table+" WHERE n >= 7"); n != 0 {
		t.Errorf("rows that were left behind = %d, want 0", n)
	}
}

// After a deadlock the server has rolled back: what follows would be committed
// by itself, and ROLLBACK could not undo it.
func TestDeadlockEndsItsTransaction(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	mustExec(t, db, "CREATE TABLE a (n int PRIMARY KEY, v int)")
	mustExec(t, db, "CREATE TABLE log (n int)")
	mustExec(t, db, "INSERT INTO a VALUES (1, 0), (2, 0)")
	one, two := begin(t, db), begin(t, db)
	mustExec(t, two, "INSERT INTO log VALUES (1), (2), (3)") // the server gives up the one with fewer changes
	mustExec(t, one, "INSERT INTO log VALUES (7)")
	mustExec(t, one, "UPDATE a SET v = 1 WHERE n = 1")
	mustExec(t, two, "UPDATE a SET v = 2 WHERE n = 2")
	connection := thread(t, one)
	done := make(chan error, 1)
	go func() {
		_, err := two.ExecContext(t.Context(), "UPDATE a SET v = 2 WHERE n = 1")
		done <- err
	}()
	_, err := one.ExecContext(t.Context(), "UPDATE a SET v = 1 WHERE n = 2")
	if mysqlconn.Code(err) != 1213 || !mysqlconn.Transient(err) {
		t.Fatalf("err = %v, want a deadlock, which is transient", err)
	}
	if err := <-done; err != nil {
		t.Errorf("the other transaction = %v, want nil", err)
	}
	if err := two.Commit(); err != nil {
		t.Error(err)
	}
	wantEnded(t, db, one, 1213, connection, "log")
}

// After a lock timeout the server has undone one statement, and would commit
// the rest.
func TestLockTimeoutEndsItsTransaction(t *testing.T) {
	t.Parallel()
	cfg := configOf(t, testkit.MariaDBDatabase(t))
	cfg.LockTimeout = time.Second
	db := open(t, cfg)
	mustExec(t, db, "CREATE TABLE a (n int PRIMARY KEY, v int)")
	mustExec(t, db, "CREATE TABLE log (n int)")
	mustExec(t, db, "INSERT INTO a VALUES (1, 0)")
	holder, waiter := begin(t, db), begin(t, db)
	mustExec(t, holder, "UPDATE a SET v = 1 WHERE n = 1")
	mustExec(t, waiter, "INSERT INTO log VALUES (7)")
	connection := thread(t, waiter)
	_, err := waiter.ExecContext(t.Context(), "UPDATE a SET v = 2 WHERE n = 1")
	if mysqlconn.Code(err) != 1205 || !mysqlconn.Transient(err) {
		t.Fatalf("err = %v, want a lock timeout, which is transient", err)
	}
	if err := holder.Rollback(); err != nil {
		t.Error(err)
	}
	wantEnded(t, db, waiter, 1205, connection, "log")
}

// Any error is the end of its transaction; one that leaves the session in
// order does not cost the connection.
func TestErrorEndsItsTransaction(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	mustExec(t, db, "CREATE TABLE t (n int PRIMARY KEY)")
	tx := begin(t, db)
	before := thread(t, tx)
	mustExec(t, tx, "INSERT INTO t VALUES (1)")
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO t VALUES (1)"); mysqlconn.Code(err) != mysqlconn.CodeDuplicate {
		t.Fatalf("err = %v, want a duplicate", err)
	}
	if err := tx.QueryRowContext(t.Context(), "SELECT 1").Err(); mysqlconn.Code(err) != mysqlconn.CodeDuplicate {
		t.Errorf("a query after the error = %v, want it to be refused", err)
	}
	if err := tx.Commit(); mysqlconn.Code(err) != mysqlconn.CodeDuplicate {
		t.Errorf("Commit() = %v, want the first error", err)
	}
	if n := number(t, db, "SELECT COUNT(*) FROM t"); n != 0 {
		t.Errorf("rows = %d, want 0", n)
	}
	if after := thread(t, db); after != before {
		t.Errorf("connection = %d, want %d as before", after, before)
	}
}

// A client that froze inside a transaction loses it, and its locks.
func TestIdleTransactionEnds(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]*testkit.MariaDBServer{
		"MariaDB": testkit.MariaDB(t), "MySQL": startMariaDB(t, testkit.MariaDBSetting("version", "8.0.36")),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := configOf(t, server.Database(t))
			cfg.IdleTimeout = time.Second
			db := open(t, cfg)
			mustExec(t, db, "CREATE TABLE t (n int PRIMARY KEY)")
			frozen := begin(t, db)
			mustExec(t, frozen, "INSERT INTO t VALUES (1)")
			mustExec(t, db, "INSERT INTO t VALUES (1)") // waits for the lock, below LockTimeout
			if _, err := frozen.ExecContext(t.Context(), "INSERT INTO t VALUES (2)"); !mysqlconn.Unreachable(err) {
				t.Errorf("the frozen transaction's next statement = %v, want its connection to be lost", err)
			}
			if err := frozen.Commit(); err == nil {
				t.Error("Commit() = nil, want an error")
			}
			if n := number(t, db, "SELECT COUNT(*) FROM t"); n != 1 {
				t.Errorf("rows = %d, want 1", n)
			}
		})
	}
}
