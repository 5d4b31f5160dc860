package asyncops_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

const withMain = alone + `
databases: {main: {dsn: "sqlite:FOLDER/main.db", tables: {users: {write: true}}}}
`

// Database operations, one after the other on the same rows.
func TestSynchronousDatabase(t *testing.T) {
	t.Parallel()
	p := start(t, withMain, asyncops.Standalone())
	steps := []struct {
		kind, args string
		status     int
		want       string // the body, or the code of a problem
	}{
		{"db.insert_one", `{"table":"users","values":{"name":"Ada","age":36}}`, 201, `{"id":1,"rows_affected":1}`},
		{"db.insert_one", `{"table":"users","values":{"name":"Ada"}}`, 409, "exists"},
		{"db.insert_one", `{"table":"users","values":{"name":"Ada"},"on_conflict":{"columns":["name"],"action":"ignore"}}`, 200, `{"id":null,"rows_affected":0}`},
		{"db.insert_one", `{"table":"users","values":{"name":null}}`, 409, "constraint"},
		{"db.insert_many", `{"table":"users","rows":[{"name":"Bob"},{"name":"Eve"}]}`, 201, `{"rows_affected":2}`},
		{"db.select_one", `{"table":"users","where":{"name":"Ada"},"columns":["id","age"]}`, 200, `{"id":1,"age":36}`},
		{"db.select_one", `{"table":"users","where":{"name":"Zoe"}}`, 404, "not_found"},
		{"db.select_one", `{"table":"users","where":{"name":"Ada"},"cache":{"key":"ada"},"columns":["age"]}`, 200, `{"age":36}`},
		{"db.update_one", `{"table":"users","where":{"name":"Ada"},"values":{"age":{"$inc":1}}}`, 200, `{"rows_affected":1}`},
		{"db.select_one", `{"table":"users","where":{"name":"Ada"},"cache":{"key":"ada"},"columns":["age"]}`, 200, `{"age":37}`},
		{"db.select_many", `{"table":"users","columns":["name"],"order_by":["name"],"limit":2}`, 200, `{"rows":[{"name":"Ada"},{"name":"Bob"}],"count":2,"cached":false}`},
		{"db.update_one", `{"table":"users","where":{"name":"Zoe"},"values":{"age":1},"require":true}`, 404, "no_rows"},
		{"db.update_one", `{"table":"users","where":{"id":{"$gt":0}},"values":{"age":1}}`, 409, "too_many_rows"},
		{"db.delete_many", `{"table":"users","where":{"name":{"$in":["Bob","Eve"]}}}`, 200, `{"rows_affected":2}`},
		{"db.delete_many", `{"table":"users","where":{}}`, 422, "empty_where"},
		{"db.select_many", `{"table":"secrets"}`, 422, "unknown_table"},
		{"db.select_many", `{"table":"users","order_by":["shoes"]}`, 422, "unknown_column"},
		{"db.select_many", `{"table":"users","limit":"3"}`, 400, "wrong_type"},
		{"db.transaction", `{"operations":[{"op":"insert_one","table":"users","values":{"name":"Kim"}}]}`, 200, `{"results":[{"id":2,"rows_affected":1}]}`},
		{"db.brew", `{}`, 422, "unknown_kind"},
		{"system.noop", `{}`, 422, "not_available"},
	}
	for i, step := range steps {
		path := fmt.Sprint("/", i)
		p.echo.GET(path, asyncops.Synchronous(operation(step.kind, step.args)))
		got := p.do(t, "GET", path, "")
		body := got.body
		if step.status >= 400 {
			body = got.problem(t).Code
		}
		if got.status != step.status || body != step.want {
			t.Errorf("%s %s = %d %s, want %d %s", step.kind, step.args, got.status, got.body, step.status, step.want)
		}
	}
}

// What only a job can keep to is refused, and so is a key that nobody would
// honour.
func TestSynchronousIsNoJob(t *testing.T) {
	t.Parallel()
	p := start(t, withMain, asyncops.Standalone())
	submissions := map[string]asyncops.Submission{
		"queue": {Queue: "low"}, "delay": {Delay: time.Second}, "max_attempts": {MaxAttempts: 2},
		"tags": {Tags: []string{"x"}}, "key": {IdempotencyKey: "k"}, "retention": {Retention: time.Hour},
	}
	for name, s := range submissions {
		s.Kind, s.Args = "db.insert_one", json.RawMessage(`{"table":"users","values":{"name":"Ada"}}`)
		p.echo.POST("/"+name, asyncops.Synchronous(func(echo.Context) (asyncops.Submission, error) { return s, nil }))
		if got := p.do(t, "POST", "/"+name, ""); got.status != 500 || !strings.Contains(p.log.String(), "the rest is for jobs") {
			t.Errorf("with %s = %d %s, want 500 and a log line", name, got.status, got.body)
		}
	}
}

