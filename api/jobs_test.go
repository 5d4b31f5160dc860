package api_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// stored is a job as it may be found in the ledger.
func stored(state job.State) job.Job {
	return job.Job{
		Kind: "system.noop", Queue: "default", State: state, Args: json.RawMessage(`{"sleep":"1s"}`), Delivery: job.AtLeastOnce,
		MaxAttempts: 10, CreatedAt: testNow, RunAt: testNow, Owner: "submitter",
	}
}

func TestGetJob(t *testing.T) {
	t.Parallel()
	f := start(t)
	until := testNow.Add(time.Minute)
	j := stored(job.Retry)
	j.Kind, j.Attempt, j.Crashes, j.Generation = "http.request", 2, 1, 3
	j.Args = json.RawMessage(`{"client":"crm","method":"GET","path":"/"}`)
	j.Tags, j.StartedAt = []string{"a", "größe \"x\""}, testNow.Add(time.Second)
	j.Error = &job.Error{Code: job.CodeUpstreamStatus, Message: "503: maintenance", Private: true}
	j.WaitingOn = &job.WaitingOn{Reason: job.WaitBackoff, Until: &until}
	id := f.add(j)
	golden(t, "job", f.do(t, "GET", "/v1/jobs/"+string(id), "", as(submitterKey)).Body)
	golden(t, "job_without_payload", f.do(t, "GET", "/v1/jobs/"+string(id), "", as(viewerKey)).Body)
}

func TestLargeResult(t *testing.T) {
	t.Parallel()
	f := start(t)
	j := stored(job.Completed)
	j.Result = json.RawMessage(`{"rows":"` + strings.Repeat("x", 256<<10) + `"}`)
	id := f.add(j)
	got := decode[jobBody](t, f.do(t, "GET", "/v1/jobs/"+string(id), "", as(submitterKey)))
	if string(got.Result) != "null" || got.Links["result"] != "/v1/jobs/"+string(id)+"/result" {
		t.Errorf("result %d bytes, links %v; want null and a link", len(got.Result), got.Links)
	}
	if got := f.do(t, "GET", got.Links["result"], "", as(submitterKey)); got.Status != 200 || got.Body != string(j.Result) {
		t.Errorf("links.result = %d, %d bytes, want 200 and all of it", got.Status, len(got.Body))
	}
	if got := f.do(t, "GET", "/v1/jobs/"+string(id)+"/result", "", as(viewerKey)); got.Status != 403 {
		t.Errorf("another key's result = %d, want 403", got.Status)
	}
	hidden := decode[jobBody](t, f.do(t, "GET", "/v1/jobs/"+string(id), "", as(viewerKey)))
	if _, has := hidden.Links["result"]; has {
		t.Error("links.result is told to a key that may not read it")
	}
	pending := f.add(stored(job.Pending))
	if got := f.do(t, "GET", "/v1/jobs/"+string(pending)+"/result", "", as(submitterKey)); got.Status != 404 {
		t.Errorf("no result yet = %d, want 404", got.Status)
	}
}

