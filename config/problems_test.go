package config_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/config"
)

var update = flag.Bool("update", false, "write the golden files")

// TestAllProblemsAtOnce reads a file with a problem of every sort.
func TestAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("testdata/problems.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = load(t, string(content), environment{"ASYNCOPS_WORKER_CONCURRENCY": "lots", "ASYNCOPS_LEDGER_POOL_SIZE": "0"})
	got := strings.Join(problems(t, err), "\n") + "\n"
	if *update {
		if err := os.WriteFile("testdata/problems.golden", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/problems.golden")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if strings.Contains(got, "hunter2") {
		t.Error("problems show a secret")
	}
}

// problemCases are files with one problem each; want is the line without the
// file's name.
var problemCases = []struct{ file, want string }{
	// The form of the file.
	{"api: [", "1: is not YAML (yaml: line 1: did not find expected node content); correct the syntax there or on the line before"},
	{"api: {}\n---\nhealth: {}", "2: has a second document; remove it and the --- before it"},
	{"- api", "1: is a list; write a mapping, key: value"},
	{"api: yes please", "1: api: is one value; write a mapping, key: value"},
	{"databases: [main]", "1: databases: is a list; write a mapping, key: value"},
	{"worker: {queues: low}", "1: worker.queues: is one value; write a list such as [first, second]"},
	{"schedules: {name: a}", "1: schedules: is a mapping; write a list such as [{key: value}]"},
	{"worker: {concurrency: [1]}", "1: worker.concurrency: is a list; write one value"},
	{"worker: {concurrency: }", "1: worker.concurrency: has no value; write one, or remove the key"},
	{"worker: {concurrency: 1}\nhealth: {}\nworker: {strict: true}", "3: worker: is given twice, first on line 1; keep one"},
	{"queues: {low: {}, low: {}}", "1: queues.low: is given twice, first on line 1; keep one"},
	{"? [a]\n: 1", "1: has a key that is a list; write a plain word"},
	{"wroker: {}", `1: wroker: is an unknown key; did you mean "worker"?`},
	{"health: {zzz: 1}", "1: health.zzz: is an unknown key; known are enabled, interval"},

	// Types.
	{"worker: {concurrency: '5'}", "1: worker.concurrency: is not a whole number; write digits alone, such as 20"},
	{"worker: {concurrency: 1.5}", "1: worker.concurrency: is not a whole number; write digits alone, such as 20"},
	{"worker: {strict: yes}", "1: worker.strict: is not true or false; write one of them, without quotes"},
	{"worker: {strict: 'true'}", "1: worker.strict: is not true or false; write one of them, without quotes"},
	{"health: {interval: 30}", "1: health.interval: has no unit; write it like 30s"},
	{"health: {interval: 1 hour}", `1: health.interval: "1 hour" is not a duration such as 250ms, 1h30m or PT5M; write a number with a unit`},
	{"health: {interval: P1M}", `1: health.interval: "P1M" is not a duration such as 250ms, 1h30m or PT5M; write a number with a unit`},
	{"api: {body_limit: 1MB}", `1: api.body_limit: "1MB" is not a size; write a whole number with KiB, MiB or GiB, such as 1MiB`},
	{"api: {listen: 8080}", "1: api.listen: is not text; put it in quotes"},
	{"alerts: {rules: {memory: {above: .nan}}}", "1: alerts.rules.memory.above: is not a number; write it like 0.9"},
	{"api: {trusted_proxies: [10.0.0]}", "1: api.trusted_proxies[0]: is not a network; write an address or a CIDR such as 10.0.0.0/8"},

	// Expansion.
	{"api: {listen: '${NOPE}'}", "1: api.listen: ${NOPE} is not set; set the variable NOPE, or write ${NOPE:-default}"},
	{"worker: {concurrency: '${X:-many}'}", "1: worker.concurrency: is not a whole number; write digits alone, such as 20"},
	{"redis: {url: '${file:/does/not/exist}'}", "1: redis.url: ${file:/does/not/exist} cannot be read: no such file or directory; correct the path, or let this user read the file"},

	// Bounds and words.
	{"worker: {concurrency: 10001}", "1: worker.concurrency: is 10001; write a value from 1 to 10000"},
	{"queues: {low: {weight: 0}}", "1: queues.low.weight: is 0; write a value from 1 to 100"},
	{"api: {body_limit: 0}", "1: api.body_limit: is 0; write a value from 1KiB to 1GiB"},
	{"ledger: {retention: 1s}", "1: ledger.retention: is 1s; write at least 1m"},
	{"ledger: {pool_size: -1}", "1: ledger.pool_size: is -1; write a value from 1 to 1000"},
	{"health: {interval: -1s}", "1: health.interval: is -1s; write a value from 1s to 24h"},
	{"alerts: {rules: {memory: {above: 1.5}}}", "1: alerts.rules.memory.above: is 1.5; write a value from 0 to 1"},
	{"observability: {log_level: inf}", `1: observability.log_level: is "inf"; did you mean "info"?`},
	{"observability: {log_format: ''}", `1: observability.log_format: is ""; known are json, text`},
	{"observability: {otlp_endpoint: 'localhost:4317'}", "1: observability.otlp_endpoint: is not a URL; write it like http://host (or https)"},

	// The API.
	{"api: {listen: localhost}", "1: api.listen: is not an address to listen on; write host:port, such as 127.0.0.1:8080"},
	{"api: {listen: 'localhost:http'}", "1: api.listen: is not an address to listen on; write host:port, such as 127.0.0.1:8080"},
	{"api: {listen: 'localhost:70000'}", "1: api.listen: is not an address to listen on; write host:port, such as 127.0.0.1:8080"},
	{"api:\n  listen: ':8080'\n  auth: none", "3: api.auth: is none while api.listen is not a loopback address, so that anyone could submit jobs; write required, or listen on 127.0.0.1"},
	{"api: {tls: {cert: a.pem}}", "1: api.tls.key: is missing beside cert; write the path of the certificate's private key"},
	{"api: {tls: {key: a.pem}}", "1: api.tls.cert: is missing beside key; write the path of the key's certificate"},
	{"api: {cors_origins: ['https://a.example.com/']}", `1: api.cors_origins[0]: is not an origin; write scheme://host[:port] without a path, or "*"`},
	{"api: {keys: [{name: ops, key: aok_ops_short, role: admin}]}", "1: api.keys[0].key: is not aok_<id>_<secret>, with an id of 4 to 32 of a-z and 0-9, and a secret of at least 32 of A-Z, a-z, 0-9, _ and -; make one with: asyncops keys create"},
	{"api: {keys: [{name: ops, role: admin}]}", "1: api.keys[0].key: is missing; write it, such as key: ${OPS_KEY}"},
	{"api: {keys: [{name: ops, key: '" + key1 + "'}]}", "1: api.keys[0].role: is missing, and so are scopes; write a role such as submitter, or scopes"},
	{"api: {keys: [{name: ops, key: '" + key1 + "', role: root}]}", `1: api.keys[0].role: is "root"; known are admin, operator, submitter, viewer`},
	{"api: {keys: [{name: ops, key: '" + key1 + "', scopes: [job:read]}]}", `1: api.keys[0].scopes[0]: is "job:read"; did you mean "jobs:read"?`},
	{"api: {keys: [{name: ops, key: '" + key1 + "', role: admin, queues: [lo]}]}", `1: api.keys[0].queues[0]: is "lo", which queues does not have; did you mean "low"?`},
	{"api: {keys: [{name: ops, key: '" + key1 + "', role: admin, databases: [main]}]}", `1: api.keys[0].databases[0]: is "main", which databases does not have; add it there, or correct the name`},
	{"api: {keys: [{name: ops, key: '" + key1 + "', role: admin, kinds: ['db.']}]}", "1: api.keys[0].kinds[0]: is not a kind; write it like http.request"},
	{"api:\n  keys:\n  - {name: a, key: '" + key1 + "', role: admin}\n  - {name: a, key: '" + key2 + "', role: admin}", "4: api.keys[1].name: is the same as api.keys[0].name; choose another"},
	{"api:\n  keys:\n  - {name: a, key: '" + key1 + "', role: admin}\n  - {name: b, key: '" + key1 + "', role: admin}", "4: api.keys[1].key: has the same id as api.keys[0].key; make another with: asyncops keys create"},
	{"api: {keys: [{name: ops, key: '" + key1 + "', role: admin, expires_at: 2030-01-31}]}", "1: api.keys[0].expires_at: is not a time; write it like 2027-01-31T00:00:00Z"},
	{"dashboard: {base_path: dashboard/}", "1: dashboard.base_path: is not a path; begin it with one slash, without . or .. segments, query and blanks"},
	{"dashboard: {base_path: /}", "1: dashboard.base_path: is not the path of a folder; write it like /dashboard/"},
	{"dashboard: {base_path: /v1/ui/}", "1: dashboard.base_path: is within /v1/, which the API serves; write it like /dashboard/"},

	// Where things are kept.
	{"ledger: {dsn: ''}", "1: ledger.dsn: is not a database address; write postgres://user:password@host:5432/database, mysql://user:password@host:3306/database or sqlite:path"},
	{"ledger: {dsn: 'mysql://u@h/d'}", "1: ledger.dsn: is MySQL or MariaDB, which can be a target but not the ledger; write postgres://… or sqlite:path"},
	{"ledger: {dsn: 'sqlite::memory:'}", "1: ledger.dsn: is in memory, where accepted jobs would be lost; write sqlite:path or postgres://…"},
	{"ledger: {dsn: 'sqlite:x?mode=ro'}", "1: ledger.dsn: is read-only; remove mode=ro"},
	{"redis: {url: none}", "1: redis.url: is none, which only asyncops dev can do; write redis://host:6379/0"},
	{"redis: {url: ''}", "1: redis.url: is missing; write it, such as url: redis://localhost:6379/0"},
	{"cache: {redis_url: none}", "1: cache.redis_url: is none; write cache.shared: false to keep the cache out of Redis, or leave it empty to use redis.url"},

	// Databases.
	{"databases: {main: {}}", "1: databases.main.dsn: is missing; write it, such as dsn: postgres://app@localhost/app"},
	{"databases: {Main: {dsn: 'sqlite:x'}}", "1: databases.Main: has a malformed name; write a lower-case letter, then up to 63 of a-z, 0-9, _ and -"},
	{database("pool_timeout: 0s"), "1: databases.main.pool_timeout: is 0s; write a value from 1ms to 1h"},
	{database("effects: maybe"), `1: databases.main.effects: is "maybe"; known are auto, off, required`},
	{database("tables: {'*': {write: true}}"), `1: databases.main.tables.*: is every table, which is read-only with all columns; write "*": {}, and list the tables that need more by name`},
	{database("tables: {'*': {columns: [id]}}"), `1: databases.main.tables.*: is every table, which is read-only with all columns; write "*": {}, and list the tables that need more by name`},
	{database("tables: {' x': {}}"), "1: databases.main.tables. x: has a malformed name; write the table's name as the database knows it, up to 128 characters"},
	{database("tables: {x: {columns: [id, '']}}"), "1: databases.main.tables.x.columns[1]: is not a column; write its name as the database knows it, up to 128 characters"},
	{database("tables: {x: {columns: [id, id]}}"), "1: databases.main.tables.x.columns[1]: is the same as databases.main.tables.x.columns[0]; choose another"},
	{query("sql: DROP TABLE x"), "1: databases.main.queries.q.sql: begins with a word that is not allowed; begin with one of SELECT, WITH, INSERT, UPDATE, DELETE, REPLACE, VALUES, MERGE"},
	{query("write: true"), "1: databases.main.queries.q.sql: is missing; write it, such as sql: SELECT id FROM users WHERE status = ?"},
	{query("sql: '-- nothing'"), "1: databases.main.queries.q.sql: has no statement; write one"},
	{query("sql: SELECT 1; SELECT 2"), "1: databases.main.queries.q.sql: has more than one statement; keep one, and write a query for each of the others"},
	{query(`sql: "SELECT 'x"`), "1: databases.main.queries.q.sql: has a literal or comment that is not closed; close it"},
	{query("sql: SELECT /*! 1 */ 1"), "1: databases.main.queries.q.sql: has a comment that MySQL runs; write its content, or remove it"},
	{query("sql: 'SELECT ?, $1'"), "1: databases.main.queries.q.sql: mixes ? and $n placeholders; use one kind"},
	{query("sql: SELECT $0"), "1: databases.main.queries.q.sql: has a placeholder out of bounds; number them from $1"},
	{query(`sql: "SELECT ?, '?', [?]"`), "1: databases.main.queries.q.params: has 0 entries for 1 placeholder in sql; write one for each, in order"},
	{query("sql: SELECT a FROM x FOR UPDATE"), "1: databases.main.queries.q.write: is false for a statement that locks rows, which a reading transaction cannot; write true, or remove FOR UPDATE"},
	{query("sql: WITH y AS (DELETE FROM x RETURNING a) SELECT a FROM y"), "1: databases.main.queries.q.write: is false for a statement that changes rows; write true"},
	{query("sql: SELECT a INTO y FROM x"), "1: databases.main.queries.q.sql: puts what it selects somewhere; write INSERT INTO … SELECT, or remove INTO"},
	{query("sql: 'SELECT $1, $3', params: [{name: a}]"), "1: databases.main.queries.q.sql: numbers its placeholders up to $3 and leaves out $2; number them without gaps"},
	{query("sql: 'delete from x'"), "1: databases.main.queries.q.write: is false for a statement that changes rows; write true"},
	{query("sql: SELECT 1, writes: [x]"), "1: databases.main.queries.q.writes: names tables while write is false; write write: true, or remove them"},
	{query("sql: DELETE FROM x, write: true, writes: ['*']"), "1: databases.main.queries.q.writes[0]: is not a table; write its name as the database knows it"},
	{query("sql: 'SELECT ?', params: [{}]"), "1: databases.main.queries.q.params[0].name: is missing; write it, such as name: status"},
	{query("sql: 'SELECT ?', params: [{name: 1a}]"), "1: databases.main.queries.q.params[0].name: has a malformed name; write a letter, then up to 63 letters, digits and _"},
	{query("sql: 'SELECT ?', params: [{name: a, type: int}]"), `1: databases.main.queries.q.params[0].type: is "int"; known are boolean, bytes, decimal, integer, json, number, string, time`},

	// Clients.
	{"clients: {crm: {}}", "1: clients.crm.base_url: is missing; write it, such as base_url: https://api.example.com/v2"},
	{"clients: {crm: {base_url: 'ftp://h'}}", `1: clients.crm.base_url: has the scheme "ftp"; write it like https://host (or http)`},
	{"clients: {crm: {base_url: 'https://u:hunter2@h'}}", "1: clients.crm.base_url: holds a user or password; move them to auth: {type: basic, username: …, password: …}"},
	{"clients: {crm: {base_url: 'https://h/a?b'}}", "1: clients.crm.base_url: has a query or fragment; remove what follows the path"},
	{"clients: {crm: {base_url: 'https://h/a/%2e%2e/b'}}", "1: clients.crm.base_url: is not a path; begin it with one slash, without . or .. segments, query and blanks"},
	{client("auth: {type: baerer, token: x}"), `1: clients.crm.auth.type: is "baerer"; did you mean "bearer"?`},
	{client("auth: {type: bearer}"), "1: clients.crm.auth.token: is missing; auth of type bearer needs token"},
	{client("auth: {token: x}"), "1: clients.crm.auth.token: is not used by auth of type none; remove it, or change the type"},
	{client("auth: {type: api_key, name: 'X Key', key: k}"), "1: clients.crm.auth.name: is not the name of a header; write it like X-Request-Source"},
	{client("auth: {type: oauth2, client_id: i, client_secret: s}"), "1: clients.crm.auth.token_url: is missing; auth of type oauth2 needs token_url, client_id, client_secret"},
	{client("auth: {type: hmac, secret: s, header: X-Sig, algorithm: md5}"), `1: clients.crm.auth.algorithm: is "md5"; known are sha256, sha512`},
	{client("auth: {type: standard_webhooks, secrets: [hunter2]}"), "1: clients.crm.auth.secrets[0]: is not a Standard Webhooks secret; write whsec_ and the base64 of 24 to 64 random bytes"},
	{client("allow_headers: [Host]"), "1: clients.crm.allow_headers[0]: is Host, which the client sets itself; name another, or remove it"},
	{client("allow_headers: [Authorization]"), "1: clients.crm.allow_headers[0]: is Authorization, which the client sets itself; name another, or remove it"},
	{client("allow_networks: [10.0.0.0/33]"), "1: clients.crm.allow_networks[0]: is not a network; write an address or a CIDR such as 10.0.0.0/8"},
	{client("pool: {max_idle: 200}"), "1: clients.crm.pool.max_idle: is more than max_connections (100); lower it, or raise the other"},
	{client("proxy: 'hunter2'"), "1: clients.crm.proxy: is not a URL; write it like http://host (or https, socks5)"},
	{client("tls: {cert: x}"), "1: clients.crm.tls.key: is missing beside cert; write the path of the certificate's private key"},

	// Queues, schedules, alerts.
	{"queues: {1st: {}}", "1: queues.1st: has a malformed name; write a lower-case letter, then up to 63 of a-z, 0-9, _ and -"},
	{"worker: {queues: [defualt]}", `1: worker.queues[0]: is "defualt", which queues does not have; did you mean "default"?`},
	{schedule("name: s, job: {kind: a.b}"), "1: schedules[0].cron: is missing; write it, such as cron: */5 * * * *"},
	{schedule("name: s, cron: '@daily'"), "1: schedules[0].job.kind: is missing; write it, such as kind: cache.warm"},
	{schedule("cron: '@daily', job: {kind: a.b}"), "1: schedules[0].name: is missing; write it, such as name: warm-users"},
	{schedule("name: s, cron: '* * *', job: {kind: a.b}"), "1: schedules[0].cron: does not have 5 or 6 fields, but 3; write 5 (minute hour day month weekday) or 6 (second first)"},
	{schedule("name: s, cron: '* * * * %', job: {kind: a.b}"), `1: schedules[0].cron: has the day of the week "%"; use numbers, names, * / , and -`},
	{schedule("name: s, cron: '@every 10ms', job: {kind: a.b}"), "1: schedules[0].cron: has an interval that is not a duration of at least 1s; write it like @every 10s"},
	{schedule("name: s, cron: '0 0 30 2 *', job: {kind: a.b}"), "1: schedules[0].cron: no year has a day that fits the day of the month and the month"},
	{schedule("name: s, cron: '61 * * * *', job: {kind: a.b}"), `1: schedules[0].cron: has the minute "61", which is no such value, range or step; it goes from 0 to 59`},
	{schedule("name: s, cron: '@daily', start: 2027-01-02T00:00:00Z, end: 2027-01-01T00:00:00Z, job: {kind: a.b}"), "1: schedules[0].end: is not after start; write a later time, or leave one of them out"},
	{schedule("name: s, cron: '@dayly', job: {kind: a.b}"), `1: schedules[0].cron: is neither 5 or 6 fields, nor @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually or @every with a duration`},
	{schedule("name: s, cron: '@daily', timezone: Mars/Base, job: {kind: a.b}"), "1: schedules[0].timezone: is not a time zone; write UTC or a name of the IANA database, such as Europe/Berlin"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, queue: nope}"), `1: schedules[0].job.queue: is "nope", which queues does not have; add it there, or correct the name`},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, args: [1]}"), "1: schedules[0].job.args: is a list; write a mapping, key: value"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, args: {a: ['${NOPE}']}}"), "1: schedules[0].job.args.a[0]: ${NOPE} is not set; set the variable NOPE, or write ${NOPE:-default}"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, args: {a: .inf}}"), "1: schedules[0].job.args.a: is not a number; write it like 0.9"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, args: &a {a: *a}}"), "1: schedules[0].job.args" + strings.Repeat(".a", 59) + ": is nested too deeply or too large; write it without aliases that hold aliases"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, backoff: {initial: 1h}}"), "1: schedules[0].job.backoff.max: is less than initial (1h); raise it, or lower the other"},
	{schedule("name: s, cron: '@daily', job: {kind: a.b, callback: {client: crm, path: /x}}"), `1: schedules[0].job.callback.client: is "crm", which clients does not have; add it there, or correct the name`},
	{schedule("name: s, cron: '@daily', missed: run, job: {kind: a.b}"), `1: schedules[0].missed: is "run"; known are all, once, skip`},
	{"alerts: {notify: [{client: hooks, path: /a}]}", `1: alerts.notify[0].client: is "hooks", which clients does not have; add it there, or correct the name`},
	{"alerts: {notify: [{client: hooks}]}", "1: alerts.notify[0].path: is missing; write it, such as path: /alerts"},
	{"alerts: {rules: {cpu: {}}}", "1: alerts.rules.cpu: is an unknown key; known are breaker_open, dead_letters, error_rate, memory, p95_latency, pool_usage, queue_age, target_down, worker_gone"},
}

