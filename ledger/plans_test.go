package ledger_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// No statement of a job's life reads the whole table, or more of an index than it
// needs, not even while PostgreSQL's statistics are those of before the backlog
// came, or its plan is.
func TestPlansWithOldStatistics(t *testing.T) {
	t.Parallel()
	db := onPostgres(t, testkit.PostgresDatabase(t))
	open(t, db.Config)
	l, err := ledger.Open(db.Config) // closed below: then its sessions tell what they read
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	exec := func(query string) {
		t.Helper()
		if _, err := db.SQL.ExecContext(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	complete := func(jobs []job.Job, err error) {
		t.Helper()
		if err != nil || len(jobs) == 0 {
			t.Fatalf("claimed %d jobs, %v", len(jobs), err)
		}
		outcomes := make([]job.Outcome, len(jobs))
		for i, j := range jobs {
			outcomes[i] = job.Outcome{Job: j.ID, Epoch: j.Epoch, State: job.Completed}
		}
		if superseded, err := l.Finish(ctx, outcomes); err != nil || len(superseded) > 0 {
			t.Fatalf("finished all but %d, %v", len(superseded), err)
		}
	}
	live := func(ids []job.ID) { // half by each way to claim, oldest first
		half := len(ids) / 2
		complete(l.Claim(ctx, "w", ids[:half]))
		complete(l.ClaimDue(ctx, "w", job.DefaultQueue, half))
	}
	if err := l.Join(ctx, job.Worker{ID: "w"}, time.Hour); err != nil {
		t.Fatal(err)
	}
	exec("ALTER TABLE asyncops_jobs SET (autovacuum_enabled = off)")
	live(acceptAll(t, l, benchJobs(100)))
	exec("ANALYZE asyncops_jobs")

	const jobs, batch = 6000, 1500
	ids := acceptAll(t, l, benchJobs(jobs))
	if err := l.EnsureQueues(ctx, []string{job.DefaultQueue}); err != nil {
		t.Fatal(err)
	}
	ages, err := l.QueueAges(ctx)
	if err != nil || len(ages) == 0 {
		t.Fatalf("%v, %v", ages, err)
	}
	for some := range slices.Chunk(ids, batch) {
		live(some)
	}
	if bell, err := l.TakeUnrung(ctx, job.DefaultQueue); err != nil || bell != nil {
		t.Fatalf("%v, %v", bell, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	var scans, read, found, updated int
	const told = `SELECT coalesce(sum(seq_scan), 0), coalesce(sum(seq_tup_read), 0), coalesce(sum(idx_tup_fetch), 0), coalesce(sum(n_tup_upd), 0)
		FROM pg_stat_user_tables WHERE relname = 'asyncops_jobs'`
	testkit.Eventually(t, time.Minute, 100*time.Millisecond, func() error {
		err := db.SQL.QueryRowContext(ctx, told).Scan(&scans, &read, &found, &updated)
		if err == nil && updated < 2*jobs {
			err = fmt.Errorf("told of %d updates", updated)
		}
		return err
	})
	if read >= jobs {
		t.Errorf("%d scans of the whole table read %d rows for %d jobs, want none", scans, read, jobs)
	}
	// A job is chosen, claimed and finished.
	if found > 3*jobs {
		t.Errorf("%d rows were read by indexes for %d jobs, want at most 3 for each", found, jobs)
	}
}
