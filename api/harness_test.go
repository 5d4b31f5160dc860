package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

var update = flag.Bool("update", false, "write the golden files")

// testNow is the clock of servers under test.
var testNow = time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)

// Keys of servers under test, by what they may do.
const (
	secret       = "_0123456789abcdefghijklmnopqrstuvwxyzABCDEF"
	adminKey     = "aok_admin" + secret
	viewerKey    = "aok_viewer" + secret
	submitterKey = "aok_submitter" + secret
	operatorKey  = "aok_operator" + secret
	limitedKey   = "aok_limited" + secret
	targetKey    = "aok_target" + secret
)

func configuredKeys() []api.Key {
	key := func(text, id, role string) api.Key {
		return api.Key{ID: id, Name: id, Role: role, Hash: api.HashKey(text)}
	}
	limited := key(limitedKey, "limited", "submitter")
	limited.Queues, limited.Kinds = []string{"default"}, []string{"system.noop", "db.insert_one", "http.request"}
	limited.Databases, limited.Clients = []string{"other"}, []string{"other"}
	target := key(targetKey, "target", "submitter")
	target.Databases = []string{"main"}
	return []api.Key{
		key(adminKey, "admin", "admin"), key(viewerKey, "viewer", "viewer"), key(submitterKey, "submitter", "submitter"),
		key(operatorKey, "operator", "operator"), limited, target,
	}
}

// fakeTargets is a configuration with the database main and the client crm.
type fakeTargets struct{}

func (fakeTargets) Database(name string) (tasks.Database, bool) {
	if name == "" {
		name = "main"
	}
	return tasks.Database{Name: name, Registry: fakeRegistry{}}, name == "main" || name == "sealed"
}

func (fakeTargets) Client(name string) (tasks.Client, bool) {
	if name == "" {
		name = "crm"
	}
	return tasks.Client{Name: name}, name == "crm"
}

// fakeRegistry has the tables users and wide.
type fakeRegistry struct{}

func (fakeRegistry) Query(string) (dbop.NamedQuery, bool) { return dbop.NamedQuery{}, false }

func (fakeRegistry) Check(op dbop.Operation) []job.FieldError {
	if op.Table != "users" {
		return []job.FieldError{{Pointer: "/table", Code: "unknown_table", Message: "no such table"}}
	}
	return nil
}

// fakeOutside is the rest of what the server asks for.
type fakeOutside struct {
	mu        sync.Mutex
	requests  []string // route method code; guarded by mu
	submitted map[string]int
	forgotten []string // guarded by mu
	cacheAway error    // guarded by mu
	redisAway bool     // guarded by mu
	bells     []api.Doorbell
	resets    int // guarded by mu
}

func (o *fakeOutside) InvalidateDatabase(name string, tables, keys []string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgotten = append(o.forgotten, fmt.Sprint(name, tables, keys))
	return o.cacheAway
}

func (o *fakeOutside) InvalidateClient(name, key, pathPrefix string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgotten = append(o.forgotten, fmt.Sprintf("%s[%s] [%s]", name, pathPrefix, key))
	return o.cacheAway
}

func (o *fakeOutside) Request(route, method string, code int, seconds float64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.requests = append(o.requests, strings.Join([]string{route, method, http.StatusText(code)}, " "))
	if seconds < 0 {
		panic("a request took less than no time")
	}
}

func (o *fakeOutside) Submitted(kind, queue string, jobs int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.submitted[kind+" "+queue] += jobs
}

func (o *fakeOutside) RunOnce(t tasks.Task) bool {
	http, ok := t.(*tasks.HTTP)
	return ok && !httpop.Safe(http.Request.Method)
}

func (o *fakeOutside) Delivery(t tasks.Task) (job.Delivery, error) {
	switch t := t.(type) {
	case *tasks.DB:
		if t.Database == "sealed" {
			return "", job.ErrEffectsMissing
		}
		return job.ExactlyOnceEffect, nil
	}
	return job.AtLeastOnce, nil
}