func TestSynchronousCall(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/made":
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprint(w, "made with ", r.Header.Get("Idempotency-Key"), " ", r.Header.Get("Traceparent"))
		case "/gone":
			w.WriteHeader(http.StatusNoContent)
		case "/missing":
			http.Error(w, "hunter2", http.StatusNotFound)
		case "/busy":
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
		default:
			http.Error(w, "hunter2", http.StatusInternalServerError)
		}
	}))
	t.Cleanup(upstream.Close)
	away := httptest.NewServer(nil)
	away.Close()
	p := start(t, alone+fmt.Sprintf(`
clients:
  crm: {base_url: %[1]q, allow_networks: [127.0.0.0/8], max_retries: 0, idempotency: {header: Idempotency-Key}}
  flapping: {base_url: %[1]q, allow_networks: [127.0.0.0/8], max_retries: 0, circuit_breaker: {threshold: 2, timeout: 1m}}
  busy: {base_url: %[1]q, allow_networks: [127.0.0.0/8], max_retries: 0}
  inside: {base_url: %[1]q}
  away: {base_url: %[2]q, allow_networks: [127.0.0.0/8], max_retries: 0}
`, upstream.URL, away.URL), asyncops.Standalone())
	call := func(args string) asyncops.Build {
		return func(c echo.Context) (asyncops.Submission, error) {
			return asyncops.Submission{Kind: "http.request", Args: json.RawMessage(args), IdempotencyKey: c.QueryParam("key")}, nil
		}
	}
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	tests := []struct {
		name, args, key string
		status          int
		want            string
	}{
		{"made", `{"client":"crm","method":"POST","path":"/made"}`, "?key=order-7", 201, "made with order-7 " + trace},
		{"gone", `{"client":"crm","method":"DELETE","path":"/gone"}`, "", 204, ""},
		{"expected", `{"client":"crm","method":"GET","path":"/missing","expect":[404]}`, "", 404, "hunter2"},
		{"not expected", `{"client":"crm","method":"GET","path":"/missing"}`, "", 502, "upstream_status"},
		{"may have happened", `{"client":"inside","method":"GET","path":"/"}`, "", 502, "dial_denied"},
		{"failed", `{"client":"busy","method":"POST","path":"/"}`, "", 502, "ambiguous"},
		{"away", `{"client":"away","method":"GET","path":"/"}`, "", 502, "upstream_unreachable"},
		{"path", `{"client":"crm","method":"GET","path":"/../x"}`, "", 422, ""},
		{"client", `{"client":"cmr","method":"GET","path":"/"}`, "", 422, "unknown_client"},
	}
	for i, test := range tests {
		p.echo.GET(fmt.Sprint("/", i), asyncops.Synchronous(call(test.args)))
		got := p.do(t, "GET", fmt.Sprint("/", i, test.key), "", "Traceparent", trace)
		body := got.body
		if got.header.Get("Content-Type") == "application/problem+json" {
			if body = got.problem(t).Code; strings.Contains(got.body, "hunter2") {
				t.Errorf("%s = %s: it tells what the other server said", test.name, got.body)
			}
		}
		if got.status != test.status || test.want != "" && body != test.want {
			t.Errorf("%s = %d %s, want %d %s", test.name, got.status, got.body, test.status, test.want)
		}
	}
	p.echo.GET("/flapping", asyncops.Synchronous(call(`{"client":"flapping","method":"GET","path":"/"}`)))
	for _, want := range []string{"upstream_status", "upstream_status", "breaker_open"} {
		got := p.do(t, "GET", "/flapping", "")
		if got.problem(t).Code != want || (want == "breaker_open") != (got.status == 503 && got.header.Get("Retry-After") != "") {
			t.Errorf("GET /flapping = %d %s (Retry-After %q), want %s", got.status, got.body, got.header.Get("Retry-After"), want)
		}
	}
	p.echo.GET("/busy", asyncops.Synchronous(call(`{"client":"busy","method":"GET","path":"/busy"}`)))
	if got := p.do(t, "GET", "/busy", ""); got.status != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("GET /busy = %d %s (Retry-After %q), want 503 with Retry-After", got.status, got.body, got.header.Get("Retry-After"))
	}
}

