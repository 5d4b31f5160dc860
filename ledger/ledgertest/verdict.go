package ledgertest

import (
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

func finishCanceled(f *fixture) {
	f.start()
	w := f.join()
	for _, state := range []job.State{job.Retry, job.Parked, job.Pending} {
		id := f.accept(1, nil)[0]
		f.claim(w, id)
		if j, err := f.Cancel(f.t.Context(), id); err != nil || j.State != job.Active || !j.CancelRequested {
			f.t.Errorf("Cancel(active) = %+v, %v; want it to be asked to stop", j, err)
		}
		if ids, err := f.CancelRequests(f.t.Context(), w); err != nil || !slices.Equal(ids, []job.ID{id}) {
			f.t.Errorf("CancelRequests() = %v, %v; want the job", ids, err)
		}
		f.finish(job.Outcome{Job: id, Epoch: 1, State: state, Delay: time.Hour, Parked: job.WaitPool})
		got := f.want(id, job.Pending)
		if got.Verdict == nil || got.Verdict.State != job.Canceled || got.Verdict.Error.Code != job.CodeCanceled || got.CancelRequested || got.Parked != "" {
			f.t.Errorf("after %s: %+v, want the verdict canceled", state, got)
		}
		if got.WaitingOn == nil || got.WaitingOn.Reason != job.WaitSealing {
			f.t.Errorf("after %s: waiting on %+v, want sealing", state, got.WaitingOn)
		}
		got = f.run(w, id, job.Outcome{State: job.Canceled, Error: got.Verdict.Error})
		if got.State != job.Canceled || got.Verdict != nil {
			f.t.Errorf("after the seal: %+v, want it canceled", got)
		}
	}
	id := f.accept(1, nil)[0]
	f.claim(w, id)
	_, err := f.Cancel(f.t.Context(), id)
	f.check(err)
	f.finish(job.Outcome{Job: id, Epoch: 1, State: job.Completed})
	f.want(id, job.Completed) // it was done before it could stop
}

// A seal that did not succeed is tried again; it is no run, and nothing of the
// job's last run is lost by it.
func finishVerdict(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, exactly)[0]
	run := f.run(w, id, job.Outcome{State: job.Retry, Summary: []byte(`{"kept":1}`), Error: &job.Error{Code: job.CodeTimeout}})
	_, err := f.Cancel(f.t.Context(), id)
	f.check(err)
	for _, state := range []job.State{job.Parked, job.Pending, job.Retry} {
		got := f.run(w, id, job.Outcome{State: state, Parked: job.WaitSealing, Delay: time.Hour})
		if got.State != state || got.Verdict == nil || got.Verdict.State != job.Canceled || got.Attempt != 1 || !got.StartedAt.Equal(run.StartedAt) || string(got.Summary) != `{"kept":1}` {
			f.t.Errorf("after %s: %+v, want its verdict, attempt 1 and its run as before", state, got)
		}
		if jobs := f.claimable(id); len(jobs) != 0 {
			f.t.Errorf("after %s: claimed before its delay", state)
		}
		f.due(id)
	}
	if got := f.run(w, id, job.Outcome{State: job.Canceled}); got.State != job.Canceled || got.Verdict != nil {
		f.t.Errorf("after the seal: %+v", got)
	}
	f.wantAttempts(id, "1 retry timeout")
}

func finishWithVerdict(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, exactly)[0]
	end := &job.Verdict{State: job.Archived, Error: &job.Error{Code: job.CodeConstraint, Message: "no", Private: true}}
	got := f.run(w, id, job.Outcome{State: job.Parked, Parked: job.WaitSealing, Delay: time.Hour, Error: end.Error, Verdict: end})
	if got.State != job.Parked || got.Attempt != 1 || got.Verdict == nil || got.Verdict.State != job.Archived || *got.Verdict.Error != *end.Error {
		f.t.Errorf("job = %+v, want it parked with its verdict, at attempt 1", got)
	}
	f.due(id)
	f.run(w, id, job.Outcome{State: job.Archived, Error: end.Error})
	f.wantAttempts(id, "1 archived constraint")
}
