package ledgertest

import (
	"errors"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func operateTests() tests {
	return tests{
		"reschedule":            operateReschedule,
		"reschedule refused":    operateRescheduleRefused,
		"purge":                 operatePurge,
		"drain a worker":        operateDrain,
		"failures by error":     operateFailures,
		"failures are examined": operateNoFailures,
	}
}

func operateReschedule(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Microsecond)
	j, err := f.Reschedule(f.t.Context(), id, later)
	if f.check(err); j.State != job.Scheduled || !j.RunAt.Equal(later) || j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitScheduled {
		f.t.Errorf("Reschedule() = %+v, want it scheduled at %s", j, later)
	}
	w := f.join()
	if jobs, err := f.Claim(f.t.Context(), w, []job.ID{id}); err != nil || len(jobs) != 0 {
		f.t.Errorf("Claim() of a job that was put off = %v, %v; want none", jobs, err)
	}
	if j, err = f.Reschedule(f.t.Context(), id, time.Now().Add(-time.Hour)); err != nil || j.State != job.Pending || time.Since(j.RunAt) > 10*time.Minute {
		f.t.Errorf("Reschedule() to the past = %+v, %v; want it to start now", j, err)
	}
	f.claim(w, id)
}

func operateRescheduleRefused(f *fixture) {
	f.start()
	w := f.join()
	later := time.Now().Add(time.Hour)
	ids := f.accept(4, func(i int, j *job.Job) {
		switch i {
		case 0:
			j.Deadline = later
		case 1:
			j.ExpiresAt = later
		}
	})
	f.claim(w, ids[2])
	f.run(w, ids[3], job.Outcome{State: job.Retry, Delay: time.Hour})
	done := f.accept(1, nil)[0]
	f.run(w, done, job.Outcome{State: job.Completed})
	for _, tt := range []struct {
		name string
		id   job.ID
		want error
	}{
		{"after its deadline", ids[0], job.ErrInvalid}, {"after its expires_at", ids[1], job.ErrInvalid}, {"running", ids[2], job.ErrStarted},
		{"to be run again", ids[3], job.ErrStarted}, {"ended", done, job.ErrTerminal}, {"unknown", job.NewID(), job.ErrNotFound},
	} {
		if _, err := f.Reschedule(f.t.Context(), tt.id, later.Add(time.Minute)); !errors.Is(err, tt.want) {
			f.t.Errorf("%s: Reschedule() = %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, err := f.Reschedule(f.t.Context(), ids[0], later.Add(-time.Minute)); err != nil {
		f.t.Errorf("before its deadline: Reschedule() = %v, want nil", err)
	}
}

func operatePurge(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(4, func(i int, j *job.Job) {
		if i == 3 {
			j.Queue = "low"
		}
	})
	scheduled := f.accept(1, func(_ int, j *job.Job) { j.State, j.RunAt = job.Scheduled, time.Now().Add(time.Hour) })[0]
	sealed := f.accept(1, exactly)[0]
	f.run(w, sealed, job.Outcome{State: job.Retry, Delay: time.Hour})
	f.claim(w, ids[0])
	total := 0
	for _, want := range []int{2, 2, 0} {
		events, err := f.PurgeQueue(f.t.Context(), "default", 2)
		if f.check(err); len(events) != want {
			f.t.Errorf("PurgeQueue() = %v, want %d events", events, want)
		}
		total += len(events)
	}
	f.want(ids[0], job.Active)
	f.want(ids[3], job.Pending)
	for _, id := range []job.ID{ids[1], ids[2], scheduled} {
		if j := f.want(id, job.Canceled); j.Error == nil || j.Error.Code != job.CodeCanceled {
			f.t.Errorf("error = %+v, want that it was canceled", j.Error)
		}
	}
	if j := f.want(sealed, job.Pending); j.Verdict == nil || j.Verdict.State != job.Canceled {
		f.t.Errorf("job = %+v, want it sealed before it is canceled", j)
	}
	if _, err := f.PurgeQueue(f.t.Context(), "none", 2); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("PurgeQueue(none) = %v, want job.ErrNotFound", err)
	}
}

func operateDrain(f *fixture) {
	f.start()
	a, b := f.join(), f.join()
	asked := func(worker string, want bool) {
		f.t.Helper()
		if got, err := f.DrainRequested(f.t.Context(), worker); err != nil || got != want {
			f.t.Errorf("DrainRequested() = %t, %v; want %t", got, err, want)
		}
	}
	asked(a, false)
	for range 2 {
		f.check(f.DrainWorker(f.t.Context(), a))
	}
	asked(a, true)
	asked(b, false)
	asked("nobody", false)
	for _, w := range f.workers() {
		if want := map[string]ledger.WorkerState{a: ledger.WorkerDraining, b: ledger.WorkerRunning}[w.ID]; w.State != want {
			f.t.Errorf("worker is %s, want %s", w.State, want)
		}
	}
	f.check(f.Leave(f.t.Context(), b))
	for _, gone := range []string{b, "nobody"} {
		if err := f.DrainWorker(f.t.Context(), gone); !errors.Is(err, job.ErrNotFound) {
			f.t.Errorf("DrainWorker() of one that is gone = %v, want job.ErrNotFound", err)
		}
	}
}

func operateFailures(f *fixture) {
	f.start()
	w := f.join()
	var last job.ID
	fail := func(n int, kind, queue string, state job.State, code job.Code) {
		for range n {
			last = f.accept(1, func(_ int, j *job.Job) { j.Kind, j.Queue = kind, queue })[0]
			f.run(w, last, job.Outcome{State: state, Error: &job.Error{Code: code, Message: "m"}})
		}
	}
	fail(2, "a", "default", job.Archived, job.CodeTimeout)
	fail(1, "a", "default", job.Unknown, job.CodeTimeout)
	fail(1, "b", "low", job.Archived, job.CodeTimeout)
	fail(3, "b", "default", job.Archived, job.CodeConstraint)
	fail(5, "b", "default", job.Completed, "")
	groups, examined, complete, err := f.FailureGroups(f.t.Context(), []job.State{job.Archived, job.Unknown}, nil, nil, 3)
	f.check(err)
	if len(groups) != 3 || examined != 7 || !complete {
		f.t.Fatalf("FailureGroups() = %+v, %d, %t; want the three largest of 7", groups, examined, complete)
	}
	g := groups[0]
	if g.Code != job.CodeConstraint || g.Kind != "b" || g.State != job.Archived || g.Jobs != 3 || g.FirstAt.After(g.LastAt) || time.Since(g.LastAt) > time.Hour {
		f.t.Errorf("first group = %+v, want 3 of b with %s", g, job.CodeConstraint)
	}
	if j := f.get(g.Sample); j.Kind != "b" || j.Error.Code != job.CodeConstraint {
		f.t.Errorf("sample = %+v, want one of the group", j)
	}
	groups, examined, _, err = f.FailureGroups(f.t.Context(), []job.State{job.Archived}, []string{"default"}, []string{"a", "it's"}, 10)
	if f.check(err); len(groups) != 1 || groups[0].Jobs != 2 || examined != 2 {
		f.t.Errorf("FailureGroups(default, a) = %+v, %d; want one of 2", groups, examined)
	}
}

func operateNoFailures(f *fixture) {
	f.start()
	groups, examined, complete, err := f.FailureGroups(f.t.Context(), []job.State{job.Archived}, nil, nil, 10)
	if f.check(err); len(groups) != 0 || examined != 0 || !complete {
		f.t.Errorf("FailureGroups() of nothing = %+v, %d, %t", groups, examined, complete)
	}
}
