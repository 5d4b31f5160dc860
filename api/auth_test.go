package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// requestFor fills the path of a route.
func requestFor(line string) (method, path, body string) {
	method, path, _ = strings.Cut(line, " ")
	path = strings.NewReplacer("{id}", "0199d2c4-7b1e-7c3a-9d51-2f6f0c1a4e77", "{queue}", "default", "{name}", "main", "{file}", "docs.js").Replace(path)
	switch line {
	case "POST /v1/jobs":
		body = insert
	case "POST /v1/jobs/batch":
		body = "[" + insert + "]"
	}
	return method, path, body
}

func TestRolesAndRoutes(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"viewer": viewerKey, "submitter": submitterKey, "operator": operatorKey, "admin": adminKey}
	f := start(t)
	for _, line := range f.server.Routes() {
		method, path, body := requestFor(line)
		scope := f.server.ScopeOf(line)
		for role, key := range keys {
			// A stream would not end: who may open it is told what it is.
			got := f.do(t, method, path, body, as(key), "Accept: application/json")
			allowed := scope == "" || slices.Contains(api.RoleScopes(role), scope)
			if (got.Status == 403) == allowed || got.Status == 401 {
				t.Errorf("%s as %s = %d %s, allowed want %t", line, role, got.Status, got.Body, allowed)
			}
		}
		if got := f.do(t, method, path, body); (got.Status == 401) != (scope != "") {
			t.Errorf("%s without a key = %d, 401 want %t", line, got.Status, scope != "")
		}
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"viewer": "[jobs:read]", "submitter": "[jobs:write jobs:read]",
		"operator": "[jobs:write jobs:read jobs:payload queues:admin schedules:write targets:admin audit:read]",
		"admin":    "[jobs:write jobs:read jobs:payload queues:admin schedules:write targets:admin keys:admin audit:read]", "root": "[]",
	} {
		if got := fmt.Sprint(api.RoleScopes(role)); got != want {
			t.Errorf("RoleScopes(%q) = %s, want %s", role, got, want)
		}
	}
}

func TestBadCredentials(t *testing.T) {
	t.Parallel()
	f := start(t)
	wrong := f.do(t, "GET", "/v1/jobs", "", as(strings.TrimSuffix(viewerKey, "F")+"G"))
	for name, line := range map[string]string{
		"wrong secret": as(strings.TrimSuffix(viewerKey, "F") + "G"), "unknown id": as("aok_nobody" + secret), "no key": as("hello"),
		"short secret": as("aok_viewer_abc"), "basic": "Authorization: Basic dmlld2VyOng=", "empty": "Authorization: Bearer ",
		"jwt without algorithm": as("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."), "path for an id": as("aok_../../x" + secret),
		"id in capitals": as("aok_VIEWER" + secret), "trailing": as(viewerKey + " "), "long": as("aok_viewer_" + strings.Repeat("a", 8<<10)),
	} {
		got := f.do(t, "GET", "/v1/jobs", "", line)
		if name == "trailing" { // net/http trims it
			if got.Status != 200 {
				t.Errorf("%s = %d, want 200", name, got.Status)
			}
			continue
		}
		if got.Status != 401 || got.Body != wrong.Body || !strings.HasPrefix(got.Header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s = %d %s %q, want 401 and the same body as a wrong secret", name, got.Status, got.Body, got.Header.Get("WWW-Authenticate"))
		}
	}
	if got := f.do(t, "GET", "/v1/jobs?api_key="+viewerKey, ""); got.Status != 401 {
		t.Errorf("key in the query = %d, want 401", got.Status)
	}
	if got := f.do(t, "GET", "/v1/jobs", "", as(viewerKey), as(viewerKey)); got.Status != 401 {
		t.Errorf("two keys = %d, want 401", got.Status)
	}
	if got := f.do(t, "GET", "/v1/jobs", "", "Authorization: bearer "+viewerKey); got.Status != 200 {
		t.Errorf("bearer in lower case = %d, want 200", got.Status)
	}
	if strings.Contains(f.logs.String(), "0123456789abcdef") {
		t.Error("a secret is in the log")
	}
}

