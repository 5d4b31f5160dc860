package asyncops_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/asyncops/asyncops"
	"github.com/asyncops/asyncops/cache"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
)

func TestRequestID(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	p.echo.GET("/", func(c echo.Context) error {
		return c.String(http.StatusOK, c.Request().Header.Get("X-Request-Id"))
	})
	tests := []struct {
		name  string
		given []string
		keep  bool
	}{
		{"given", []string{"X-Request-Id", "abc-1.2_3"}, true},
		{"none", nil, false},
		{"not one for a log", []string{"X-Request-Id", "a\"b\n"}, false},
		{"too long", []string{"X-Request-Id", strings.Repeat("a", 129)}, false},
		{"two", []string{"X-Request-Id", "a", "X-Request-Id", "b"}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := p.do(t, "GET", "/", "", test.given...)
			id := got.header.Get("X-Request-Id")
			if len(id) < 5 || id != got.body {
				t.Errorf("answered with id %q, the handler saw %q; want the same", id, got.body)
			}
			if test.keep != (test.given != nil && id == test.given[1]) {
				t.Errorf("id = %q for %q, want it kept: %t", id, test.given, test.keep)
			}
		})
	}
}

// What a handler returns as an error is a problem that tells no more than the
// caller may know.
func TestErrors(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	const hidden = "SELECT-hunter2"
	failure := func(class job.Class, code job.Code, private bool) error {
		return fmt.Errorf("wrapped: %w", &job.Failure{Class: class, Code: code, Message: "told " + hidden, Private: private, RetryAfter: 1500 * time.Millisecond, Err: errors.New(hidden)})
	}
	tests := []struct {
		name   string
		err    error
		status int
		code   string
		retry  string // Retry-After
		tells  bool   // the failure's own words
	}{
		{"malformed", job.Malformed("/name", "wrong_type", "want a string"), 400, "wrong_type", "", false},
		{"invalid", job.Invalid("/name", "too_long", "too long"), 422, "too_long", "", false},
		{"not found", fmt.Errorf("look: %w", job.ErrNotFound), 404, "not_found", "", false},
		{"exists", job.ErrExists, 409, "exists", "", false},
		{"no rows", failure(job.ClassPermanent, job.CodeNoRows, false), 404, "no_rows", "", true},
		{"constraint", failure(job.ClassPermanent, job.CodeConstraint, true), 409, "constraint", "", false},
		{"value", failure(job.ClassPermanent, job.CodeInvalidValue, false), 422, "invalid_value", "", true},
		{"timeout", failure(job.ClassRetryable, job.CodeTimeout, false), 504, "timeout", "", false},
		{"deadline", context.DeadlineExceeded, 504, "timeout", "", false},
		{"upstream", failure(job.ClassPermanent, job.CodeUpstreamStatus, true), 502, "upstream_status", "", false},
		{"unreachable", failure(job.ClassRetryable, job.CodeUpstreamUnreachable, false), 502, "upstream_unreachable", "", false},
		{"ambiguous", failure(job.ClassAmbiguous, job.CodeAmbiguous, false), 502, "ambiguous", "", false},
		{"breaker", failure(job.ClassThrottled, job.CodeBreakerOpen, false), 503, "breaker_open", "2", false},
		{"limit", failure(job.ClassThrottled, job.CodeRateLimited, false), 503, "rate_limited", "2", false},
		{"its limit", failure(job.ClassThrottled, job.CodeUpstreamStatus, true), 503, "upstream_status", "2", false},
		{"pool", failure(job.ClassRetryable, job.CodePoolTimeout, false), 503, "pool_timeout", "2", false},
		{"database", failure(job.ClassRetryable, job.CodeDatabaseUnreachable, false), 503, "database_unreachable", "2", false},
		{"ledger", job.ErrUnavailable, 503, "unavailable", "2", false},
		{"saturated", job.ErrSaturated, 503, "saturated", "1", false},
		{"fault", failure(job.ClassPermanent, job.CodeInvalid, false), 500, "internal", "", false},
		{"unknown", errors.New(hidden), 500, "internal", "", false},
		{"echo's", echo.NewHTTPError(http.StatusForbidden, "not yours"), 403, "forbidden", "", false},
		{"echo's with a cause", echo.NewHTTPError(http.StatusTeapot, 7).SetInternal(errors.New(hidden)), 418, "im_a_teapot", "", false},
	}
	for i, test := range tests {
		p.echo.GET(fmt.Sprint("/", i), func(echo.Context) error { return test.err })
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := p.do(t, "GET", fmt.Sprint("/", i), "")
			if told := got.problem(t); got.status != test.status || told.Code != test.code || told.Detail == "" {
				t.Errorf("%v = %d %s, want %d %s", test.err, got.status, got.body, test.status, test.code)
			}
			if got.header.Get("Retry-After") != test.retry {
				t.Errorf("Retry-After = %q, want %q", got.header.Get("Retry-After"), test.retry)
			}
			if strings.Contains(got.body, hidden) != test.tells {
				t.Errorf("body = %s, want the failure's words in it: %t", got.body, test.tells)
			}
		})
	}
	t.Run("no route", func(t *testing.T) {
		t.Parallel()
		if got := p.do(t, "GET", "/nowhere", ""); got.status != 404 || got.problem(t).Code != "not_found" {
			t.Errorf("GET /nowhere = %d %s, want 404", got.status, got.body)
		}
		if got := p.do(t, "POST", "/1", ""); got.status != 405 || got.problem(t).Code != "method_not_allowed" {
			t.Errorf("POST /1 = %d %s, want 405", got.status, got.body)
		}
	})
	t.Run("pointers", func(t *testing.T) {
		t.Parallel()
		if got := p.do(t, "GET", "/1", "").problem(t).Errors; len(got) != 1 || got[0].Pointer != "/name" {
			t.Errorf("errors = %v, want one at /name", got)
		}
	})
}

