package api_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// fakeAudit keeps entries in memory. It does not take part in changes: what
// asks it are acts beside the ledger.
type fakeAudit struct {
	mu      sync.Mutex
	entries []job.AuditEntry // guarded by mu
	filter  job.AuditFilter  // the last one; guarded by mu
	down    error            // guarded by mu
}

func (f *fakeAudit) Audit(_ context.Context, e job.AuditEntry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down == nil {
		e.ID, e.At = job.NewID(), testNow
		f.entries = append(f.entries, e)
	}
	return f.down
}

func (f *fakeAudit) AuditLog(_ context.Context, filter job.AuditFilter) ([]job.AuditEntry, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.filter = filter
	if filter.Cursor != "" && filter.Cursor != "more" {
		return nil, "", job.ErrMalformedCursor
	}
	page := slices.Clone(f.entries)
	slices.Reverse(page)
	if len(page) > filter.Limit {
		return page[:filter.Limit], "more", f.down
	}
	return page, "", f.down
}

// lines are the entries, in words.
func (f *fakeAudit) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, e := range f.entries {
		lines = append(lines, fmt.Sprintf("%s %s %s %s %s", e.Key, e.Via, e.Action, e.Target, e.Outcome))
	}
	return lines
}

func TestActsAreAudited(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.workers = []api.Worker{{ID: "w1", State: "running"}}
	id := string(f.add(stored(job.Pending)))
	gone := "0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77"
	session, _ := f.login(t, operatorKey)
	for _, r := range [][4]string{
		{"POST", "/v1/queues/default/pause", "", as(operatorKey)}, {"POST", "/v1/queues/default/resume", "", session},
		{"POST", "/v1/queues/default/pause", "", as(viewerKey)}, {"POST", "/v1/queues/none/pause", "", as(adminKey)},
		{"POST", "/v1/queues/default/pause", "", as("aok_nobody" + secret)}, {"POST", "/v1/queues/default/pause", "", ""},
		{"POST", "/v1/jobs/" + id + "/cancel", "", session}, {"POST", "/v1/jobs/" + id + "/cancel", "", session}, {"POST", "/v1/jobs/" + id + "/retry", "", session},
		{"DELETE", "/v1/jobs/" + gone, "", session}, {"POST", "/v1/jobs/" + gone + "/reschedule", `{"run_at":"2026-11-23T10:00:00Z"}`, session},
		{"POST", "/v1/clients/crm/breaker/reset", "", session}, {"POST", "/v1/databases/main/cache/invalidate", `{"key":"k"}`, session},
		{"POST", "/v1/workers/w1/drain", "", session}, {"POST", "/v1/jobs", insert, session}, {"GET", "/v1/queues", "", session},
		{"POST", "/v1/schedules", `{"name":"nightly","cron":"@daily","job":{"kind":"system.noop","args":{}}}`, session}, {"POST", "/v1/schedules/nightly/pause", "", session},
		{"DELETE", "/v1/session", "", session}, {"DELETE", "/v1/session", "", session},
	} {
		f.do(t, r[0], r[1], r[2], slices.DeleteFunc([]string{r[3]}, func(s string) bool { return s == "" })...)
	}
	want := strings.Join([]string{
		"operator key session.login  ok", "operator key queue.pause default ok", "operator session queue.resume default ok",
		"viewer key queue.pause default forbidden", "admin key queue.pause none not_found",
		"operator session job.cancel " + id + " ok", "operator session job.cancel " + id + " terminal", "operator session job.retry " + id + " ok",
		"operator session job.delete " + gone + " not_found", "operator session job.reschedule " + gone + " not_found",
		"operator session client.breaker_reset crm ok", "operator session database.cache_invalidate main ok", "operator session worker.drain w1 ok",
		"operator session schedule.create nightly ok", "operator session schedule.pause nightly ok", "operator session session.logout  ok",
	}, "\n")
	if got := strings.Join(f.audit.lines(), "\n"); got != want {
		t.Errorf("audit log:\n%s\nwant\n%s", got, want)
	}
	f.audit.mu.Lock()
	defer f.audit.mu.Unlock()
	for _, e := range f.audit.entries {
		if e.RequestID == "" || e.Address != "127.0.0.1" || strings.Contains(fmt.Sprint(e), "0123456789abcdef") {
			t.Errorf("entry = %+v, want the request, the address, and no secret", e)
		}
	}
}

