package api_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
)

// fakeSessions keeps sessions in memory. Several servers may share it.
type fakeSessions struct {
	mu    sync.Mutex
	open  map[string]job.Session // guarded by mu
	looks int                    // guarded by mu
	down  error                  // guarded by mu
}

func (f *fakeSessions) OpenSession(_ context.Context, s job.Session, life time.Duration) (time.Time, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s.ExpiresAt = testNow.Add(life)
	f.open[s.ID] = s
	return s.ExpiresAt, f.down
}

func (f *fakeSessions) Session(_ context.Context, id string) (*job.Session, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks++
	s, ok := f.open[id]
	switch {
	case f.down != nil:
		return nil, f.down
	case !ok:
		return nil, job.ErrNotFound
	}
	return &s, nil
}

func (f *fakeSessions) CloseSession(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.open, id)
	return f.down
}

// sessionBody is what tests look at of a session.
type sessionBody struct {
	Authenticated bool `json:"authenticated"`
	KeysRequired  bool `json:"keys_required"`
	Key           *struct {
		ID     string   `json:"id"`
		Name   string   `json:"name"`
		Role   string   `json:"role"`
		Queues []string `json:"queues"`
	} `json:"key"`
	Scopes    []string   `json:"scopes"`
	ExpiresAt *time.Time `json:"expires_at"`
}

// login logs in with the key and returns the header line of the session.
func (f *fixture) login(t testing.TB, key string, lines ...string) (line string, cookie *http.Cookie) {
	t.Helper()
	got := f.do(t, "POST", "/v1/session", `{"key":"`+key+`"}`, lines...)
	if got.Status != 200 {
		t.Fatalf("login = %d %s, want 200", got.Status, got.Body)
	}
	cookies := (&http.Response{Header: got.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("login set the cookies %v, want one", cookies)
	}
	if strings.Contains(got.Body, "0123456789") || strings.Contains(cookies[0].Value, "admin") {
		t.Errorf("login answered %s and %s: something of the key is in it", got.Body, cookies[0].Value)
	}
	return "Cookie: " + cookies[0].Name + "=" + cookies[0].Value, cookies[0]
}

func TestSession(t *testing.T) {
	t.Parallel()
	f := start(t)
	before := decode[sessionBody](t, f.do(t, "GET", "/v1/session", ""))
	if before.Authenticated || !before.KeysRequired || before.Key != nil || len(before.Scopes) != 0 {
		t.Errorf("GET /v1/session without a key = %+v, want nobody, and that a key is needed", before)
	}
	line, cookie := f.login(t, operatorKey)
	if cookie.Name != "asyncops" || !cookie.HttpOnly || cookie.Secure || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/" ||
		cookie.Domain != "" || cookie.MaxAge != 12*60*60 {
		t.Errorf("cookie = %+v, want one for this machine, out of reach of scripts and other sites, for 12 h", cookie)
	}
	got := decode[sessionBody](t, f.do(t, "GET", "/v1/session", "", line))
	if !got.Authenticated || got.Key == nil || got.Key.ID != "operator" || got.Key.Name != "operator" || got.Key.Role != "operator" || got.Key.Queues != nil ||
		!slices.Contains(got.Scopes, "queues:admin") || slices.Contains(got.Scopes, "keys:admin") || !got.ExpiresAt.Equal(testNow.Add(12*time.Hour)) {
		t.Errorf("GET /v1/session = %+v, want the operator for 12 h", got)
	}
	if got := f.do(t, "POST", "/v1/jobs", insert, line); got.Status != 202 || f.last().Owner != "operator" {
		t.Errorf("submit with a session = %d %s by %q, want 202 by the key's id", got.Status, got.Body, f.last().Owner)
	}
	if got := f.do(t, "GET", "/v1/jobs", "", line, as("aok_nobody"+secret)); got.Status != 401 {
		t.Errorf("a session beside a wrong key = %d, want 401", got.Status)
	}
	viewer, _ := f.login(t, viewerKey)
	if got := f.do(t, "POST", "/v1/jobs", insert, viewer); got.Status != 403 {
		t.Errorf("submit with a viewer's session = %d, want 403", got.Status)
	}
	if got := f.do(t, "DELETE", "/v1/session", "", line); got.Status != 204 || !strings.Contains(got.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("logout = %d %q, want 204 and that the cookie is forgotten", got.Status, got.Header.Get("Set-Cookie"))
	}
	if got := f.do(t, "GET", "/v1/jobs", "", line); got.Status != 401 || !strings.Contains(got.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("a session after its end = %d %q, want 401 and that the cookie is forgotten", got.Status, got.Header.Get("Set-Cookie"))
	}
	for range 2 {
		if got := f.do(t, "DELETE", "/v1/session", ""); got.Status != 204 {
			t.Errorf("logout without a session = %d, want 204", got.Status)
		}
	}
	if got := f.do(t, "GET", "/v1/jobs", "", viewer); got.Status != 200 {
		t.Errorf("another session = %d, want 200", got.Status)
	}
}

func TestSessionCookies(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		name, want string
		lines      []string
	}{
		{"loopback", "asyncops", []string{"Host: localhost:8080"}},
		{"its own page", "asyncops", []string{"Host: 127.0.0.1:8080", "Origin: http://127.0.0.1:8080"}},
		{"a name", "__Host-asyncops", []string{"Host: jobs.example.com"}},
		{"behind a proxy that ends TLS", "__Host-asyncops", []string{"Host: 127.0.0.1:8080", "Origin: https://jobs.example.com", "Sec-Fetch-Site: same-origin"}},
	} {
		line, cookie := f.login(t, viewerKey, tt.lines...)
		if cookie.Name != tt.want || cookie.Secure != strings.HasPrefix(tt.want, "__Host-") || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("%s: cookie = %+v, want %s", tt.name, cookie, tt.want)
		}
		if got := f.do(t, "GET", "/v1/jobs", "", line); got.Status != 200 {
			t.Errorf("%s: list with %s = %d, want 200", tt.name, line, got.Status)
		}
	}
}

