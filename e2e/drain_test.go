package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A worker that is told to end hands back what it cannot finish, and that is
// held against nobody.
func TestWorkerDrains(t *testing.T) {
	t.Parallel()
	const jobs = 20
	redis := testkit.Redis(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), testkit.PostgresDatabase(t))
	s.migrate()
	s.startScheduler()
	s.startAPI()
	s.section("worker")["shutdown_timeout"] = "1s"
	first := s.startWorker()
	items := make([]object, jobs)
	for i := range items {
		items[i] = sleep(5 * time.Second)
	}
	ids := s.mustBatch(t, items)
	s.awaitCount(t, startTimeout, "active", jobs)
	second := s.startWorker()
	began := time.Now()
	first.Terminate()
	if code := first.WaitExit(startTimeout); code != 0 {
		t.Errorf("the worker exited with %d after SIGTERM, want 0", code)
	}
	t.Logf("the worker ended %s after SIGTERM", time.Since(began).Round(time.Millisecond))
	s.awaitCount(t, time.Minute, "completed", jobs)
	for _, j := range s.requireCompleted(t, ids) {
		runs := s.attempts(t, j.ID)
		if j.Attempt != 1 || j.Crashes != 0 || len(runs) != 1 {
			t.Errorf("job %s: attempt %d, crashes %d, %d runs listed, want 1, 0 and 1", j.ID, j.Attempt, j.Crashes, len(runs))
		}
	}

	// Whoever is in a hurry asks twice.
	s.section("worker")["shutdown_timeout"] = "1m"
	hurried := s.startWorker()
	second.Terminate()
	if code := second.WaitExit(startTimeout); code != 0 {
		t.Errorf("the idle worker exited with %d after SIGTERM, want 0", code)
	}
	s.submit(t, sleep(time.Hour))
	s.awaitCount(t, startTimeout, "active", 1)
	hurried.Terminate()
	hurried.WaitLine(startTimeout, func(line string) bool { return strings.Contains(line, "worker drains") })
	hurried.Terminate()
	if code := hurried.WaitExit(startTimeout); code != -1 {
		t.Errorf("the worker exited with %d after the second SIGTERM, want death by the signal", code)
	}
}
