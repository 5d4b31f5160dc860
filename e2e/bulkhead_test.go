package e2e_test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// databaseView is a database as the API shows it.
type databaseView struct {
	Health struct{ Status, Effects, Detail string }
	Pool   struct {
		InUse   int `json:"in_use"`
		Waiting int `json:"waiting"` // those that wait for the one writer of a file
		Max     int `json:"max"`
		Workers []struct {
			Worker string `json:"worker"`
			InUse  int    `json:"in_use"`
		}
	}
	Parked int
}

// A database that stands still, with a flood of jobs, does not slow those of
// another in the same worker: they end while not one of the flood does. Who
// looks sees why, and all is done when the database goes on.
func TestSlowDatabaseKeepsToItself(t *testing.T) {
	t.Parallel()
	perLeadingDialect(t, "postgres", testSlowDatabase)
}

func testSlowDatabase(t *testing.T, d dialect) {
	const flood, others, limit = 2000, 200, 6
	redis, slow, quick := testkit.Redis(t), d.start(t), startSQLiteTarget(t)
	s := newSystem(t, testkit.PostgresDatabase(t), redis.URL(), slow.dsn)
	s.table("facts")
	main := s.section("databases", "main")
	main["pool_size"], main["max_overflow"] = 4, limit-4
	s.section("databases")["quick"] = object{"dsn": quick.dsn, "tables": object{"facts": object{"write": true}}}
	s.section("worker")["concurrency"] = 20
	s.migrate()
	s.startScheduler()
	s.startAPI()
	worker := s.startWorker()

	unlock := slow.lockFacts(t)
	jobs := inserts("facts", 0, flood)
	for _, job := range jobs {
		job["args"].(object)["database"] = "main"
	}
	flooded := s.mustBatch(t, jobs)
	s.awaitCount(t, time.Minute, "active", limit)
	jobs = inserts("facts", 0, others)
	for _, job := range jobs {
		job["args"].(object)["database"] = "quick"
	}
	s.mustBatch(t, jobs)
	s.awaitCount(t, time.Minute, "completed", others)
	requireNumber(t, quick.db, others, "SELECT count(*) FROM facts")

	// It shows why the others wait, and what runs.
	testkit.Eventually(t, time.Minute, 50*time.Millisecond, func() error {
		var db databaseView
		if err := s.read(t.Context(), "/v1/databases/main", &db); err != nil {
			return err
		}
		if db.Health.Status != "ok" || db.Health.Effects != "present" || db.Parked < flood/2 || db.Pool.InUse+db.Pool.Waiting != limit || db.Pool.Max != limit || len(db.Pool.Workers) != 1 {
			return fmt.Errorf("database main = %+v, want it ok, %d of %d in use by one worker, and most of %d jobs parked", db, limit, limit, flood)
		}
		return nil
	})
	parked := s.must(t, http.StatusOK, http.MethodGet, "/v1/jobs?state=parked&limit=1", nil)
	if text := parked.String(); !strings.Contains(text, `"reason":"pool","detail":"for room in database main`) || strings.Contains(text, `"until":null`) {
		t.Errorf("a parked job = %s, want it to wait for room in database main until a time", text)
	}
	var workers struct {
		Items []struct {
			State string
			Jobs  []struct{ ID string }
		}
	}
	if err := s.read(t.Context(), "/v1/workers", &workers); err != nil {
		t.Fatal(err)
	}
	if len(workers.Items) != 1 || workers.Items[0].State != "running" || len(workers.Items[0].Jobs) == 0 || !slices.Contains(flooded, workers.Items[0].Jobs[0].ID) {
		t.Errorf("workers = %+v, want one that runs jobs of the flood", workers)
	}
	if n := worker.probe.metric(t, `asyncops_db_pool_connections{database="main",state="max"}`); n != limit {
		t.Errorf("db_pool_connections max = %v, want %d", n, limit)
	}

	unlock()
	testkit.Eventually(t, 2*time.Minute, 100*time.Millisecond, func() error {
		counts, err := s.counts(t.Context())
		if err == nil && counts["completed"] < flood+others {
			err = fmt.Errorf("jobs per state = %v, want all %d completed", counts, flood+others)
		}
		return errors.Join(err, numberIs(t.Context(), slow.db, flood, "SELECT count(DISTINCT n) FROM facts")())
	})
	requireNumber(t, slow.db, flood, "SELECT count(*) FROM facts")
}