func TestSessionsOfOtherSites(t *testing.T) {
	t.Parallel()
	f := start(t)
	line, _ := f.login(t, adminKey)
	for name, lines := range map[string][]string{
		"cross-site": {"Sec-Fetch-Site: cross-site"}, "same-site": {"Sec-Fetch-Site: same-site"}, "origin": {"Origin: https://evil.example"},
	} {
		for _, target := range [][3]string{
			{"POST", "/v1/queues/default/pause", ""}, {"POST", "/v1/jobs", insert}, {"DELETE", "/v1/session", ""}, {"POST", "/v1/session", `{"key":"` + adminKey + `"}`},
		} {
			got := f.do(t, target[0], target[1], target[2], append(slices.Clone(lines), line)...)
			if got.Status != 403 || got.problem(t).Code != "cross_origin" {
				t.Errorf("%s: %s %s = %d %s, want 403 cross_origin", name, target[0], target[1], got.Status, got.Body)
			}
		}
	}
	if got := f.do(t, "POST", "/v1/queues/default/pause", "", line, "Sec-Fetch-Site: same-origin"); got.Status != 200 {
		t.Errorf("pause from the own page = %d %s, want 200", got.Status, got.Body)
	}
	if got := f.do(t, "POST", "/v1/queues/default/pause", "", as(adminKey), "Origin: https://app.example.com"); got.Status != 200 {
		t.Errorf("pause with a key from elsewhere = %d %s, want 200: no browser adds a key by itself", got.Status, got.Body)
	}
}

