package api_test

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

func (f *fakeLedger) Schedules(_ context.Context, after string, limit int) ([]job.Schedule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []job.Schedule
	for _, name := range slices.Sorted(maps.Keys(f.plans)) {
		if name > after && len(found) < limit {
			found = append(found, f.plans[name])
		}
	}
	return found, f.down
}

func (f *fakeLedger) Schedule(_ context.Context, name string) (*job.Schedule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, ok := f.plans[name]
	switch {
	case f.down != nil:
		return nil, f.down
	case !ok:
		return nil, job.ErrNotFound
	}
	return &s, nil
}

func (f *fakeLedger) ChangeSchedule(
	_ context.Context, name string, change func(*job.Schedule, time.Time) (*job.Schedule, error),
) (*job.Schedule, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down != nil {
		return nil, f.down
	}
	var old *job.Schedule
	if s, ok := f.plans[name]; ok {
		old = &s
	}
	changed, err := change(old, testNow)
	switch {
	case err != nil || changed == old:
		return changed, err
	case changed == nil:
		delete(f.plans, name)
		return nil, nil
	}
	stored := *changed
	stored.Version, stored.CreatedAt, stored.UpdatedAt = 1, testNow, testNow
	if old != nil {
		stored.Version = old.Version + 1
	}
	f.plans[name] = stored
	return &stored, nil
}

// own puts a schedule into the ledger, behind the API's back.
func (f *fakeLedger) own(s job.Schedule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.Version, s.CreatedAt, s.UpdatedAt = 7, testNow, testNow
	s.Source, s.Missed, s.Overlap = cmp.Or(s.Source, job.SourceAPI), job.MissedSkip, cmp.Or(s.Overlap, job.OverlapSkip)
	f.plans[s.Name] = s
}

const nightly = `{"name":"nightly","cron":"0 3 * * *","timezone":"Europe/Berlin","job":{"kind":"system.noop","args":{"sleep":"1s"},"queue":"critical"}}`

// scheduleBody is what tests look at of a schedule.
type scheduleBody struct {
	Name      string      `json:"name"`
	Source    string      `json:"source"`
	Job       any         `json:"job"`
	Missed    string      `json:"missed"`
	Overlap   string      `json:"overlap"`
	Jitter    string      `json:"jitter"`
	Paused    bool        `json:"paused"`
	NextFires []time.Time `json:"next_fires"`
}

