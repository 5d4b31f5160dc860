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

func acceptAll(b *testing.B, l *ledger.Ledger, jobs []job.Job) []job.ID {
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
							jobs, err = l.Claim(b.Context(), "w", ids[n*batch:(n+1)*batch], batch)
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