func TestBadLogins(t *testing.T) {
	t.Parallel()
	f := start(t)
	for _, tt := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"wrong secret", `{"key":"aok_admin_0123456789abcdefghijklmnopqrstuvwxyzABCDEX"}`, 401, "unauthorized"},
		{"unknown", `{"key":"aok_nobody` + secret + `"}`, 401, "unauthorized"},
		{"no key at all", `{"key":"hello"}`, 401, "unauthorized"},
		{"empty", `{"key":""}`, 422, "required"},
		{"missing", `{}`, 422, "required"},
		{"number", `{"key":7}`, 400, ""},
		{"unknown field", `{"key":"x","role":"admin"}`, 400, ""},
		{"no body", "", 400, "malformed"},
	} {
		got := f.do(t, "POST", "/v1/session", tt.body)
		if p := got.problem(t); got.Status != tt.status || tt.code != "" && p.Code != tt.code || got.Header.Get("Set-Cookie") != "" {
			t.Errorf("%s: login = %d %s %q, want %d %s", tt.name, got.Status, got.Body, got.Header.Get("Set-Cookie"), tt.status, tt.code)
		}
	}
	for name, cookie := range map[string]string{
		"nothing of ours": "hello", "no session": strings.Repeat("A", 43), "empty": "", "long": strings.Repeat("A", 4000), "an API key": adminKey,
	} {
		if got := f.do(t, "GET", "/v1/jobs", "", "Cookie: asyncops="+cookie); got.Status != 401 {
			t.Errorf("cookie %s = %d, want 401", name, got.Status)
		}
		if got := decode[sessionBody](t, f.do(t, "GET", "/v1/session", "", "Cookie: asyncops="+cookie)); got.Authenticated {
			t.Errorf("cookie %s: GET /v1/session = %+v, want nobody", name, got)
		}
	}
}

func TestLoginsAreThrottled(t *testing.T) {
	t.Parallel()
	f := start(t)
	var last answer
	for range 600 { // the clock stands still: none comes back
		if last = f.do(t, "POST", "/v1/session", `{"key":"aok_admin_0123456789abcdefghijklmnopqrstuvwxyzABCDEX"}`); last.Status != 401 {
			break
		}
	}
	if last.Status != 429 || last.Header.Get("Retry-After") == "" {
		t.Fatalf("login after many wrong ones = %d %s, want 429", last.Status, last.Body)
	}
	if got := f.do(t, "POST", "/v1/session", `{"key":"`+adminKey+`"}`); got.Status != 429 {
		t.Errorf("login with the right key meanwhile = %d, want 429: it would tell which one it is", got.Status)
	}
	f.sessions.mu.Lock()
	looks := f.sessions.looks
	f.sessions.mu.Unlock()
	if got := f.do(t, "GET", "/v1/jobs", "", "Cookie: asyncops="+strings.Repeat("A", 43)); got.Status != 429 {
		t.Errorf("a guessed session = %d, want 429", got.Status)
	}
	f.sessions.mu.Lock()
	defer f.sessions.mu.Unlock()
	if f.sessions.looks != looks {
		t.Error("the ledger was asked for a guessed session although the address had no guesses left")
	}
}

func TestSessionsInSeveralProcesses(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now, hash, role, keys := testNow, api.HashKey(adminKey), "admin", true
	set := func(change func()) { mu.Lock(); defer mu.Unlock(); change() }
	shared := &fakeSessions{open: map[string]job.Session{}}
	each := func(_ *api.Config, deps *api.Deps) {
		deps.Sessions = shared
		deps.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
		deps.ConfiguredKeys = func() []api.Key {
			mu.Lock()
			defer mu.Unlock()
			if !keys {
				return nil
			}
			return []api.Key{{ID: "admin", Name: "ops", Role: role, Hash: hash}}
		}
	}
	a, b := start(t, each), start(t, each)
	line, _ := a.login(t, adminKey)
	want := func(f *fixture, why string, method, path string, status int) {
		t.Helper()
		if got := f.do(t, method, path, "", line); got.Status != status {
			t.Errorf("%s: %s %s = %d %s, want %d", why, method, path, got.Status, got.Body, status)
		}
	}
	want(b, "a session of another process", "GET", "/v1/jobs", 200)
	set(func() { role = "viewer"; now = now.Add(5 * time.Second) })
	want(b, "a role that has changed", "POST", "/v1/queues/default/pause", 403)
	set(func() { hash = api.HashKey(viewerKey); now = now.Add(5 * time.Second) })
	want(b, "a secret that was replaced", "GET", "/v1/jobs", 401)
	set(func() { hash = api.HashKey(adminKey); keys = false; now = now.Add(5 * time.Second) })
	want(b, "a key that is gone", "GET", "/v1/jobs", 401)
	set(func() { keys = true; now = now.Add(5 * time.Second) })
	want(b, "a key that is back", "GET", "/v1/jobs", 200)
	want(a, "logout elsewhere", "DELETE", "/v1/session", 204)
	set(func() { now = now.Add(5 * time.Second) })
	want(b, "logged out elsewhere", "GET", "/v1/jobs", 401)

	line, _ = a.login(t, adminKey)
	set(func() { now = testNow.Add(12 * time.Hour) })
	want(a, "after its life", "GET", "/v1/jobs", 401)
}