func TestScheduleLife(t *testing.T) {
	t.Parallel()
	f := start(t)
	operator := "Authorization: Bearer " + operatorKey
	made := f.do(t, "POST", "/v1/schedules", nightly, operator)
	if made.Status != 201 || made.Header.Get("Location") != "/v1/schedules/nightly" || made.Header.Get("ETag") == "" {
		t.Fatalf("POST = %d %v %s, want 201 with Location and ETag", made.Status, made.Header, made.Body)
	}
	s := decode[scheduleBody](t, made)
	if s.Source != "api" || s.Missed != "skip" || s.Overlap != "skip" || s.Jitter != "0s" || s.Paused {
		t.Errorf("schedule = %+v, want the defaults", s)
	}
	if len(s.NextFires) != 5 || !s.NextFires[0].Equal(time.Date(2026, 11, 24, 2, 0, 0, 0, time.UTC)) {
		t.Errorf("next fires = %s, want five, the first at 02:00Z", s.NextFires)
	}
	if again := f.do(t, "POST", "/v1/schedules", nightly, operator); again.Status != 409 || again.problem(t).Code != api.CodeExists {
		t.Errorf("POST of a name that is in use = %d %s, want 409 exists", again.Status, again.Body)
	}
	got := f.do(t, "GET", "/v1/schedules/nightly", "", operator)
	if got.Status != 200 || got.Header.Get("ETag") != made.Header.Get("ETag") {
		t.Errorf("GET = %d with ETag %s, want that of the POST, %s", got.Status, got.Header.Get("ETag"), made.Header.Get("ETag"))
	}
	match := "If-Match: " + made.Header.Get("ETag")
	put := f.do(t, "PUT", "/v1/schedules/nightly", strings.Replace(nightly, "0 3", "0 4", 1), operator, match)
	if put.Status != 200 || put.Header.Get("ETag") == made.Header.Get("ETag") {
		t.Errorf("PUT = %d with ETag %s, want 200 with another", put.Status, put.Header.Get("ETag"))
	}
	for _, request := range [][]string{
		{"PUT", "/v1/schedules/nightly", nightly}, {"DELETE", "/v1/schedules/nightly", ""}, {"POST", "/v1/schedules/nightly/pause", ""},
	} {
		if late := f.do(t, request[0], request[1], request[2], operator, match); late.Status != 412 || late.problem(t).Code != api.CodePreconditionFailed {
			t.Errorf("%s %s with an old ETag = %d, want 412", request[0], request[1], late.Status)
		}
	}
	paused := decode[scheduleBody](t, f.do(t, "POST", "/v1/schedules/nightly/pause", "", operator))
	if !paused.Paused || !f.plans["nightly"].NextFire.IsZero() {
		t.Errorf("paused = %t with the next fire %s, want none", paused.Paused, f.plans["nightly"].NextFire)
	}
	if resumed := decode[scheduleBody](t, f.do(t, "POST", "/v1/schedules/nightly/resume", "", operator)); resumed.Paused || f.plans["nightly"].NextFire.IsZero() {
		t.Errorf("resumed = %+v, want one that fires", resumed)
	}
	if gone := f.do(t, "DELETE", "/v1/schedules/nightly", "", operator, "If-Match: *"); gone.Status != 204 {
		t.Errorf("DELETE = %d %s, want 204", gone.Status, gone.Body)
	}
	for _, request := range [][]string{{"GET", ""}, {"DELETE", ""}, {"POST", "/run"}, {"POST", "/pause"}, {"POST", "/resume"}} {
		if missing := f.do(t, request[0], "/v1/schedules/nightly"+request[1], "", operator); missing.Status != 404 {
			t.Errorf("%s %s = %d, want 404", request[0], request[1], missing.Status)
		}
	}
	if made := f.do(t, "PUT", "/v1/schedules/nightly", nightly, operator, "If-None-Match: *"); made.Status != 201 {
		t.Errorf("PUT of a new one = %d, want 201", made.Status)
	}
	if there := f.do(t, "PUT", "/v1/schedules/nightly", nightly, operator, "If-None-Match: *"); there.Status != 412 {
		t.Errorf("PUT over one with If-None-Match = %d, want 412", there.Status)
	}
}

func TestRunSchedule(t *testing.T) {
	t.Parallel()
	f := start(t)
	operator := "Authorization: Bearer " + operatorKey
	f.own(job.Schedule{
		Name: "s", Source: job.SourceConfig, Owner: "submitter", Cron: "* * * * *", Timezone: "UTC", Overlap: job.OverlapSkip,
		Template: []byte(`{"kind":"db.insert_one","args":{"table":"users","values":{"name":"Ada"}},"tags":["x"]}`),
	})
	run := f.do(t, "POST", "/v1/schedules/s/run", "", operator, "Idempotency-Key: k1")
	if run.Status != 202 {
		t.Fatalf("run = %d %s, want 202", run.Status, run.Body)
	}
	j := f.jobs[decode[jobBody](t, run).ID]
	if j.Schedule != "s" || j.Owner != "submitter" || !j.FireAt.IsZero() || j.State != job.Pending || j.Delivery != job.ExactlyOnceEffect || j.Tags[0] != "x" {
		t.Errorf("job = %+v, want one of the schedule, for no fire of it", j)
	}
	if !strings.Contains(run.Body, `"schedule":"s"`) {
		t.Errorf("body = %s, want the schedule in it", run.Body)
	}
	if again := f.do(t, "POST", "/v1/schedules/s/run", "", operator, "Idempotency-Key: k1"); again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("the same run again = %d %v, want a replay", again.Status, again.Header)
	}
	f.own(job.Schedule{
		Name: "q", Source: job.SourceAPI, Cron: "* * * * *", Timezone: "UTC", Overlap: job.OverlapQueue, Template: []byte(`{"kind":"system.noop"}`),
	})
	if j := decode[jobBody](t, f.do(t, "POST", "/v1/schedules/q/run", "", operator)); j.State != job.Waiting {
		t.Errorf("a run of a schedule that queues is %s, want waiting", j.State)
	}
	f.own(job.Schedule{Name: "old", Cron: "* * * * *", Timezone: "UTC", Template: []byte(`{"kind":"db.insert_one","args":{"table":"gone","values":{"a":1}}}`)})
	if p := f.do(t, "POST", "/v1/schedules/old/run", "", operator).problem(t); p.Status != 422 || p.Errors[0].Pointer != "/job/args/table" {
		t.Errorf("a run of what is not allowed any more = %+v, want 422 about /job/args/table", p)
	}
}

func TestSchedulesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.own(job.Schedule{Name: "nightly", Source: job.SourceConfig, Cron: "0 3 * * *", Timezone: "UTC", Template: []byte(`{"kind":"system.noop"}`)})
	for _, request := range [][]string{{"PUT", "", nightly}, {"DELETE", "", ""}, {"POST", "/pause", ""}, {"POST", "/resume", ""}} {
		got := f.do(t, request[0], "/v1/schedules/nightly"+request[1], request[2], "Authorization: Bearer "+operatorKey)
		if got.Status != 409 || got.problem(t).Code != api.CodeReadOnly {
			t.Errorf("%s %s = %d %s, want 409 read_only", request[0], request[1], got.Status, got.Body)
		}
	}
}

func TestListSchedules(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, name := range []string{"a", "b", "c"} {
		f.own(job.Schedule{Name: name, Cron: "* * * * *", Timezone: "UTC", Template: []byte(`{"kind":"system.noop","args":{"fail":"secret"}}`)})
	}
	f.own(job.Schedule{Name: "d", Cron: "* * * * *", Timezone: "UTC", Template: []byte(`{"kind":"system.noop","queue":"critical"}`)})
	type page struct {
		Items []scheduleBody `json:"items"`
		Next  string         `json:"next_cursor"`
	}
	first := f.do(t, "GET", "/v1/schedules?limit=3", "", "Authorization: Bearer "+limitedKey)
	p := decode[page](t, first)
	if len(p.Items) != 3 || p.Next == "" || strings.Contains(first.Body, "secret") {
		t.Errorf("page = %s, want three without their args, and a cursor", first.Body)
	}
	if second := f.do(t, "GET", "/v1/schedules?limit=3&cursor="+p.Next, "", "Authorization: Bearer "+limitedKey); !strings.Contains(second.Body, `"items":[],"next_cursor":null`) {
		t.Errorf("page = %s, want none: the key is limited away from the queue", second.Body)
	}
	if got := f.do(t, "GET", "/v1/schedules/d", "", "Authorization: Bearer "+limitedKey); got.Status != 403 {
		t.Errorf("GET of a schedule of another queue = %d, want 403", got.Status)
	}
	if all := f.do(t, "GET", "/v1/schedules", "", "Authorization: Bearer "+operatorKey); !strings.Contains(all.Body, "secret") {
		t.Errorf("body = %s, want args for one who may see payloads", all.Body)
	}
	for query, want := range map[string]int{"limit=0": 422, "limit=201": 422, "limit=x": 400, "cursor=x": 400, "cursor=bjpB": 400, "page=1": 400} {
		if got := f.do(t, "GET", "/v1/schedules?"+query, "", "Authorization: Bearer "+viewerKey); got.Status != want {
			t.Errorf("?%s = %d, want %d", query, got.Status, want)
		}
	}
	if got := f.do(t, "GET", "/v1/jobs?schedule=a", "", "Authorization: Bearer "+viewerKey); got.Status != 200 {
		t.Errorf("jobs of a schedule = %d, want 200", got.Status)
	}
}

