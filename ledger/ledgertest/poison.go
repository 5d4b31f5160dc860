package ledgertest

import (
	"time"

	"github.com/asyncops/asyncops/job"
)

// crash lets n workers die of the job.
func (f *fixture) crash(id job.ID, n int) {
	f.t.Helper()
	for range n {
		w := f.join()
		jobs, err := f.Claim(f.t.Context(), w, []job.ID{id})
		f.check(err)
		if len(jobs) == 0 {
			jobs, err = f.ClaimIsolated(f.t.Context(), w, []string{"default"})
			f.check(err)
		}
		if len(jobs) != 1 {
			f.t.Fatal("the job could not be claimed")
		}
		f.die(w)
	}
}

func reapPoisonDirect(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.crash(id, job.MaxCrashes)
	j := f.want(id, job.Archived)
	if j.Error == nil || j.Error.Code != job.CodePoison || j.Crashes != job.MaxCrashes || j.FinishedAt.IsZero() || j.Epoch != 6 {
		f.t.Errorf("job = %+v, want poison", j)
	}
	f.wantAttempts(id, "1 lost worker_lost", "1 lost worker_lost", "1 lost worker_lost")
}

func reapPoisonSealed(f *fixture) {
	f.start()
	id := f.accept(1, exactly)[0]
	f.crash(id, job.MaxCrashes)
	j := f.want(id, job.Pending)
	if j.Verdict == nil || j.Verdict.State != job.Archived || j.Verdict.Error.Code != job.CodePoison {
		f.t.Errorf("job = %+v, want the verdict poison", j)
	}
	if got := f.claimable(id); len(got) != 1 {
		f.t.Error("a job with a verdict cannot be claimed")
	}
}

func reapCanceled(f *fixture) {
	f.start()
	ids := []job.ID{f.accept(1, nil)[0], f.accept(1, exactly)[0]}
	w := f.join()
	f.claim(w, ids...)
	for _, id := range ids {
		_, err := f.Cancel(f.t.Context(), id)
		f.check(err)
	}
	f.die(w)
	f.want(ids[0], job.Canceled)
	if j := f.want(ids[1], job.Pending); j.Verdict == nil || j.Verdict.State != job.Canceled || j.CancelRequested {
		f.t.Errorf("job = %+v, want the verdict canceled", j)
	}
}

func reapSeal(f *fixture) {
	f.start()
	id := f.accept(1, exactly)[0]
	w := f.join()
	f.run(w, id, job.Outcome{State: job.Retry, Delay: time.Hour})
	_, err := f.Cancel(f.t.Context(), id)
	f.check(err)
	f.claim(w, id)
	if j, err := f.Cancel(f.t.Context(), id); err != nil || j.State != job.Active {
		f.t.Errorf("Cancel(sealing) = %+v, %v; want it active", j, err)
	}
	f.die(w)
	j := f.want(id, job.Pending)
	if j.Verdict == nil || j.Verdict.State != job.Canceled || j.Crashes != 0 || j.Attempt != 1 || j.Epoch != 3 {
		f.t.Errorf("job = %+v, want its verdict, no crash, attempt 1, epoch 3", j)
	}
	f.wantAttempts(id, "1 retry ")
}
