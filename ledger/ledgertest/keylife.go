package ledgertest

import (
	"errors"
	"time"

	"github.com/asyncops/asyncops/job"
)

func replayDeleted(f *fixture) {
	f.start()
	for key, remove := range map[string]func(job.ID){
		"deleted": func(id job.ID) { f.check(f.Delete(f.t.Context(), id)) },
		"pruned": func(id job.ID) {
			f.sql("UPDATE asyncops_jobs SET purge_at = 1 WHERE id = '%s'", id)
			if n, err := f.Prune(f.t.Context(), 100); err != nil || n != 1 {
				f.t.Errorf("Prune() = %d, %v; want 1", n, err)
			}
		},
	} {
		first := keyed(key)
		f.submit(f.Ledger, first)
		f.run(f.join(), first.ID, job.Outcome{State: job.Completed})
		remove(first.ID)
		if got := f.submit(f.Ledger, keyed(key)); !errors.Is(got.Err, job.ErrNotFound) || !got.Replayed {
			f.t.Errorf("%s: answer = %+v, want a replay of a job that is gone", key, got)
		}
		f.prune(0)
		if got := f.submit(f.Ledger, keyed(key)); !got.Replayed {
			f.t.Errorf("%s: the key is free after less than a day", key)
		}
		f.sql("UPDATE asyncops_idempotency SET expires_at = expires_at - %d WHERE expires_at IS NOT NULL", (24 * time.Hour).Microseconds())
		f.prune(0)
		if got := f.submit(f.Ledger, keyed(key)); got.Replayed || got.Err != nil {
			f.t.Errorf("%s: answer after a day = %+v, want a new job", key, got)
		}
	}
}

func replayOldJob(f *fixture) {
	f.start()
	old := keyed("k")
	old.CreatedAt = time.Now().Add(-48 * time.Hour)
	f.submit(f.Ledger, old)
	f.run(f.join(), old.ID, job.Outcome{State: job.Completed})
	f.prune(0)
	if got := f.submit(f.Ledger, keyed("k")); !got.Replayed || got.Job.ID != old.ID {
		f.t.Errorf("answer = %+v, want the old job", got)
	}
	f.sql("UPDATE asyncops_jobs SET purge_at = 1")
	f.prune(1)
	if got := f.submit(f.Ledger, keyed("k")); got.Replayed {
		f.t.Errorf("the key of a pruned job, two days old, is still held")
	}
}

// prune deletes what is kept no longer; want is the number of jobs.
func (f *fixture) prune(want int) {
	f.t.Helper()
	if n, err := f.Prune(f.t.Context(), 1000); err != nil || n != want {
		f.t.Errorf("Prune() = %d, %v; want %d", n, err, want)
	}
}