func TestPayloadVisibility(t *testing.T) {
	t.Parallel()
	f := start(t)
	anybody := start(t, open)
	finished := testNow.Add(time.Second)
	for _, g := range []*fixture{f, anybody} {
		j := stored(job.Archived)
		j.ID, j.Result = "0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77", json.RawMessage(`{"canary":1}`)
		j.Args = json.RawMessage(`{"sleep":"canary"}`)
		j.Error = &job.Error{Code: job.CodeUpstreamStatus, Message: "canary", Private: true}
		g.add(j)
		g.attempts[j.ID] = []job.Attempt{{Number: 1, Worker: "w", StartedAt: testNow, FinishedAt: &finished, Outcome: "retry", Error: j.Error, Summary: json.RawMessage(`{"canary":1}`)}}
	}
	for _, tt := range []struct {
		name string
		f    *fixture
		key  string
		sees bool
	}{
		{"the owner", f, submitterKey, true},
		{"jobs:payload", f, operatorKey, true},
		{"another key", f, viewerKey, false},
		{"no authentication", anybody, adminKey, true},
	} {
		for _, path := range []string{"", "/attempts", "?wait=1ms"} {
			got := tt.f.do(t, "GET", "/v1/jobs/0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77"+path, "", as(tt.key))
			if got.Status != 200 || strings.Contains(got.Body, "canary") != tt.sees || !strings.Contains(got.Body, "upstream_status") {
				t.Errorf("%s, %q = %d %s, sees want %t", tt.name, path, got.Status, got.Body, tt.sees)
			}
		}
		got := tt.f.do(t, "GET", "/v1/jobs?include=payload", "", as(tt.key))
		if got.Status != 200 || strings.Contains(got.Body, "canary") != tt.sees || !strings.Contains(got.Body, `"args":`) {
			t.Errorf("%s, list = %d %s, sees want %t", tt.name, got.Status, got.Body, tt.sees)
		}
		if got := tt.f.do(t, "GET", "/v1/jobs", "", as(tt.key)); strings.Contains(got.Body, `"args"`) || strings.Contains(got.Body, `"result"`) {
			t.Errorf("%s, list without payload = %s", tt.name, got.Body)
		}
	}
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	f := start(t)
	id := f.add(stored(job.Active))
	finished := testNow.Add(1500 * time.Millisecond)
	f.attempts[id] = []job.Attempt{
		{Number: 1, Worker: "w1", StartedAt: testNow, FinishedAt: &finished, Outcome: "retry", Error: &job.Error{Code: job.CodeTimeout, Message: "ran longer than 1s"}},
		{Number: 2, Generation: 1, Worker: "w2", StartedAt: finished, Outcome: "active", Summary: json.RawMessage(`{"status":200}`)},
	}
	golden(t, "attempts", f.do(t, "GET", "/v1/jobs/"+string(id)+"/attempts", "", as(submitterKey)).Body)
	none := f.do(t, "GET", "/v1/jobs/"+string(f.add(stored(job.Pending)))+"/attempts", "", as(submitterKey))
	if none.Body != `{"items":[]}` {
		t.Errorf("no attempts = %s", none.Body)
	}
}

func TestListJobs(t *testing.T) {
	t.Parallel()
	f := start(t)
	var ids []job.ID
	for i, state := range []job.State{job.Pending, job.Completed, job.Archived, job.Pending, job.Active} {
		j := stored(state)
		j.CreatedAt = testNow.Add(time.Duration(i) * time.Hour)
		if i%2 == 1 {
			j.Queue, j.Tags = "critical", []string{"odd"}
		}
		ids = append(ids, f.add(j))
	}
	for _, tt := range []struct {
		query string
		want  []int
	}{
		{"", []int{4, 3, 2, 1, 0}},
		{"?order=asc", []int{0, 1, 2, 3, 4}},
		{"?state=pending", []int{3, 0}},
		{"?state=pending,active&order=asc", []int{0, 3, 4}},
		{"?state=pending&state=active", []int{4, 3, 0}},
		{"?queue=critical", []int{3, 1}},
		{"?kind=db.insert_one", nil},
		{"?tag=odd&state=completed", []int{1}},
		{"?created_after=2026-11-23T12:00:00Z", []int{4, 3, 2}},
		{"?created_before=2026-11-23T13:00:00%2B02:00", []int{0}},
		{"?q=" + string(ids[2]), []int{2}},
		{"?limit=200", []int{4, 3, 2, 1, 0}},
	} {
		got := f.do(t, "GET", "/v1/jobs"+tt.query, "", as(viewerKey))
		body := decode[struct{ Items []jobBody }](t, got)
		var places []int
		for _, item := range body.Items {
			places = append(places, slices.Index(ids, item.ID))
		}
		if got.Status != 200 || !slices.Equal(places, tt.want) {
			t.Errorf("%s = %d %v, want %v", tt.query, got.Status, places, tt.want)
		}
	}
	type page struct {
		Items []jobBody `json:"items"`
		Next  *string   `json:"next_cursor"`
	}
	first := decode[page](t, f.do(t, "GET", "/v1/jobs?limit=3", "", as(viewerKey)))
	if first.Next == nil || len(first.Items) != 3 {
		t.Fatalf("first page = %+v, want 3 items and a cursor", first)
	}
	second := decode[page](t, f.do(t, "GET", "/v1/jobs?limit=3&cursor="+*first.Next, "", as(viewerKey)))
	if second.Next != nil || len(second.Items) != 2 || second.Items[0].ID != ids[1] {
		t.Errorf("second page = %+v, want the last 2 and no cursor", second)
	}
	if got := f.do(t, "GET", "/v1/jobs?tag=nothing", "", as(viewerKey)); got.Body != `{"items":[],"next_cursor":null}` {
		t.Errorf("nothing found = %s", got.Body)
	}
}

