package cli_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/asyncops/asyncops/cli"
)

func jobBody(id, state, rest string) string {
	return `{"id":"` + id + `","kind":"db.insert_one","queue":"default","state":"` + state + `","args":{"table":"users"},"error":null,` +
		`"attempt":1,"max_attempts":10,"crashes":0,"generation":0,"delivery":"exactly_once_effect","tags":["billing","eu"],` +
		`"created_at":"2026-11-23T10:00:00.5Z","run_at":"2026-11-23T10:00:00.5Z","started_at":null,"finished_at":null,` +
		`"waiting_on":null,"progress":null,"workflow":null,"schedule":null,"links":{"self":"/v1/jobs/` + id + `"},"result":null` + rest + `}`
}

const (
	noWorker = `,"waiting_on":{"reason":"no_worker","detail":"no live worker serves queue default","until":null}`
	inserted = `,"result":{"id":7,"rows_affected":1},"started_at":"2026-11-23T10:00:01Z","finished_at":"2026-11-23T10:00:02Z"`
	refused  = `,"error":{"code":"constraint","message":"duplicate \u001b[31mkey"}`
)

func schedule(name, paused string) string {
	return `{"name":"` + name + `","source":"api","cron":"0 3 * * *","timezone":"Europe/Berlin","job":{"kind":"db.insert_one"},"missed":"once","overlap":"skip",` +
		`"jitter":"10s","start":"2026-11-01T00:00:00Z","end":null,"paused":` + paused + `,"next_fires":["2026-11-24T02:00:00Z","2026-11-25T02:00:00Z"],` +
		`"last_fire":"2026-11-23T02:00:00Z","last_job":"` + testID + `","created_at":"2026-11-01T10:00:00Z","updated_at":"2026-11-01T10:00:00Z"}`
}

// event is a server-sent event.
func event(name, data string) string { return "event: " + name + "\nid: x\ndata: " + data + "\n\n" }