// shown is a job as a route answers with it.
type shown struct {
	ID     job.ID
	State  job.State
	Args   json.RawMessage
	Result json.RawMessage
	Links  map[string]string
}

func (a answer) job(t testing.TB) (j shown) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), &j); err != nil || j.ID == "" {
		t.Fatalf("%d %s is no job: %v", a.status, a.body, err)
	}
	return j
}

func TestBackground(t *testing.T) {
	t.Parallel()
	p := open(t, withMain, asyncops.Standalone())
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	const waiting = "9"
	asked := make(chan struct{}, 1)
	p.echo.Use(asyncops.MiddlewareWithConfig(p.App, asyncops.MiddlewareConfig{
		JobsPath: "/mine", OwnerFunc: func(c echo.Context) string {
			if c.Request().Method == http.MethodGet && c.Request().Header.Get("User") == waiting {
				asked <- struct{}{}
			}
			return c.Request().Header.Get("User")
		},
	}))
	p.echo.POST("/users", asyncops.Background(func(c echo.Context) (asyncops.Submission, error) {
		var values map[string]any
		if err := c.Bind(&values); err != nil {
			return asyncops.Submission{}, err
		}
		return asyncops.Submission{Kind: "db.insert_one", Args: map[string]any{"table": "users", "values": values}}, nil
	}))
	p.echo.POST("/later", asyncops.Background(func(echo.Context) (asyncops.Submission, error) {
		return asyncops.Submission{Kind: "system.noop", Delay: time.Hour}, nil
	}))
	p.echo.GET("/mine/:id", asyncops.JobStatus)

	first := p.do(t, "POST", "/users", `{"name":"Ada"}`, "Idempotency-Key", "k", "User", "7")
	j := first.job(t)
	if first.status != 202 || first.header.Get("Location") != "/mine/"+string(j.ID) || first.header.Get("Idempotency-Replayed") != "" ||
		len(j.Links) != 1 || j.Links["self"] != "/mine/"+string(j.ID) || !strings.Contains(string(j.Args), "Ada") {
		t.Errorf("POST /users = %d %s, %v; want 202 with Location", first.status, first.body, first.header)
	}
	again := p.do(t, "POST", "/users", `{"name":"Ada"}`, "Idempotency-Key", "k", "User", "7", "Prefer", "wait=60")
	if got := again.job(t); again.status != 200 || got.ID != j.ID || got.State != job.Completed || again.header.Get("Idempotency-Replayed") != "true" ||
		again.header.Get("Preference-Applied") != "wait=60" || string(got.Result) != `{"id":1,"rows_affected":1}` {
		t.Errorf("the same again = %d %s, %v; want 200 and the first job, completed", again.status, again.body, again.header)
	}
	if got := p.do(t, "POST", "/users", `{"name":"Bob"}`, "Idempotency-Key", "k", "User", "7"); got.status != 422 || got.problem(t).Code != "idempotency_mismatch" {
		t.Errorf("another body with the key = %d %s, want 422", got.status, got.body)
	}
	if got := p.do(t, "POST", "/users", `{"name":"Bob"}`, "Idempotency-Key", "k", "User", "8"); got.status != 202 || got.job(t).ID == j.ID {
		t.Errorf("another user's key = %d %s, want a job of its own", got.status, got.body)
	}
	if got := p.do(t, "POST", "/users", `{"name":"Bob"}`, "Idempotency-Key", "k\x01"); got.status != 400 || got.problem(t).Code != "idempotency_key" {
		t.Errorf("a bad key = %d %s, want 400", got.status, got.body)
	}
	if got := p.do(t, "POST", "/users", `{"name":`); got.status != 400 || got.problem(t).Code != "bad_request" {
		t.Errorf("a bad body = %d %s, want 400", got.status, got.body)
	}
	if got := p.do(t, "POST", "/users", `{"name":"a\u0000"}`); got.status != 422 || len(got.problem(t).Errors) != 1 {
		t.Errorf("a bad value = %d %s, want 422 that names the field", got.status, got.body)
	}

	if got := p.do(t, "GET", "/mine/"+string(j.ID), "", "User", "7"); got.status != 200 || got.job(t).State != job.Completed {
		t.Errorf("GET /mine/id = %d %s, want the job", got.status, got.body)
	}
	for path, want := range map[string]int{"/mine/" + string(j.ID): 404, "/mine/" + string(job.NewID()): 404, "/mine/seven": 400} {
		if got := p.do(t, "GET", path, "", "User", "8"); got.status != want {
			t.Errorf("GET %s by another = %d %s, want %d", path, got.status, got.body, want)
		}
	}
	later := p.do(t, "POST", "/later", "", "Prefer", "wait=1", "User", waiting)
	if got := later.job(t); later.status != 202 || got.State != job.Scheduled {
		t.Errorf("POST /later = %d %s, want 202 after the wait", later.status, later.body)
	}
	held := make(chan answer, 1)
	go func() {
		held <- p.do(t, "GET", "/mine/"+string(later.job(t).ID), "", "Prefer", "wait=60", "User", waiting)
	}()
	<-asked
	if err := p.Close(); err != nil { // cuts waits short
		t.Errorf("Close: %v", err)
	}
	if got := <-held; got.status != 200 || got.job(t).State != job.Scheduled {
		t.Errorf("a wait that Close ended = %d %s, want the job as it was", got.status, got.body)
	}
}

