package browser_test

import (
	"net/http"
	"strings"
	"testing"
)

// A job is submitted in the form, found by its tag, opened, retried, and
// deleted; another is canceled while it runs.
func TestJobsAreSteered(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "submit?kind=system.noop")
	tb.fill("#arg-fail", `"invalid"`)
	tb.fill("#o-max_attempts", "1")
	tb.fill("#o-tags", "steered, browser")
	tb.press("Dry run")
	tb.sees(`"kind": "system.noop"`)
	tb.press("Submit")
	tb.await(`/\/dashboard\/jobs\/[0-9a-f-]{36}$/.test(location.pathname)`)
	tb.sees("archived")
	id := eval[string](tb, `location.pathname.split("/").at(-1)`)
	if j := s.get(t, "/v1/jobs/"+id); j["state"] != "archived" {
		t.Errorf("the job is %v, want archived", j["state"])
	}

	// By the keyboard: search, walk to the row, open it.
	tb.keys("/")
	tb.await(`document.activeElement.matches("[data-search]")`)
	tb.keys("s", "t", "e", "e", "r", "e", "d", "Enter")
	tb.await(`location.search === "?q=steered" && document.querySelectorAll("tr[data-job]").length === 1`)
	tb.await(`document.activeElement.tagName === "H1"`)
	tb.keys("j", "Enter")
	tb.await(`location.pathname.endsWith(` + quote(id) + `)`)

	tb.press("Retry")
	tb.confirm("Retry")
	tb.sees("Retried by hand")
	s.awaitState(t, id, "archived")
	if j := s.get(t, "/v1/jobs/"+id); j["generation"] != 1.0 {
		t.Errorf("its generation is %v, want 1", j["generation"])
	}

	tb.await(button("Delete"))
	tb.keys("D") // Shift+D
	tb.confirm("Delete")
	tb.await(`location.pathname === "/dashboard/jobs"`)
	s.call(t, http.StatusNotFound, http.MethodGet, "/v1/jobs/"+id, nil)

	running := s.submit(t, object{"kind": "system.noop", "args": object{"sleep": "5m"}, "timeout": "10m"})
	s.awaitState(t, running, "active")
	tb.visit("jobs/" + running)
	tb.press("Cancel")
	tb.confirm("Cancel")
	s.awaitState(t, running, "canceled")
	tb.await(`document.querySelector(".job-line").innerText.includes("canceled")`)
}

// What is chosen in the list is acted on together.
func TestChosenJobs(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	var ids []string
	for range 3 {
		ids = append(ids, s.submit(t, object{"kind": "system.noop", "delay": "1h", "tags": []string{"bulk"}}))
	}
	tb := open(t, s.pages(), "jobs?tag=bulk")
	tb.await(`document.querySelectorAll("tr[data-job]").length === 3`)
	tb.keys("j", "x", "j", "x")
	tb.sees("2 jobs chosen")
	tb.press("Cancel")
	tb.confirm("Cancel 2")
	tb.sees("2 jobs canceled or stopping.")
	tb.await(`document.querySelectorAll("tr[data-job] .tone-calm").length === 2`)
	s.awaitState(t, ids[0], "scheduled") // the list begins with the newest
	s.awaitState(t, ids[1], "canceled")
	s.awaitState(t, ids[2], "canceled")
}

// Every filter is in the URL, and the server pages.
func TestFiltersAreInTheURL(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	items := make([]object, 120)
	for i := range items {
		items[i] = object{"kind": "system.noop", "delay": "1h", "tags": []string{"paged"}}
	}
	s.call(t, http.StatusAccepted, http.MethodPost, "/v1/jobs/batch", items)
	tb := open(t, s.pages(), "jobs?tag=paged")
	first := eval[string](tb, `document.querySelector("tr[data-job]").dataset.job`)
	tb.keys("]")
	tb.await(`location.search.includes("cursor=")`)
	tb.await(`document.querySelector("tr[data-job]").dataset.job !== ` + quote(first))
	tb.keys("]")
	tb.sees("20 jobs on this page, the last one")
	tb.keys("[", "[")
	tb.await(`document.querySelector("tr[data-job]")?.dataset.job === ` + quote(first))

	tb.press("scheduled")
	tb.await(`location.search.includes("state=scheduled")`)
	tb.choose(`select[aria-label="Kind"]`, "system.noop")
	tb.choose(`select[aria-label="Order"]`, "asc")
	tb.choose(`select[aria-label="Created"]`, "1h")
	tb.await(`["tag=paged", "state=scheduled", "kind=system.noop", "order=asc", "since=1h"].every((p) => location.search.includes(p))`)
	tb.await(`document.querySelector("tr[data-job]")?.dataset.job !== ` + quote(first))
	// The same URL shows the same to somebody else.
	other := open(t, s.pages(), "jobs"+eval[string](tb, "location.search"))
	row := `document.querySelector("tr[data-job]").dataset.job`
	if got, want := eval[string](other, row), eval[string](tb, row); got != want {
		t.Errorf("the URL shows %s first in another tab, want %s", got, want)
	}
	tb.press("completed")
	tb.press("scheduled")
	tb.sees("No job matches these filters.")
	tb.click(`[...document.querySelectorAll("a")].find((a) => a.innerText === "Show all jobs")`)
	tb.await(`location.search === ""`)
}

// A page that is not there, a job that is not there, a filter that is wrong:
// each says so in its own words.
func TestWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s := start(t, "")
	tb := open(t, s.pages(), "submit/nothing/here")
	tb.expect(`404 \(Not Found\)`)
	tb.sees("There is nothing at this address.")
	tb.visit("jobs/00000000-0000-7000-8000-000000000000")
	tb.sees("There is no such job.")
	tb.expect(`422 \(Unprocessable`)
	tb.visit("jobs?state=sideways")
	tb.sees(`there is no state "sideways"`)
	tb.expect(`400 \(Bad Request`)
	tb.visit("jobs?cursor=%00" + strings.Repeat("x", 20))
	tb.sees("Could not load the jobs (400")
}
