package mysqlconn_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

var errStop = errors.New("stopped by the test")

var ways = map[string]func(context.Context, queryer) error{
	"exec": func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, "DO SLEEP(20)")
		return err
	},
	"query": func(ctx context.Context, q queryer) error { // a killed SLEEP succeeds, says the server
		return drain(q.QueryContext(ctx, "SELECT SLEEP(20)"))
	},
	"rows": func(ctx context.Context, q queryer) error { // the first rows come, the others do not
		return drain(q.QueryContext(ctx, "SELECT REPEAT('x', 100), IF(seq > 5000, SLEEP(20), 0) FROM seq_1_to_6000"))
	},
	"prepared": func(ctx context.Context, q queryer) error {
		st, err := q.PrepareContext(context.WithoutCancel(ctx), "SELECT SLEEP(?)")
		if err != nil {
			return err
		}
		defer func() { _ = st.Close() }()
		return drain(st.QueryContext(ctx, 20))
	},
}

func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
	}
	return rows.Err()
}

func TestContextEndsTheStatementOnTheServer(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	for name, run := range ways {
		for _, inTx := range []bool{false, true} {
			for _, deadline := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s tx=%t deadline=%t", name, inTx, deadline), func(t *testing.T) {
					t.Parallel()
					ctx, want := cancelSoon(t, deadline)
					var q queryer = db
					if inTx {
						q = begin(t, db)
					}
					within(t, hang, func() {
						if err := run(ctx, q); !errors.Is(err, want) {
							t.Errorf("err = %v, want %v", err, want)
						}
					})
				})
			}
		}
	}
	t.Cleanup(func() {
		testkit.Eventually(t, 2*time.Second, 20*time.Millisecond, func() error { return running(db, "%SLEEP(%") })
	})
}

// cancelSoon returns a context that ends in 0.3 s and the error it ends with.
func cancelSoon(t *testing.T, deadline bool) (context.Context, error) {
	t.Helper()
	if deadline {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		t.Cleanup(cancel)
		return ctx, context.DeadlineExceeded
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(300*time.Millisecond, func() { cancel(errStop) })
	t.Cleanup(func() { timer.Stop(); cancel(nil) })
	return ctx, context.Canceled
}

func TestCauseIsKept(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	ctx, _ := cancelSoon(t, false)
	_, err := db.ExecContext(ctx, "DO SLEEP(20)")
	for _, want := range []error{context.Canceled, errStop} {
		if !errors.Is(err, want) {
			t.Errorf("err = %v, want it to be %v", err, want)
		}
	}
}

// A KILL may arrive when its statement is over: what it is sent to serves
// nobody else.
func TestKilledConnectionIsGivenUp(t *testing.T) {
	t.Parallel()
	cfg := configOf(t, testkit.MariaDBDatabase(t))
	cfg.MaxOpen = 1
	db := open(t, cfg)
	before := number(t, db, "SELECT CONNECTION_ID()")
	ctx, _ := cancelSoon(t, false)
	if _, err := db.ExecContext(ctx, "DO SLEEP(20)"); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want %v", err, context.Canceled)
	}
	if after := number(t, db, "SELECT CONNECTION_ID()"); after == before {
		t.Errorf("connection = %d as before, want another", after)
	}
}

func TestWaitForALockIsCanceled(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	mustExec(t, db, "CREATE TABLE t (n int)")
	mustExec(t, db, "INSERT INTO t VALUES (1)")
	holder, waiter := begin(t, db), begin(t, db)
	mustExec(t, holder, "UPDATE t SET n = 2")
	mustExec(t, waiter, "INSERT INTO t VALUES (7)")
	ctx, _ := cancelSoon(t, true)
	within(t, hang, func() {
		if _, err := waiter.ExecContext(ctx, "UPDATE t SET n = 3"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want %v", err, context.DeadlineExceeded)
		}
	})
	if err := waiter.Rollback(); err != nil {
		t.Errorf("Rollback() of the canceled transaction = %v, want nil", err)
	}
	if n := number(t, db, "SELECT COUNT(*) FROM t WHERE n = 7"); n != 0 {
		t.Errorf("rows of the canceled transaction = %d, want 0", n)
	}
}

func TestFrozenServerLosesTheConnection(t *testing.T) {
	t.Parallel()
	server := startMariaDB(t)
	db := open(t, configOf(t, server.Database(t)))
	mustExec(t, db, "CREATE TABLE t (n int)")
	tx := begin(t, db)
	mustExec(t, tx, "INSERT INTO t VALUES (1)")
	server.Freeze()
	defer server.Thaw()
	for name, q := range map[string]queryer{"pool": db, "tx": tx} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		within(t, hang, func() {
			if _, err := q.ExecContext(ctx, "DO 1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: err = %v, want %v", name, err, context.DeadlineExceeded)
			}
		})
		cancel()
	}
	within(t, hang, func() { _ = tx.Rollback() })
	server.Thaw()
	if n := number(t, db, "SELECT COUNT(*) FROM t"); n != 0 {
		t.Errorf("rows after the thaw = %d, want 0", n)
	}
}

// Every query returns a number of its own and sleeps for a random time; some
// are canceled at random. A KILL that hit another statement would fail a query
// whose context was alive.
func TestKillsNeverHitAnotherStatement(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.MariaDBDatabase(t)))
	random := testkit.Random(t)
	var wg sync.WaitGroup
	for i := range 1000 {
		asleep, alive := random.Float64()*0.01, time.Duration(random.Int64N(int64(300*time.Millisecond)))
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			doomed := i%2 == 0
			if doomed {
				timer := time.AfterFunc(alive, cancel)
				defer timer.Stop()
			}
			var got, slept int
			err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT %d, SLEEP(%f)", i, asleep)).Scan(&got, &slept)
			switch {
			case err == nil && (got != i || slept != 0):
				t.Errorf("query %d got the answer %d, %d", i, got, slept)
			case err != nil && !doomed:
				t.Errorf("query %d, whose context lives: %v", i, err)
			case err != nil && !errors.Is(err, context.Canceled):
				t.Errorf("query %d = %v, want %v", i, err, context.Canceled)
			}
		})
	}
	wg.Wait()
	testkit.Eventually(t, 10*time.Second, 10*time.Millisecond, func() error { // who was canceled does not wait for its connection
		if stats := db.Stats(); stats.InUse != 0 {
			return fmt.Errorf("connections in use at the end = %d, want 0", stats.InUse)
		}
		return nil
	})
}
