package ledgertest

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
)

func finishTests() tests {
	return tests{
		"each outcome":                        finishEach,
		"a stale epoch changes nothing":       finishStale,
		"one job under two epochs":            finishTwoEpochs,
		"repeated":                            finishAgain,
		"a batch of 500 in mixed states":      finishBatch,
		"delays are by the database's clock":  finishDelay,
		"retries keep their attempts":         finishAttempts,
		"parks and hand-backs count no run":   finishUncounted,
		"a cancel request stops the next run": finishCanceled,
		"verdicts survive until the seal":     finishVerdict,
		"an outcome may bring its verdict":    finishWithVerdict,
		"retention":                           finishRetention,
		"text that no database can hold":      finishBadText,
		"nothing":                             finishNothing,
	}
}

func finishEach(f *fixture) {
	f.start()
	w := f.join()
	failure := &job.Error{Code: job.CodeConstraint, Message: "it's ?no", Private: true}
	for _, state := range []job.State{job.Completed, job.Retry, job.Parked, job.Pending, job.Archived, job.Canceled, job.Unknown} {
		id := f.accept(1, nil)[0]
		o := job.Outcome{State: state, Result: []byte(`{"r":"?"}`), Error: failure, Summary: []byte(`{"s":1}`), Delay: time.Hour}
		if state == job.Parked {
			o.Parked = job.WaitBreaker
		}
		got := f.run(w, id, o)
		if got.State != state || string(got.Result) != `{"r":"?"}` || got.Error == nil || *got.Error != *failure || string(got.Summary) != `{"s":1}` || got.Parked != o.Parked {
			f.t.Errorf("after %s: %+v", state, got)
		}
		if got.FinishedAt.IsZero() == state.Terminal() || got.Epoch != 1 || got.Worker != w {
			f.t.Errorf("after %s: finished %v, epoch %d, worker %s", state, got.FinishedAt, got.Epoch, got.Worker)
		}
		if reason := map[job.State]job.WaitReason{job.Retry: job.WaitBackoff, job.Parked: job.WaitBreaker}[state]; reason != "" {
			if got.WaitingOn == nil || got.WaitingOn.Reason != reason || got.WaitingOn.Until.Before(time.Now()) {
				f.t.Errorf("after %s: waiting on %+v, want %s", state, got.WaitingOn, reason)
			}
		}
	}
}

// refused finishes the outcome, which must change nothing.
func (f *fixture) refused(o job.Outcome) {
	f.t.Helper()
	before := f.get(o.Job)
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{o})
	f.check(err)
	if !slices.Equal(superseded, []job.ID{o.Job}) {
		f.t.Errorf("Finish(epoch %d, %s) superseded %v, want the job", o.Epoch, o.State, superseded)
	}
	f.same(before)
}

func finishStale(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.refused(job.Outcome{Job: id, Epoch: 0, State: job.Completed})
	f.run(f.join(), id, job.Outcome{State: job.Retry})
	f.refused(job.Outcome{Job: id, Epoch: 1, State: job.Completed})
	f.due(id)
	f.claim(f.join(), id)
	for _, epoch := range []int64{0, 1, 3} {
		for _, state := range []job.State{job.Completed, job.Retry, job.Pending, job.Archived} {
			f.refused(job.Outcome{Job: id, Epoch: epoch, State: state})
		}
	}
	f.finish(job.Outcome{Job: id, Epoch: 2, State: job.Completed})
	f.refused(job.Outcome{Job: id, Epoch: 2, State: job.Archived})
	unknown := job.NewID()
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{{Job: unknown, Epoch: 1, State: job.Completed}})
	if f.check(err); !slices.Equal(superseded, []job.ID{unknown}) {
		f.t.Errorf("Finish(unknown job) superseded %v, want it", superseded)
	}
}

func finishTwoEpochs(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.run(f.join(), id, job.Outcome{State: job.Pending})
	f.claim(f.join(), id)
	superseded, err := f.Finish(f.t.Context(), []job.Outcome{
		{Job: id, Epoch: 1, State: job.Archived}, {Job: id, Epoch: 2, State: job.Completed},
	})
	f.check(err)
	if !slices.Equal(superseded, []job.ID{id}) {
		f.t.Errorf("superseded = %v, want the job once, for its stale run", superseded)
	}
	f.want(id, job.Completed)
}

func finishAgain(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	f.claim(f.join(), id)
	o := job.Outcome{Job: id, Epoch: 1, State: job.Retry, Delay: time.Hour, Error: &job.Error{Code: job.CodeTimeout}}
	f.finish(o)
	f.refused(o)
	if got := f.attempts(id); len(got) != 1 {
		f.t.Errorf("%d attempts, want 1", len(got))
	}
}

func finishBatch(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(500, nil)
	jobs := f.claim(w, ids...)
	outcomes := make([]job.Outcome, len(jobs))
	states := []job.State{job.Completed, job.Retry, job.Parked, job.Pending, job.Archived}
	var stale []job.ID
	for i, j := range jobs {
		outcomes[i] = job.Outcome{Job: j.ID, Epoch: j.Epoch, State: states[i%5], Delay: time.Hour}
		if i%7 == 0 {
			outcomes[i].Epoch++
			stale = append(stale, j.ID)
		}
	}
	superseded, err := f.Finish(f.t.Context(), outcomes)
	f.check(err)
	slices.Sort(superseded)
	if slices.Sort(stale); !slices.Equal(superseded, stale) {
		f.t.Errorf("superseded %d jobs, want %d", len(superseded), len(stale))
	}
	retried := 0
	for i, j := range jobs {
		want := states[i%5]
		if i%7 == 0 {
			want = job.Active
		} else if want == job.Retry {
			retried++
		}
		f.want(j.ID, want)
	}
	if n := f.count("SELECT count(*) FROM asyncops_attempts"); n != retried {
		f.t.Errorf("attempts kept = %d, want %d", n, retried)
	}
}

