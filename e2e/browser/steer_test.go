package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A queue is paused after a question, and resumed without one.
func TestQueueIsPaused(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "queues")
	row := `[...document.querySelectorAll("tbody tr")].find((r) => r.innerText.startsWith("low"))`
	tb.click(row + `.querySelector("button")`)
	tb.sees("Pause low?")
	tb.press("Leave it")
	if q := s.get(t, "/v1/queues/low"); q["paused"] != false {
		t.Error("the queue was paused although the answer was no")
	}
	tb.click(row + `.querySelector("button")`)
	tb.confirm("Pause")
	tb.await(row + `.innerText.includes("paused")`)
	if q := s.get(t, "/v1/queues/low"); q["paused"] != true {
		t.Error("the queue is not paused")
	}
	id := s.submit(t, object{"kind": "system.noop", "queue": "low"})
	tb.visit("jobs/" + id)
	tb.sees("its queue is paused")
	tb.visit("queues/low")
	tb.sees("No job of this queue starts until it is resumed.")
	tb.press("Resume")
	s.awaitState(t, id, "completed")
}

// A queue is purged when its name was typed: what waits in it is canceled, what
// runs goes on.
func TestQueueIsPurged(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	running := s.submit(t, object{"kind": "system.noop", "queue": "low", "args": object{"sleep": "10m"}, "timeout": "20m"})
	s.awaitState(t, running, "active")
	tb := open(t, s.pages(), "queues/low")
	tb.await(`document.querySelector("button[data-key=P]")?.disabled`) // nothing waits
	var waiting []string
	for range 3 {
		waiting = append(waiting, s.submit(t, object{"kind": "system.noop", "queue": "low", "delay": "1h"}))
	}
	other := s.submit(t, object{"kind": "system.noop", "delay": "1h"})
	tb.sees("scheduled\n3") // the question says how many were seen
	tb.press("Purge")
	tb.sees("Purge low?")
	tb.await(`document.querySelector("#confirm-yes").innerText === "Cancel 3 jobs" && document.querySelector("#confirm-yes").disabled`)
	tb.fill("#confirm-word", "lo")
	tb.await(`document.querySelector("#confirm-yes").disabled`)
	tb.fill("#confirm-word", "low")
	tb.confirm("Cancel 3 jobs")
	tb.sees("3 jobs canceled.")
	tb.await(`!document.querySelector("dialog[open]") && document.querySelector("button[data-key=P]").disabled`)
	for _, id := range waiting {
		s.awaitState(t, id, "canceled")
	}
	for id, want := range map[string]string{running: "active", other: "scheduled"} {
		if j := s.get(t, "/v1/jobs/"+id); j["state"] != want {
			t.Errorf("job %s is %v, want %s", id, j["state"], want)
		}
	}
	tb.visit("audit?action=queue.")
	tb.sees("queue.purge")
}

// A schedule is made, edited, run, paused and deleted.
func TestScheduleIsEdited(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "schedules")
	tb.press("New")
	tb.fill("#s-name", "report")
	tb.expect(`422 \(Unprocessable`)
	tb.fill("#s-cron", "not a cron")
	tb.press("Make it")
	tb.sees("Not stored (422")
	tb.fill("#s-cron", "0 9 * * mon")
	tb.sees("at 09:00, on Monday")
	tb.press("Make it")
	tb.await(`location.pathname.endsWith("/schedules/report")`)
	tb.sees("Fires at 09:00, on Monday")
	if n := eval[int](tb, `document.querySelectorAll(".fires li").length`); n != 5 {
		t.Errorf("%d next fires are shown, want 5", n)
	}

	tb.press("Edit")
	tb.fill("#s-cron", "*/10 * * * *")
	tb.fill("#s-job", `{"kind": "system.noop", "args": {"fail": "9007199254740993"}, "max_attempts": 1}`)
	tb.press("Save")
	tb.sees("Fires every 10 minutes")
	if got := s.get(t, "/v1/schedules/report"); got["cron"] != "*/10 * * * *" {
		t.Errorf("its cron is %v, want */10 * * * *", got["cron"])
	}

	tb.press("Run now")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 1`)
	tb.press("Pause")
	tb.sees("if it were not paused")
	tb.press("Delete")
	tb.confirm("Delete")
	tb.await(`location.pathname === "/dashboard/schedules" && !document.querySelector("table").innerText.includes("report")`)
	s.call(t, 404, "GET", "/v1/schedules/report", nil)
}

// A breaker that failures have opened is seen, and reset.
func TestBreakerIsReset(t *testing.T) {
	t.Parallel()
	s := start(t, "health: {enabled: false}\n")
	breaker := func() object { return s.get(t, "/v1/clients/demo")["breaker"].(object) }
	for range 6 {
		s.submit(t, object{"kind": "http.request", "args": object{"method": "GET", "path": "/status/500"}, "max_attempts": 3})
	}
	testkit.Eventually(t, patience, 50*time.Millisecond, func() error {
		if b := breaker(); b["state"] != "open" {
			return fmt.Errorf("the breaker is %v", b)
		}
		return nil
	})
	tb := open(t, s.pages(), "targets")
	tb.await(`[...document.querySelectorAll("[data-target=demo] .breaker")].some((b) => b.innerText.includes("open"))`)
	tb.press("Reset")
	tb.confirm("Reset")
	tb.sees("The breaker of demo is closed.")
	tb.await(`[...document.querySelectorAll(".breaker")].some((b) => b.innerText.includes("closed"))`)
}