func TestSessionsWithoutTheirLedger(t *testing.T) {
	t.Parallel()
	f := start(t)
	line, _ := f.login(t, viewerKey)
	f.sessions.mu.Lock()
	f.sessions.down = errors.Join(job.ErrUnavailable)
	f.sessions.mu.Unlock()
	if got := f.do(t, "POST", "/v1/session", `{"key":"`+viewerKey+`"}`); got.Status != 503 || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("login = %d %s, want 503 and no cookie", got.Status, got.Body)
	}
	if got := f.do(t, "GET", "/v1/jobs", "", line); got.Status != 503 || got.Header.Get("Set-Cookie") != "" {
		t.Errorf("list with a session = %d %s, want 503, and that the browser keeps the cookie", got.Status, got.Body)
	}
	if got := f.do(t, "GET", "/v1/session", "", line); got.Status != 503 {
		t.Errorf("GET /v1/session = %d, want 503", got.Status)
	}
	if got := f.do(t, "GET", "/v1/jobs", "", as(viewerKey)); got.Status != 200 {
		t.Errorf("list with a configured key = %d, want 200", got.Status)
	}
	none := start(t, func(_ *api.Config, deps *api.Deps) { deps.Sessions = nil })
	if got := none.do(t, "POST", "/v1/session", `{"key":"`+viewerKey+`"}`); got.Status != 404 {
		t.Errorf("login where no sessions are kept = %d, want 404", got.Status)
	}
}

func TestSessionOfAnOpenServer(t *testing.T) {
	t.Parallel()
	f := start(t, open)
	for _, got := range []answer{f.do(t, "GET", "/v1/session", ""), f.do(t, "POST", "/v1/session", `{"key":"anything"}`)} {
		s := decode[sessionBody](t, got)
		if got.Status != 200 || !s.Authenticated || s.KeysRequired || s.Key != nil || len(s.Scopes) != len(api.Scopes()) || got.Header.Get("Set-Cookie") != "" {
			t.Errorf("session = %d %s, want that everybody may do everything", got.Status, got.Body)
		}
	}
}

func TestDashboardIsMounted(t *testing.T) {
	t.Parallel()
	f := start(t, func(cfg *api.Config, deps *api.Deps) {
		cfg.DashboardPath, cfg.CORSOrigins = pagesPath+"/", []string{"https://app.example.com"}
		deps.Dashboard = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write([]byte("page " + r.URL.Path))
		})
	})
	for _, path := range []string{"/ops/ui", "/ops/ui/", "/ops/ui/jobs", "/ops/ui/assets/x/app.js"} {
		if got := f.do(t, "GET", path, ""); got.Status != 200 || got.Body != "page "+path {
			t.Errorf("GET %s = %d %s, want the page", path, got.Status, got.Body)
		}
	}
	for path, want := range map[string]string{"/ops/ui/jobs": "", "/v1/session": "https://app.example.com"} {
		got := f.do(t, "GET", path, "", "Origin: https://app.example.com").Header.Get("Access-Control-Allow-Origin")
		if got != want {
			t.Errorf("GET %s lets %q read the answer, want %q", path, got, want)
		}
	}
	got := f.do(t, "POST", "/ops/ui/session", `{"key":"`+viewerKey+`"}`)
	if got.Status != 200 || !strings.HasPrefix(got.Header.Get("Set-Cookie"), "asyncops=") {
		t.Errorf("login beneath the pages = %d %s, want 200 and a cookie", got.Status, got.Body)
	}
	if got := f.do(t, "DELETE", "/ops/ui/session", ""); got.Status != 204 {
		t.Errorf("logout beneath the pages = %d, want 204", got.Status)
	}
	if got := f.do(t, "POST", "/ops/ui/jobs", "{}"); got.Status != 405 {
		t.Errorf("POST to a page = %d, want 405", got.Status)
	}
}