func finishDelay(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	before := f.clock()
	got := f.run(f.join(), id, job.Outcome{State: job.Retry, Delay: 90 * time.Second})
	after := f.clock()
	if got.RunAt.Before(before.Add(90*time.Second)) || got.RunAt.After(after.Add(90*time.Second)) {
		f.t.Errorf("run_at = %v, want 90s after a time between %v and %v", got.RunAt, before, after)
	}
	if jobs := f.claimable(id); len(jobs) != 0 {
		f.t.Error("claimed before its backoff ended")
	}
	f.due(id)
	if jobs := f.claimable(id); len(jobs) != 1 {
		f.t.Error("not claimed after its backoff ended")
	}
}

// clock is the database's time.
func (f *fixture) clock() time.Time {
	f.t.Helper()
	queues, err := f.Queues(f.t.Context(), "default")
	f.check(err)
	return queues[0].Now
}

func finishAttempts(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	for n := 1; n <= 3; n++ {
		got := f.run(w, id, job.Outcome{State: job.Retry, Error: &job.Error{Code: job.CodeTimeout, Message: "m", Private: true}, Summary: []byte(`{"n":1}`)})
		if got.Attempt != n {
			f.t.Errorf("attempt = %d, want %d", got.Attempt, n)
		}
		f.due(id)
	}
	f.run(w, id, job.Outcome{State: job.Completed})
	f.wantAttempts(id, "1 retry timeout", "2 retry timeout", "3 retry timeout", "4 completed ")
	for _, a := range f.attempts(id)[:3] {
		if a.Worker != w || a.StartedAt.IsZero() || a.FinishedAt == nil || a.FinishedAt.Before(a.StartedAt) || !a.Error.Private || string(a.Summary) != `{"n":1}` {
			f.t.Errorf("attempt = %+v", a)
		}
	}
}

func finishUncounted(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	w := f.join()
	for _, state := range []job.State{job.Parked, job.Pending, job.Parked} {
		if got := f.run(w, id, job.Outcome{State: state}); got.Attempt != 0 || got.Crashes != 0 {
			f.t.Errorf("after %s: attempt %d, crashes %d; want none", state, got.Attempt, got.Crashes)
		}
		f.due(id)
	}
	if _, err := f.Cancel(f.t.Context(), id); err != nil {
		f.t.Error(err)
	}
	f.want(id, job.Canceled)
	f.wantAttempts(id)
}

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

func finishRetention(f *fixture) {
	f.start()
	w := f.join()
	for retention, want := range map[time.Duration]time.Duration{0: 7 * 24 * time.Hour, time.Hour: time.Hour} {
		id := f.accept(1, func(_ int, j *job.Job) { j.Options.Retention = retention })[0]
		f.run(w, id, job.Outcome{State: job.Retry})
		if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE purge_at IS NOT NULL AND id = '%s'", id); n != 0 {
			f.t.Error("a job that has not ended has a time to be purged at")
		}
		f.due(id)
		f.run(w, id, job.Outcome{State: job.Completed})
		if got := f.count("SELECT purge_at - finished_at FROM asyncops_jobs WHERE id = '%s'", id); got != int(want.Microseconds()) {
			f.t.Errorf("retention %v: kept for %dµs, want %v", retention, got, want)
		}
	}
}

func finishBadText(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(2, nil)
	f.claim(w, ids...)
	bad := "a\x00b\xffc"
	f.finish(
		job.Outcome{Job: ids[0], Epoch: 1, State: job.Archived, Error: &job.Error{Code: job.CodeFailed, Message: bad}, Result: []byte(`"` + bad + `"`), Summary: []byte(`"` + bad + `"`)},
		job.Outcome{Job: ids[1], Epoch: 1, State: job.Parked, Verdict: &job.Verdict{State: job.Archived, Error: &job.Error{Code: job.CodeFailed, Message: bad}}},
	)
	const want = "a\uFFFDb\uFFFDc"
	first, second := f.get(ids[0]), f.get(ids[1])
	if first.Error.Message != want || string(first.Result) != `"`+want+`"` || string(first.Summary) != `"`+want+`"` {
		f.t.Errorf("job = %q %q %q, want %q", first.Error.Message, first.Result, first.Summary, want)
	}
	if !strings.Contains(second.Verdict.Error.Message, want) {
		f.t.Errorf("verdict = %q, want %q", second.Verdict.Error.Message, want)
	}
}

func finishNothing(f *fixture) {
	f.start()
	if superseded, err := f.Finish(f.t.Context(), nil); err != nil || superseded != nil {
		f.t.Errorf("Finish(nothing) = %v, %v", superseded, err)
	}
	if _, err := f.Attempts(f.t.Context(), job.NewID()); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("Attempts(unknown) = %v, want %v", err, job.ErrNotFound)
	}
}