func TestScopesBesidesARole(t *testing.T) {
	t.Parallel()
	f := start(t, func(_ *api.Config, deps *api.Deps) {
		deps.ConfiguredKeys = func() []api.Key {
			return []api.Key{
				{ID: "scoped", Scopes: []string{"jobs:read", "queues:admin"}, Hash: api.HashKey("aok_scoped" + secret)},
				{ID: "wrongrole", Role: "root", Hash: api.HashKey("aok_wrongrole" + secret)},
				{ID: "wronghash", Role: "admin", Hash: "abc"},
				{ID: "past", Role: "admin", Hash: api.HashKey("aok_past" + secret), ExpiresAt: testNow},
				{ID: "later", Role: "admin", Hash: api.HashKey("aok_later" + secret), ExpiresAt: testNow.Add(time.Second)},
				{ID: "revoked", Role: "admin", Hash: api.HashKey("aok_revoked" + secret), RevokedAt: testNow.Add(-time.Second)},
			}
		}
	})
	for _, tt := range []struct {
		id, method, path string
		status           int
	}{
		{"scoped", "GET", "/v1/jobs", 200}, {"scoped", "POST", "/v1/queues/default/pause", 200}, {"scoped", "POST", "/v1/jobs", 403},
		{"wrongrole", "GET", "/v1/jobs", 401}, {"wronghash", "GET", "/v1/jobs", 401}, {"past", "GET", "/v1/jobs", 401},
		{"later", "GET", "/v1/jobs", 200}, {"revoked", "GET", "/v1/jobs", 401},
	} {
		if got := f.do(t, tt.method, tt.path, "", as("aok_"+tt.id+secret)); got.Status != tt.status {
			t.Errorf("%s %s %s = %d %s, want %d", tt.id, tt.method, tt.path, got.Status, got.Body, tt.status)
		}
	}
}

func TestLimitedKeys(t *testing.T) {
	t.Parallel()
	f := start(t)
	db := stored(job.Pending)
	db.Kind, db.Args = "db.insert_one", []byte(`{"table":"users","values":{"a":1}}`) // database main, the only one
	call := stored(job.Pending)
	call.Kind, call.Args = "http.request", []byte(`{"client":"crm","method":"GET","path":"/"}`)
	critical := stored(job.Pending)
	critical.Queue = "critical"
	dbID, callID, criticalID, noopID := f.add(db), f.add(call), f.add(critical), f.add(stored(job.Pending))
	for _, tt := range []struct {
		name, key, method, path, body string
		status                        int
	}{
		{"allowed", limitedKey, "POST", "/v1/jobs", noop, 202},
		{"other queue", limitedKey, "POST", "/v1/jobs", `{"kind":"system.noop","queue":"critical"}`, 403},
		{"other kind", limitedKey, "POST", "/v1/jobs", `{"kind":"db.select_one","args":{"table":"users"}}`, 403},
		{"other database, by default", limitedKey, "POST", "/v1/jobs", insert, 403},
		{"other client", limitedKey, "POST", "/v1/jobs", `{"kind":"http.request","args":{"method":"GET","path":"/"}}`, 403},
		{"allowed database", targetKey, "POST", "/v1/jobs", insert, 202},
		{"other database", targetKey, "POST", "/v1/jobs", `{"kind":"db.insert_one","args":{"database":"sealed","table":"users","values":{"a":1}}}`, 403},
		{"transaction on the allowed database", targetKey, "POST", "/v1/jobs", `{"kind":"db.transaction","args":{"operations":[{"op":"insert_one","table":"users","values":{"a":1}}]}}`, 202},
		{"transaction on another database", targetKey, "POST", "/v1/jobs", `{"kind":"db.transaction","args":{"database":"sealed","operations":[{"op":"insert_one","table":"users","values":{"a":1}}]}}`, 403},
		{"look at the allowed database", targetKey, "POST", "/v1/jobs", `{"kind":"system.health","args":{"targets":["main"]}}`, 202},
		{"look at another database", targetKey, "POST", "/v1/jobs", `{"kind":"system.health","args":{"targets":["main","database sealed"]}}`, 403},
		{"look at the ledger", targetKey, "POST", "/v1/jobs", `{"kind":"system.health","args":{"targets":["ledger"]}}`, 403},
		{"look at everything", targetKey, "POST", "/v1/jobs", `{"kind":"system.health"}`, 403},
		{"dry run", limitedKey, "POST", "/v1/jobs?dry_run=true", insert, 403},
		{"job of another queue", limitedKey, "GET", "/v1/jobs/" + string(criticalID), "", 403},
		{"job of another database", limitedKey, "GET", "/v1/jobs/" + string(dbID), "", 403},
		{"job of another client", limitedKey, "POST", "/v1/jobs/" + string(callID) + "/cancel", "", 403},
		{"its attempts", limitedKey, "GET", "/v1/jobs/" + string(dbID) + "/attempts", "", 403},
		{"deleting it", limitedKey, "DELETE", "/v1/jobs/" + string(dbID), "", 403},
		{"job that is allowed", limitedKey, "GET", "/v1/jobs/" + string(noopID), "", 200},
		{"job of the allowed database", targetKey, "GET", "/v1/jobs/" + string(dbID), "", 200},
		{"queue", limitedKey, "GET", "/v1/queues/critical", "", 403},
		{"filter", limitedKey, "GET", "/v1/jobs?queue=critical", "", 403},
		{"database", limitedKey, "GET", "/v1/databases/main", "", 403},
		{"client", limitedKey, "GET", "/v1/clients/crm", "", 403},
		{"database that is allowed", targetKey, "GET", "/v1/databases/main", "", 200},
	} {
		if got := f.do(t, tt.method, tt.path, tt.body, as(tt.key)); got.Status != tt.status {
			t.Errorf("%s = %d %s, want %d", tt.name, got.Status, got.Body, tt.status)
		}
	}
	for _, tt := range []struct{ key, path, has, hasNot string }{
		{limitedKey, "/v1/jobs", string(noopID), string(dbID)},
		{limitedKey, "/v1/jobs", string(noopID), string(criticalID)},
		{limitedKey, "/v1/jobs", string(noopID), string(callID)},
		{targetKey, "/v1/jobs", string(dbID), `"args"`},
		{limitedKey, "/v1/queues", `"default"`, `"critical"`},
		{targetKey, "/v1/databases", `"main"`, `"sealed"`},
		{limitedKey, "/v1/kinds", `"system.noop"`, `"db.select_one"`},
	} {
		got := f.do(t, "GET", tt.path, "", as(tt.key))
		if got.Status != 200 || !strings.Contains(got.Body, tt.has) || strings.Contains(got.Body, tt.hasNot) {
			t.Errorf("%s = %d %s, want %s and not %s", tt.path, got.Status, got.Body, tt.has, tt.hasNot)
		}
	}
	one := decode[batchBody](t, f.do(t, "POST", "/v1/jobs/batch", "["+noop+","+insert+"]", as(limitedKey)))
	if one.Accepted != 1 || one.Items[1].Error.Status != 403 {
		t.Errorf("batch = %+v, want the second item 403", one)
	}
}

