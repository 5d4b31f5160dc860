package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/ledger/ledgertest"
)

// dialects are the databases that benchmarks run on, durable as in production.
var dialects = []struct {
	name string
	new  func(testing.TB) ledgertest.Database
}{
	{"postgres", func(t testing.TB) ledgertest.Database { return onPostgres(t, testkit.PostgresDatabase(t)) }},
	{"sqlite", onSQLite},
}

func benchJobs(n int) []job.Job {
	jobs := make([]job.Job, n)
	for i := range jobs {
		now := time.Now()
		jobs[i] = job.Job{
			ID: job.NewID(), Kind: "db.insert_one", Queue: "default", State: job.Pending, MaxAttempts: 10,
			Args:     json.RawMessage(`{"database":"main","table":"users","values":{"name":"Ada Lovelace","email":"ada@example.com"}}`),
			Delivery: job.ExactlyOnceEffect, CreatedAt: now, RunAt: now,
		}
	}
	return jobs
}

func acceptAll(b testing.TB, l *ledger.Ledger, jobs []job.Job) []job.ID {
	b.Helper()
	if _, err := l.Accept(b.Context(), ledger.Batch{Jobs: jobs}); err != nil {
		b.Fatal(err)
	}
	ids := make([]job.ID, len(jobs))
	for i := range jobs {
		ids[i] = jobs[i].ID
	}
	return ids
}

// BenchmarkAccept measures single submissions from concurrent callers, without
// and with idempotency keys.
func BenchmarkAccept(b *testing.B) {
	for _, d := range dialects {
		for _, callers := range []int{1, 64, 256} {
			for _, keyed := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/callers=%d/keyed=%t", d.name, callers, keyed), func(b *testing.B) {
					l := open(b, d.new(b).Config)
					var left atomic.Int64
					left.Store(int64(b.N))
					b.ResetTimer()
					var wg sync.WaitGroup
					for range callers {
						wg.Go(func() {
							for left.Add(-1) >= 0 {
								jobs := benchJobs(1)
								if keyed {
									jobs[0].IdempotencyKey = string(jobs[0].ID)
								}
								if _, err := l.Accept(context.Background(), ledger.Batch{Jobs: jobs}); err != nil {
									b.Error(err)
									return
								}
							}
						})
					}
					wg.Wait()
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
				})
			}
		}
	}
}

// BenchmarkClaimFinish measures one worker that claims and completes batches.
func BenchmarkClaimFinish(b *testing.B) {
	for _, d := range dialects {
		for _, batch := range []int{1, 32, 100} {
			for _, how := range []string{"ids", "due"} {
				b.Run(fmt.Sprintf("%s/batch=%d/%s", d.name, batch, how), func(b *testing.B) {
					l := open(b, d.new(b).Config)
					ids := acceptAll(b, l, benchJobs(b.N*batch))
					if err := l.Join(b.Context(), job.Worker{ID: "w"}, time.Hour); err != nil {
						b.Fatal(err)
					}
					outcomes := make([]job.Outcome, batch)
					b.ResetTimer()
					for n := range b.N {
						var jobs []job.Job
						var err error
						if how == "ids" {
							jobs, err = l.Claim(b.Context(), "w", ids[n*batch:(n+1)*batch])
						} else {
							jobs, err = l.ClaimDue(b.Context(), "w", "default", batch)
						}
						if err != nil || len(jobs) != batch {
							b.Fatalf("claimed %d jobs, %v", len(jobs), err)
						}
						for i := range jobs {
							outcomes[i] = job.Outcome{Job: jobs[i].ID, Epoch: jobs[i].Epoch, State: job.Completed, Result: []byte(`{"rows_affected":1}`)}
						}
						if superseded, err := l.Finish(b.Context(), outcomes); err != nil || len(superseded) > 0 {
							b.Fatalf("superseded %d jobs, %v", len(superseded), err)
						}
					}
					b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "jobs/s")
				})
			}
		}
	}
}

// BenchmarkBacklog measures, with 200,000 jobs that wait, what is asked every
// few moments: it must cost the same whatever the length of the backlog.
func BenchmarkBacklog(b *testing.B) {
	for _, d := range dialects {
		db := d.new(b)
		l := open(b, db.Config)
		if err := l.EnsureQueues(b.Context(), []string{"default", "future", "paused", "rung"}); err != nil {
			b.Fatal(err)
		}
		for _, queue := range []string{"default", "future", "paused", "rung"} {
			for range 5 {
				jobs := benchJobs(10_000)
				for i := range jobs {
					jobs[i].Queue = queue
					if queue == "future" {
						jobs[i].State, jobs[i].RunAt = job.Scheduled, time.Now().Add(time.Hour)
					}
				}
				acceptAll(b, l, jobs)
			}
		}
		if err := l.Join(b.Context(), job.Worker{ID: "w"}, time.Hour); err != nil {
			b.Fatal(err)
		}
		if err := l.PauseQueue(b.Context(), "paused", true); err != nil {
			b.Fatal(err)
		}
		const rung = "UPDATE asyncops_jobs SET doorbell = 'bell' || (created_at % 1000), rung_at = 1000000 + created_at % 1000 WHERE queue = 'rung'"
		if _, err := db.SQL.ExecContext(b.Context(), rung); err != nil {
			b.Fatal(err)
		}
		take := func(queue string) func() error {
			return func() error { _, err := l.TakeUnrung(b.Context(), queue); return err }
		}
		claim := func(queue string) func() error {
			return func() error { _, err := l.ClaimDue(b.Context(), "w", queue, 10); return err }
		}
		for _, ask := range []struct {
			name string
			f    func() error
		}{
			{"TakeUnrung future", take("future")}, {"TakeUnrung paused", take("paused")}, {"TakeUnrung rung", take("rung")},
			{"ClaimDue future", claim("future")}, {"ClaimDue paused", claim("paused")}, {"ClaimDue 10", claim("default")},
			{"ClaimIsolated", func() error { _, err := l.ClaimIsolated(b.Context(), "w", []string{"default"}); return err }},
			{"Overlooked 20", func() error { _, err := l.Overlooked(b.Context(), time.Second, 20); return err }},
			{"Lapse", func() error { _, err := l.Lapse(b.Context()); return err }},
			{"Reap", func() error { _, err := l.Reap(b.Context()); return err }},
			{"Prune", func() error { _, err := l.Prune(b.Context(), 500); return err }},
			{"Search archived", func() error {
				_, err := l.Search(b.Context(), ledger.Filter{States: []job.State{job.Archived}})
				return err
			}},
			{"Backlogs", func() error { _, err := l.Backlogs(b.Context()); return err }}, // this one counts
		} {
			b.Run(d.name+"/"+ask.name, func(b *testing.B) {
				for range b.N {
					if err := ask.f(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
