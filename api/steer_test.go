package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

func TestReschedule(t *testing.T) {
	t.Parallel()
	f := start(t)
	bounded := stored(job.Pending)
	bounded.Deadline = testNow.Add(time.Hour)
	pending, running, ended, late := f.add(stored(job.Pending)), f.add(stored(job.Active)), f.add(stored(job.Completed)), f.add(bounded)
	for _, tt := range []struct {
		name string
		id   job.ID
		body string
		want int
		code string
	}{
		{"later", pending, `{"run_at":"2026-11-24T10:00:00+01:00"}`, 202, ""},
		{"running", running, `{"run_at":"2026-11-24T10:00:00Z"}`, 409, "started"},
		{"ended", ended, `{"run_at":"2026-11-24T10:00:00Z"}`, 409, "terminal"},
		{"after its deadline", late, `{"run_at":"2026-11-24T10:00:00Z"}`, 422, "out_of_range"},
		{"year 9999", pending, `{"run_at":"9999-01-01T00:00:00Z"}`, 422, "out_of_range"},
		{"nothing", pending, `{}`, 422, "required"},
		{"null", pending, `{"run_at":null}`, 422, "required"},
		{"no time", pending, `{"run_at":"tomorrow"}`, 422, "invalid_value"},
		{"a number", pending, `{"run_at":1}`, 400, ""},
		{"unknown field", pending, `{"run_at":"2026-11-24T10:00:00Z","now":true}`, 400, ""},
		{"no body", pending, ``, 400, "malformed"},
		{"unknown", "0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77", `{"run_at":"2026-11-24T10:00:00Z"}`, 404, "not_found"},
	} {
		got := f.do(t, "POST", "/v1/jobs/"+string(tt.id)+"/reschedule", tt.body, as(submitterKey))
		if got.Status != tt.want {
			t.Errorf("%s = %d %s, want %d", tt.name, got.Status, got.Body, tt.want)
		}
		if tt.want >= 400 && tt.code != "" && got.problem(t).Code != tt.code {
			t.Errorf("%s = %s, want the code %s", tt.name, got.Body, tt.code)
		}
		if tt.want == 202 {
			if j := decode[jobBody](t, got); j.State != job.Scheduled || !j.RunAt.Equal(time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)) {
				t.Errorf("%s = %+v, want it scheduled", tt.name, j)
			}
		}
	}
	if got := f.noted(); !slices.Equal(got, []string{"wake default"}) {
		t.Errorf("signals = %q, want one wake", got)
	}
}

func TestPurge(t *testing.T) {
	t.Parallel()
	f := start(t)
	for range 1100 {
		f.add(stored(job.Pending))
	}
	running := f.add(stored(job.Active))
	for body, status := range map[string]int{"": 400, "{}": 400, `{"confirm":"critical"}`: 400, `{"confirm":true}`: 400, `{"confirm":"default","x":1}`: 400} {
		got := f.do(t, "POST", "/v1/queues/default/purge", body, as(operatorKey))
		if got.problem(t); got.Status != status {
			t.Errorf("purge with %s = %d %s, want %d", body, got.Status, got.Body, status)
		}
	}
	got := f.do(t, "POST", "/v1/queues/default/purge", `{"confirm":"default"}`, as(operatorKey))
	var q struct {
		Name   string         `json:"name"`
		Counts map[string]int `json:"counts"`
		Purged int            `json:"purged"`
		More   bool           `json:"more"`
	}
	if err := json.Unmarshal([]byte(got.Body), &q); err != nil || got.Status != 200 || q.Name != "default" || q.Purged != 1100 || q.More || q.Counts["canceled"] != 1100 || q.Counts["active"] != 1 {
		t.Errorf("purge = %d %+v, want 1100 canceled", got.Status, q)
	}
	if j, _ := f.Get(t.Context(), running); j.State != job.Active {
		t.Errorf("the job that runs is %s, want it left alone", j.State)
	}
	if got := f.do(t, "POST", "/v1/queues/none/purge", `{"confirm":"none"}`, as(operatorKey)); got.Status != 404 {
		t.Errorf("purge of an unknown queue = %d, want 404", got.Status)
	}
	if got := f.do(t, "POST", "/v1/queues/default/purge", `{"confirm":"default"}`, as(submitterKey)); got.Status != 403 {
		t.Errorf("purge by a submitter = %d, want 403", got.Status)
	}
}

func TestDrainWorker(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.workers = []api.Worker{{ID: "host-1", State: "running"}, {ID: "host-2", State: "gone"}}
	got := f.do(t, "POST", "/v1/workers/host-1/drain", "", as(operatorKey))
	if got.Status != 202 || got.Body != `{"id":"host-1","state":"draining"}` {
		t.Errorf("drain = %d %s, want 202 and that it drains", got.Status, got.Body)
	}
	for path, status := range map[string]int{"host-2": 404, "nobody": 404, "x%00": 400} {
		if got := f.do(t, "POST", "/v1/workers/"+path+"/drain", "", as(operatorKey)); got.Status != status {
			t.Errorf("drain %s = %d %s, want %d", path, got.Status, got.Body, status)
		}
	}
	if got := f.do(t, "POST", "/v1/workers/host-1/drain", "", as(submitterKey)); got.Status != 403 {
		t.Errorf("drain by a submitter = %d, want 403", got.Status)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	f := start(t)
	fail := func(n int, state job.State, kind, queue string, code job.Code, private bool) {
		for i := range n {
			j := stored(state)
			j.Kind, j.Queue = kind, queue
			j.Error = &job.Error{Code: code, Message: fmt.Sprint("secret text ", i), Private: private}
			f.add(j)
		}
	}
	fail(3, job.Archived, "system.noop", "default", job.CodeTimeout, false)
	fail(2, job.Archived, "system.noop", "critical", job.CodeConstraint, true)
	fail(1, job.Unknown, "http.request", "default", job.CodeAmbiguous, false)
	golden(t, "failures", f.do(t, "GET", "/v1/failures", "", as(viewerKey)).Body)
	type page struct {
		Items []struct {
			Code   string `json:"code"`
			Jobs   int    `json:"jobs"`
			Sample struct {
				Message string `json:"message"`
			} `json:"sample"`
		} `json:"items"`
		Examined int  `json:"examined"`
		Complete bool `json:"complete"`
	}
	all := decode[page](t, f.do(t, "GET", "/v1/failures?state=archived,unknown", "", as(operatorKey)))
	if len(all.Items) != 3 || all.Examined != 6 || !all.Complete || all.Items[1].Sample.Message != "secret text 1" {
		t.Errorf("failures for an operator = %+v, want three groups, with the private text", all)
	}
	if got := decode[page](t, f.do(t, "GET", "/v1/failures?queue=critical&kind=system.noop", "", as(viewerKey))); len(got.Items) != 1 || got.Items[0].Jobs != 2 {
		t.Errorf("failures of a queue = %+v, want one group of 2", got)
	}
	for path, status := range map[string]int{"?state=completed": 422, "?state=pending": 422, "?state=dead": 422, "?kind=%00": 400, "?group_by=error": 400} {
		got := f.do(t, "GET", "/v1/failures"+path, "", as(viewerKey))
		if got.problem(t); got.Status != status {
			t.Errorf("GET /v1/failures%s = %d %s, want %d", path, got.Status, got.Body, status)
		}
	}
	for _, key := range []string{limitedKey, targetKey} {
		if got := f.do(t, "GET", "/v1/failures", "", as(key)); got.Status != 403 {
			t.Errorf("failures for a key that is limited to targets = %d, want 403", got.Status)
		}
	}
}