// fakeKeys is a source of keys that counts the questions.
type fakeKeys struct {
	mu    sync.Mutex
	keys  map[string]api.Key // guarded by mu
	err   error              // guarded by mu
	asked int                // guarded by mu
}

func (k *fakeKeys) Key(_ context.Context, id string) (*api.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked++
	key, ok := k.keys[id]
	switch {
	case k.err != nil:
		return nil, k.err
	case !ok:
		return nil, fmt.Errorf("ledger: %w", job.ErrNotFound)
	}
	return &key, nil
}

func (k *fakeKeys) set(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
}

func (k *fakeKeys) count() (n int) {
	k.set(func() { n = k.asked })
	return n
}

func TestKeysOfTheLedger(t *testing.T) {
	t.Parallel()
	const text = "aok_kept" + secret
	source := &fakeKeys{keys: map[string]api.Key{"kept": {ID: "kept", Role: "viewer", Hash: api.HashKey(text)}}}
	var mu sync.Mutex
	now := testNow
	pass := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	f := start(t, func(_ *api.Config, deps *api.Deps) {
		deps.Keys = source
		deps.Now = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	want := func(step, key string, status, asked int) {
		t.Helper()
		got := f.do(t, "GET", "/v1/jobs", "", as(key))
		if got.Status != status || source.count() != asked {
			t.Errorf("%s = %d after %d questions, want %d after %d", step, got.Status, source.count(), status, asked)
		}
	}
	want("first", text, 200, 1)
	want("remembered", text, 200, 1)
	want("wrong secret", text[:len(text)-1]+"G", 401, 1)
	want("unknown", "aok_other"+secret, 401, 2)
	want("unknown again", "aok_other"+secret, 401, 2)
	source.set(func() {
		k := source.keys["kept"]
		k.RevokedAt = testNow
		source.keys["kept"] = k
		source.keys["other"] = api.Key{ID: "other", Role: "viewer", Hash: api.HashKey("aok_other" + secret)}
	})
	pass(4900 * time.Millisecond)
	want("not yet revoked", text, 200, 2)
	pass(200 * time.Millisecond)
	want("revoked", text, 401, 3)
	want("made meanwhile", "aok_other"+secret, 200, 4)
	pass(6 * time.Second)
	source.set(func() { source.err = fmt.Errorf("ledger: %w", job.ErrUnavailable) })
	want("source away", "aok_other"+secret, 503, 5)
	want("configured keys go on", viewerKey, 200, 5)
	source.set(func() { source.err = errors.New("broken") })
	want("source broken", "aok_other"+secret, 500, 6)
}

func TestFailedLoginsAreBounded(t *testing.T) {
	t.Parallel()
	source := &fakeKeys{}
	f := start(t, func(_ *api.Config, deps *api.Deps) { deps.Keys = source })
	counts := map[int]int{}
	for i := range 600 {
		counts[f.do(t, "GET", "/v1/jobs", "", as(fmt.Sprintf("aok_guess%d%s", i, secret))).Status]++
	}
	if counts[401] != 500 || counts[429] != 100 || source.count() != 500 {
		t.Errorf("= %v after %d questions, want 500 times 401, 100 times 429, 500 questions", counts, source.count())
	}
	if got := f.do(t, "GET", "/v1/jobs", "", as(viewerKey)); got.Status != 200 {
		t.Errorf("a good key from the same address = %d, want 200", got.Status)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, _ *api.Deps) {
		cfg.RateLimit = api.RateLimit{Requests: 2, Per: 10 * time.Second, Burst: 3}
	})
	for i, want := range []int{200, 200, 200, 429} {
		got := f.do(t, "GET", "/v1/kinds", "", as(viewerKey))
		left := max(0, 2-i)
		if got.Status != want || !strings.HasPrefix(got.Header.Get("RateLimit"), fmt.Sprintf(`"default";r=%d;t=`, left)) {
			t.Errorf("%d = %d, RateLimit %q; want %d with %d left", i, got.Status, got.Header.Get("RateLimit"), want, left)
		}
		if policy := got.Header.Get("RateLimit-Policy"); policy != `"default";q=3;w=15` {
			t.Errorf("RateLimit-Policy = %q", policy)
		}
		if want == 429 && got.Header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After = %q, want 5", got.Header.Get("Retry-After"))
		}
	}
	if got := f.do(t, "GET", "/v1/kinds", "", as(adminKey)); got.Status != 200 {
		t.Errorf("another key = %d, want 200", got.Status)
	}
	if got := f.do(t, "GET", "/healthz", ""); got.Status != 200 {
		t.Errorf("/healthz = %d, want 200", got.Status)
	}
}