func TestBadSchedules(t *testing.T) {
	t.Parallel()
	f := start(t)
	with := func(field, value string) string {
		return `{"name":"s","cron":"* * * * *","job":{"kind":"system.noop"},"` + field + `":` + value + `}`
	}
	of := func(name, cron, job string) string {
		return `{"name":` + name + `,"cron":` + cron + `,"job":` + job + `}`
	}
	const noop, minutely = `{"kind":"system.noop"}`, `"* * * * *"`
	tests := []struct {
		body    string
		status  int
		pointer string // of the first error; "-" for none
		code    string
	}{
		{``, 400, "-", api.CodeMalformed},
		{`[]`, 400, "", "wrong_type"},
		{`{}x`, 400, "", "trailing_data"},
		{with("nope", "1"), 400, "/nope", "unknown_field"},
		{with("paused", `"yes"`), 400, "/paused", "wrong_type"},
		{with("start", `"tomorrow"`), 422, "/start", "invalid_value"},
		{`{"cron":"* * * * *","job":{"kind":"system.noop"}}`, 422, "/name", "required"},
		{of(`""`, minutely, noop), 422, "/name", "required"},
		{of(`"A"`, minutely, noop), 422, "/name", "invalid_value"},
		{of(`"a b"`, minutely, noop), 422, "/name", "invalid_value"},
		{of(`"`+strings.Repeat("a", 65)+`"`, minutely, noop), 422, "/name", "invalid_value"},
		{of(`"s"`, `""`, noop), 422, "/cron", "invalid_cron"},
		{of(`"s"`, `"* * * *"`, noop), 422, "/cron", "invalid_cron"},
		{of(`"s"`, `"@every 0s"`, noop), 422, "/cron", "invalid_cron"},
		{of(`"s"`, `"@every 1ns"`, noop), 422, "/cron", "invalid_cron"},
		{of(`"s"`, `"0 0 30 2 *"`, noop), 422, "/cron", "never_fires"},
		{of(`"s"`, `"TZ=0"`, noop), 422, "/cron", "invalid_cron"},
		{of(`"s"`, `5`, noop), 400, "/cron", "wrong_type"},
		{with("timezone", `"Mars/Base"`), 422, "/timezone", "unknown_timezone"},
		{with("timezone", `"../../etc/passwd"`), 422, "/timezone", "unknown_timezone"},
		{with("missed", `"sometimes"`), 422, "/missed", "invalid_value"},
		{with("overlap", `"maybe"`), 422, "/overlap", "invalid_value"},
		{with("jitter", `"a while"`), 422, "/jitter", "invalid_value"},
		{with("jitter", `"-1s"`), 422, "/jitter", "out_of_range"},
		{with("jitter", `"25h"`), 422, "/jitter", "out_of_range"},
		{with("end", `"2026-11-23T10:00:00Z"`), 422, "/end", "out_of_range"},
		{with("end", `"2026-11-23T10:00:30Z"`), 422, "/end", "never_fires"},
		{with("start", `"0001-01-02T00:00:00Z"`), 422, "/start", "out_of_range"},
		{with("start", `"9999-12-31T23:59:59Z"`), 422, "/end", "never_fires"},
		{`{"name":"s","cron":"* * * * *"}`, 422, "/job", "required"},
		{of(`"s"`, minutely, `null`), 422, "/job", "required"},
		{of(`"s"`, minutely, `[]`), 400, "/job", "wrong_type"},
		{of(`"s"`, minutely, `{}`), 422, "/job/kind", "required"},
		{of(`"s"`, minutely, `{"kind":"nope"}`), 422, "/job/kind", "unknown_kind"},
		{of(`"s"`, minutely, `{"kind":"system.notify"}`), 422, "/job/kind", "unknown_kind"},
		{of(`"s"`, minutely, `{"kind":"system.noop","args":{"x":1}}`), 400, "/job/args/x", "unknown_field"},
		{of(`"s"`, minutely, `{"kind":"db.insert_one","args":{"table":"nope","values":{"a":1}}}`), 422, "/job/args/table", "unknown_table"},
		{of(`"s"`, minutely, `{"kind":"system.noop","queue":"a{b}"}`), 422, "/job/queue", "unknown_queue"},
		{of(`"s"`, minutely, `{"kind":"system.noop","max_attempts":0}`), 422, "/job/max_attempts", "out_of_range"},
		{of(`"s"`, minutely, `{"kind":"system.noop","delay":"1s"}`), 422, "/job/delay", "conflict"},
		{of(`"s"`, minutely, `{"kind":"system.noop","run_at":"2027-01-01T00:00:00Z"}`), 422, "/job/run_at", "conflict"},
		{of(`"s"`, minutely, `{"kind":"system.noop","deadline":"2027-01-01T00:00:00Z"}`), 422, "/job/deadline", "conflict"},
		{of(`"s"`, minutely, `{"kind":"system.noop","idempotency_key":"k"}`), 422, "/job/idempotency_key", "conflict"},
		{of(`"s"`, minutely, `{"kind":"system.noop","args":{"fail":"\u0000"}}`), 422, "/job/args/fail", "nul"},
	}
	for _, test := range tests {
		got := f.do(t, "POST", "/v1/schedules", test.body, "Authorization: Bearer "+operatorKey)
		p := got.problem(t)
		pointer := "-"
		if len(p.Errors) > 0 {
			pointer = p.Errors[0].Pointer
		}
		if got.Status != test.status || pointer != test.pointer || p.Code != test.code {
			t.Errorf("%s = %d %s at %q, want %d %s at %q", test.body, got.Status, p.Code, pointer, test.status, test.code, test.pointer)
		}
	}
	if len(f.plans) != 0 {
		t.Errorf("%d schedules were made", len(f.plans))
	}
	for _, test := range []struct {
		name, method, path, body string
		status                   int
		lines                    []string
	}{
		{"no scope", "POST", "", nightly, 403, []string{"Authorization: Bearer " + submitterKey}},
		{"no scope to run", "POST", "/nightly/run", "", 403, []string{"Authorization: Bearer " + submitterKey}},
		{"no key", "POST", "", nightly, 401, nil},
		{"another name", "PUT", "/other", nightly, 422, []string{"Authorization: Bearer " + operatorKey}},
		{"a name that is none", "PUT", "/No", `{"cron":"* * * * *","job":{"kind":"system.noop"}}`, 422, []string{"Authorization: Bearer " + operatorKey}},
		{"a bad If-Match", "PUT", "/nightly", nightly, 400, []string{"Authorization: Bearer " + operatorKey, "If-Match: 1"}},
		{"a bad If-None-Match", "PUT", "/nightly", nightly, 400, []string{"Authorization: Bearer " + operatorKey, `If-None-Match: "x"`}},
		{"If-Match of none", "PUT", "/nightly", nightly, 412, []string{"Authorization: Bearer " + operatorKey, "If-Match: *"}},
		{"a weak tag", "PUT", "/nightly", nightly, 412, []string{"Authorization: Bearer " + operatorKey, `If-Match: W/"1"`}},
		{"a body where none belongs", "POST", "/nightly/pause", `{"x":1}`, 400, []string{"Authorization: Bearer " + operatorKey}},
		{"not a method", "DELETE", "", "", 405, []string{"Authorization: Bearer " + operatorKey}},
		{"not JSON", "POST", "", nightly, 415, []string{"Authorization: Bearer " + operatorKey, "Content-Type: text/plain"}},
	} {
		if got := f.do(t, test.method, "/v1/schedules"+test.path, test.body, test.lines...); got.Status != test.status {
			t.Errorf("%s: %d %s, want %d", test.name, got.Status, got.Body, test.status)
		}
	}
}
