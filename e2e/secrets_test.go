package e2e_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// What jobs carry and what the system is trusted with stays in the ledger, in
// the targets and with those who may see it: none of it is in Redis, logs,
// metrics or anything that needs no key.
func TestSecretsStayPut(t *testing.T) {
	t.Parallel()
	canary := "canary" + strings.ToLower(rand.Text())
	// The upstream gives everything away that it was told, in an error.
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Secret", canary)
		w.WriteHeader(http.StatusTeapot)
		_, _ = fmt.Fprintf(w, `{"authorization": %q}`, r.Header.Get("Authorization")+canary)
	}))
	t.Cleanup(upstream.Close)
	redis, target := testkit.Redis(t), testkit.PostgresDatabase(t)
	commands := record(t, redis)
	withPassword := func(dsn string) string { return strings.Replace(dsn, "asyncops@", "asyncops:"+canary+"@", 1) }
	s := newSystem(t, withPassword(testkit.PostgresDatabase(t)), redis.URL(), withPassword(target))
	s.table("people")
	s.section("databases")["gone"] = object{
		"dsn":    "postgres://asyncops:" + canary + "@" + testkit.FreeAddr(t) + "/gone?sslmode=disable",
		"tables": object{"people": object{"write": true}},
	}
	s.section("clients")["up"] = object{
		"base_url": upstream.URL, "allow_networks": []string{"127.0.0.0/8"}, "max_retries": 0,
		"auth": object{"type": "bearer", "token": "${TOKEN}"},
	}
	s.settings["observability"] = object{"log_level": "debug"}
	viewerKey := "aok_viewer1_" + canary + rand.Text()
	s.env = append(s.env, "TOKEN="+canary, "VIEWER_KEY="+viewerKey)
	s.section("api")["keys"] = append(s.section("api")["keys"].([]object),
		object{"name": "viewer", "key": "${VIEWER_KEY}", "role": "viewer"})
	db := openPostgres(t, target)
	execute(t, db, `CREATE TABLE people (name text UNIQUE, age integer)`, `INSERT INTO people VALUES ('`+canary+`')`)

	migrate := s.start("cmd/asyncops", "migrate")
	if code := migrate.WaitExit(startTimeout); code != 0 {
		t.Fatalf("asyncops migrate exited with %d: %s", code, migrate.Stderr())
	}
	check := s.start("cmd/asyncops", "config", "check", "--connect")
	if code := check.WaitExit(startTimeout); code != 1 {
		t.Errorf("asyncops config check --connect exited with %d, want 1: database gone is", code)
	}
	api := s.start("cmd/api")
	s.awaitReadyz(t, startTimeout, http.StatusOK, "degraded")
	scheduler, worker := s.launch("cmd/scheduler"), s.startWorker()
	programs := map[string]*testkit.Process{
		"migrate": migrate, "config check": check, "api": api, "scheduler": scheduler.Process, "worker": worker.Process,
	}

	jobs := secretJobs(canary)
	ids := s.mustBatch(t, jobs)
	viewer := newCaller(t, s.apiAddr, viewerKey)
	for i, id := range ids {
		state := "archived"
		if i < goodSecretJobs {
			state = "completed"
		}
		s.awaitState(t, time.Minute, id, state)
		if seen := s.must(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, nil).String(); !strings.Contains(seen, canary) {
			t.Errorf("GET /v1/jobs/%s by its submitter = %s, want the args in it", id, seen)
		}
	}
	refuseSecrets(t, s.caller, canary)

	said := map[string]string{
		"Redis's commands": commands.String(), "Redis's contents": contents(t, redis),
		"list by a viewer": viewer.must(t, http.StatusOK, http.MethodGet, "/v1/jobs?include=payload", nil).String(),
	}
	for _, id := range ids {
		said["job "+id+" by a viewer"] = viewer.must(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id, nil).String()
		said["attempts of "+id+" by a viewer"] = viewer.must(t, http.StatusOK, http.MethodGet, "/v1/jobs/"+id+"/attempts", nil).String()
		if !strings.Contains(said["Redis's commands"], id) {
			t.Errorf("Redis was never told of job %s: this run shows nothing", id)
		}
	}
	for _, path := range []string{"/v1/databases", "/v1/databases/gone", "/v1/clients", "/v1/workers", "/v1/queues", "/v1/kinds"} {
		said[path] = s.must(t, http.StatusOK, http.MethodGet, path, nil).String()
	}
	for _, path := range []string{"/openapi.json", "/docs"} {
		said[path] = newCaller(t, s.apiAddr, "").must(t, http.StatusOK, http.MethodGet, path, nil).String()
	}
	for name, addr := range map[string]string{
		"api": s.url, "scheduler": scheduler.probe.url, "worker": worker.probe.url,
	} {
		for _, path := range []string{"/metrics", "/readyz", "/healthz"} {
			said[path+" of "+name] = newCaller(t, strings.TrimPrefix(addr, "http://"), "").must(t, http.StatusOK, http.MethodGet, path, nil).String()
		}
	}
	for _, p := range []*testkit.Process{api, scheduler.Process, worker.Process} {
		p.Terminate()
		if code := p.WaitExit(startTimeout); code != 0 {
			t.Errorf("exit code after SIGTERM %d, want 0", code)
		}
	}
	for name, p := range programs {
		said["output of "+name] = p.Stdout() + p.Stderr()
	}
	for where, text := range said {
		requireNoSecret(t, where, text, canary)
	}
}