func TestOutput(t *testing.T) {
	t.Parallel()
	path := "/v1/jobs/" + testID
	queue := func(name string, paused bool) string {
		return fmt.Sprintf(`{"name":%q,"paused":%t,"counts":{"pending":3,"active":1,"completed":9},"oldest_seconds":90.4,"throughput":{"finished_last_minute":12},"redis":null}`, name, paused)
	}
	tests := []struct {
		name   string
		args   string
		code   int
		routes map[string][]string
		stdin  string
		asJSON bool // also with --output json
	}{
		{"submit", "submit db.insert_one", 0, map[string][]string{"POST /v1/jobs": {"202 " + jobBody(testID, "pending", noWorker)}}, "", true},
		{"submit-replayed", "submit db.insert_one --idempotency-key k", 0,
			map[string][]string{"POST /v1/jobs": {"202 " + jobBody(testID, "completed", inserted) + " replayed"}}, "", false},
		{"submit-wait", "submit db.insert_one --wait 10s", 0,
			map[string][]string{"POST /v1/jobs": {"200 " + jobBody(testID, "completed", inserted)}}, "", true},
		{"submit-wait-archived", "submit db.insert_one --wait 10s", 1,
			map[string][]string{"POST /v1/jobs": {"200 " + jobBody(testID, "archived", refused)}}, "", true},
		{"submit-wait-pending", "submit db.insert_one --wait 20ms", 1, map[string][]string{
			"POST /v1/jobs": {"202 " + jobBody(testID, "pending", noWorker)}, "GET " + path: {"200 " + jobBody(testID, "pending", noWorker)},
		}, "", false},
		{"submit-invalid", "submit db.insert_one", 1, map[string][]string{
			"POST /v1/jobs": {`422 {"status":422,"code":"required","detail":"/args/table: is required","errors":[{"pointer":"/args/table","code":"required","message":"is required"}]}`},
		}, "", false},
		{"submit-unauthorized", "submit db.insert_one", 1, map[string][]string{
			"POST /v1/jobs": {`401 {"status":401,"code":"unauthorized","detail":"no key"}`},
		}, "", false},
		{"submit-internal", "submit db.insert_one", 1, map[string][]string{
			"POST /v1/jobs": {`500 {"status":500,"code":"internal","detail":"internal error"}`},
		}, "", false},
		{"submit-file", "submit --file -", 1, map[string][]string{"POST /v1/jobs/batch": {
			`202 {"accepted":2,"rejected":1,"items":[{"id":"` + testID + `"},{"error":{"status":422,"code":"unknown_kind","detail":"no kind db.upsert"}},{"id":"` + otherID + `"}]}`,
		}}, "{\"kind\":\"a.b\"}\n\n{\"kind\":\"db.upsert\"}\n{\"kind\":\"a.b\"}", true},
		{"submit-file-wait", "submit --file - --wait 10s", 1, map[string][]string{
			"POST /v1/jobs/batch":     {`202 {"accepted":2,"rejected":0,"items":[{"id":"` + testID + `"},{"id":"` + otherID + `"}]}`},
			"GET " + path:             {"200 " + jobBody(testID, "completed", inserted)},
			"GET /v1/jobs/" + otherID: {"200 " + jobBody(otherID, "archived", refused)},
		}, "{}\n{}\n", true},
		{"get", "get " + testID, 0, map[string][]string{"GET " + path: {"200 " + jobBody(testID, "archived", refused)}}, "", true},
		{"get-large-result", "get " + testID, 0, map[string][]string{
			"GET " + path:             {"200 " + jobBody(testID, "completed", `,"links":{"result":"`+path+`/result"}`)},
			"GET " + path + "/result": {`200 {"rows":[[1]]}`},
		}, "", false},
		{"get-missing", "get " + testID, 1, nil, "", false},
		{"watch", "watch " + testID, 0, map[string][]string{
			"GET " + path + "/events": {"200 " + event("state", jobBody(testID, "pending", noWorker)) + event("state", jobBody(testID, "active", "")) +
				event("progress", `{"done":2,"total":5,"message":"rows"}`) + event("state", jobBody(testID, "completed", ""))},
			"GET " + path: {"200 " + jobBody(testID, "completed", inserted)},
		}, "", true},
		{"watch-archived", "watch " + testID, 1, map[string][]string{
			"GET " + path + "/events": {"200 " + event("state", jobBody(testID, "archived", refused))},
			"GET " + path:             {"200 " + jobBody(testID, "archived", refused)},
		}, "", false},
		{"watch-missing", "watch " + testID, 1, nil, "", false},
		{"list", "list", 0, map[string][]string{"GET /v1/jobs": {
			`200 {"items":[` + jobBody(testID, "pending", noWorker) + `],"next_cursor":"c"}`,
			`200 {"items":[` + jobBody(otherID, "archived", refused) + `],"next_cursor":null}`,
		}}, "", true},
		{"list-empty", "list", 0, map[string][]string{"GET /v1/jobs": {`200 {"items":[],"next_cursor":null}`}}, "", true},
		{"attempts", "attempts " + testID, 0, map[string][]string{"GET " + path + "/attempts": {
			`200 {"items":[{"number":1,"generation":0,"worker":"w1","started_at":"2026-11-23T10:00:00Z","finished_at":"2026-11-23T10:00:01.5Z","outcome":"retry","error":{"code":"conflict","message":"deadlock"}},` +
				`{"number":2,"generation":0,"worker":"w2","started_at":"2026-11-23T10:00:03Z","finished_at":null,"outcome":"active","error":null}]}`,
		}}, "", true},
		{"cancel", "cancel " + testID, 0, map[string][]string{"POST " + path + "/cancel": {"200 " + jobBody(testID, "canceled", "")}}, "", false},
		{"cancel-ended", "cancel " + testID, 1, map[string][]string{
			"POST " + path + "/cancel": {`409 {"status":409,"code":"terminal","detail":"the job has ended"}`},
		}, "", false},
		{"retry", "retry " + testID, 0, map[string][]string{"POST " + path + "/retry": {"202 " + jobBody(testID, "pending", `,"generation":1`)}}, "", false},
		{"queues", "queues", 0, map[string][]string{"GET /v1/queues": {`200 {"items":[` + queue("default", false) + "," + queue("low", true) + `]}`}}, "", true},
		{"queues-pause", "queues pause low", 0, map[string][]string{"POST /v1/queues/low/pause": {"200 " + queue("low", true)}}, "", false},
		{"queues-resume", "queues resume low", 0, map[string][]string{"POST /v1/queues/low/resume": {"200 " + queue("low", false)}}, "", false},
		{"queues-purge", "queues purge low --yes", 0, map[string][]string{"POST /v1/queues/low/purge": {
			`200 {"purged":10000,"more":true}`, `200 {"purged":21,"more":false}`,
		}}, "", true},
		{"queues-purge-failed", "queues purge low --yes", 1, map[string][]string{"POST /v1/queues/low/purge": {
			`200 {"purged":10000,"more":true}`, `500 {"status":500,"code":"internal","detail":"internal error"}`,
		}}, "", false},
		{"queues-purge-unsure", "queues purge low", 2, nil, "", false},
		{"stats", "stats", 0, map[string][]string{"GET /v1/stats": {"200 " + stats}}, "", true},
		{"stats-empty", "stats --window 7d", 0, map[string][]string{"GET /v1/stats": {"200 " + noStats}}, "", false},
		{"stats-window", "stats --window 91d", 1, map[string][]string{
			"GET /v1/stats": {`422 {"status":422,"code":"invalid","detail":"the query parameter window is not allowed: want 1m to 90d"}`},
		}, "", false},
		{"audit", "audit", 0, map[string][]string{"GET /v1/audit": {
			`200 {"items":[{"id":"` + testID + `","at":"2026-11-23T10:00:00Z","key":{"id":"ops","name":"the operator"},"via":"session","address":"192.0.2.7","action":"queue.pause","target":"low","outcome":"ok","request_id":"r1"}],"next_cursor":"c"}`,
			`200 {"items":[{"id":"` + otherID + `","at":"2026-11-23T09:00:00Z","key":null,"via":"open","address":"127.0.0.1","action":"session.login","target":null,"outcome":"forbidden","request_id":"r2"}],"next_cursor":null}`,
		}}, "", true},
		{"schedules", "schedules", 0, map[string][]string{"GET /v1/schedules": {
			`200 {"items":[` + schedule("nightly", "false") + `],"next_cursor":"c"}`, `200 {"items":[` + schedule("paused", "true") + `],"next_cursor":null}`,
		}}, "", true},
		{"schedules-one", "schedules nightly", 0, map[string][]string{"GET /v1/schedules/nightly": {"200 " + schedule("nightly", "false")}}, "", true},
		{"schedules-add", "schedules add nightly --cron @daily --kind db.insert_one", 0,
			map[string][]string{"POST /v1/schedules": {"201 " + schedule("nightly", "false")}}, "", false},
		{"schedules-add-invalid", "schedules add nightly --cron x --kind db.insert_one", 1, map[string][]string{
			"POST /v1/schedules": {`422 {"status":422,"code":"invalid_cron","detail":"/cron: does not have 5 or 6 fields, but 1","errors":[]}`},
		}, "", false},
		{"schedules-run", "schedules run nightly", 0, map[string][]string{"POST /v1/schedules/nightly/run": {"202 " + jobBody(testID, "pending", noWorker)}}, "", false},
		{"schedules-pause", "schedules pause nightly", 0, map[string][]string{"POST /v1/schedules/nightly/pause": {"200 " + schedule("nightly", "true")}}, "", false},
		{"schedules-resume", "schedules resume nightly", 0, map[string][]string{"POST /v1/schedules/nightly/resume": {"200 " + schedule("nightly", "false")}}, "", false},
		{"schedules-remove", "schedules remove nightly", 0, map[string][]string{"DELETE /v1/schedules/nightly": {"204 "}}, "", false},
		{"workers", "workers", 0, map[string][]string{"GET /v1/workers": {
			`200 {"items":[{"id":"w1","host":"h","pid":7,"version":"v0.1.0","state":"running","queues":[],"concurrency":100,"running":3,"started_at":"2026-11-23T10:00:00Z","beat_at":"2026-11-23T10:00:05Z",` +
				`"databases":{"main":{"in_use":3,"idle":2,"max":50,"waiting":0,"waits":0,"wait_seconds":0}},` +
				`"jobs":[{"id":"` + testID + `","kind":"db.insert_one","queue":"default","since":"2026-11-23T10:00:03Z"}]}]}`,
		}}, "", true},
		{"workers-drain", "workers drain w1", 0, map[string][]string{"POST /v1/workers/w1/drain": {`202 {"id":"w1","state":"draining"}`}}, "", false},
		{"workers-unknown", "workers drain w1", 1, map[string][]string{
			"POST /v1/workers/w1/drain": {`404 {"status":404,"code":"not_found","detail":"there is no such thing, or it is no longer kept"}`},
		}, "", false},
		{"databases", "databases", 0, map[string][]string{"GET /v1/databases": {`200 {"items":[` + database("main") + `,{"name":"old","driver":"mysql","delivery":"at_least_once",` +
			`"health":{"status":"down","latency_ms":null,"effects":"unknown","detail":"no answer in time","checked_at":null},` +
			`"pool":{"in_use":0,"idle":0,"max":0,"waiting":0,"waits":0,"wait_seconds":0,"workers":[]},"parked":0,"cache":{"hits":0,"misses":0}}]}`}}, "", true},
		{"databases-one", "databases main", 0, map[string][]string{"GET /v1/databases/main": {"200 " + database("main")}}, "", true},
		{"databases-unknown", "databases nope", 1, map[string][]string{
			"GET /v1/databases/nope": {`404 {"status":404,"code":"not_found","detail":"there is no such thing, or it is no longer kept"}`},
		}, "", false},
		{"clients", "clients", 0, map[string][]string{"GET /v1/clients": {`200 {"items":[` + upstream("crm") + `,{"name":"mail","health":{"status":"ok","detail":"","latency_ms":0.4,"checked_at":"2026-11-23T10:00:05Z"},` +
			`"pool":null,"breaker":{"state":"closed","failures":2,"open_until":null},"rate_limit":null,"paused_until":null,"parked":0}]}`}}, "", true},
		{"clients-show", "clients show crm", 0, map[string][]string{"GET /v1/clients/crm": {"200 " + upstream("crm")}}, "", true},
		{"clients-reset", "clients reset crm", 0, map[string][]string{"POST /v1/clients/crm/breaker/reset": {"200 " + upstream("crm")}}, "", false},
		{"clients-invalidate", "clients invalidate crm --path-prefix /users", 0, map[string][]string{"POST /v1/clients/crm/cache/invalidate": {"204 "}}, "", false},
		{"clients-invalidate-nothing", "clients invalidate crm", 2, nil, "", false},
		{"clients-unknown", "clients reset crm", 1, map[string][]string{
			"POST /v1/clients/crm/breaker/reset": {`404 {"status":404,"code":"not_found","detail":"there is no such thing, or it is no longer kept"}`},
		}, "", false},
		{"kinds", "kinds", 0, map[string][]string{"GET /v1/kinds": {
			`200 {"items":[{"name":"system.noop","description":"does nothing","effect":"none","args":{"type":"object"},"result":{}}]}`,
		}}, "", true},
		{"version", "version", 0, nil, "", true},
		{"help", "--help", 0, nil, "", false},
		{"help-submit", "submit --help", 0, nil, "", false},
		{"help-bench", "bench --help", 0, nil, "", false},
		{"bench-unauthorized", "bench", 1, map[string][]string{
			"POST /v1/jobs": {`401 {"status":401,"code":"unauthorized","detail":"no key"}`},
		}, "", false},
	}
	for _, tt := range tests {
		for _, format := range []string{"table", "json"} {
			if format == "json" && !tt.asJSON {
				continue
			}
			name := tt.name + "-" + format
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				routes := map[string][]string{}
				for route, answers := range tt.routes {
					routes[route] = answers
				}
				args := strings.Fields(tt.args)
				if format == "json" {
					args = append(args, "--output", "json")
				}
				r := run(t, outside{routes: routes, stdin: tt.stdin, hooks: refusing(t)}, args...)
				if r.code != tt.code {
					t.Errorf("asyncops %s = exit %d, want %d", strings.Join(args, " "), r.code, tt.code)
				}
				golden(t, name, fmt.Sprintf("$ asyncops %s\nexit %d\n--- stdout\n%s--- stderr\n%s", strings.Join(args, " "), r.code, r.stdout, r.stderr))
			})
		}
	}
}

func TestExitCodesOfUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, args string
		env        map[string]string
		stderr     string // a part of it
	}{
		{"no command", "", nil, "expected one of"},
		{"command that is misspelled", "sumbit x.y", nil, `did you mean "submit"?`},
		{"flag that is misspelled", "list --sate pending", nil, `did you mean "--state"?`},
		{"purge without a word", "queues purge low", nil, "say --yes"},
		{"negative limit of the audit log", "audit --limit=-1", nil, "--limit: must not be negative"},
		{"since and after of the audit log", "audit --since 1h --after 2026-11-23T10:00:00Z", nil, "give one of them"},
		{"negative since of the audit log", "audit --since=-1h", nil, "--since: must not be negative"},
		{"drain of nobody", "workers drain", nil, `expected "<id>"`},
		{"subcommand that is misspelled", "queues resmue low", nil, `did you mean "resume"?`},
		{"output that is none", "list --output xml", nil, `--output must be one of "table","json" but got "xml"`},
		{"id that is none", "get 42", nil, "malformed job id"},
		{"cancel of an id that is none", "cancel 42", nil, "malformed job id"},
		{"duration that is none", "submit a.b --wait soon", nil, `--wait: "soon" is not a duration`},
		{"negative wait", "submit a.b --wait=-1s", nil, "--wait: must not be negative"},
		{"schedule without a spec", "schedules add s --kind a.b", nil, "missing flags: --cron"},
		{"schedule without a kind", "schedules add s --cron @daily", nil, "missing flags: --kind"},
		{"negative jitter", "schedules add s --cron @daily --kind a.b --jitter=-1s", nil, "--jitter: must not be negative"},
		{"negative wait for a schedule's job", "schedules run s --wait=-1s", nil, "--wait: must not be negative"},
		{"negative delay", "submit a.b --delay=-1s", nil, "--delay: must not be negative"},
		{"time that is none", "submit a.b --run-at noon", nil, "--run-at"},
		{"args that are not JSON", "submit a.b --args {", nil, "--args: not JSON: unexpected end of JSON input"},
		{"args of a file that is not there", "submit a.b --args @nowhere", nil, "--args: open nowhere: no such file"},
		{"no kind", "submit", nil, "say the KIND"},
		{"kind and file", "submit a.b --file -", nil, "--file: each line is a whole submission"},
		{"option and file", "submit --tag x --file -", nil, "--file: each line is a whole submission"},
		{"file that is not there", "submit --file nowhere", nil, "--file: open nowhere: no such file"},
		{"state that is none", "list --state done", nil, `there is no state "done"; there are waiting, scheduled`},
		{"since and after", "list --since 1h --created-after 2026-11-23T10:00:00Z", nil, "give one of them"},
		{"negative limit", "list --limit=-1", nil, "--limit: must not be negative"},
		{"URL that is none", "list", map[string]string{"ASYNCOPS_URL": "localhost:8080"}, "ASYNCOPS_URL"},
		{"role that is none", "keys create --name a --role root --direct", nil, "--role must be one of"},
		{"key without a name", "keys create --role admin --direct", nil, "missing flags: --name"},
		{"key over REST", "keys create --name a --role admin", nil, "say --direct"},
		{"key with a name that cannot be shown", "keys create --name \x1b[31m --role admin --direct", nil, "--name: must be"},
		{"bench of another machine", "bench --url https://asyncops.example.com", nil, "https://asyncops.example.com is not on this machine"},
		{"bench of a name for this machine", "bench --url http://localhost.example.com", nil, "say --yes"},
		{"bench of no jobs", "bench --jobs 0", nil, "--jobs: must be 1 to 1000000"},
		{"bench of too many jobs", "bench --jobs 1000001", nil, "--jobs: must be 1 to 1000000"},
		{"bench over no connection", "bench --connections 0", nil, "--connections: must be 1 to 1000"},
		{"bench over too many connections", "bench --connections 1001", nil, "--connections: must be 1 to 1000"},
		{"bench of no time", "bench --duration 0s", nil, "--duration: must be above 0 and at most 1m0s"},
		{"bench of too much time", "bench --duration 61s", nil, "--duration: must be above 0 and at most 1m0s"},
		{"bench with args that are not JSON", "bench --args {", nil, "--args: not JSON: unexpected end of JSON input"},
		{"shell that is none", "completion powershell", nil, "must be one of"},
		{"configuration that is not there", "config check --config nowhere.yaml", nil, "nowhere.yaml: cannot be read"},
		{"target that is none", "migrate --target main", nil, `--target: there is no database "main" in the configuration; there are none`},
		{"settings that are wrong", "config check", map[string]string{"ASYNCOPS_API_AUTH": "maybe", "ASYNCOPS_LEDGER_POOL_SIZE": "0"}, "api.auth"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := run(t, outside{env: tt.env, hooks: refusing(t)}, strings.Fields(tt.args)...)
			if r.code != cli.ExitUsage {
				t.Errorf("asyncops %s = exit %d, want %d", tt.args, r.code, cli.ExitUsage)
			}
			if !strings.Contains(r.stderr, tt.stderr) || !strings.HasPrefix(r.stderr, "asyncops: ") {
				t.Errorf("stderr = %q, want asyncops: …%s…", r.stderr, tt.stderr)
			}
			if r.stdout != "" || len(r.requests) > 0 {
				t.Errorf("stdout = %q and sent %v, want nothing", r.stdout, r.requests)
			}
		})
	}
}

