package ledgertest

import (
	"errors"
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
		"what a run has got done stays":       finishPartial,
		"progress":                            finishProgress,
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

// finishPartial: what a run leaves besides a failure is for the next one, until
// the args are replaced.
func finishPartial(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	want := func(when, result string) {
		f.t.Helper()
		f.due(id)
		jobs := f.claim(w, id)
		if len(jobs) != 1 || string(jobs[0].Result) != result {
			f.t.Fatalf("%s: claimed %+v, want the result %q", when, jobs, result)
		}
	}
	finish := func(o job.Outcome) {
		f.t.Helper()
		got := f.get(id)
		o.Job, o.Epoch = id, got.Epoch
		if _, err := f.Finish(f.t.Context(), []job.Outcome{o}); err != nil {
			f.t.Fatal(err)
		}
	}
	want("at first", "")
	finish(job.Outcome{State: job.Retry, Result: []byte(`{"done":1}`)})
	want("after a retry", `{"done":1}`)
	finish(job.Outcome{State: job.Parked, Parked: job.WaitPool, ParkedOn: "database main", Unrun: true})
	want("after a park that ran nothing", `{"done":1}`)
	finish(job.Outcome{State: job.Archived, Result: []byte(`{"done":2}`)})
	_, err := f.Revive(f.t.Context(), id, nil)
	f.check(err)
	want("after a retry by hand", `{"done":2}`)
	finish(job.Outcome{State: job.Unknown})
	_, err = f.Revive(f.t.Context(), id, &job.Work{Args: []byte(`{"other":"args"}`), Delivery: job.AtLeastOnce})
	f.check(err)
	want("after a retry by hand with other args", "")
}

func finishProgress(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	report := func(epoch int64, p job.Progress) {
		f.t.Helper()
		f.check(f.ReportProgress(f.t.Context(), []job.ProgressReport{{Job: id, Epoch: epoch, Progress: p}, {Job: job.NewID(), Epoch: 1}}))
	}
	report(0, job.Progress{Done: 9})
	if got := f.get(id).Progress; got != nil {
		f.t.Errorf("progress of a job that does not run = %+v, want none", got)
	}
	f.claim(w, id)
	report(1, job.Progress{Done: 1, Total: 3, Message: "half\x00way"})
	report(2, job.Progress{Done: 9})
	if got, want := f.get(id).Progress, (job.Progress{Done: 1, Total: 3, Message: "half\uFFFDway"}); got == nil || *got != want {
		f.t.Errorf("progress = %+v, want %+v", got, want)
	}
	f.check(f.ReportProgress(f.t.Context(), nil))
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
	sealed := f.accept(1, exactly)[0]
	f.run(w, sealed, job.Outcome{State: job.Parked})
	_, err := f.Cancel(f.t.Context(), sealed)
	f.check(err)
	f.run(w, sealed, job.Outcome{State: job.Retry}) // of the seal
	f.wantAttempts(sealed)
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
