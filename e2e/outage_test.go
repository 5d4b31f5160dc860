package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// Without its ledger the system takes nothing and says so; without Redis it
// takes everything and runs it later. It gets well by itself, whatever was
// started meanwhile.
func TestOutages(t *testing.T) {
	t.Parallel()
	ledger, redis, target := testkit.StartPostgres(t), testkit.Redis(t), testkit.PostgresDatabase(t)
	s := newSystem(t, ledger.Database(t), redis.URL(), target)
	s.table("facts")
	db := openPostgres(t, target)
	execute(t, db, `CREATE TABLE facts (n integer)`)
	s.migrate()
	s.startScheduler()
	s.startAPI()
	const before, during, after = 20, 10, 5
	ids := s.mustBatch(t, inserts("facts", 0, before)) // nobody runs them yet

	ledger.Stop()
	requireUnavailable(t, s.caller, insert("facts", 1000))
	s.awaitReadyz(t, startTimeout, http.StatusServiceUnavailable, "down")
	s.must(t, http.StatusOK, http.MethodGet, "/healthz", nil)
	requireUnavailable(t, s.caller, insert("facts", 1001))
	redis.Stop()
	worker := s.launch("cmd/worker")
	second := newCaller(t, testkit.FreeAddr(t), s.key)
	s.section("api")["listen"] = strings.TrimPrefix(second.url, "http://")
	api := s.start("cmd/api")
	for _, c := range []*caller{worker.probe, second} {
		c.awaitReadyz(t, startTimeout, http.StatusServiceUnavailable, "down")
		c.must(t, http.StatusOK, http.MethodGet, "/healthz", nil)
	}
	requireUnavailable(t, second, insert("facts", 1002))

	ledger.Restart()
	for _, c := range []*caller{s.caller, second, worker.probe} {
		c.awaitReadyz(t, startTimeout, http.StatusOK, "degraded")
	}
	for n := range during {
		ids = append(ids, s.submit(t, insert("facts", before+n)).ID)
	}
	redis.Restart()
	back := time.Now()
	s.awaitCount(t, time.Minute, "completed", before+during)
	t.Logf("all accepted jobs had run %s after Redis was back", time.Since(back).Round(time.Millisecond))
	for _, c := range []*caller{s.caller, second, worker.probe} {
		c.awaitReadyz(t, startTimeout, http.StatusOK, "ok")
	}
	for n := range after {
		ids = append(ids, second.submit(t, insert("facts", before+during+n)).ID)
	}
	s.awaitCount(t, time.Minute, "completed", before+during+after)
	s.requireCompleted(t, ids)
	requireNumber(t, db, len(ids), "SELECT count(*) FROM facts WHERE n < 1000")
	requireNumber(t, db, 0, "SELECT count(*) FROM facts WHERE n >= 1000")
	for name, p := range map[string]*testkit.Process{"worker": worker.Process, "api": api} {
		p.Terminate()
		if code := p.WaitExit(startTimeout); code != 0 {
			t.Errorf("%s exited with %d after SIGTERM, want 0", name, code)
		}
	}
}

// A ledger that hangs is no better than one that is away: nothing is answered
// 202, and what was answered otherwise is not lost without a trace either:
// asked again under its key, it is one job.
func TestHangingLedger(t *testing.T) {
	t.Parallel()
	ledger, redis := testkit.StartPostgres(t), testkit.Redis(t)
	s := newSystem(t, ledger.Database(t), redis.URL(), testkit.PostgresDatabase(t))
	s.section("api")["request_timeout"] = "2s"
	s.migrate()
	s.startScheduler()
	s.startAPI()
	s.startWorker()

	ledger.Freeze()
	requireUnavailable(t, s.caller, sleep(0), "Idempotency-Key", "hanging")
	s.awaitReadyz(t, startTimeout, http.StatusServiceUnavailable, "down")
	ledger.Thaw()
	s.awaitReadyz(t, startTimeout, http.StatusOK, "ok")
	first := s.submit(t, sleep(0), "Idempotency-Key", "hanging")
	second := s.submit(t, sleep(0), "Idempotency-Key", "hanging")
	if first.ID != second.ID {
		t.Errorf("one key made the jobs %s and %s", first.ID, second.ID)
	}
	s.awaitState(t, time.Minute, first.ID, "completed")
	s.requireCompleted(t, []string{first.ID})
}

// requireUnavailable fails the test unless the submission is answered 503,
// with a time to try again and a problem document.
func requireUnavailable(t *testing.T, api *caller, body object, headers ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	began := time.Now()
	a, err := api.call(ctx, http.MethodPost, "/v1/jobs", body, headers...)
	if err != nil {
		t.Fatalf("POST /v1/jobs without a ledger: %v", err)
	}
	t.Logf("without a ledger: %d after %s", a.status, time.Since(began).Round(time.Millisecond))
	seconds, err := strconv.Atoi(a.header.Get("Retry-After"))
	got := fmt.Sprintf("%d %s Retry-After %t", a.status, a.header.Get("Content-Type"), err == nil && seconds > 0)
	if want := "503 application/problem+json Retry-After true"; got != want {
		t.Errorf("POST /v1/jobs without a ledger = %s (%s), want %s", got, a, want)
	}
}
