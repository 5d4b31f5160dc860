package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A worker dies between the commit of effects in the target and what it would
// have told the ledger: another runs the jobs again, finds the effects there,
// and answers with their results.
func TestEffectsOutliveTheirWorker(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "mariadb", testEffectsOutliveTheirWorker)
}

func testEffectsOutliveTheirWorker(t *testing.T, d dialect) {
	const each = 5 // jobs of each sort
	redis, ledger, target := testkit.Redis(t), testkit.Postgres(t), d.start(t)
	dsn := ledger.Database(t)
	s := newSystem(t, dsn, redis.URL(), target.dsn)
	s.table("facts")
	s.migrate()
	s.startScheduler()
	s.startAPI()
	toLedger := testkit.Proxy(t, ledger.Addr())
	s.section("ledger")["dsn"] = strings.Replace(dsn, ledger.Addr(), toLedger.Addr(), 1)
	doomed := s.startWorker()

	unlock := target.lockFacts(t)
	jobs := inserts("facts", 0, each)
	for n := range each {
		jobs = append(jobs, object{"kind": "db.transaction", "args": object{"operations": []object{
			{"op": "insert_one", "table": "facts", "values": object{"n": 100 + n}},
			{"op": "insert_one", "table": "facts", "values": object{"n": 200 + n}},
		}}})
	}
	ids := s.mustBatch(t, jobs)
	// That they are claimed is in the ledger before the worker hears of it.
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, func() error {
		if n := doomed.probe.metric(t, "asyncops_jobs_active"); int(n) != len(ids) {
			return fmt.Errorf("the worker runs %v jobs, want %d", n, len(ids))
		}
		return nil
	})
	toLedger.Down()
	unlock()
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, func() error {
		var n int
		err := target.db.QueryRowContext(t.Context(), "SELECT count(*) FROM facts").Scan(&n)
		if err == nil && n != 3*each {
			err = fmt.Errorf("%d facts, want %d", n, 3*each)
		}
		return err
	})
	doomed.Kill()

	s.section("ledger")["dsn"] = dsn
	s.startWorker()
	s.awaitCount(t, time.Minute, "completed", len(ids))
	s.requireCompleted(t, ids)
	requireNumber(t, target.db, 3*each, "SELECT count(*) FROM facts")
	requireNumber(t, target.db, 3*each, "SELECT count(DISTINCT n) FROM facts")
	for _, id := range ids {
		if j := s.job(t, id); j.Attempt != 1 || j.Crashes != 1 {
			t.Errorf("%s %s: attempt %d, crashes %d, want 1 and 1: it ran again", j.Kind, j.ID, j.Attempt, j.Crashes)
		}
	}
}
