package ledgertest

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// claimable returns those of the jobs that a worker gets, by id and by queue.
func (f *fixture) claimable(ids ...job.ID) []job.ID {
	f.t.Helper()
	w := f.join()
	jobs, err := f.Claim(f.t.Context(), w, ids)
	f.check(err)
	due, err := f.ClaimDue(f.t.Context(), w, "default", 100)
	f.check(err)
	if len(due) > 0 {
		f.t.Errorf("ClaimDue() got %d jobs that Claim() did not", len(due))
	}
	got := make([]job.ID, len(jobs))
	for i, j := range jobs {
		got[i] = j.ID
	}
	return got
}

func claimNotEligible(f *fixture) {
	f.start()
	now := time.Now()
	edits := map[string]func(*job.Job){
		"scheduled":     func(j *job.Job) { j.State, j.RunAt = job.Scheduled, now.Add(time.Hour) },
		"waiting":       func(j *job.Job) { j.State = job.Waiting },
		"past deadline": func(j *job.Job) { j.Deadline = now.Add(-time.Second) },
		"expired":       func(j *job.Job) { j.ExpiresAt = now.Add(-time.Second) },
		"in time":       func(j *job.Job) { j.Deadline, j.ExpiresAt = now.Add(time.Hour), now.Add(time.Hour) },
		"plain":         func(*job.Job) {},
		"overdue":       func(j *job.Job) { j.State, j.RunAt = job.Scheduled, now.Add(-time.Second) },
	}
	names := slices.Sorted(maps.Keys(edits))
	ids := f.accept(len(names), func(i int, j *job.Job) { edits[names[i]](j) })
	f.check(f.PauseQueue(f.t.Context(), "default", true))
	if got := f.claimable(ids...); len(got) != 0 {
		f.t.Errorf("%d jobs of a paused queue were claimed", len(got))
	}
	f.check(f.PauseQueue(f.t.Context(), "default", false))
	got := f.claimable(ids...)
	for i, name := range names {
		want := name == "in time" || name == "plain" || name == "overdue"
		if slices.Contains(got, ids[i]) != want {
			f.t.Errorf("%s: claimed = %t, want %t", name, !want, want)
		}
	}
	if due, err := f.ClaimDue(f.t.Context(), f.join(), "default", 0); err != nil || due != nil {
		f.t.Errorf("ClaimDue(limit 0) = %v, %v", due, err)
	}
}

func claimHostClock(f *fixture) {
	f.start()
	ids := f.accept(3, func(i int, j *job.Job) {
		j.RunAt = []time.Time{time.Now().Add(time.Hour), time.Now().Add(-time.Hour), {}}[i]
	})
	if got := f.claimable(ids...); len(got) != 3 {
		f.t.Errorf("%d of 3 pending jobs were claimed", len(got))
	}
	for _, id := range ids {
		if j := f.get(id); j.RunAt.IsZero() || j.RunAt.After(time.Now().Add(time.Minute)) {
			f.t.Errorf("run_at = %v, want it not ahead", j.RunAt)
		}
	}
}

func claimIsolated(f *fixture) {
	f.start()
	ids := f.accept(2, nil)
	w := f.join()
	if jobs, err := f.ClaimIsolated(f.t.Context(), w, []string{"default"}); err != nil || len(jobs) != 0 {
		f.t.Errorf("ClaimIsolated() = %v, %v; want nothing", jobs, err)
	}
	for range job.IsolationCrashes {
		dying := f.join()
		f.claim(dying, ids[0])
		f.die(dying)
	}
	if got := f.claimable(ids...); !slices.Equal(got, ids[1:]) {
		f.t.Errorf("claimed = %v, want the innocent job alone", got)
	}
	if bell, err := f.TakeUnrung(f.t.Context(), "default"); err != nil || bell != nil {
		f.t.Errorf("TakeUnrung() = %v, %v; want no doorbell for an isolated job", bell, err)
	}
	f.check(f.PauseQueue(f.t.Context(), "default", true))
	if jobs, err := f.ClaimIsolated(f.t.Context(), w, []string{"default"}); err != nil || len(jobs) != 0 {
		f.t.Errorf("ClaimIsolated(paused) = %v, %v; want nothing", jobs, err)
	}
	f.check(f.PauseQueue(f.t.Context(), "default", false))
	if jobs, err := f.ClaimIsolated(f.t.Context(), w, []string{"low"}); err != nil || len(jobs) != 0 {
		f.t.Errorf("ClaimIsolated(another queue) = %v, %v; want nothing", jobs, err)
	}
	if j := f.get(ids[0]); j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitIsolation {
		f.t.Errorf("waiting on %+v, want isolation", j.WaitingOn)
	}
	jobs, err := f.ClaimIsolated(f.t.Context(), w, []string{"low", "default"})
	f.check(err)
	if len(jobs) != 1 || jobs[0].ID != ids[0] || jobs[0].Crashes != 2 || jobs[0].Attempt != 1 {
		f.t.Errorf("ClaimIsolated() = %+v, want the job that crashed, at attempt 1", jobs)
	}
}

func claimVerdict(f *fixture) {
	f.start()
	ids := f.accept(2, exactly)
	w := f.join()
	for _, id := range ids {
		f.run(w, id, job.Outcome{State: job.Retry, Delay: time.Hour})
		if _, err := f.Cancel(f.t.Context(), id); err != nil {
			f.t.Fatal(err)
		}
	}
	f.want(ids[0], job.Pending)
	f.check(f.PauseQueue(f.t.Context(), "default", true))
	byID := f.claim(w, ids[0])
	byQueue, err := f.ClaimDue(f.t.Context(), w, "default", 10)
	f.check(err)
	if len(byQueue) != 1 || byQueue[0].ID != ids[1] {
		f.t.Fatalf("ClaimDue() = %+v, want the second job", byQueue)
	}
	for _, j := range []job.Job{byID[0], byQueue[0]} {
		if j.Verdict == nil || j.Verdict.State != job.Canceled || j.Attempt != 1 || j.Epoch != 2 {
			f.t.Errorf("claimed %+v, want the verdict canceled, attempt 1 and epoch 2", j)
		}
	}
}

func claimGone(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	f.check(f.Leave(f.t.Context(), w))
	for _, name := range []string{w, "stranger"} {
		if jobs, err := f.Claim(f.t.Context(), name, []job.ID{id}); !errors.Is(err, job.ErrLeaseLost) || jobs != nil {
			f.t.Errorf("Claim(%s) = %v, %v; want %v", name, jobs, err, job.ErrLeaseLost)
		}
		if jobs, err := f.ClaimDue(f.t.Context(), name, "default", 1); !errors.Is(err, job.ErrLeaseLost) || jobs != nil {
			f.t.Errorf("ClaimDue(%s) = %v, %v; want %v", name, jobs, err, job.ErrLeaseLost)
		}
		if jobs, err := f.ClaimIsolated(f.t.Context(), name, []string{"default"}); !errors.Is(err, job.ErrLeaseLost) || jobs != nil {
			f.t.Errorf("ClaimIsolated(%s) = %v, %v; want %v", name, jobs, err, job.ErrLeaseLost)
		}
	}
	f.want(id, job.Pending)
}