// upstream is a client as the server describes it.
func upstream(name string) string {
	return `{"name":"` + name + `","health":{"status":"down","detail":"upstream_unreachable","latency_ms":null,"checked_at":"2026-11-23T10:00:05Z"},"pool":{"in_use":0,"idle":1,"max":100},` +
		`"breaker":{"state":"open","failures":0,"open_until":"2026-11-23T10:01:00Z"},"rate_limit":{"requests":100,"per":"1s","burst":20,"available":7},` +
		`"paused_until":"2026-11-23T10:00:30Z","parked":12}`
}

// database is one as the server describes it.
func database(name string) string {
	const use = `"in_use":3,"idle":2,"max":50,"waiting":1,"waits":4,"wait_seconds":0.25`
	return `{"name":"` + name + `","driver":"postgres","delivery":"exactly_once_effect",` +
		`"health":{"status":"degraded","latency_ms":0.42,"effects":"present","detail":"fsync is off: set it; synchronous_commit is off: set it","checked_at":"2026-11-23T10:00:05Z"},` +
		`"pool":{` + use + `,"workers":[{"worker":"w1",` + use + `}]},"parked":7,"cache":{"hits":30,"misses":4}}`
}

const noTimes = `{"count":0,"p50":null,"p95":null,"p99":null}`

