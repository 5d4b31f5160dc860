package e2e_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A worker that is frozen past its lease, in the middle of everything, changes
// nothing when it goes on: its jobs have run elsewhere by then.
func TestFrozenWorkerIsFenced(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "mariadb", testFrozenWorker)
}

func testFrozenWorker(t *testing.T, d dialect) {
	const (
		each  = 5                // jobs of each sort
		bound = 20 * time.Second // the jobs have run elsewhere so long after the freeze
	)
	redis, target, api := testkit.Redis(t), d.start(t), startUpstream(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target.dsn)
	s.table("facts")
	s.upstream(api)
	s.migrate()
	s.startScheduler()
	s.startAPI()
	frozen := s.startWorker()

	// Writes wait for a lock, calls for an answer, the rest just takes its time.
	unlock := target.lockFacts(t)
	api.hold("/slow")
	api.hold("/held")
	jobs := inserts("facts", 0, each)
	for range each {
		jobs = append(jobs, get("/slow"),
			object{"kind": "http.request", "args": object{"client": "up", "method": "POST", "path": "/slow", "body": object{}}},
			sleep(5*time.Second))
	}
	for range each {
		j := get("/held") // these still run elsewhere when the worker goes on, however long that takes
		j["timeout"] = "5m"
		j["args"].(object)["timeout"] = "5m"
		jobs = append(jobs, j)
	}
	ids := s.mustBatch(t, jobs)
	done, held := ids[:4*each], ids[4*each:]
	s.awaitCount(t, startTimeout, "active", len(ids))
	awaitSeen(t, startTimeout, target.locked, each)
	testkit.Eventually(t, startTimeout, 5*time.Millisecond, func() error {
		if slow, held := len(api.received("/slow")), len(api.received("/held")); slow < 2*each || held < each {
			return fmt.Errorf("%d and %d calls wait for an answer, want %d and %d", slow, held, 2*each, each)
		}
		return nil
	})
	frozen.Freeze()
	froze := time.Now()
	// On a server the inserts go through now, and stand uncommitted with nobody
	// to commit.
	unlock()
	api.pass("/slow")
	s.startWorker()
	s.awaitCount(t, 2*bound, "completed", len(done))
	testkit.Eventually(t, bound, 5*time.Millisecond, func() error {
		if calls := len(api.received("/held")); calls < 2*each {
			return fmt.Errorf("%d held calls, want %d", calls, 2*each)
		}
		return nil
	})
	began := map[string]time.Duration{}
	before := map[string]string{}
	for i, id := range ids {
		j := s.job(t, id)
		if want := map[bool]string{true: "completed", false: "active"}[i < len(done)]; j.State != want {
			t.Errorf("%s %s is %s, want %s", j.Kind, j.ID, j.State, want)
		}
		began[j.Kind] = max(began[j.Kind], j.StartedAt.Sub(froze))
		if ran := j.StartedAt.Sub(froze); ran > bound {
			t.Errorf("%s %s began again %s after the freeze, want at most %s", j.Kind, j.ID, ran, bound)
		}
		if j.Attempt != 1 || j.Crashes != 1 {
			t.Errorf("%s %s: attempt %d, crashes %d, want 1 and 1", j.Kind, j.ID, j.Attempt, j.Crashes)
		}
		before[j.ID] = s.everything(t, j.ID)
	}
	t.Logf("the last of each kind began again %v after the freeze, all had completed after %s", began, time.Since(froze))

	fenced := frozen.probe
	frozen.Thaw()
	thawed := time.Now()
	testkit.Eventually(t, time.Minute, 50*time.Millisecond, func() error {
		if got := fenced.metric(t, "asyncops_fenced_total"); got < float64(len(ids)) {
			return fmt.Errorf("asyncops_fenced_total = %v of the frozen worker, want %d", got, len(ids))
		}
		return nil
	})
	t.Logf("the thawed worker's outcomes were refused after %s", time.Since(thawed))
	for _, id := range ids {
		if after := s.everything(t, id); after != before[id] {
			t.Errorf("the thawed worker changed job %s:\nbefore %s\nafter  %s", id, before[id], after)
		}
	}
	requireNumber(t, target.db, each, "SELECT count(*) FROM facts")
	requireNumber(t, target.db, each, "SELECT count(DISTINCT n) FROM facts")
	requireSends(t, api.received("/slow"), 2*each)
	api.release("/held")
	s.awaitCount(t, time.Minute, "completed", len(ids))
	requireSends(t, api.received("/held"), len(held))

	// It is a worker again.
	again := s.submit(t, sleep(0))
	s.awaitState(t, time.Minute, again.ID, "completed")
}

// everything is all that the API tells of a job.
func (c *caller) everything(t testing.TB, id string) string {
	t.Helper()
	return fmt.Sprint(c.must(t, 200, "GET", "/v1/jobs/"+id, nil), c.must(t, 200, "GET", "/v1/jobs/"+id+"/attempts", nil))
}

// requireSends fails the test unless each of the jobs was sent twice, under
// one key: by the worker that was frozen, and by the other.
func requireSends(t testing.TB, sends []send, jobs int) {
	t.Helper()
	keys := map[string]int{}
	for _, s := range sends {
		keys[s.key]++
	}
	if len(keys) != jobs || keys[""] != 0 {
		t.Errorf("the upstream saw %d idempotency keys, %d sends without; want %d and 0", len(keys), keys[""], jobs)
	}
	for key, n := range keys {
		if n != 2 {
			t.Errorf("the upstream saw key %s %d times, want 2", key, n)
		}
	}
}