// A real server's timeouts do not count while an answer is held.
func TestWaitOutlastsTimeouts(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	const limit = 2 * time.Second // more than a slow machine takes to read a request
	p.echo.POST("/", asyncops.Background(operation("system.noop", fmt.Sprintf(`{"sleep":"%s"}`, limit+time.Second/2))))
	server := httptest.NewUnstartedServer(p.echo)
	server.Config.ReadTimeout, server.Config.WriteTimeout = limit, limit
	server.Start()
	t.Cleanup(server.Close)
	for prefer, want := range map[string]int{"wait=60": 200, "respond-async": 202} {
		r, err := http.NewRequestWithContext(t.Context(), "POST", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Prefer", prefer)
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil || res.StatusCode != want {
			t.Errorf("POST / that prefers %s = %d %s, %v; want %d", prefer, res.StatusCode, text, err, want)
		}
	}
}

// Nothing is accepted while the ledger is away, and everything else works.
func TestLedgerAway(t *testing.T) {
	t.Parallel()
	p := start(t, `
ledger: {dsn: "postgres://nobody@`+testkit.FreeAddr(t)+`/none?sslmode=disable&connect_timeout=1"}
redis: {url: none}
databases: {main: {dsn: "sqlite:FOLDER/main.db", tables: {users: {write: true}}}}
`, asyncops.Standalone())
	p.echo.POST("/", asyncops.Background(operation("system.noop", `{}`)))
	p.echo.GET("/", asyncops.Synchronous(operation("db.select_many", `{"table":"users"}`)))
	if got := p.do(t, "POST", "/", ""); got.status != 503 || got.header.Get("Retry-After") == "" || got.problem(t).Code != "unavailable" {
		t.Errorf("POST / = %d %s, want 503 unavailable with Retry-After", got.status, got.body)
	}
	if got := p.do(t, "GET", "/", ""); got.status != 200 {
		t.Errorf("GET / = %d %s, want 200", got.status, got.body)
	}
}

// A program and a worker are two processes that share a ledger, Redis and a
// database: jobs of one run in the other, and what they write ends what the
// other keeps.
func TestBesideAWorker(t *testing.T) {
	t.Parallel()
	database := filepath.Join(t.TempDir(), "shared.db")
	makeUsers(t, database)
	shared := fmt.Sprintf(`
ledger: {dsn: %q}
redis: {url: %q}
databases: {main: {dsn: "sqlite:%s", tables: {users: {write: true}}}}
`, testkit.PostgresDatabase(t), testkit.StartRedis(t).URL(), database)
	start(t, shared, asyncops.Standalone())
	p := start(t, shared)
	p.echo.GET("/users/1", asyncops.Synchronous(operation("db.select_one", `{"table":"users","where":{"id":1},"columns":["name"],"cache":{"key":"1"}}`)))
	if got := p.do(t, "GET", "/users/1", ""); got.status != 404 {
		t.Errorf("GET /users/1 = %d %s, want 404", got.status, got.body)
	}
	for _, name := range []string{"Ada", "Bob"} {
		receipt, err := p.Submit(t.Context(), asyncops.Submission{
			Kind: "db.insert_one", Args: map[string]any{"table": "users", "values": map[string]any{"id": 1, "name": name},
				"on_conflict": map[string]any{"columns": []string{"id"}, "action": "update", "update": []string{"name"}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ended, err := p.Wait(t.Context(), receipt.Job.ID)
		if err != nil || ended.State != job.Completed {
			t.Fatalf("Wait = %+v, %v; want it completed", ended, err)
		}
		for range 2 {
			if got := p.do(t, "GET", "/users/1", ""); got.status != 200 || got.body != `{"name":"`+name+`"}` {
				t.Errorf("GET /users/1 after the job = %d %s, want %s", got.status, got.body, name)
			}
		}
	}
}
