package e2e_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// stopBound is how long a statement may go on running on the server after its
// job was canceled or timed out: issue 2.
const stopBound = 2 * time.Second

// A statement ends on the server when its job is canceled or times out, not
// when it pleases.
func TestStatementsStop(t *testing.T) {
	t.Parallel()
	redis, target := testkit.Redis(t), testkit.PostgresDatabase(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target)
	s.table("facts")
	s.section("databases", "main", "tables")["slow"] = object{}
	db := openPostgres(t, target)
	execute(t, db, `CREATE TABLE facts (n integer)`, `CREATE VIEW slow AS SELECT 1 AS id FROM pg_sleep(30)`)
	s.migrate()
	s.startScheduler()
	s.startAPI()
	s.startWorker()
	sleeping := func(want int) func() error {
		return backends(t.Context(), db, want, "wait_event = 'PgSleep'")
	}
	look := object{"kind": "db.select_many", "args": object{"table": "slow"}}

	canceled := s.submit(t, look)
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, sleeping(1))
	s.must(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/"+canceled.ID+"/cancel", nil)
	asked := time.Now()
	testkit.Eventually(t, stopBound, 5*time.Millisecond, sleeping(0))
	t.Logf("canceled: the statement ended after %s", time.Since(asked).Round(time.Millisecond))
	if j := s.awaitState(t, time.Minute, canceled.ID, "canceled"); j.Error == nil || j.Error.Code != "canceled" {
		t.Errorf("error of the canceled job = %+v, want canceled", j.Error)
	}

	look["timeout"], look["max_attempts"] = "1s", 1
	late := s.submit(t, look)
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, sleeping(1))
	started := s.job(t, late.ID).StartedAt
	if started == nil {
		t.Fatalf("job %s sleeps on the server and has no started_at", late.ID)
	}
	end := started.Add(time.Second)
	testkit.Eventually(t, time.Until(end)+stopBound, 5*time.Millisecond, sleeping(0))
	t.Logf("timed out: the statement ended %s after the timeout", time.Since(end).Round(time.Millisecond))
	if j := s.awaitState(t, time.Minute, late.ID, "archived"); j.Error == nil || j.Error.Code != "exhausted" {
		t.Errorf("error of the job that timed out = %+v, want exhausted", j.Error)
	}

	requireNoLateWrite(t, s, db)
}

// requireNoLateWrite cancels a write while it waits for a lock: when the lock
// is gone it must not happen.
func requireNoLateWrite(t *testing.T, s *system, db *sql.DB) {
	t.Helper()
	lock, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Rollback() }() // after the commit it does nothing
	if _, err := lock.ExecContext(t.Context(), "LOCK TABLE facts IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	write := s.submit(t, insert("facts", 1))
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, backends(t.Context(), db, 1, "wait_event_type = 'Lock'"))
	s.must(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/"+write.ID+"/cancel", nil)
	testkit.Eventually(t, stopBound, 5*time.Millisecond, backends(t.Context(), db, 0, "wait_event_type = 'Lock'"))
	s.awaitState(t, time.Minute, write.ID, "canceled")
	if err := lock.Commit(); err != nil {
		t.Fatal(err)
	}
	requireNumber(t, db, 0, "SELECT count(*) FROM facts")
}

// backends checks how many sessions of the database are so.
func backends(ctx context.Context, db *sql.DB, want int, where string) func() error {
	return func() error {
		got, err := number(ctx, db, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "+where)
		if err == nil && got != want {
			err = fmt.Errorf("%d sessions with %s, want %d", got, where, want)
		}
		return err
	}
}