const (
	key1 = "aok_key1_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
	key2 = "aok_key2_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"
)

func database(settings string) string {
	return "databases: {main: {dsn: 'sqlite:x', " + settings + "}}"
}

func query(settings string) string { return database("queries: {q: {" + settings + "}}") }

func client(settings string) string {
	return "clients: {crm: {base_url: 'https://api.example.com', " + settings + "}}"
}

func schedule(settings string) string { return "schedules: [{" + settings + "}]" }

func TestProblems(t *testing.T) {
	t.Parallel()
	for _, test := range problemCases {
		t.Run(test.file, func(t *testing.T) {
			t.Parallel()
			_, _, err := load(t, test.file, nil)
			want := []string{"asyncops.yaml:" + test.want}
			if diff := cmp.Diff(want, problems(t, err)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyAliasesEnd(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("schedules:\n- name: s\n  cron: '@daily'\n  job:\n    kind: a.b\n    args:\n      a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		last, next := string(rune('0'+i)), string(rune('1'+i))
		b.WriteString("      a" + next + ": &a" + next + " [" + strings.Repeat("*a"+last+", ", 9) + "]\n")
	}
	_, _, err := load(t, b.String(), nil)
	got := problems(t, err)
	if len(got) != 1 || !strings.Contains(got[0], "nested too deeply or too large") {
		t.Errorf("problems = %q, want one about the size", got)
	}
}

func TestLoopbackMayGoWithoutKeys(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"127.0.0.1:8080", "[::1]:0", "localhost:80", "127.8.0.1:1"} {
		cfg := mustLoad(t, "api: {auth: none, listen: '"+listen+"'}", nil)
		if !cfg.API.LoopbackOnly() {
			t.Errorf("LoopbackOnly of %s = false, want true", listen)
		}
	}
	for _, listen := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.168.0.1:8080", "example.com:80"} {
		cfg := mustLoad(t, "api: {listen: '"+listen+"'}", nil)
		if cfg.API.LoopbackOnly() {
			t.Errorf("LoopbackOnly of %s = true, want false", listen)
		}
	}
}

func TestSplitKey(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("aZ0_-x", 6)
	id, got, ok := config.SplitKey("aok_id12_" + secret)
	if id != "id12" || got != secret || !ok {
		t.Errorf("SplitKey = %q, %q, %t, want id12, %q, true", id, got, ok, secret)
	}
	for _, bad := range []string{
		"", "aok_", "id12_" + secret, "aok_id1_" + secret, "aok_" + strings.Repeat("a", 33) + "_" + secret, "aok_ID12_" + secret,
		"aok_id12_" + secret[:31], "aok_id12_" + secret + "=", "aok_id12" + secret, "aok_id12_" + strings.Repeat("x", 257),
	} {
		if id, _, ok := config.SplitKey(bad); ok {
			t.Errorf("SplitKey(%q) = %q, true, want false", bad, id)
		}
	}
}
