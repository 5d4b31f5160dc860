package ledgertest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/job"
)

func attemptTests() tests {
	return tests{
		"of a job that runs":           attemptsActive,
		"of a death":                   attemptsLost,
		"a seal is no attempt":         attemptsSeal,
		"of a job that has not begun":  attemptsNone,
		"handing back leaves no trace": attemptsHandBack,
	}
}

func (f *fixture) attempts(id job.ID) []job.Attempt {
	f.t.Helper()
	attempts, err := f.Attempts(f.t.Context(), id)
	f.check(err)
	return attempts
}

// wantAttempts compares number, outcome and error code of each.
func (f *fixture) wantAttempts(id job.ID, want ...string) {
	f.t.Helper()
	var got []string
	for _, a := range f.attempts(id) {
		code := job.Code("")
		if a.Error != nil {
			code = a.Error.Code
		}
		got = append(got, fmt.Sprintf("%d %s %s", a.Number, a.Outcome, code))
	}
	if !slices.Equal(got, want) {
		f.t.Errorf("attempts = %q, want %q", got, want)
	}
}

// same fails the test if the job is not as it was.
func (f *fixture) same(before job.Job) {
	f.t.Helper()
	after := f.get(before.ID)
	before.WaitingOn, after.WaitingOn = nil, nil
	f.equal(after, before)
}

func (f *fixture) equal(got, want job.Job) {
	f.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("job differs (-want +got):\n%s", diff)
	}
}

// contextDone returns a context that has ended.
func contextDone(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx, cancel
}

func attemptsActive(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	f.claim(w, id)
	got := f.attempts(id)
	if len(got) != 1 || got[0].Outcome != "active" || got[0].FinishedAt != nil || got[0].Worker != w || got[0].Number != 1 {
		f.t.Errorf("attempts = %+v, want the current one", got)
	}
}

func attemptsLost(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	for range 2 {
		w := f.join()
		f.due(id)
		if f.get(id).Crashes < job.IsolationCrashes {
			f.claim(w, id)
		}
		f.die(w)
	}
	f.wantAttempts(id, "1 lost worker_lost", "1 lost worker_lost")
}

func attemptsSeal(f *fixture) {
	f.start()
	id := f.accept(1, exactly)[0]
	w := f.join()
	f.claim(w, id)
	_, err := f.Cancel(f.t.Context(), id)
	f.check(err)
	f.die(w)
	sealer := f.join()
	f.claim(sealer, id)
	f.wantAttempts(id, "1 lost worker_lost")
	f.die(sealer)
	f.run(f.join(), id, job.Outcome{State: job.Canceled, Error: &job.Error{Code: job.CodeCanceled}})
	f.wantAttempts(id, "1 lost worker_lost")
	_, err = f.Revive(f.t.Context(), id, nil)
	f.check(err)
	f.wantAttempts(id, "1 lost worker_lost")
}

func attemptsNone(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.wantAttempts(id)
	_, err := f.Cancel(f.t.Context(), id)
	f.check(err)
	f.wantAttempts(id)
}

func attemptsHandBack(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	f.run(w, id, job.Outcome{State: job.Pending})
	f.run(w, id, job.Outcome{State: job.Parked})
	f.wantAttempts(id)
	f.due(id)
	f.run(w, id, job.Outcome{State: job.Completed})
	f.wantAttempts(id, "1 completed ")
}
