package browser_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A worker is drained after a question: it goes on with what it runs, and what
// is submitted then has nobody to run it.
func TestWorkerIsDrained(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	running := s.submit(t, object{"kind": "system.noop", "args": object{"sleep": "10m"}, "timeout": "20m"})
	s.awaitState(t, running, "active")
	tb := open(t, s.pages(), "workers")
	tb.await(css(`[data-worker] a[href$="` + running + `"]`))
	tb.press("Drain")
	tb.sees("Drain this worker?")
	tb.press("Leave it")
	tb.await(`!document.querySelector("dialog[open]")`)
	if w := s.worker(t); w["state"] != "running" {
		t.Errorf("the worker is %v although the answer was no", w["state"])
	}
	tb.press("Drain")
	tb.confirm("Drain")
	tb.await(`document.querySelector("[data-worker] .badge").innerText === "draining"`)
	if w := s.worker(t); w["state"] != "draining" {
		t.Errorf("the worker is %v, want draining", w["state"])
	}
	tb.await(`!(` + button("Drain") + `)`) // once is enough
	var left string
	testkit.Eventually(t, patience, 50*time.Millisecond, func() error { // it hears of it within a quarter of its lease
		left = s.submit(t, object{"kind": "system.noop"})
		why, _ := s.get(t, "/v1/jobs/"+left)["waiting_on"].(object)
		if why["reason"] != "no_worker" {
			return fmt.Errorf("a new job waits for %v, want no_worker", why)
		}
		return nil
	})
	tb.visit("jobs/" + left)
	tb.sees("no worker serves its queue")
	if j := s.get(t, "/v1/jobs/"+running); j["state"] != "active" {
		t.Errorf("what the worker ran is %v, want it to go on", j["state"])
	}
	tb.visit("audit?action=worker.")
	tb.sees("worker.drain")
}

// worker is the only one that there is.
func (s *server) worker(t testing.TB) object {
	t.Helper()
	workers := s.get(t, "/v1/workers")["items"].([]any)
	if len(workers) != 1 {
		t.Fatalf("%d workers, want one", len(workers))
	}
	return workers[0].(object)
}

// onRedis are settings with a Redis of the test's own, and with a queue that
// nobody serves: its doorbells wait.
func onRedis(t testing.TB) string {
	t.Helper()
	return "redis: {url: redis://" + testkit.Redis(t).Addr() + "/0}\n" +
		"queues: {critical: {weight: 6}, default: {weight: 3}, low: {weight: 1}, reports: {weight: 1}}\nworker: {queues: [critical, default, low]}\n"
}

// asynq's own view: its servers, and doorbells that lead to their jobs.
func TestDoorbellsLeadToTheirJobs(t *testing.T) {
	t.Parallel()
	s := start(t, onRedis(t))
	var ids []string
	for range 3 {
		ids = append(ids, s.submit(t, object{"kind": "system.noop", "queue": "reports"}))
	}
	testkit.Eventually(t, patience, 50*time.Millisecond, func() error {
		if bells := s.get(t, "/v1/queues/reports/doorbells")["items"].([]any); len(bells) == 0 {
			return fmt.Errorf("no doorbell waits for %v", ids)
		}
		return nil
	})
	tb := open(t, s.pages(), "queues/reports")
	tb.sees("Doorbells, in Redis")
	tb.sees("No asynq server serves it")
	tb.click(css(".fold summary"))
	tb.await(`document.querySelectorAll("[data-doorbell] a").length === 3`)
	shown := eval[[]string](tb, `[...document.querySelectorAll("[data-doorbell] a")].map((a) => a.title)`)
	slices.Sort(shown)
	if slices.Sort(ids); !slices.Equal(shown, ids) {
		t.Errorf("the doorbells lead to %v, want %v", shown, ids)
	}
	tb.click(css("[data-doorbell] a"))
	tb.await(`/\/dashboard\/jobs\/[0-9a-f-]{36}$/.test(location.pathname)`)
	tb.sees("no worker serves its queue")
	tb.visit("queues/default")
	tb.await(`document.querySelector("[data-server]")?.innerText.includes("critical 6, default 3, low 1")`)
}

// An alert fires by itself, is seen on the overview while it does, and leads to
// what it is about; once its cause is gone it is resolved.
func TestAlertFires(t *testing.T) {
	t.Parallel()
	s := start(t, "alerts: {rules: {queue_age: {above: 1s, for: 0s}}}\n")
	tb := open(t, s.pages(), "")
	s.call(t, 200, "POST", "/v1/queues/low/pause", nil)
	id := s.submit(t, object{"kind": "system.noop", "queue": "low"})
	tb.await(`document.querySelector(".alerts").innerText.includes("The oldest due job of queue low has waited")`)
	tb.sees("See that the queue is not paused")
	tb.await(`document.querySelector(".alerts").innerText.includes("queue_age")`)
	// It is the queue's age that is kept, too.
	tb.await(`[...document.querySelectorAll("tbody tr")].find((r) => r.innerText.startsWith("low"))?.querySelector(".spark")?.getAttribute("aria-label").match(/waited for (?!0 s)/)`)
	tb.click(css(`.alerts a[href$="queues/low"]`))
	tb.await(`location.pathname.endsWith("/queues/low")`)
	tb.press("Resume")
	s.awaitState(t, id, "completed")
	tb.visit("")
	tb.await(`document.querySelector(".alerts") && !document.querySelector(".alerts").innerText.includes("queue low")`)
	testkit.Eventually(t, patience, 100*time.Millisecond, func() error {
		for _, a := range s.get(t, "/v1/alerts")["items"].([]any) {
			if a.(object)["state"] == "resolved" {
				return nil
			}
		}
		return fmt.Errorf("the alert is not resolved")
	})
}
