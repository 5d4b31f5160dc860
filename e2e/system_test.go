package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// startTimeout is how long a process may take until it is ready. A cold
// machine with all tests at once is slow.
const startTimeout = time.Minute

// system is one installation: its settings, and its processes as the test
// starts them. All of them are gone when the test ends.
type system struct {
	t        testing.TB
	dir      string
	apiAddr  string
	settings object
	env      []string
	*caller  // the first API, with the key of an admin
}

// process is a running worker or scheduler, and its health and metrics.
type process struct {
	*testkit.Process
	probe *caller
}

// newSystem prepares an installation on the servers. The target database main
// is the one of the DSN; its tables are for the test to add.
func newSystem(t testing.TB, ledger, redis, target string) *system {
	t.Helper()
	s := &system{t: t, dir: t.TempDir(), apiAddr: testkit.FreeAddr(t)}
	key := newKey()
	s.env = []string{"ADMIN_KEY=" + key}
	s.settings = object{
		"api": object{
			"listen": s.apiAddr,
			"keys":   []object{{"name": "admin", "key": "${ADMIN_KEY}", "role": "admin"}},
		},
		"ledger": object{"dsn": ledger, "pool_size": 8},
		"redis":  object{"url": redis},
		"databases": object{"main": object{
			"dsn": target, "tables": object{},
		}},
		"clients": object{},
		"worker":  object{"concurrency": 100},
		"health":  object{"interval": "1s"},
	}
	s.caller = newCaller(t, s.apiAddr, key)
	return s
}

// newKey makes an API key.
func newKey() string {
	return "aok_" + strings.ToLower(rand.Text()[:8]) + "_" + rand.Text() + rand.Text()
}

// section is one part of the settings.
func (s *system) section(names ...string) object {
	found := s.settings
	for _, name := range names {
		found = found[name].(object)
	}
	return found
}

// table lets jobs read and write a table of the target.
func (s *system) table(name string) {
	s.section("databases", "main", "tables")[name] = object{"write": true}
}

// upstream adds the client "up". Its failures are the test's doing, and no
// reason for a pause.
func (s *system) upstream(u *upstream) {
	s.section("clients")["up"] = object{
		"base_url": u.server.URL, "allow_networks": []string{"127.0.0.0/8"}, "max_retries": 0,
		"idempotency": object{"header": "Idempotency-Key"}, "circuit_breaker": object{"threshold": 0},
	}
}

// config writes the settings as they are now to a file. JSON is YAML.
func (s *system) config() string {
	s.t.Helper()
	text, err := json.MarshalIndent(s.settings, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.dir, strings.ToLower(rand.Text())+".yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// start starts a program with the settings.
func (s *system) start(pkg string, args ...string) *testkit.Process {
	s.t.Helper()
	return testkit.StartProcess(s.t, testkit.ProcessConfig{
		Package: pkg, Args: append(args, "--config", s.config()), Env: s.env, Dir: s.dir,
	})
}

// migrate makes the ledger's schema.
func (s *system) migrate() {
	s.t.Helper()
	p := s.start("cmd/asyncops", "migrate")
	if code := p.WaitExit(startTimeout); code != 0 {
		s.t.Fatalf("asyncops migrate exited with %d: %s", code, p.Stderr())
	}
}

// startAPI starts the REST server and waits until all is well with it.
func (s *system) startAPI() *testkit.Process {
	s.t.Helper()
	p := s.start("cmd/api")
	p.WaitHealthy(startTimeout, s.url+"/readyz")
	s.awaitReadyz(s.t, startTimeout, 200, "ok")
	return p
}

// launch starts a worker or scheduler on any free port and waits until it has
// printed its address.
func (s *system) launch(pkg string) *process {
	s.t.Helper()
	p := s.start(pkg, "--listen", "127.0.0.1:0")
	const prefix = "health and metrics on http://"
	line := p.WaitLine(startTimeout, func(line string) bool { return strings.HasPrefix(line, prefix) })
	return &process{p, newCaller(s.t, strings.TrimPrefix(line, prefix), "")}
}

// startWorker starts a worker and waits until it takes jobs.
func (s *system) startWorker() *process {
	s.t.Helper()
	p := s.launch("cmd/worker")
	awaitJoined(p)
	return p
}

// awaitJoined waits until the worker has its first lease.
func awaitJoined(p *process) {
	p.WaitLine(startTimeout, func(line string) bool { return strings.Contains(line, "worker joined") })
}

// startScheduler starts a scheduler and waits until it is ready.
func (s *system) startScheduler() *process {
	s.t.Helper()
	p := s.launch("cmd/scheduler")
	p.probe.awaitReadyz(s.t, startTimeout, 200, "ok")
	return p
}

// insert is a job that adds a row with the number n to a table.
func insert(table string, n int) object {
	return object{"kind": "db.insert_one", "args": object{"table": table, "values": object{"n": n}}}
}

// inserts is count of them, numbered from first on.
func inserts(table string, first, count int) []object {
	items := make([]object, count)
	for i := range items {
		items[i] = insert(table, first+i)
	}
	return items
}

// get is a job that sends a GET to the upstream.
func get(path string) object {
	return object{"kind": "http.request", "args": object{"client": "up", "method": "GET", "path": path}}
}

// sleep is a job that does nothing for so long.
func sleep(d time.Duration) object {
	return object{"kind": "system.noop", "args": object{"sleep": d.String()}}
}
