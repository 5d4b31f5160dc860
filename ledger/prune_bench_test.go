package ledger_test

import (
	"context"
	"database/sql"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// fillEnded fills the table with jobs that are kept no longer.
func fillEnded(b *testing.B, name string, db *sql.DB) {
	b.Helper()
	const columns = `INSERT INTO asyncops_jobs (id, run_at, created_at, finished_at, purge_at, max_attempts, kind, queue, state, delivery, owner, args, result)
		SELECT `
	const values = `, n, n, n, n + 1, 10, 'db.insert_one', 'default', 'completed', 'exactly_once_effect', 'k1',
		'{"database":"main","table":"users","values":{"name":"Ada Lovelace","email":"ada@example.com"}}', '{"rows_affected":1}' FROM `
	query := columns + `gen_random_uuid()` + values + `generate_series(1, 1000000) AS n`
	if name == "sqlite" {
		query = `WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 1000000) ` +
			columns + `lower(printf('%08x-0000-7000-8000-%012x', n, n))` + values + `counted`
	}
	if _, err := db.ExecContext(b.Context(), query); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPrune measures how fast a million jobs are pruned as the keeper does
// it, in batches of 500 with a rest of 20 ms after each, and how long accepting,
// claiming and finishing a job takes meanwhile, against how long it takes alone.
func BenchmarkPrune(b *testing.B) {
	for _, d := range dialects {
		b.Run(d.name, func(b *testing.B) {
			db := d.new(b)
			l := open(b, db.Config)
			fillEnded(b, d.name, db.SQL)
			if err := l.Join(b.Context(), job.Worker{ID: "w"}, time.Hour); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				alone := lives(b, l, 5*time.Second)
				ctx, stop := context.WithTimeout(b.Context(), 15*time.Second)
				var pruner sync.WaitGroup
				pruned, began := 0, time.Now()
				pruner.Go(func() {
					for n := 1; n > 0 && ctx.Err() == nil; pruned += n {
						var err error
						if n, err = l.Prune(ctx, 500); err != nil && ctx.Err() == nil {
							b.Error(err)
						}
						<-time.After(20 * time.Millisecond)
					}
					b.ReportMetric(float64(pruned)/time.Since(began).Seconds(), "pruned/s")
				})
				beside := lives(b, l, 15*time.Second)
				pruner.Wait()
				stop()
				for name, of := range map[string][]time.Duration{"alone": alone, "pruning": beside} {
					b.ReportMetric(float64(of[len(of)/2].Microseconds())/1000, "p50-ms-"+name)
					b.ReportMetric(float64(of[len(of)*99/100].Microseconds())/1000, "p99-ms-"+name)
				}
				b.ReportMetric(float64(beside[len(beside)-1].Microseconds())/1000, "max-ms-pruning")
			}
		})
	}
}

// lives lets jobs live one after the other, and returns how long each took, the
// shortest first.
func lives(b *testing.B, l *ledger.Ledger, d time.Duration) []time.Duration {
	b.Helper()
	var took []time.Duration
	for end := time.Now().Add(d); time.Now().Before(end); {
		began := time.Now()
		ids := acceptAll(b, l, benchJobs(1))
		jobs, err := l.Claim(b.Context(), "w", ids)
		if err != nil || len(jobs) != 1 {
			b.Fatalf("claimed %d jobs, %v", len(jobs), err)
		}
		if _, err := l.Finish(b.Context(), []job.Outcome{{Job: ids[0], Epoch: jobs[0].Epoch, State: job.Completed}}); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took
}
