package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// nested is an object of the given depth.
func nested(depth int) string {
	return strings.Repeat(`{"a":`, depth-1) + `{}` + strings.Repeat(`}`, depth-1)
}

// manyKeys is an object with n members.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		_, _ = fmt.Fprintf(&b, `,"k%d":1`, i)
	}
	return "{" + b.String()[1:] + "}"
}

func TestRefusedSubmissions(t *testing.T) {
	t.Parallel()
	f := start(t)
	noop := func(fields string) string { return `{"kind":"system.noop",` + fields + `}` }
	db := func(kind, args string) string { return `{"kind":"db.` + kind + `","args":` + args + `}` }
	httpJob := func(args string) string { return `{"kind":"http.request","args":{` + args + `}}` }
	for _, tt := range []struct {
		name, body string
		status     int
		code       string // "" is any
		pointer    string // of the first field error; "-" is none
	}{
		// B. JSON
		{"cut", `{`, 400, "not_json", ""},
		{"trailing garbage", `{"kind":"system.noop"}x`, 400, "trailing_data", ""},
		{"two documents", `{"kind":"system.noop"}{"kind":"system.noop"}`, 400, "trailing_data", ""},
		{"duplicate field", noop(`"queue":"a","queue":"b"`), 400, "duplicate_field", "/queue"},
		{"duplicate field in args", noop(`"args":{"sleep":"1s","sleep":"2s"}`), 400, "duplicate_field", "/args/sleep"},
		{"unknown field", noop(`"prority":1`), 400, "unknown_field", "/prority"},
		{"case counts", `{"Kind":"system.noop"}`, 400, "unknown_field", "/Kind"},
		{"unknown field in args", noop(`"args":{"slep":"1s"}`), 400, "unknown_field", "/args/slep"},
		{"depth 33", noop(`"args":` + nested(33)), 400, "too_deep", ""},
		{"depth 100,000", noop(`"args":` + nested(100_000)), 400, "too_deep", ""},
		{"1,001 keys", noop(`"args":` + manyKeys(1001)), 400, "too_many_keys", "/args"},
		{"invalid UTF-8", noop("\"tags\":[\"\xff\"]"), 400, "invalid_utf8", ""},
		{"NUL", noop(`"tags":["a\u0000"]`), 422, "nul", "/tags/0"},
		{"lone surrogate", noop(`"tags":["\ud800"]`), 400, "lone_surrogate", ""},
		{"byte order mark", "\ufeff" + insert, 400, "byte_order_mark", ""},
		{"1e400", noop(`"backoff":{"multiplier":1e400}`), 400, "number_too_large", "/backoff/multiplier"},
		{"2^63", noop(`"max_attempts":9223372036854775808`), 422, "out_of_range", "/max_attempts"},
		{"NaN", noop(`"max_attempts":NaN`), 400, "not_json", ""},
		{"array", `[` + insert + `]`, 400, "wrong_type", ""},
		{"null", `null`, 422, "required", "/kind"},
		{"null kind", `{"kind":null}`, 422, "required", "/kind"},
		{"string for number", noop(`"max_attempts":"3"`), 400, "wrong_type", "/max_attempts"},
		{"minus zero", noop(`"max_attempts":-0`), 400, "not_an_integer", "/max_attempts"},
		{"1.0", noop(`"max_attempts":1.0`), 400, "not_an_integer", "/max_attempts"},
		{"__proto__", noop(`"__proto__":{}`), 400, "unknown_field", ""},
		{"tenant in the body", noop(`"tenant_id":"x"`), 400, "unknown_field", ""},
		{"state in the body", noop(`"state":"completed"`), 400, "unknown_field", ""},
		// G. Scheduling and queue
		{"unknown kind", `{"kind":"db.drop"}`, 422, "unknown_kind", "/kind"},
		{"system.action", `{"kind":"system.action"}`, 422, "unknown_kind", "/kind"},
		{"system.notify", `{"kind":"system.notify"}`, 422, "unknown_kind", "/kind"},
		{"priority", noop(`"priority":11`), 400, "unknown_field", "/priority"},
		{"queue with a colon", noop(`"queue":"a:b"`), 422, "unknown_queue", "/queue"},
		{"queue of 65 characters", noop(`"queue":"` + strings.Repeat("a", 65) + `"`), 422, "unknown_queue", "/queue"},
		{"max_attempts 10^6", noop(`"max_attempts":1000000`), 422, "out_of_range", "/max_attempts"},
		{"unknown queue", noop(`"queue":"nope"`), 422, "unknown_queue", "/queue"},
		{"queue with braces", noop(`"queue":"a{b}"`), 422, "unknown_queue", "/queue"},
		{"empty queue", noop(`"queue":""`), 422, "unknown_queue", "/queue"},
		{"run_at and delay", noop(`"run_at":"2026-11-23T11:00:00Z","delay":"1s"`), 422, "conflict", "/delay"},
		{"run_at is no time", noop(`"run_at":"tomorrow"`), 422, "invalid_value", "/run_at"},
		{"year 10000", noop(`"run_at":"10000-01-01T00:00:00Z"`), 422, "invalid_value", "/run_at"},
		{"February 30", noop(`"run_at":"2026-02-30T00:00:00Z"`), 422, "invalid_value", "/run_at"},
		{"run_at is a number", noop(`"run_at":1764000000`), 400, "wrong_type", "/run_at"},
		{"negative delay", noop(`"delay":"-1s"`), 422, "out_of_range", "/delay"},
		{"delay without unit", noop(`"delay":"10"`), 422, "invalid_value", "/delay"},
		{"delay is a number", noop(`"delay":10`), 400, "wrong_type", "/delay"},
		{"timeout 0", noop(`"timeout":"0s"`), 422, "out_of_range", "/timeout"},
		{"timeout negative", noop(`"timeout":"-1s"`), 422, "out_of_range", "/timeout"},
		{"timeout 25h", noop(`"timeout":"25h"`), 422, "out_of_range", "/timeout"},
		{"deadline passed", noop(`"deadline":"2026-11-23T09:00:00Z"`), 422, "out_of_range", "/deadline"},
		{"deadline before run_at", noop(`"run_at":"2026-11-23T12:00:00Z","deadline":"2026-11-23T11:00:00Z"`), 422, "out_of_range", "/deadline"},
		{"expires_at passed", noop(`"expires_at":"2026-11-23T09:00:00Z"`), 422, "out_of_range", "/expires_at"},
		{"expires_at before delay", noop(`"delay":"2h","expires_at":"2026-11-23T11:00:00Z"`), 422, "out_of_range", "/expires_at"},
		{"max_attempts 0", noop(`"max_attempts":0`), 422, "out_of_range", "/max_attempts"},
		{"max_attempts 1001", noop(`"max_attempts":1001`), 422, "out_of_range", "/max_attempts"},
		{"backoff initial 0", noop(`"backoff":{"initial":"0s"}`), 422, "out_of_range", "/backoff/initial"},
		{"backoff max below initial", noop(`"backoff":{"initial":"1m","max":"1s"}`), 422, "out_of_range", "/backoff/max"},
		{"backoff max below the default initial", noop(`"backoff":{"max":"10ms"}`), 422, "out_of_range", "/backoff/max"},
		{"backoff multiplier", noop(`"backoff":{"multiplier":0.5}`), 422, "out_of_range", "/backoff/multiplier"},
		{"backoff jitter", noop(`"backoff":{"jitter":1.5}`), 422, "out_of_range", "/backoff/jitter"},
		{"21 tags", noop(`"tags":[` + strings.Repeat(`"a",`, 20) + `"a"]`), 422, "too_many", "/tags"},
		{"empty tag", noop(`"tags":["a",""]`), 422, "invalid_value", "/tags/1"},
		{"65 characters", noop(`"tags":["` + strings.Repeat("ö", 65) + `"]`), 422, "invalid_value", "/tags/0"},
		{"tag with a bell", noop(`"tags":["\u0007"]`), 422, "invalid_value", "/tags/0"},
		{"retention 0", noop(`"retention":"0s"`), 422, "out_of_range", "/retention"},
		{"retention 11 years", noop(`"retention":"96360h"`), 422, "out_of_range", "/retention"},
		{"unique", noop(`"unique":{"key":"a","for":"1m"}`), 422, "not_available", "/unique"},
		{"ordering_key", noop(`"ordering_key":"a"`), 422, "not_available", "/ordering_key"},
		{"callback", noop(`"callback":{"client":"crm","path":"/"}`), 422, "not_available", "/callback"},
		{"faults of options and args together", noop(`"queue":"nope","args":{"sleep":"x"}`), 422, "invalid", "/queue"},
		{"malformed args win", noop(`"queue":"nope","args":{"nope":1}`), 400, "unknown_field", "/args/nope"},
		// E. Database jobs
		{"unknown database", db("insert_one", `{"database":"nope","table":"users","values":{"a":1}}`), 422, "unknown_database", "/args/database"},
		{"unknown table", db("insert_one", `{"table":"wide","values":{"a":1}}`), 422, "unknown_table", "/args/table"},
		{"table with SQL", db("insert_one", `{"table":"users; DROP TABLE x","values":{"a":1}}`), 422, "", "/args/table"},
		{"column with SQL", db("select_one", `{"table":"users","columns":["\"id\" OR 1=1"]}`), 422, "", "/args/columns/0"},
		{"unknown operator", db("select_one", `{"table":"users","where":{"a":{"$regexp":"x"}}}`), 422, "", "/args/where/a/$regexp"},
		{"update without where", db("update_one", `{"table":"users","values":{"a":1}}`), 422, "", "/args/where"},
		{"delete with empty where", db("delete_many", `{"table":"users","where":{}}`), 422, "empty_where", "/args/where"},
		{"limit", db("select_many", `{"table":"users","limit":1000000000}`), 422, "", "/args/limit"},
		// F. HTTP jobs
		{"url", httpJob(`"url":"http://169.254.169.254/"`), 400, "unknown_field", "/args/url"},
		{"unknown client", httpJob(`"client":"nope","method":"GET","path":"/"`), 422, "unknown_client", "/args/client"},
		{"dot segments", httpJob(`"method":"GET","path":"/../admin"`), 422, "dot_segments", "/args/path"},
		{"encoded dot segments", httpJob(`"method":"GET","path":"/%2e%2e%2fadmin"`), 422, "dot_segments", "/args/path"},
		{"two slashes", httpJob(`"method":"GET","path":"//evil"`), 422, "", "/args/path"},
		{"authority", httpJob(`"method":"GET","path":"@evil.com"`), 422, "", "/args/path"},
		{"CRLF in a header", httpJob(`"method":"GET","path":"/","headers":{"X-A":"a\r\nHost: evil"}`), 422, "", "/args/headers/X-A"},
		{"Host", httpJob(`"method":"GET","path":"/","headers":{"Host":"evil"}`), 422, "", "/args/headers/Host"},
		{"Transfer-Encoding", httpJob(`"method":"GET","path":"/","headers":{"Transfer-Encoding":"chunked"}`), 422, "", "/args/headers/Transfer-Encoding"},
		{"CONNECT", httpJob(`"method":"CONNECT","path":"/"`), 422, "", "/args/method"},
		{"GET with a body", httpJob(`"method":"GET","path":"/","body":{}`), 422, "", "/args/body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := f.do(t, "POST", "/v1/jobs", tt.body, as(submitterKey))
			if got.Status != tt.status {
				t.Fatalf("= %d %s, want %d", got.Status, got.Body, tt.status)
			}
			p := got.problem(t)
			if tt.code != "" && p.Code != tt.code {
				t.Errorf("code = %q, want %q: %s", p.Code, tt.code, got.Body)
			}
			if len(p.Errors) == 0 || tt.pointer != "" && p.Errors[0].Pointer != tt.pointer {
				t.Errorf("errors = %+v, want the first at %q", p.Errors, tt.pointer)
			}
		})
	}
	t.Cleanup(func() { // after the parallel cases
		if f.count() != 0 {
			t.Errorf("%d jobs were accepted, want none", f.count())
		}
	})
}

