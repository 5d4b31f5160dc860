package pgconn_test

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

const hang = 15 * time.Second // below the statements' 20 s: nobody waits them out

// queryer is a pool, a transaction or a connection.
type queryer interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
}

var ways = map[string]func(context.Context, queryer) error{
	"exec": func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, "DO $$ BEGIN PERFORM pg_sleep(20); END $$")
		return err
	},
	"query": func(ctx context.Context, q queryer) error {
		return drain(q.QueryContext(ctx, "SELECT pg_sleep(20)"))
	},
	"rows": func(ctx context.Context, q queryer) error { // the first rows come, the others do not
		return drain(q.QueryContext(ctx, "SELECT repeat('x', 100), CASE WHEN n > 5000 THEN pg_sleep(20) END FROM generate_series(1, 6000) n"))
	},
	"prepared": func(ctx context.Context, q queryer) error {
		st, err := q.PrepareContext(context.WithoutCancel(ctx), "SELECT pg_sleep($1::float)")
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
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	for name, run := range ways {
		for _, inTx := range []bool{false, true} {
			for _, deadline := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s tx=%t deadline=%t", name, inTx, deadline), func(t *testing.T) {
					t.Parallel()
					ctx, want := cancelSoon(t, deadline)
					var q queryer = db
					if inTx {
						tx, err := db.BeginTx(t.Context(), nil)
						if err != nil {
							t.Fatal(err)
						}
						defer func() { _ = tx.Rollback() }()
						q = tx
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
		testkit.Eventually(t, 2*time.Second, 20*time.Millisecond, func() error { return running(db, "%pg_sleep%20%") })
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
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	ctx, _ := cancelSoon(t, false)
	_, err := db.ExecContext(ctx, "SELECT pg_sleep(20)")
	for _, want := range []error{context.Canceled, errStop} {
		if !errors.Is(err, want) {
			t.Errorf("err = %v, want it to be %v", err, want)
		}
	}
}

func TestConnectionStaysUsableAfterACanceledQuery(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	before := pid(t, conn)
	ctx, _ := cancelSoon(t, false)
	if err := drain(conn.QueryContext(ctx, "SELECT pg_sleep(20)")); !errors.Is(err, context.Canceled) {
		t.Fatalf("err = %v, want %v", err, context.Canceled)
	}
	if after := pid(t, conn); after != before {
		t.Errorf("pid = %d, want %d as before", after, before)
	}
}

func pid(t *testing.T, conn *sql.Conn) (pid int) {
	t.Helper()
	if err := conn.QueryRowContext(t.Context(), "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestWaitForALockIsCanceled(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	mustExec(t, db, "CREATE TABLE t (n int); INSERT INTO t VALUES (1)")
	holder, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Rollback() }()
	if _, err := holder.ExecContext(t.Context(), "UPDATE t SET n = 2"); err != nil {
		t.Fatal(err)
	}
	ctx, _ := cancelSoon(t, true)
	within(t, hang, func() {
		if _, err := db.ExecContext(ctx, "UPDATE t SET n = 3"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}

func TestFrozenServerLosesTheConnection(t *testing.T) {
	t.Parallel()
	server := testkit.StartPostgres(t)
	db := open(t, configOf(t, server.DSN("postgres")))
	mustExec(t, db, "CREATE TABLE t (n int)")
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustExec(t, tx, "INSERT INTO t VALUES (1)")
	server.Freeze()
	defer server.Thaw()
	for name, q := range map[string]queryer{"pool": db, "tx": tx} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		within(t, hang, func() {
			if _, err := q.ExecContext(ctx, "SELECT 1"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: err = %v, want %v", name, err, context.DeadlineExceeded)
			}
		})
		cancel()
	}
	within(t, hang, func() { _ = tx.Rollback() })
	server.Thaw()
	var n int
	if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(&n); err != nil || n != 0 {
		t.Errorf("rows after the thaw = %d, %v, want 0", n, err)
	}
}

// Every query returns a number of its own and sleeps for a random time; some
// are canceled at random. A cancel that hit another statement would fail a
// query whose context was alive.
func TestCancelsNeverHitAnotherStatement(t *testing.T) {
	t.Parallel()
	db := open(t, configOf(t, testkit.PostgresDatabase(t)))
	random := testkit.Random(t)
	var wg sync.WaitGroup
	for i := range 1000 {
		asleep, alive := random.Float64()*0.01, time.Duration(random.Int64N(int64(100*time.Millisecond)))
		wg.Go(func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			doomed := i%2 == 0
			if doomed {
				timer := time.AfterFunc(alive, cancel)
				defer timer.Stop()
			}
			var got int
			err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT %d FROM pg_sleep(%f)", i, asleep)).Scan(&got)
			switch {
			case err == nil && got != i:
				t.Errorf("query %d got the answer %d", i, got)
			case err != nil && !doomed:
				t.Errorf("query %d, whose context lives: %v", i, err)
			case err != nil && !errors.Is(err, context.Canceled):
				t.Errorf("query %d = %v, want %v", i, err, context.Canceled)
			}
		})
	}
	wg.Wait()
	// database/sql may close the rows of a canceled query after Scan has returned.
	testkit.Eventually(t, hang, 10*time.Millisecond, func() error {
		if n := db.Stats().InUse; n != 0 {
			return fmt.Errorf("%d connections are in use at the end, want 0", n)
		}
		return nil
	})
}