func (o *fakeOutside) Plan(_ context.Context, t tasks.Task) (json.RawMessage, error) {
	if db, ok := t.(*tasks.DB); ok {
		return json.RawMessage(`{"database":"` + db.Database + `","sql":"INSERT INTO users (name) VALUES ($1)"}`), nil
	}
	return nil, nil
}

func (o *fakeOutside) Databases(context.Context) ([]api.Database, error) {
	latency := 1.5
	return []api.Database{
		{
			Name: "main", Driver: "postgres", Delivery: job.ExactlyOnceEffect, Parked: 7, Cache: api.CacheUse{Hits: 30, Misses: 4},
			Health: api.DatabaseHealth{Status: "ok", LatencyMS: &latency, Effects: "present", CheckedAt: &testNow},
			Pool: api.DatabasePool{
				PoolUse: api.PoolUse{InUse: 1, Idle: 2, Max: 50, Waiting: 3, Waits: 4, WaitSeconds: 0.5},
				Workers: []api.WorkerPool{{Worker: "w1", PoolUse: api.PoolUse{InUse: 1, Idle: 2, Max: 50, Waiting: 3, Waits: 4, WaitSeconds: 0.5}}},
			},
		},
		{
			Name: "sealed", Driver: "sqlite", Delivery: job.AtLeastOnce, Pool: api.DatabasePool{Workers: []api.WorkerPool{}},
			Health: api.DatabaseHealth{Status: "down", Effects: "unknown", Detail: "does not answer"},
		},
	}, nil
}

func (o *fakeOutside) Clients(context.Context) ([]api.Client, error) {
	later, available := testNow.Add(time.Minute), 7
	return []api.Client{{
		Name: "crm", Health: api.Health{Status: "unknown"}, Breaker: &api.Breaker{State: "open", OpenUntil: &later},
		RateLimit: &api.ClientLimit{Requests: 100, Per: "1s", Burst: 20, Available: &available}, PausedUntil: &later, Parked: 3,
	}}, nil
}

func (o *fakeOutside) Reset(_ context.Context, client string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case client != "crm":
		return fmt.Errorf("fleet: reset %s: %w", client, job.ErrNotFound)
	case o.redisAway:
		return fmt.Errorf("fleet: reset %s: %w", client, job.ErrUnavailable)
	}
	o.resets++
	return nil
}

func (o *fakeOutside) RedisQueue(_ context.Context, queue string) *api.RedisQueue {
	if queue != "default" {
		return nil
	}
	return &api.RedisQueue{Pending: 1, MemoryBytes: 2048, Days: []api.RedisDay{{Date: "2026-11-23", Processed: 7, Failed: 1}}, Servers: []api.RedisServer{{
		ID: "5f0c", Host: "worker-1", PID: 7, Status: "active", Concurrency: 16, Queues: map[string]int{"default": 3}, StartedAt: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), Active: 1,
	}}}
}

func (o *fakeOutside) Doorbells(_ context.Context, queue string, limit int) ([]api.Doorbell, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if queue != "default" || o.redisAway {
		return nil, api.ErrRedisAway
	}
	return o.bells[:min(limit, len(o.bells))], nil
}

