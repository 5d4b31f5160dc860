package ledgertest

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

func pruneTests() tests {
	return tests{
		"in bounded batches":  pruneBounded,
		"with its attempts":   pruneCascade,
		"not what is kept":    pruneKept,
		"workers long gone":   pruneWorkers,
		"the oldest open job": pruneOldest,
	}
}

func pruneBounded(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(25, nil)
	outcomes := make([]job.Outcome, len(ids))
	for i, j := range f.claim(w, ids...) {
		outcomes[i] = job.Outcome{Job: j.ID, Epoch: j.Epoch, State: job.Completed}
	}
	f.finish(outcomes...)
	f.sql("UPDATE asyncops_jobs SET purge_at = 1")
	for _, want := range []int{10, 10, 5, 0} {
		if n, err := f.Prune(f.t.Context(), 10); err != nil || n != want {
			f.t.Errorf("Prune(10) = %d, %v; want %d", n, err, want)
		}
	}
}

func pruneCascade(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	f.run(w, id, job.Outcome{State: job.Retry})
	f.due(id)
	f.run(w, id, job.Outcome{State: job.Archived})
	f.sql("UPDATE asyncops_jobs SET purge_at = 1")
	f.prune(1)
	if n := f.count("SELECT count(*) FROM asyncops_attempts"); n != 0 {
		f.t.Errorf("%d attempts are left, want none", n)
	}
}

func pruneKept(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(3, nil)
	f.run(w, ids[0], job.Outcome{State: job.Completed})
	f.run(w, ids[1], job.Outcome{State: job.Archived})
	f.sql("UPDATE asyncops_jobs SET purge_at = 1 WHERE id = '%s'", ids[1])
	_, err := f.Revive(f.t.Context(), ids[1], nil)
	f.check(err)
	f.prune(0)
	f.want(ids[0], job.Completed)
	f.want(ids[1], job.Pending)
}

func pruneWorkers(f *fixture) {
	f.start()
	busy, idle, young := f.join(), f.join(), f.join()
	f.claim(busy, f.accept(1, nil)...)
	for _, w := range []string{busy, idle, young} {
		f.check(f.Leave(f.t.Context(), w))
	}
	f.sql("UPDATE asyncops_workers SET beat_at = beat_at - 90000000000 WHERE id <> '%s'", young)
	f.prune(0)
	if n := f.count("SELECT count(*) FROM asyncops_workers WHERE id = '%s'", idle); n != 0 {
		f.t.Error("a worker that went more than a day ago is still there")
	}
	if n := f.count("SELECT count(*) FROM asyncops_workers"); n != 2 {
		f.t.Errorf("%d workers are left, want the young one and the one whose job is not reaped yet", n)
	}
	if events, err := f.Reap(f.t.Context()); err != nil || len(events) != 1 {
		f.t.Errorf("Reap() = %v, %v; want the job of the worker that is gone", events, err)
	}
}

func pruneOldest(f *fixture) {
	f.start()
	oldest := func() (age time.Duration) {
		f.t.Helper()
		at, now, err := f.OldestOpen(f.t.Context())
		f.check(err)
		return now.Sub(at)
	}
	if age := oldest(); age != 0 {
		f.t.Errorf("the oldest of no jobs is %s old", age)
	}
	w := f.join()
	made := func(hours int) job.ID {
		return f.accept(1, func(_ int, j *job.Job) { j.CreatedAt = time.Now().Add(-time.Duration(hours) * time.Hour) })[0]
	}
	f.run(w, made(9), job.Outcome{State: job.Completed})
	f.run(w, made(7), job.Outcome{State: job.Archived})
	f.run(w, made(5), job.Outcome{State: job.Retry})
	made(3)
	if age := oldest(); age < 4*time.Hour || age > 6*time.Hour {
		f.t.Errorf("the oldest open job is %s old, want 5h", age)
	}
}