// Faults of the program are logged, with what the caller is not told.
func TestFaultsAreLogged(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	p.echo.GET("/", func(echo.Context) error { return errors.New("the cellar is wet") })
	got := p.do(t, "GET", "/", "", "X-Request-Id", "r-17")
	if got.status != 500 || strings.Contains(got.body, "cellar") {
		t.Errorf("GET / = %d %s, want 500 and no details", got.status, got.body)
	}
	if log := p.log.String(); !strings.Contains(log, "the cellar is wet") || !strings.Contains(log, "request_id=r-17") {
		t.Errorf("log = %s, want the error and the request's id", log)
	}
}

// A program with errors of its own answers them itself, asyncops's all the same
// not.
func TestErrorHandler(t *testing.T) {
	t.Parallel()
	p := open(t, alone, asyncops.Standalone())
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.echo.Use(asyncops.MiddlewareWithConfig(p.App, asyncops.MiddlewareConfig{
		ErrorHandler: func(err error, c echo.Context) { _ = c.String(http.StatusTeapot, "ours: "+err.Error()) },
	}))
	p.echo.GET("/ours", func(echo.Context) error { return errors.New("no tea") })
	p.echo.GET("/theirs", func(echo.Context) error { return job.ErrNotFound })
	if got := p.do(t, "GET", "/ours", ""); got.status != http.StatusTeapot || got.body != "ours: no tea" {
		t.Errorf("GET /ours = %d %s, want it answered by the program", got.status, got.body)
	}
	if got := p.do(t, "GET", "/nowhere", ""); got.status != http.StatusTeapot {
		t.Errorf("GET /nowhere = %d %s, want it answered by the program", got.status, got.body)
	}
	if got := p.do(t, "GET", "/theirs", ""); got.status != 404 || got.problem(t).Code != "not_found" {
		t.Errorf("GET /theirs = %d %s, want 404", got.status, got.body)
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(upstream.Close)
	t.Cleanup(func() { close(hang) })
	p := open(t, alone+`
clients: {crm: {base_url: "`+upstream.URL+`", allow_networks: [127.0.0.0/8]}}
`, asyncops.Standalone())
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.echo.Use(asyncops.MiddlewareWithConfig(p.App, asyncops.MiddlewareConfig{Timeout: 50 * time.Millisecond}))
	p.echo.GET("/own", func(c echo.Context) error {
		<-c.Request().Context().Done()
		return c.Request().Context().Err()
	})
	p.echo.GET("/call", asyncops.Synchronous(operation("http.request", `{"method":"GET","path":"/"}`)))
	for _, path := range []string{"/own", "/call"} {
		if got := p.do(t, "GET", path, ""); got.status != 504 || got.problem(t).Code != "timeout" {
			t.Errorf("GET %s = %d %s, want 504 timeout", path, got.status, got.body)
		}
	}
}

// A caller who has gone is told nothing, and counted as gone.
func TestGone(t *testing.T) {
	t.Parallel()
	p := start(t, alone, asyncops.Standalone())
	p.echo.GET("/", func(c echo.Context) error {
		<-c.Request().Context().Done()
		return c.Request().Context().Err()
	})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := httptest.NewRecorder()
	p.echo.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	if w.Code != 499 || w.Body.Len() > 0 {
		t.Errorf("a caller that has gone = %d %s, want 499", w.Code, w.Body)
	}
}

// Wrong names are told when the program starts, if it asks, and are no answer.
func TestWrongNames(t *testing.T) {
	t.Parallel()
	p := start(t, alone+`
databases: {main: {dsn: "sqlite:FOLDER/main.db", tables: {users: {}}}}
clients: {crm: {base_url: "https://crm.example.com"}, erp: {base_url: "https://erp.example.com"}}
`, asyncops.Standalone())
	tests := []struct {
		ask  func() error
		want string
	}{
		{func() error { _, err := p.Database("mian"); return err }, `asyncops: no database "mian" is configured; known are main`},
		{func() error { _, err := p.Client(""); return err }, "asyncops: which client? crm, erp are configured"},
		{func() error { _, err := p.Database(""); return err }, ""},
		{func() error { _, err := p.Client("erp"); return err }, ""},
	}
	for _, test := range tests {
		if err := test.ask(); (err == nil) != (test.want == "") || err != nil && err.Error() != test.want {
			t.Errorf("err = %v, want %q", err, test.want)
		}
	}
	panicked := func(use func()) (value any) {
		defer func() { value = recover() }()
		use()
		return nil
	}
	p.echo.GET("/", func(c echo.Context) error {
		if got := fmt.Sprint(panicked(func() { asyncops.Client(c, "cmr") })); got != `asyncops: no client "cmr" is configured; known are crm, erp` {
			t.Errorf("Client panicked with %q", got)
		}
		if db := asyncops.Database(c, "main"); db.Name() != "main" {
			t.Errorf("Database = %q, want main", db.Name())
		}
		if asyncops.FromContext(c.Request().Context()) != p.App {
			t.Error("FromContext: want the App")
		}
		return c.NoContent(http.StatusNoContent)
	})
	if got := p.do(t, "GET", "/", ""); got.status != http.StatusNoContent {
		t.Errorf("GET / = %d %s", got.status, got.body)
	}
	bare := echo.New().NewContext(httptest.NewRequest("GET", "/", nil), httptest.NewRecorder())
	if got := fmt.Sprint(panicked(func() { asyncops.Cache(bare) })); !strings.Contains(got, "not behind asyncops.Middleware") {
		t.Errorf("Cache without Middleware panicked with %q", got)
	}
	if err := asyncops.JobStatus(bare); err == nil || !strings.Contains(err.Error(), "not behind asyncops.Middleware") {
		t.Errorf("JobStatus without Middleware = %v", err)
	}
}

// The program's own space of the cache works whether or not there is one.
func TestCache(t *testing.T) {
	t.Parallel()
	for _, enabled := range []bool{true, false} {
		t.Run(fmt.Sprint(enabled), func(t *testing.T) {
			t.Parallel()
			p := start(t, alone+fmt.Sprintf("cache: {enabled: %t}\n", enabled)+`
databases: {main: {dsn: "sqlite:FOLDER/main.db", tables: {users: {write: true}}}}
`, asyncops.Standalone())
			loads := 0
			get := func(c echo.Context) error {
				found, err := asyncops.Cache(c).Get(c.Request().Context(), cache.Entry{ID: "x", Key: "x"}, func(context.Context, []byte) (cache.Value, error) {
					loads++
					return cache.Value{Data: []byte(fmt.Sprint("load ", loads)), TTL: time.Hour}, nil
				})
				if err != nil {
					return err
				}
				return c.Blob(http.StatusOK, "text/plain", found.Data)
			}
			p.echo.GET("/", get)
			p.echo.POST("/", func(c echo.Context) error {
				if err := asyncops.Cache(c).Invalidate(nil, []string{"x"}); err != nil {
					return err
				}
				return get(c)
			})
			want := map[bool][]string{true: {"load 1", "load 1", "load 2"}, false: {"load 1", "load 2", "load 3"}}[enabled]
			for i, method := range []string{"GET", "GET", "POST"} {
				if got := p.do(t, method, "/", ""); got.body != want[i] {
					t.Errorf("%d. %s = %s, want %s", i, method, got.body, want[i])
				}
			}
			type user struct {
				ID   int64 `bun:",pk,autoincrement"`
				Name string
			}
			db, err := p.Database("main")
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"Ada", "Bob"} { // a read that asks for the cache never misses a write of ours
				if _, err := store.InsertOne(t.Context(), db, &user{Name: name}); err != nil {
					t.Fatal(err)
				}
				found, err := store.SelectMany[user](t.Context(), db, store.CacheFor(0))
				if err != nil || found[len(found)-1].Name != name {
					t.Errorf("after the insert of %s: %v, %v", name, found, err)
				}
			}
		})
	}
}