// fixture is a server under test, on a port of its own.
type fixture struct {
	*fakeLedger
	outside  *fakeOutside
	sessions *fakeSessions
	audit    *fakeAudit
	server   *api.Server
	logs     *lockedBuffer
	url      string
	stop     func() // ends the server and waits for it; the end of the test does too
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func ok(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// start serves until the test ends. change may adjust what it is made of.
func start(t testing.TB, change ...func(*api.Config, *api.Deps)) *fixture {
	t.Helper()
	f := &fixture{fakeLedger: newFakeLedger(), outside: &fakeOutside{submitted: map[string]int{}}, logs: &lockedBuffer{}}
	f.audit = &fakeAudit{}
	f.sessions = &fakeSessions{open: map[string]job.Session{}}
	cfg := api.Config{Listen: "127.0.0.1:0", Queues: []string{"critical", "default"}, Gzip: true}
	deps := api.Deps{
		Ledger: f.fakeLedger, Schedules: f.fakeLedger, Signals: f.fakeLedger, Watcher: f.fakeLedger, Targets: fakeTargets{}, Deliveries: f.outside, Planner: f.outside,
		Alerts: fakeAlerts{}, Statuses: f.outside, Caches: f.outside, Breakers: f.outside, RedisQueues: f.outside, ConfiguredKeys: configuredKeys, Sessions: f.sessions, Audit: f.audit, Observer: f.outside,
		Log:     slog.New(slog.NewJSONHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelInfo})),
		Healthz: ok(200, `{"status":"ok"}`), Readyz: ok(503, `{"status":"down","checks":[]}`), Metrics: plainMetrics(),
		Now: func() time.Time { return testNow },
	}
	for _, c := range change {
		c(&cfg, &deps)
	}
	server, err := api.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	f.stop = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
	})
	t.Cleanup(f.stop)
	f.server, f.url = server, "http://"+server.Addr().String()
	return f
}

func plainMetrics() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, "asyncops_up 1\n")
	})
}

// minimalDeps is enough for a server that serves nothing.
func minimalDeps() api.Deps {
	l, o := newFakeLedger(), &fakeOutside{}
	return api.Deps{
		Ledger: l, Schedules: l, Signals: l, Watcher: l, Targets: fakeTargets{}, Deliveries: o, Observer: o, Log: slog.New(slog.DiscardHandler),
		Healthz: ok(200, "{}"), Readyz: ok(200, "{}"),
	}
}

// open serves everybody.
func open(cfg *api.Config, _ *api.Deps) { cfg.Open = true }

// answer is what a request got.
type answer struct {
	Status int
	Header http.Header
	Body   string
}

// problem reads the answer's problem.
func (a answer) problem(t testing.TB) api.Problem {
	t.Helper()
	var p api.Problem
	if a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("Content-Type = %q, want application/problem+json; body %s", a.Header.Get("Content-Type"), a.Body)
	}
	if err := json.Unmarshal([]byte(a.Body), &p); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	if p.Status != a.Status || p.Title != http.StatusText(a.Status) || p.Type != "about:blank" || p.Detail == "" {
		t.Errorf("problem = %+v, want one of status %d", p, a.Status)
	}
	return p
}

// decode reads the answer's body.
func decode[T any](t testing.TB, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.Body), &v); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	return v
}

// jobBody is what tests look at of a job.
type jobBody struct {
	ID     job.ID            `json:"id"`
	State  job.State         `json:"state"`
	Queue  string            `json:"queue"`
	Args   json.RawMessage   `json:"args"`
	Result json.RawMessage   `json:"result"`
	Error  *job.Error        `json:"error"`
	Links  map[string]string `json:"links"`
	RunAt  time.Time         `json:"run_at"`
}

// do sends a request with header lines, "Name: value" each.
func (f *fixture) do(t testing.TB, method, path, body string, lines ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, f.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "Host":
			r.Host = value
		case "Content-Type":
			r.Header.Set(name, value)
		default:
			r.Header.Add(name, value)
		}
	}
	return f.send(t, r, body)
}

func (f *fixture) send(t testing.TB, r *http.Request, body string) answer {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Header.Get("X-Request-Id") == "" {
		t.Errorf("%s %s: no X-Request-Id", r.Method, r.URL)
	}
	checkAgainstDocument(t, r, body, resp, got)
	return answer{resp.StatusCode, resp.Header, string(got)}
}

func as(key string) string { return "Authorization: Bearer " + key }

// golden compares a JSON body with a file, ids and request ids aside.
func golden(t *testing.T, name, body string) {
	t.Helper()
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, []byte(body), "", "  "); err != nil {
		t.Fatalf("body %q: %v", body, err)
	}
	ids := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	got := ids.ReplaceAllString(pretty.String(), "<id>") + "\n"
	path := filepath.Join("testdata", name+".json")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}