func TestValuesAreKeptAsTheyAre(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, value := range []string{`9007199254740993`, `18446744073709551615`, `"'; --"`, `-1`, `"\\' \u0041"`, `1.10`, `"%_%"`} {
		args := `{"table":"users", "values":{ "v" : ` + value + ` }}`
		got := f.do(t, "POST", "/v1/jobs", `{"kind":"db.insert_one","args":`+args+`}`, as(submitterKey))
		if kept := string(f.last().Args); got.Status != 202 || kept != args {
			t.Errorf("%s = %d, kept %s, want 202 and %s", value, got.Status, kept, args)
		}
	}
}

func TestRefusedByTheLedger(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		down   error
		status int
		code   string
	}{
		{job.ErrUnavailable, 503, api.CodeUnavailable},
		{job.ErrSaturated, 503, api.CodeSaturated},
		{job.ErrSchemaOutdated, 503, api.CodeSchemaOutdated},
		{job.ErrIdempotencyInProgress, 409, api.CodeIdempotencyInProgress},
	} {
		f.setDown(tt.down)
		got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey))
		if got.Status != tt.status || got.problem(t).Code != tt.code {
			t.Errorf("%v = %d %s, want %d %s", tt.down, got.Status, got.Body, tt.status, tt.code)
		}
		if tt.status == 503 && got.Header.Get("Retry-After") == "" {
			t.Errorf("%v: no Retry-After", tt.down)
		}
	}
	f.setDown(job.ErrUnavailable)
	id := string(job.NewID())
	for _, line := range []string{
		"POST /v1/jobs/batch", "GET /v1/jobs", "GET /v1/jobs/" + id, "GET /v1/jobs/" + id + "/attempts", "POST /v1/jobs/" + id + "/cancel",
		"POST /v1/jobs/" + id + "/retry", "DELETE /v1/jobs/" + id, "GET /v1/queues", "GET /v1/queues/default", "POST /v1/queues/default/pause",
		"GET /v1/workers",
	} {
		method, path, _ := strings.Cut(line, " ")
		body := ""
		if strings.HasSuffix(path, "batch") {
			body = "[" + insert + "]"
		}
		if got := f.do(t, method, path, body, as(adminKey)); got.Status != 503 || got.Header.Get("Retry-After") == "" {
			t.Errorf("%s with the ledger down = %d %s, want 503 with Retry-After", line, got.Status, got.Body)
		}
	}
	f.setDown(nil)
	sealed := `{"kind":"db.insert_one","args":{"database":"sealed","table":"users","values":{"a":1}}}`
	if got := f.do(t, "POST", "/v1/jobs", sealed, as(submitterKey)); got.Status != 503 || got.problem(t).Code != api.CodeEffectsMissing {
		t.Errorf("no effects table = %d %s, want 503 effects_missing", got.Status, got.Body)
	}
}

