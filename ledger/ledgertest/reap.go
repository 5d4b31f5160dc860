package ledgertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

func reapTests() tests {
	return tests{
		"an expired lease":                   reapExpired,
		"a lease renewed in time":            reapRenewed,
		"leaving without handing back":       reapLeft,
		"renew after the reaper":             reapThenRenew,
		"three deaths, at least once":        reapPoisonDirect,
		"three deaths, exactly once":         reapPoisonSealed,
		"a death after a request to cancel":  reapCanceled,
		"a seal that dies keeps its verdict": reapSeal,
		"a job that must run once only":      reapRunOnce,
		"many reapers and finishers at once": reapRace,
		"more than one call takes":           reapMany,
	}
}

func reapExpired(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(2, nil)
	f.claim(w, ids...)
	events := f.die(w)
	if len(events) != 2 || events[0].State != job.Pending {
		f.t.Errorf("Reap() = %v, want both pending", events)
	}
	for _, id := range ids {
		j := f.want(id, job.Pending)
		if j.Epoch != 2 || j.Crashes != 1 || j.Attempt != 0 {
			f.t.Errorf("job = epoch %d, crashes %d, attempt %d; want 2, 1, 0", j.Epoch, j.Crashes, j.Attempt)
		}
		f.refused(job.Outcome{Job: id, Epoch: 1, State: job.Completed})
		f.wantAttempts(id, "1 lost worker_lost")
	}
	if got := f.claimable(ids...); len(got) != 2 {
		f.t.Errorf("%d jobs may be claimed, want 2", len(got))
	}
}

func reapRenewed(f *fixture) {
	f.start()
	w, other := f.join(), f.join()
	id := f.accept(1, nil)[0]
	f.claim(w, id)
	f.sql("UPDATE asyncops_workers SET lease_until = lease_until - 3600000000 WHERE id = '%s'", w)
	f.check(f.Renew(f.t.Context(), w, time.Minute, job.Beat{Running: 1}))
	if events := f.die(other); len(events) != 0 {
		f.t.Errorf("Reap() = %v, want nothing", events)
	}
	f.want(id, job.Active)
}

func reapLeft(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(2, nil)
	f.claim(w, ids...)
	f.finish(job.Outcome{Job: ids[0], Epoch: 1, State: job.Pending})
	f.check(f.Leave(f.t.Context(), w))
	events, err := f.Reap(f.t.Context())
	f.check(err)
	if want := []job.Event{{Job: ids[1], State: job.Pending, Kind: "test", Queue: "default"}}; !slices.Equal(events, want) {
		f.t.Errorf("Reap() = %v, want %v", events, want)
	}
	if j := f.get(ids[0]); j.Crashes != 0 {
		f.t.Errorf("the job that was handed back has %d crashes", j.Crashes)
	}
}

func reapThenRenew(f *fixture) {
	f.start()
	w := f.join()
	f.die(w)
	if err := f.Renew(f.t.Context(), w, time.Minute, job.Beat{}); !errors.Is(err, job.ErrLeaseLost) {
		f.t.Errorf("Renew() = %v, want %v", err, job.ErrLeaseLost)
	}
	if err := f.Renew(f.t.Context(), "stranger", time.Minute, job.Beat{}); !errors.Is(err, job.ErrLeaseLost) {
		f.t.Errorf("Renew(stranger) = %v, want %v", err, job.ErrLeaseLost)
	}
}

func reapRunOnce(f *fixture) {
	f.start()
	id := f.accept(1, func(_ int, j *job.Job) { j.RunOnce = true })[0]
	w := f.join()
	f.claim(w, id)
	f.die(w)
	j := f.want(id, job.Unknown)
	if j.Error == nil || j.Error.Code != job.CodeAmbiguous || j.FinishedAt.IsZero() {
		f.t.Errorf("job = %+v, want ambiguous", j)
	}
	if got := f.claimable(id); len(got) != 0 {
		f.t.Error("it may run again without anybody having looked")
	}
	if _, err := f.Revive(f.t.Context(), id, nil); err != nil {
		f.t.Errorf("Revive() = %v, want nil: a person may", err)
	}
}

// some are n of the ids at random.
func some(ids []job.ID, n int) []job.ID {
	chosen := slices.Clone(ids)
	rand.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	return chosen[:n]
}

// Workers die while they finish and others claim: every run ends once.
func reapRace(f *fixture) {
	f.start()
	ids := f.accept(60, nil)
	other := f.open()
	var written atomic.Int64
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			for ctx.Err() == nil && written.Load() < int64(len(ids)) {
				w := "w-" + string(job.NewID())
				if err := f.Join(ctx, job.Worker{ID: w}, time.Minute); err != nil {
					f.t.Errorf("Join() = %v", err)
					return
				}
				jobs, err := f.Claim(ctx, w, some(ids, 10))
				if err != nil {
					f.t.Errorf("Claim() = %v", err)
					return
				}
				if n%2 == 0 { // somebody reaps us now
					f.leave(ctx, w)
				}
				outcomes := make([]job.Outcome, len(jobs))
				for i, j := range jobs {
					outcomes[i] = job.Outcome{Job: j.ID, Epoch: j.Epoch, State: job.Completed}
				}
				superseded, err := f.Finish(ctx, outcomes)
				if err != nil {
					f.t.Errorf("Finish() = %v", err)
				}
				written.Add(int64(len(outcomes) - len(superseded)))
				f.leave(ctx, w)
			}
		})
		if n < 2 {
			wg.Go(func() {
				for ctx.Err() == nil && written.Load() < int64(len(ids)) {
					events, err := other.Reap(ctx)
					if err != nil {
						f.t.Errorf("Reap() = %v", err)
						return
					}
					for _, e := range events { // a third death, or isolation: done as well
						j, err := other.Get(ctx, e.Job)
						if err != nil || j.State == job.Archived || j.State == job.Pending && j.Crashes >= job.IsolationCrashes {
							written.Add(1)
						}
					}
				}
			})
		}
	}
	wg.Wait()
	completed := 0
	for _, id := range ids {
		j := f.get(id)
		if j.State == job.Completed {
			completed++
		}
		if runs := int64(len(f.attempts(id))); j.Epoch != 2*int64(j.Crashes)+map[bool]int64{true: 1}[j.State == job.Completed] {
			f.t.Errorf("job %s: %s, epoch %d after %d crashes and %d runs", id, j.State, j.Epoch, j.Crashes, runs)
		}
	}
	f.t.Logf("%d of %d completed", completed, len(ids))
}

func (f *fixture) leave(ctx context.Context, worker string) {
	if err := f.Leave(ctx, worker); err != nil {
		f.t.Errorf("Leave() = %v", err)
	}
}

func reapMany(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(1100, nil)
	f.claim(w, ids...)
	if events := f.die(w); len(events) != len(ids) {
		f.t.Errorf("Reap() took %d jobs in all, want %d", len(events), len(ids))
	}
}
