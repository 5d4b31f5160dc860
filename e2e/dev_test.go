package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/sqliteconn"
	"github.com/asyncops/asyncops/internal/testkit"
)

// asyncops dev is killed twice in each round while dozens of jobs run;
// nothing is lost and nothing is done twice.
func TestDevSurvivesKills(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "sqlite", func(t *testing.T, d dialect) {
		target := d.start(t)
		s := newSystem(t, "sqlite:ledger.db", "none", target.dsn)
		s.section("worker")["concurrency"] = 300
		s.section("databases", "main")["max_overflow"] = 80 // one process has room for as many jobs as a fleet
		l := newLoad(t, s, target)
		random := testkit.Random(t)
		start := func() *testkit.Process {
			t.Helper()
			p := s.start("cmd/asyncops", "dev")
			p.WaitHealthy(startTimeout, s.url+"/readyz")
			s.awaitReadyz(t, startTimeout, http.StatusOK, "ok")
			return p
		}
		p := start()
		for range rounds() {
			l.stream(t, 2, 0, 50*time.Millisecond)
			for range 2 {
				l.crowd(t, crowdSize)
				pause(t, upTo(random, 200*time.Millisecond))
				p.Kill()
				p = start()
			}
			requireCrashed(t, l.settle(t, time.Now()), crowdSize/2)
		}
		p.Terminate()
		if code := p.WaitExit(startTimeout); code != 0 {
			t.Errorf("asyncops dev exited with %d after SIGTERM, want 0", code)
		}
	})
}

// So it is as it comes out of the box, with its own demo tables, seen through
// its own API. No constraint of the table would keep a second row with the same
// name out.
func TestDemoSurvivesKills(t *testing.T) {
	t.Parallel()
	const jobs = 400
	dir, addr := t.TempDir(), testkit.FreeAddr(t)
	start := func() *testkit.Process {
		t.Helper()
		p := testkit.StartProcess(t, testkit.ProcessConfig{
			Package: "cmd/asyncops", Args: []string{"dev"}, Env: []string{"ASYNCOPS_API_LISTEN=" + addr}, Dir: dir,
		})
		p.WaitHealthy(startTimeout, "http://"+addr+"/readyz")
		return p
	}
	api := newCaller(t, addr, "")
	p := start()
	items := make([]object, jobs)
	for i := range items {
		items[i] = object{"kind": "db.insert_one", "args": object{
			"table": "users", "values": object{"name": fmt.Sprintf("user-%03d", i)},
		}}
	}
	ids := api.mustBatch(t, items)
	completed := 0
	for kill := 1; kill <= 2; kill++ {
		completed = api.awaitCount(t, time.Minute, "completed", completed+20)
		p.Kill()
		if completed >= jobs {
			t.Fatalf("all %d jobs had completed before kill %d", completed, kill)
		}
		t.Logf("kill %d: %d jobs had completed", kill, completed)
		p = start()
	}
	restarted := time.Now()
	api.awaitCount(t, time.Minute, "completed", jobs)
	t.Logf("all completed %s after the last start", time.Since(restarted).Round(time.Millisecond))

	crashed := 0
	for _, j := range api.requireCompleted(t, ids) {
		if j.Delivery != "exactly_once_effect" {
			t.Fatalf("job %s: delivery %q, want exactly_once_effect", j.ID, j.Delivery)
		}
		if j.Attempt != 1 {
			t.Errorf("job %s: attempt %d, want 1: a kill is no attempt", j.ID, j.Attempt)
		}
		if j.Crashes > 0 {
			crashed++
		}
	}
	t.Logf("%d jobs were running at a kill", crashed)
	requireUsers(t, api, jobs)

	p.Terminate()
	if code := p.WaitExit(startTimeout); code != 0 {
		t.Errorf("asyncops dev exited with %d after SIGTERM, want 0", code)
	}
	db, err := sqliteconn.Open(sqliteconn.Config{Path: filepath.Join(dir, ".asyncops", "demo.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	requireNumber(t, db.Reader(), jobs, "SELECT count(*) FROM users")
	requireNumber(t, db.Reader(), jobs, "SELECT count(DISTINCT name) FROM users")
}

// requireUsers reads the demo table through the API, page by page.
func requireUsers(t *testing.T, api *caller, want int) {
	t.Helper()
	names := map[string]int{}
	const limit = 150
	for offset := 0; ; offset += limit {
		a := api.must(t, http.StatusOK, http.MethodPost, "/v1/jobs", object{"kind": "db.select_many", "args": object{
			"table": "users", "columns": []string{"name"}, "order_by": []string{"id"}, "limit": limit, "offset": offset,
		}}, "Prefer", "wait=30")
		var j struct {
			State  string `json:"state"`
			Result struct {
				Rows []struct {
					Name string `json:"name"`
				} `json:"rows"`
				Count int `json:"count"`
			} `json:"result"`
		}
		if err := json.Unmarshal(a.body, &j); err != nil || j.State != "completed" || j.Result.Count != len(j.Result.Rows) {
			t.Fatalf("db.select_many at %d = %s (%v)", offset, a, err)
		}
		for _, row := range j.Result.Rows {
			names[row.Name]++
		}
		if len(j.Result.Rows) < limit {
			break
		}
	}
	total := 0
	for name, n := range names {
		total += n
		if n != 1 || !strings.HasPrefix(name, "user-") {
			t.Errorf("%d rows named %q, want 1", n, name)
		}
	}
	if total != want {
		t.Errorf("the table holds %d rows, want %d", total, want)
	}
}