func TestRateLimitByAddress(t *testing.T) {
	t.Parallel()
	f := start(t, open, func(cfg *api.Config, _ *api.Deps) {
		cfg.RateLimit = api.RateLimit{Requests: 1, Per: time.Hour}
		cfg.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	for _, tt := range []struct {
		forwarded string
		status    int
	}{{"203.0.113.7", 200}, {"203.0.113.7", 429}, {"203.0.113.8", 200}, {"203.0.113.9, 203.0.113.8", 429}} {
		if got := f.do(t, "GET", "/v1/kinds", "", "X-Forwarded-For: "+tt.forwarded); got.Status != tt.status {
			t.Errorf("for %s = %d, want %d", tt.forwarded, got.Status, tt.status)
		}
	}
}

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	good := api.Config{Listen: "127.0.0.1:0", Queues: []string{"default"}}
	if err := good.Validate(); err != nil {
		t.Errorf("Validate() = %v, want nil", err)
	}
	for name, change := range map[string]func(*api.Config){
		"no queues": func(c *api.Config) { c.Queues = nil }, "no port": func(c *api.Config) { c.Listen = "localhost" },
		"half a certificate": func(c *api.Config) { c.Certificate = "x" }, "negative limit": func(c *api.Config) { c.BodyLimit = -1 },
		"negative rate": func(c *api.Config) { c.RateLimit.Burst = -1 },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil {
			t.Errorf("%s: Validate() = nil, want an error", name)
		}
		if _, err := api.New(c, minimalDeps()); err == nil {
			t.Errorf("%s: New() = nil, want an error", name)
		}
	}
	if _, err := api.New(good, api.Deps{}); err == nil {
		t.Error("New() without a ledger = nil, want an error")
	}
	c := good
	c.Open, c.CORSOrigins = true, []string{"not an origin"}
	if _, err := api.New(c, minimalDeps()); err == nil {
		t.Error("New() with a bad origin = nil, want an error")
	}
}