func TestEveryActHasItsName(t *testing.T) {
	t.Parallel()
	f := start(t)
	named := api.Actions()
	for _, line := range f.server.Routes() {
		method, path, _ := strings.Cut(line, " ")
		submits := path == "/v1/jobs" || path == "/v1/jobs/batch"
		if _, ok := named[line]; ok == (method == "GET" || submits) {
			t.Errorf("%s: named in the audit log is %t", line, ok)
		}
	}
}

func TestActsWithoutTheirLog(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.audit.down = job.ErrUnavailable
	if got := f.do(t, "POST", "/v1/clients/crm/breaker/reset", "", as(adminKey)); got.Status >= 300 {
		t.Errorf("reset = %d %s, want that it is done", got.Status, got.Body)
	}
	if !strings.Contains(f.logs.String(), "client.breaker_reset") {
		t.Errorf("log = %s, want the act that is not in the audit log", f.logs)
	}
	if got := f.do(t, "GET", "/v1/audit", "", as(adminKey)); got.Status != 503 {
		t.Errorf("GET /v1/audit = %d, want 503", got.Status)
	}
	none := start(t, func(_ *api.Config, deps *api.Deps) { deps.Audit = nil })
	none.do(t, "POST", "/v1/queues/default/pause", "", as(adminKey))
	if got := none.do(t, "GET", "/v1/audit", "", as(adminKey)); got.Status != 200 || got.Body != `{"items":[],"next_cursor":null}` {
		t.Errorf("GET /v1/audit where none is kept = %d %s, want an empty list", got.Status, got.Body)
	}
}

func TestListAudit(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.do(t, "POST", "/v1/queues/default/pause", "", as(adminKey), "X-Request-Id: req-1")
	f.do(t, "POST", "/v1/queues/default/resume", "", as(adminKey), "X-Request-Id: req-2")
	golden(t, "audit", f.do(t, "GET", "/v1/audit", "", as(operatorKey)).Body)
	if got := f.do(t, "GET", "/v1/audit?limit=1", "", as(adminKey)); !strings.Contains(got.Body, `"next_cursor":"more"`) || strings.Contains(got.Body, "req-1") {
		t.Errorf("first page = %s, want the latest entry and a cursor", got.Body)
	}
	f.do(t, "GET", "/v1/audit?action=queue.&key=admin&target=default&after=2026-11-01T00:00:00Z&before=2026-12-01T00:00:00Z&cursor=more", "", as(adminKey))
	f.audit.mu.Lock()
	got := f.audit.filter
	f.audit.mu.Unlock()
	if got.Action != "queue." || got.Key != "admin" || got.Target != "default" || got.After.Month() != 11 || got.Before.Month() != 12 || got.Limit != 50 || got.Cursor != "more" {
		t.Errorf("filter = %+v, want what was asked for", got)
	}
	for query, status := range map[string]int{
		"?limit=0": 422, "?limit=201": 422, "?limit=x": 400, "?cursor=forged": 400, "?after=yesterday": 400, "?who=me": 400, "?action=%00": 400, "?target=" + strings.Repeat("x", 257): 422,
	} {
		got := f.do(t, "GET", "/v1/audit"+query, "", as(adminKey))
		if got.problem(t); got.Status != status {
			t.Errorf("GET /v1/audit%s = %d %s, want %d", query, got.Status, got.Body, status)
		}
	}
}
