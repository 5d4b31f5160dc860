package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// stopBound is how long a statement may go on running on the server after its
// job was canceled or timed out.
const stopBound = 2 * time.Second

// A statement ends on the server when its job is canceled or times out, not
// when it pleases.
func TestStatementsStop(t *testing.T) {
	t.Parallel()
	perDialect(t, func(t *testing.T, d dialect) {
		redis, target := testkit.Redis(t), d.start(t)
		endTimeout := time.Minute
		if target.sleeping == nil {
			endTimeout = stopBound // the job's end tells of the statement's
		}
		s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target.dsn)
		s.table("facts")
		s.section("databases", "main", "tables")["endless"] = object{}
		execute(t, target.db, target.endless)
		s.migrate()
		s.startScheduler()
		s.startAPI()
		s.startWorker()
		look := object{"kind": "db.select_many", "args": object{"table": "endless"}}

		canceled := s.submit(t, look)
		s.awaitState(t, startTimeout, canceled.ID, "active")
		awaitSeen(t, startTimeout, target.sleeping, 1)
		s.must(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/"+canceled.ID+"/cancel", nil)
		asked := time.Now()
		awaitSeen(t, stopBound, target.sleeping, 0)
		j := s.awaitState(t, endTimeout, canceled.ID, "canceled")
		t.Logf("canceled: the statement and the job ended within %s", time.Since(asked).Round(time.Millisecond))
		if j.Error == nil || j.Error.Code != "canceled" {
			t.Errorf("error of the canceled job = %+v, want canceled", j.Error)
		}

		look["timeout"], look["max_attempts"] = "1s", 1
		late := s.submit(t, look)
		end := s.awaitState(t, startTimeout, late.ID, "active").StartedAt.Add(time.Second)
		awaitSeen(t, time.Until(end)+stopBound, target.sleeping, 0)
		j = s.awaitState(t, time.Until(end)+endTimeout, late.ID, "archived")
		t.Logf("timed out: the statement and the job ended within %s of the timeout", time.Since(end).Round(time.Millisecond))
		if j.Error == nil || j.Error.Code != "exhausted" {
			t.Errorf("error of the job that timed out = %+v, want exhausted", j.Error)
		}

		requireNoLateWrite(t, s, target)
	})
}

// awaitSeen waits until so many statements are in the state; there is nothing
// to wait for where nobody can see that.
func awaitSeen(t testing.TB, timeout time.Duration, state func(int) func() error, n int) {
	t.Helper()
	if state != nil {
		testkit.Eventually(t, timeout, 5*time.Millisecond, state(n))
	}
}

// requireNoLateWrite cancels a write while it waits for a lock: when the lock
// is gone it must not happen.
func requireNoLateWrite(t *testing.T, s *system, target *target) {
	t.Helper()
	unlock := target.lockFacts(t)
	write := s.submit(t, insert("facts", 1))
	s.awaitState(t, startTimeout, write.ID, "active")
	awaitSeen(t, startTimeout, target.locked, 1)
	s.must(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/"+write.ID+"/cancel", nil)
	awaitSeen(t, stopBound, target.locked, 0)
	stopped := "canceled"
	if target.locked == nil {
		stopped = "parked" // the whole file is locked: that nothing comes of the run cannot be sealed yet
	}
	s.awaitState(t, time.Minute, write.ID, stopped)
	unlock()
	s.awaitState(t, time.Minute, write.ID, "canceled")
	after := s.submit(t, insert("facts", 2))
	s.awaitState(t, startTimeout, after.ID, "completed")
	requireNumber(t, target.db, 1, "SELECT count(*) FROM facts")
	requireNumber(t, target.db, 2, "SELECT max(n) FROM facts")
}