// counted is what statistics count, of so many jobs.
func counted(n int) string {
	return fmt.Sprintf(`"submitted":%d,"completed":%d,"archived":2,"canceled":1,"expired":0,"unknown":1,"retried":4,"finished":%d,"failed":3,"success_rate":0.9876,`+
		`"wait":{"count":%[1]d,"p50":0.00412,"p95":0.5,"p99":75.2},"run":{"count":%[1]d,"p50":0.0213,"p95":1.234,"p99":12.3}`, n, n-5, n-1)
}

var (
	stats = `{"window":"1h0m0s","step":"1m0s","from":"2026-11-23T09:01:00Z","to":"2026-11-23T10:01:00Z","series":[{"at":"2026-11-23T09:01:00Z",` + counted(240) + `}],` +
		`"totals":{` + counted(240) + `,"submitted_per_second":0.0667,"finished_per_second":0.0664,"pending":7,"oldest_seconds":75.4},` +
		`"queues":[{"name":"default","pending":7,"oldest_seconds":75.4,"oldest_series":[null,3,600.1,0],` + counted(200) + `},{"name":"low","pending":0,"oldest_seconds":0,"oldest_series":[null],` + counted(40) + `}],` +
		`"kinds":[{"name":"db.insert_one",` + counted(240) + `}],"drift":2}`
	noStats = `{"window":"168h0m0s","step":"1h0m0s","from":"2026-11-16T11:00:00Z","to":"2026-11-23T11:00:00Z","series":[],"totals":{"submitted":0,"completed":0,"archived":0,"canceled":0,` +
		`"expired":0,"unknown":0,"retried":0,"finished":0,"failed":0,"success_rate":null,"wait":` + noTimes + `,"run":` + noTimes + `,"submitted_per_second":0,"finished_per_second":0,"pending":0,"oldest_seconds":0},` +
		`"queues":[],"kinds":[],"drift":null}`
)
