package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// A read that was submitted after a write was shown completed sees it, also
// through the cache, whichever workers run the two, and also when one of them
// was killed a moment before.
func TestCachedReadsSeeCompletedWrites(t *testing.T) {
	t.Parallel()
	redis, target := testkit.Redis(t), startSQLiteTarget(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target.dsn)
	s.table("facts")
	s.section("worker")["concurrency"] = 4
	s.migrate()
	s.startScheduler()
	s.startAPI()
	workers := []*process{s.startWorker(), s.startWorker(), s.startWorker()}

	finished := func(body object) (result json.RawMessage) {
		t.Helper()
		var j struct {
			State  string
			Result json.RawMessage
		}
		a := s.must(t, http.StatusOK, http.MethodPost, "/v1/jobs", body, "Prefer", "wait=60")
		if err := json.Unmarshal(a.body, &j); err != nil || j.State != "completed" {
			t.Fatalf("POST /v1/jobs = %s, want a completed job", a)
		}
		return j.Result
	}
	read := object{"kind": "db.select_many", "args": object{"table": "facts", "columns": []string{"n"}, "cache": object{"key": "facts"}}}
	hits := 0
	for n := range 20 {
		if n == 10 {
			workers[0].Kill()
		}
		finished(insert("facts", n))
		for range 4 { // so that each worker has it in its memory
			var found struct {
				Count  int
				Cached bool
			}
			if err := json.Unmarshal(finished(read), &found); err != nil {
				t.Fatal(err)
			}
			if found.Count != n+1 {
				t.Fatalf("a read after write %d found %d rows, cached %t", n+1, found.Count, found.Cached)
			}
			if found.Cached {
				hits++
			}
		}
	}
	if hits == 0 {
		t.Error("no read was answered from the cache")
	}

	requireNumber(t, target.db, 20, "SELECT count(*) FROM facts")
	if _, err := target.db.ExecContext(t.Context(), "DELETE FROM facts"); err != nil { // past asyncops
		t.Fatal(err)
	}
	s.must(t, http.StatusNoContent, http.MethodPost, "/v1/databases/main/cache/invalidate", object{"table": "facts"})
	if got := string(finished(read)); !strings.HasPrefix(got, `{"rows":[],"count":0`) {
		t.Errorf("a read after invalidate = %s, want no rows", got)
	}
	var db struct{ Cache struct{ Hits, Misses int } }
	testkit.Eventually(t, startTimeout, 50*time.Millisecond, func() error {
		if err := s.read(t.Context(), "/v1/databases/main", &db); err != nil {
			return err
		}
		if db.Cache.Hits == 0 || db.Cache.Misses == 0 {
			return fmt.Errorf("cache = %+v, want hits and misses", db.Cache)
		}
		return nil
	})
}

// A request that was submitted after another was shown completed which changed
// the same path is not answered with what was there before, whichever workers
// run the two. What was kept is shown, and can be made stale over REST.
func TestCachedAnswersSeeCompletedChanges(t *testing.T) {
	t.Parallel()
	redis, target := testkit.Redis(t), startSQLiteTarget(t)
	var version atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			version.Add(1)
		}
		_, _ = fmt.Fprintf(w, "%d", version.Load())
	}))
	t.Cleanup(api.Close)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), target.dsn)
	s.section("clients")["up"] = object{"base_url": api.URL, "allow_networks": []string{"127.0.0.0/8"}}
	s.section("worker")["concurrency"] = 4
	s.migrate()
	s.startScheduler()
	s.startAPI()
	for range 3 {
		s.startWorker()
	}
	type answer struct {
		Text   string
		Cached bool
	}
	call := func(args object) (got answer) {
		t.Helper()
		var j struct {
			State  string
			Result answer
		}
		a := s.must(t, http.StatusOK, http.MethodPost, "/v1/jobs", object{"kind": "http.request", "args": args}, "Prefer", "wait=60")
		if err := json.Unmarshal(a.body, &j); err != nil || j.State != "completed" {
			t.Fatalf("POST /v1/jobs = %s, want a completed job", a)
		}
		return j.Result
	}
	read := object{"client": "up", "method": "GET", "path": "/thing", "cache": object{"key": "thing", "ttl": "1h"}}
	hits := 0
	for n := range 10 {
		call(object{"client": "up", "method": "PUT", "path": "/thing", "body": object{"n": n}})
		for range 4 {
			got := call(read)
			if got.Text != fmt.Sprint(n+1) {
				t.Fatalf("a read after change %d found %s, cached %t", n+1, got.Text, got.Cached)
			}
			if got.Cached {
				hits++
			}
		}
	}
	if hits == 0 {
		t.Error("no request was answered from the cache")
	}
	version.Add(1) // past asyncops
	s.must(t, http.StatusNoContent, http.MethodPost, "/v1/clients/up/cache/invalidate", object{"path_prefix": "/"})
	if got := call(read); got.Text != "11" {
		t.Errorf("a request after invalidate = %+v, want 11", got)
	}
	var up struct{ Cache struct{ Hits, Misses int } }
	testkit.Eventually(t, startTimeout, 50*time.Millisecond, func() error {
		if err := s.read(t.Context(), "/v1/clients/up", &up); err != nil {
			return err
		}
		if up.Cache.Hits == 0 || up.Cache.Misses == 0 {
			return fmt.Errorf("the client's cache = %+v, want hits and misses", up.Cache)
		}
		return nil
	})
}