// goodSecretJobs is how many of secretJobs complete.
const goodSecretJobs = 2

// secretJobs carry the secret wherever a job can. All but the first fail, and
// their targets repeat it in what they say.
func secretJobs(secret string) []object {
	write := func(database string, values object) object {
		return object{"kind": "db.insert_one", "args": object{"database": database, "table": "people", "values": values}, "max_attempts": 1}
	}
	call := func(expect int) object {
		return object{"kind": "http.request", "max_attempts": 1, "args": object{
			"client": "up", "method": "POST", "path": "/" + secret, "query": object{"q": secret},
			"headers": object{"X-Note": secret}, "body": object{"note": secret}, "expect": []int{expect},
		}}
	}
	return []object{
		write("main", object{"name": "new " + secret}),
		call(http.StatusTeapot),
		write("main", object{"name": secret}),              // not unique; the database quotes it
		write("main", object{"name": "b", "age": secret}),  // no integer; the database quotes it
		write("main", object{"name": "c", "none": secret}), // no such column
		write("gone", object{"name": secret}),
		call(http.StatusOK),
		{"kind": "system.noop", "max_attempts": 1, "args": object{"fail": secret}},
	}
}

// refuseSecrets has the API refuse requests with the secret in them.
func refuseSecrets(t *testing.T, api *caller, secret string) {
	t.Helper()
	stranger := &caller{url: api.url, key: "aok_nobody_" + secret + secret, http: api.http}
	stranger.must(t, http.StatusUnauthorized, http.MethodGet, "/v1/jobs", nil)
	api.must(t, http.StatusNotFound, http.MethodGet, "/v1/"+secret, nil)
	api.must(t, http.StatusBadRequest, http.MethodGet, "/v1/jobs/"+secret, nil)
	api.must(t, http.StatusBadRequest, http.MethodGet, "/v1/jobs?cursor="+secret, nil)
	api.must(t, http.StatusBadRequest, http.MethodPost, "/v1/jobs", object{"kind": "system.noop", "args": object{secret: 1}})
	api.must(t, http.StatusUnprocessableEntity, http.MethodPost, "/v1/jobs", object{"kind": secret})
}

// requireNoSecret looks for the secret as it is and in the ways in which it
// could have been written.
func requireNoSecret(t testing.TB, where, text, secret string) {
	t.Helper()
	plain := strings.ToLower(text)
	for _, form := range []string{secret, url.QueryEscape(secret), strings.ToUpper(secret)} {
		if i := strings.Index(plain, strings.ToLower(form)); i >= 0 {
			t.Errorf("%s holds the secret: …%s…", where, text[max(0, i-200):min(len(text), i+100)])
			return
		}
	}
	for shift := range 3 { // in the middle of something in base64
		coded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		if part := coded[4 : len(coded)-4]; strings.Contains(text, part) {
			t.Errorf("%s holds the secret in base64", where)
		}
	}
}