func TestUnforeseenErrors(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.setDown(fmt.Errorf("SELECT secret FROM users: %w", http.ErrBodyNotAllowed))
	got := f.do(t, "GET", "/v1/workers", "", as(adminKey), "X-Request-Id: trace-me")
	if got.Status != 500 || got.problem(t).Detail != "internal error" || strings.Contains(got.Body, "SELECT") {
		t.Errorf("= %d %s, want 500 internal error", got.Status, got.Body)
	}
	if n := strings.Count(f.logs.String(), "trace-me"); n != 1 {
		t.Errorf("logged %d times, want once:\n%s", n, f.logs)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	f := start(t, func(_ *api.Config, deps *api.Deps) {
		deps.Readyz = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })
	})
	got := f.do(t, "GET", "/readyz", "")
	if got.Status != 500 || strings.Contains(got.Body, "boom") || got.problem(t).Code != api.CodeInternal {
		t.Errorf("= %d %s, want 500 internal", got.Status, got.Body)
	}
	if logs := f.logs.String(); strings.Count(logs, "boom") != 1 || !strings.Contains(logs, "TestPanic") {
		t.Errorf("logs = %s, want one line with the stack", logs)
	}
	if got := f.do(t, "GET", "/healthz", ""); got.Status != 200 {
		t.Errorf("after the panic = %d, want 200", got.Status)
	}
}

func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) { cfg.RequestTimeout = 50 * time.Millisecond })
	f.onAccept = blockUntilDone
	got := f.do(t, "POST", "/v1/jobs", insert, as(submitterKey))
	if got.Status != 503 || got.problem(t).Code != api.CodeTimeout || got.Header.Get("Retry-After") == "" {
		t.Errorf("= %d %s, want 503 timeout", got.Status, got.Body)
	}
}
