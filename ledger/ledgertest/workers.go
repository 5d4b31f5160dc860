package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func workerTests() tests {
	return tests{
		"a life":                       workerLife,
		"cancel requests are its own":  workerCancelRequests,
		"gone ones are listed an hour": workerGone,
	}
}

func workerLife(f *fixture) {
	f.start()
	want := job.Worker{ID: "w1", Host: "h'", PID: 7, Version: "v", Queues: []string{"default", "low"}, Concurrency: 5}
	f.check(f.Join(f.t.Context(), want, time.Minute))
	f.check(f.Join(f.t.Context(), want, time.Minute)) // the answer to the first was lost
	got := f.workers()
	if len(got) != 1 {
		f.t.Fatalf("Workers() = %+v, want one", got)
	}
	w := got[0]
	if w.ID != "w1" || w.Host != "h'" || w.PID != 7 || w.Version != "v" || !slices.Equal(w.Queues, want.Queues) || w.Concurrency != 5 || w.State != ledger.WorkerRunning {
		f.t.Errorf("worker = %+v, want %+v, running", w, want)
	}
	if lease := w.LeaseUntil.Sub(w.StartedAt); lease != time.Minute || w.BeatAt != w.StartedAt {
		f.t.Errorf("lease = %v from %v, beat at %v; want a minute from its start", lease, w.StartedAt, w.BeatAt)
	}
	use := job.PoolUse{InUse: 1, Idle: 2, Max: 3, Waiting: 4, Waits: 5, WaitSeconds: 6.5}
	f.check(f.Renew(f.t.Context(), "w1", 2*time.Minute, job.Beat{Draining: true, Running: 3, Pools: map[string]job.PoolUse{"main": use}}))
	if w = f.workers()[0]; w.State != ledger.WorkerDraining || w.Running != 3 || w.LeaseUntil.Sub(w.BeatAt) != 2*time.Minute {
		f.t.Errorf("worker = %+v, want it to drain 3 jobs under a lease of two minutes", w)
	}
	if got := w.Pools["main"]; got != use {
		f.t.Errorf("pool of main = %+v, want %+v", got, use)
	}
	f.check(f.Leave(f.t.Context(), "w1"))
	if w = f.workers()[0]; w.State != ledger.WorkerGone || w.Running != 0 || len(w.Pools) != 0 {
		f.t.Errorf("worker = %+v, want it gone", w)
	}
}

func (f *fixture) workers() []ledger.Worker {
	f.t.Helper()
	workers, err := f.Workers(f.t.Context())
	f.check(err)
	return workers
}

func workerCancelRequests(f *fixture) {
	f.start()
	ids := f.accept(3, nil)
	a, b := f.join(), f.join()
	f.claim(a, ids[0], ids[1])
	f.claim(b, ids[2])
	for _, id := range ids[1:] {
		_, err := f.Cancel(f.t.Context(), id)
		f.check(err)
	}
	got, err := f.CancelRequests(f.t.Context(), a)
	if f.check(err); !slices.Equal(got, ids[1:2]) {
		f.t.Errorf("CancelRequests() = %v, want %v", got, ids[1:2])
	}
}

func workerGone(f *fixture) {
	f.start()
	a, b := f.join(), f.join()
	f.check(f.Leave(f.t.Context(), a))
	f.sql("UPDATE asyncops_workers SET beat_at = beat_at - 7200000000")
	if got := f.workers(); len(got) != 1 || got[0].ID != b {
		f.t.Errorf("Workers() = %+v, want only the one that lives", got)
	}
}
