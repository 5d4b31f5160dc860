package browser_test

import (
	"strconv"
	"testing"
)

// A job is followed while it runs, over its own event stream: its progress and
// its end appear without anything being loaded again by the reader.
func TestFollowARunningJob(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	requests := make([]object, 8)
	for i := range requests {
		requests[i] = object{"method": "GET", "path": "/slow", "query": object{"ms": "700"}}
	}
	id := s.submit(t, object{"kind": "http.batch", "args": object{"max_concurrent": 1, "requests": requests}, "delay": "1h"})
	tb := open(t, s.pages(), "jobs/"+id)
	tb.sees("its time has not come")
	tb.press("Reschedule")
	tb.await(css("#other-time"))
	eval[bool](tb, `(() => { const f = `+css("#other-time")+`; f.value = "2026-01-01T00:00:00"; return true; })()`)
	tb.confirm("Reschedule")
	seen := map[int]bool{}
	for done := 1; done <= 3; done++ {
		tb.await(`Number(document.querySelector(".progress .strong")?.innerText) >= ` + strconv.Itoa(done) + ` || document.querySelector(".job-line .tone-good")`)
		seen[eval[int](tb, `Number(document.querySelector(".progress .strong")?.innerText ?? 8)`)] = true
	}
	if len(seen) < 2 {
		t.Errorf("progress showed %v, want more than one step of it", seen)
	}
	tb.await(`document.querySelector(".job-line .tone-good")?.innerText === "completed"`)
	tb.sees(`"succeeded": 8`)
	if n := tb.asked("/v1/jobs/" + id + "/events"); n == 0 {
		t.Error("the job's event stream was not asked for")
	}
	if n := eval[int](tb, `performance.getEntriesByType("navigation").length`); n != 1 {
		t.Errorf("the page was loaded %d times, want once", n)
	}
}

// The list changes rows where they stand; jobs that are new wait until the
// reader asks for them, or appear at once when following.
func TestTheListStandsStill(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	id := s.submit(t, object{"kind": "system.noop", "delay": "1h", "tags": []string{"still"}})
	tb := open(t, s.pages(), "jobs?tag=still")
	row := `document.querySelector("tr[data-job=` + `'` + id + `']")`
	tb.await(row)
	tb.live()
	top := eval[float64](tb, row+`.getBoundingClientRect().top`)
	s.call(t, 200, "POST", "/v1/jobs/"+id+"/cancel", nil)
	tb.await(row + `.innerText.includes("canceled")`)
	for range 3 {
		s.submit(t, object{"kind": "system.noop", "delay": "1h", "tags": []string{"still"}})
	}
	tb.sees("Show 3 new jobs")
	if got := eval[float64](tb, row+`.getBoundingClientRect().top`); got != top {
		t.Errorf("the row moved from %v to %v", top, got)
	}
	tb.press("Show 3 new jobs")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 4`)
	tb.press("Follow")
	s.submit(t, object{"kind": "system.noop", "delay": "1h", "tags": []string{"still"}})
	tb.await(`document.querySelectorAll("tr[data-job]").length === 5`)
}

// A page that is paused asks for nothing until it goes on.
func TestPausedPagesAskForNothing(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "jobs?tag=paused")
	tb.live()
	tb.keys("p")
	tb.await(`document.querySelector("button.live").innerText === "Paused"`)
	tb.settle()
	before := tb.asked("/v1/")
	s.submit(t, object{"kind": "system.noop", "tags": []string{"paused"}})
	// Long enough for whatever a page that is not paused does every second.
	eval[bool](tb, `new Promise((done) => setTimeout(() => done(true), 6000))`)
	if after := tb.asked("/v1/"); after != before {
		t.Errorf("the paused page asked %d times", after-before)
	}
	tb.keys("p")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 1`)
}