func TestRefusedLists(t *testing.T) {
	t.Parallel()
	f := start(t)
	for query, want := range map[string]int{
		"limit=0": 422, "limit=-1": 422, "limit=201": 422, "limit=1000000000": 422, "limit=99999999999999999999": 422, "limit=ten": 400,
		"limit=1.5": 400, "cursor=forged": 400, "state=nope": 422, "order=up": 422, "include=secrets": 422, "created_after=yesterday": 400,
		"created_after=2026-11-23": 400, "days=9999999": 400, "page_size=1": 400, "workflow=x": 422, "schedule=" + strings.Repeat("x", 257): 422,
		"q=" + strings.Repeat("a", 257): 422, "q=%00": 400, "q=%ff": 400, "q=a&q=b": 400,
	} {
		if got := f.do(t, "GET", "/v1/jobs?"+query, "", as(viewerKey)); got.Status != want {
			t.Errorf("%s = %d %s, want %d", query, got.Status, got.Body, want)
		}
	}
	if got := f.do(t, "GET", "/v1/jobs?q=%3Csvg+onload%3Dalert(1)%3E", "", as(viewerKey)); got.Status != 200 || got.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("markup in a filter = %d %v, want 200 with nosniff", got.Status, got.Header)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		state  job.State
		status int
		after  job.State
		signal bool
	}{
		{job.Pending, 200, job.Canceled, false},
		{job.Scheduled, 200, job.Canceled, false},
		{job.Active, 202, job.Active, true},
		{job.Completed, 409, "", false},
		{job.Canceled, 409, "", false},
	} {
		id := f.add(stored(tt.state))
		got := f.do(t, "POST", "/v1/jobs/"+string(id)+"/cancel", "", as(submitterKey))
		if got.Status != tt.status || slices.Contains(f.noted(), "stop "+string(id)) != tt.signal {
			t.Errorf("%s = %d %s, signals %q; want %d", tt.state, got.Status, got.Body, f.noted(), tt.status)
		}
		if tt.after == "" {
			if code := got.problem(t).Code; code != api.CodeTerminal {
				t.Errorf("%s: code %q, want %q", tt.state, code, api.CodeTerminal)
			}
		} else if after := decode[jobBody](t, got).State; after != tt.after {
			t.Errorf("%s: now %s, want %s", tt.state, after, tt.after)
		}
	}
	id := string(f.add(stored(job.Active)))
	for body, want := range map[string]int{`{}`: 202, `{"force":true}`: 400, `x`: 400} {
		if got := f.do(t, "POST", "/v1/jobs/"+id+"/cancel", body, as(submitterKey)); got.Status != want {
			t.Errorf("cancel with the body %s = %d, want %d", body, got.Status, want)
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, state := range job.States() {
		id := f.add(stored(state))
		got := f.do(t, "POST", "/v1/jobs/"+string(id)+"/retry", "", as(submitterKey))
		if want := state.Terminal() && state != job.Completed; (got.Status == 202) != want || !want && got.problem(t).Code != api.CodeNotRevivable {
			t.Errorf("%s = %d %s, want 202 %t, else 409 not_revivable", state, got.Status, got.Body, want)
		}
	}
	if !slices.Contains(f.noted(), "wake default") {
		t.Errorf("signals = %q, want the queue woken", f.noted())
	}
	for _, tt := range []struct {
		body   string
		status int
		args   string
	}{
		{`{"args":{"sleep":"2s"}}`, 202, `{"sleep":"2s"}`},
		{`{"args":null}`, 202, `{"sleep":"1s"}`},
		{`{}`, 202, `{"sleep":"1s"}`},
		{`{"args":{"nope":1}}`, 400, `{"sleep":"1s"}`},
		{`{"args":{"sleep":"x"}}`, 422, `{"sleep":"1s"}`},
		{`{"queue":"critical"}`, 400, `{"sleep":"1s"}`},
		{`[]`, 400, `{"sleep":"1s"}`},
	} {
		id := f.add(stored(job.Archived))
		got := f.do(t, "POST", "/v1/jobs/"+string(id)+"/retry", tt.body, as(submitterKey))
		if kept := string(f.jobs[id].Args); got.Status != tt.status || kept != tt.args {
			t.Errorf("%s = %d with %s, want %d with %s", tt.body, got.Status, kept, tt.status, tt.args)
		}
	}
}

// Args that are replaced bring what a new job of them would have.
func TestRetryWithOtherArgs(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		body string
		once bool
	}{
		{`{"args":{"client":"crm","method":"POST","path":"/x"}}`, true},
		{`{"args":{"client":"crm","method":"GET","path":"/x"}}`, false},
		{`{}`, false},
	} {
		j := stored(job.Archived)
		j.Kind, j.Args, j.Delivery = "http.request", json.RawMessage(`{"client":"crm","method":"GET","path":"/y"}`), job.ExactlyOnceEffect
		id := f.add(j)
		want := job.AtLeastOnce
		if tt.body == "{}" {
			want = job.ExactlyOnceEffect
		}
		got := f.do(t, "POST", "/v1/jobs/"+string(id)+"/retry", tt.body, as(adminKey))
		if kept := f.jobs[id]; got.Status != 202 || kept.RunOnce != tt.once || kept.Delivery != want {
			t.Errorf("%s = %d %s with run once %t, delivery %s; want 202, %t, %s", tt.body, got.Status, got.Body, kept.RunOnce, kept.Delivery, tt.once, want)
		}
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	f := start(t)
	ended, running := f.add(stored(job.Completed)), f.add(stored(job.Active))
	for i, tt := range []struct {
		id     job.ID
		status int
	}{{ended, 204}, {ended, 404}, {running, 409}} {
		if got := f.do(t, "DELETE", "/v1/jobs/"+string(tt.id), "", as(submitterKey)); got.Status != tt.status {
			t.Errorf("%d: = %d %s, want %d", i, got.Status, got.Body, tt.status)
		}
	}
}

func TestQueuesKindsTargetsWorkers(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.add(stored(job.Pending))
	f.workers = []api.Worker{{ID: "w1", Host: "h", PID: 7, Version: "1", State: "running", Concurrency: 100, Running: 3, StartedAt: testNow, BeatAt: testNow,
		Databases: map[string]api.PoolUse{"main": {InUse: 1, Idle: 2, Max: 50}, "sealed": {Max: 10}}}}
	f.running = []job.Job{{ID: "0192f6a0-0000-7000-8000-000000000001", Kind: "db.insert_one", Queue: "default", Worker: "w1", StartedAt: testNow, Args: []byte(`{"database":"main"}`)}}
	for _, name := range []string{"queues", "databases", "clients", "workers"} {
		got := f.do(t, "GET", "/v1/"+name, "", as(viewerKey))
		if got.Status != 200 {
			t.Errorf("GET /v1/%s = %d %s", name, got.Status, got.Body)
		}
		golden(t, name, got.Body)
	}
	kinds := decode[struct {
		Items []struct {
			Name         string
			Args, Result map[string]any
		}
	}](t, f.do(t, "GET", "/v1/kinds", "", as(viewerKey)))
	if len(kinds.Items) == 0 || kinds.Items[0].Args["type"] != "object" || kinds.Items[0].Result["type"] != "object" {
		t.Errorf("kinds = %v, want schemas of args and result", kinds.Items)
	}
	for path, want := range map[string]int{
		"queues/default": 200, "queues/nope": 404, "queues/%2e%2e": 404, "databases/main": 200, "databases/nope": 404,
		"clients/crm": 200, "clients/nope": 404,
	} {
		if got := f.do(t, "GET", "/v1/"+path, "", as(viewerKey)); got.Status != want {
			t.Errorf("GET /v1/%s = %d %s, want %d", path, got.Status, got.Body, want)
		}
	}
}

// A key that is limited to a database is told of no other's pools and jobs.
func TestWorkersOfALimitedKey(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.workers = []api.Worker{{ID: "w1", State: "running", Databases: map[string]api.PoolUse{"main": {Max: 1}, "sealed": {Max: 2}}}}
	for i, database := range []string{"main", "sealed"} {
		f.running = append(f.running, job.Job{ID: job.NewID(), Kind: "db.insert_one", Queue: "default", Worker: "w1", StartedAt: testNow, Args: fmt.Appendf(nil, `{"database":%q,"n":%d}`, database, i)})
	}
	type worker struct {
		Databases map[string]api.PoolUse
		Jobs      []struct{ ID job.ID }
	}
	for key, want := range map[string]int{adminKey: 2, targetKey: 1} {
		got := decode[struct{ Items []worker }](t, f.do(t, "GET", "/v1/workers", "", as(key))).Items[0]
		if len(got.Databases) != want || len(got.Jobs) != want || got.Databases["main"].Max != 1 || got.Jobs[0].ID != f.running[0].ID {
			t.Errorf("worker = %+v, want %d databases and jobs, those of main", got, want)
		}
	}
	for path, want := range map[string]int{"workers?state=gone": 400, "databases?x=1": 400, "databases/main?wait=1s": 400} {
		if got := f.do(t, "GET", "/v1/"+path, "", as(adminKey)); got.Status != want {
			t.Errorf("GET /v1/%s = %d %s, want %d", path, got.Status, got.Body, want)
		}
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		path   string
		status int
		paused bool
	}{
		{"default/pause", 200, true}, {"default/pause", 200, true}, {"default/resume", 200, false}, {"nope/pause", 404, false},
	} {
		got := f.do(t, "POST", "/v1/queues/"+tt.path, "", as(operatorKey))
		if got.Status != tt.status || strings.Contains(got.Body, `"paused":true`) != tt.paused {
			t.Errorf("%s = %d %s, want %d, paused %t", tt.path, got.Status, got.Body, tt.status, tt.paused)
		}
	}
	if want := fmt.Sprint([]string{"wake default"}); fmt.Sprint(f.noted()) != want {
		t.Errorf("signals = %q, want %s", f.noted(), want)
	}
}

func TestOpenRoutes(t *testing.T) {
	t.Parallel()
	f := start(t)
	for path, want := range map[string]struct {
		status int
		media  string
	}{
		"/healthz": {200, "application/json"}, "/readyz": {503, "application/json"}, "/metrics": {200, "text/plain"},
		"/docs": {200, "text/html"}, "/docs/docs.js": {200, "text/javascript"}, "/docs/docs.css": {200, "text/css"},
		"/docs/docs.go": {404, "application/problem+json"}, "/docs/..%2fopenapi.json": {404, "application/problem+json"},
		"/openapi.json": {200, "application/json"},
	} {
		got := f.do(t, "GET", path, "", "Accept: text/html")
		if got.Status != want.status || !strings.HasPrefix(got.Header.Get("Content-Type"), want.media) {
			t.Errorf("GET %s = %d %s, want %d %s", path, got.Status, got.Header.Get("Content-Type"), want.status, want.media)
		}
		policy := got.Header.Get("Content-Security-Policy")
		if strings.HasPrefix(path, "/docs") && want.status == 200 && (!strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe")) {
			t.Errorf("GET %s: Content-Security-Policy %q", path, policy)
		}
	}
	page := f.do(t, "GET", "/docs", "").Body
	for _, foreign := range []string{"http://", "https://", "<style", "onclick", "style="} {
		if strings.Contains(page, foreign) {
			t.Errorf("the page holds %q", foreign)
		}
	}
}
