package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// jobView is a job as the API shows it.
type jobView struct {
	ID         string          `json:"id"`
	Kind       string          `json:"kind"`
	State      string          `json:"state"`
	Args       json.RawMessage `json:"args"`
	Result     json.RawMessage `json:"result"`
	Error      *jobError       `json:"error"`
	Attempt    int             `json:"attempt"`
	Crashes    int             `json:"crashes"`
	Delivery   string          `json:"delivery"`
	StartedAt  *time.Time      `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	WaitingOn  struct {
		Reason string     `json:"reason"`
		Until  *time.Time `json:"until"`
	} `json:"waiting_on"`
}

type jobError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// attemptView is one run of a job as the API shows it.
type attemptView struct {
	Number  int    `json:"number"`
	Worker  string `json:"worker"`
	Outcome string `json:"outcome"`
}

// submit submits one job, which must be accepted.
func (c *caller) submit(t testing.TB, body object, headers ...string) jobView {
	t.Helper()
	a := c.must(t, http.StatusAccepted, http.MethodPost, "/v1/jobs", body, headers...)
	var j jobView
	if err := json.Unmarshal(a.body, &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// acceptedID is the id of the job that the server accepted.
func acceptedID(a answer) (string, error) {
	if a.status != http.StatusAccepted {
		return "", fmt.Errorf("POST /v1/jobs = %s, want 202", a)
	}
	var j jobView
	err := json.Unmarshal(a.body, &j)
	return j.ID, err
}

// batchAnswer is what a batch is answered with.
type batchAnswer struct {
	Accepted int `json:"accepted"`
	Rejected int `json:"rejected"`
	Items    []struct {
		ID    string          `json:"id"`
		Error json.RawMessage `json:"error"`
	} `json:"items"`
}

// batch submits jobs, all of which must be accepted, and returns their ids.
func (c *caller) batch(ctx context.Context, items []object) ([]string, error) {
	a, err := c.call(ctx, http.MethodPost, "/v1/jobs/batch", items)
	if err != nil {
		return nil, err
	}
	var got batchAnswer
	if a.status != http.StatusAccepted {
		return nil, fmt.Errorf("POST /v1/jobs/batch = %s, want 202", a)
	}
	if err := json.Unmarshal(a.body, &got); err != nil {
		return nil, err
	}
	if got.Accepted != len(items) || got.Rejected != 0 || len(got.Items) != len(items) {
		return nil, fmt.Errorf("POST /v1/jobs/batch accepted %d and rejected %d of %d jobs", got.Accepted, got.Rejected, len(items))
	}
	ids := make([]string, len(got.Items))
	for i, item := range got.Items {
		ids[i] = item.ID
	}
	return ids, nil
}

// mustBatch is batch on the test's own goroutine.
func (c *caller) mustBatch(t testing.TB, items []object) []string {
	t.Helper()
	ids, err := c.batch(t.Context(), items)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// job reads one job.
func (c *caller) job(t testing.TB, id string) jobView {
	t.Helper()
	var j jobView
	if err := c.read(t.Context(), "/v1/jobs/"+id, &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// attempts reads a job's runs.
func (c *caller) attempts(t testing.TB, id string) []attemptView {
	t.Helper()
	var page struct {
		Items []attemptView `json:"items"`
	}
	if err := c.read(t.Context(), "/v1/jobs/"+id+"/attempts", &page); err != nil {
		t.Fatal(err)
	}
	return page.Items
}

// awaitState waits until the job is in the state and returns it.
func (c *caller) awaitState(t testing.TB, timeout time.Duration, id, state string) jobView {
	t.Helper()
	var j jobView
	testkit.Eventually(t, timeout, 20*time.Millisecond, func() error {
		j = jobView{}
		if err := c.read(t.Context(), "/v1/jobs/"+id, &j); err != nil {
			return err
		}
		if j.State != state {
			return fmt.Errorf("job %s is %s (%+v), want %s", id, j.State, j.Error, state)
		}
		return nil
	})
	return j
}

// counts reads how many jobs of the queue are in each state.
func (c *caller) counts(ctx context.Context) (map[string]int, error) {
	var queue struct {
		Counts map[string]int `json:"counts"`
	}
	err := c.read(ctx, "/v1/queues/default", &queue)
	return queue.Counts, err
}

// awaitCount waits until at least n jobs are in the state, and returns how
// many are.
func (c *caller) awaitCount(t testing.TB, timeout time.Duration, state string, n int) int {
	t.Helper()
	got := 0
	testkit.Eventually(t, timeout, 20*time.Millisecond, func() error {
		counts, err := c.counts(t.Context())
		if err != nil {
			return err
		}
		if got = counts[state]; got < n {
			return fmt.Errorf("jobs per state = %v, want at least %d %s", counts, n, state)
		}
		return nil
	})
	return got
}

// list reads all jobs, page by page, but for those that the installation makes
// for itself.
func (c *caller) list(t testing.TB, query url.Values) []jobView {
	t.Helper()
	query.Set("limit", "200")
	var all []jobView
	for {
		var page struct {
			Items []jobView `json:"items"`
			Next  *string   `json:"next_cursor"`
		}
		if err := c.read(t.Context(), "/v1/jobs?"+query.Encode(), &page); err != nil {
			t.Fatal(err)
		}
		for _, j := range page.Items {
			if j.Kind != "system.health" {
				all = append(all, j)
			}
		}
		if page.Next == nil {
			return all
		}
		query.Set("cursor", *page.Next)
	}
}

// requireCompleted fails the test unless exactly these jobs are in the ledger
// and each of them has completed. It returns them.
func (c *caller) requireCompleted(t testing.TB, ids []string) []jobView {
	t.Helper()
	jobs := c.list(t, url.Values{})
	byID := make(map[string]jobView, len(jobs))
	for _, j := range jobs {
		byID[j.ID] = j
	}
	if len(byID) != len(jobs) {
		t.Errorf("GET /v1/jobs listed %d jobs, only %d of them different", len(jobs), len(byID))
	}
	if len(jobs) != len(ids) {
		t.Errorf("GET /v1/jobs listed %d jobs, want the %d that were accepted", len(jobs), len(ids))
	}
	bad := 0
	for _, id := range ids {
		if j, ok := byID[id]; !ok || j.State != "completed" {
			if bad++; bad <= 3 {
				t.Errorf("accepted job %s: listed %t, %s (%+v), want completed", id, ok, j.State, j.Error)
			}
		}
	}
	if bad > 0 {
		t.Fatalf("%d of %d accepted jobs are not completed", bad, len(ids))
	}
	return jobs
}
