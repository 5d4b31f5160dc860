package ledger_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
)

// fillBacklog makes 200,000 jobs that wait without doorbell, a window of those
// that have one, and 5,000 dead letters of now, beside a million ended jobs.
func fillBacklog(b *testing.B, name string, db *sql.DB, now int64) {
	b.Helper()
	fillEnded(b, name, db)
	const columns = `INSERT INTO asyncops_jobs (id, run_at, rung_at, created_at, finished_at, max_attempts, kind, queue, state, delivery, owner, args) SELECT `
	const fields = `, n, CASE WHEN n %% 40 = 0 THEN %[1]d ELSE 0 END, n, CASE WHEN n > 200000 THEN %[1]d END, 10, 'system.noop', 'default',
		CASE WHEN n > 200000 THEN 'archived' ELSE 'pending' END, 'at_least_once', 'k1', '{}' FROM `
	query := columns + `gen_random_uuid()` + fmt.Sprintf(fields, now) + `generate_series(1, 205000) AS n`
	if name == "sqlite" {
		query = `WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 205000) ` +
			columns + `lower(printf('%08x-0001-7000-8000-%012x', n, n))` + fmt.Sprintf(fields, now) + `counted`
	}
	for _, statement := range []string{query, "ANALYZE"} {
		if _, err := db.ExecContext(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAlertLook measures what one look at the alerts reads and writes in a
// ledger of 1.2 million jobs: the time of everything that is read, and of a turn.
func BenchmarkAlertLook(b *testing.B) {
	for _, d := range dialects {
		b.Run(d.name, func(b *testing.B) {
			db := d.new(b)
			l := open(b, db.Config)
			if err := l.EnsureQueues(b.Context(), []string{"default", "critical", "low"}); err != nil {
				b.Fatal(err)
			}
			fillBacklog(b, d.name, db.SQL, time.Now().UnixMicro())
			for i := range 50 {
				w := job.Worker{ID: fmt.Sprint("w", i), Queues: []string{"default"}}
				if err := l.Join(b.Context(), w, time.Hour); err != nil {
					b.Fatal(err)
				}
				if err := l.Renew(b.Context(), w.ID, time.Hour, job.Beat{Runs: job.RunWindow{Runs: 9, Lasting: map[int]int{1: 9}}}); err != nil {
					b.Fatal(err)
				}
			}
			took := map[string]time.Duration{}
			timed := func(what string, f func() error) {
				began := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				took[what] += time.Since(began)
			}
			looks := 0
			for b.Loop() {
				looks++
				timed("queues", func() error { _, err := l.QueueAges(b.Context()); return err })
				timed("dead", func() error { _, err := l.DeadLetters(b.Context(), 5*time.Minute); return err })
				timed("lost", func() error { _, err := l.LostWorkers(b.Context()); return err })
				timed("runs", func() error { _, err := l.RecentRuns(b.Context()); return err })
				timed("workers", func() error { _, err := l.Workers(b.Context()); return err })
				timed("turn", func() error {
					turn, err := l.TakeAlertTurn(b.Context(), "me", 0, 0)
					if err != nil {
						return err
					}
					_, err = l.SettleAlerts(b.Context(), turn, time.Minute, func(job.AlertView) (job.AlertChange, error) { return job.AlertChange{}, nil })
					return err
				})
			}
			for what, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(looks), "ms-"+what)
			}
		})
	}
}
