package ledgertest

import (
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

func steerTests() tests {
	return tests{
		"cancel what does not run":          cancelWaiting,
		"cancel seals where a run has been": cancelSeals,
		"cancel meets finish":               cancelRace,
		"revive":                            revive,
		"revive with other args":            reviveArgs,
		"delete":                            deleteEnded,
		"unknown jobs":                      steerUnknown,
		"ended":                             endedJobs,
	}
}

func cancelWaiting(f *fixture) {
	f.start()
	for _, delivery := range []job.Delivery{job.AtLeastOnce, job.ExactlyOnceEffect} {
		for _, state := range []job.State{job.Waiting, job.Scheduled, job.Pending} {
			id := f.accept(1, func(_ int, j *job.Job) { j.State, j.Delivery, j.RunAt = state, delivery, time.Now().Add(time.Hour) })[0]
			j, err := f.Cancel(f.t.Context(), id)
			f.check(err)
			if j.State != job.Canceled || j.Error == nil || j.Error.Code != job.CodeCanceled || j.FinishedAt.IsZero() || j.Verdict != nil {
				f.t.Errorf("Cancel(%s, %s) = %+v, want it canceled", state, delivery, j)
			}
			if _, err := f.Cancel(f.t.Context(), id); !errors.Is(err, job.ErrTerminal) {
				f.t.Errorf("Cancel(canceled) = %v, want %v", err, job.ErrTerminal)
			}
		}
	}
}

func cancelSeals(f *fixture) {
	f.start()
	w := f.join()
	for _, state := range []job.State{job.Retry, job.Parked, job.Pending} {
		sealed, plain := f.accept(1, exactly)[0], f.accept(1, nil)[0]
		for _, id := range []job.ID{sealed, plain} {
			f.run(w, id, job.Outcome{State: state, Delay: time.Hour, Parked: job.WaitPool, Error: &job.Error{Code: job.CodeTimeout, Message: "late", Private: true}})
			for range 2 {
				if _, err := f.Cancel(f.t.Context(), id); err != nil && (id == sealed || !errors.Is(err, job.ErrTerminal)) {
					f.t.Error(err)
				}
			}
		}
		got := f.want(sealed, job.Pending)
		if got.Verdict == nil || got.Verdict.State != job.Canceled || !got.FinishedAt.IsZero() || got.Error.Code != job.CodeTimeout || got.Parked != "" {
			f.t.Errorf("from %s: %+v, want the verdict canceled", state, got)
		}
		if got := f.want(plain, job.Canceled); got.Error.Code != job.CodeCanceled || got.Error.Private || got.Parked != "" {
			f.t.Errorf("from %s: %+v, want it canceled", state, got)
		}
	}
}

// Whoever comes first, the job ends once, and as the first one said.
func cancelRace(f *fixture) {
	f.start()
	w := f.join()
	ids := f.accept(40, nil)
	f.claim(w, ids...)
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			if _, err := f.Cancel(f.t.Context(), id); err != nil && !errors.Is(err, job.ErrTerminal) {
				f.t.Errorf("Cancel() = %v", err)
			}
		})
		wg.Go(func() {
			state := []job.State{job.Completed, job.Retry}[i%2]
			if superseded, err := f.Finish(f.t.Context(), []job.Outcome{{Job: id, Epoch: 1, State: state, Delay: time.Hour}}); err != nil || superseded != nil {
				f.t.Errorf("Finish() = %v, %v", superseded, err)
			}
		})
	}
	wg.Wait()
	for i, id := range ids {
		j := f.get(id)
		stopped := j.State == job.Pending && j.Verdict != nil || j.State == job.Canceled
		if i%2 == 0 && j.State != job.Completed || i%2 == 1 && !stopped {
			f.t.Errorf("job %d is %s with verdict %+v", i, j.State, j.Verdict)
		}
	}
}

func revive(f *fixture) {
	f.start()
	w := f.join()
	for _, state := range []job.State{job.Archived, job.Canceled, job.Unknown} {
		id := f.accept(1, func(_ int, j *job.Job) {
			j.Deadline, j.ExpiresAt = time.Now().Add(time.Hour), time.Now().Add(time.Hour)
		})[0]
		f.run(w, id, job.Outcome{State: job.Retry, Error: &job.Error{Code: job.CodeTimeout}})
		f.due(id)
		f.run(w, id, job.Outcome{State: state, Result: []byte(`1`), Summary: []byte(`2`), Error: &job.Error{Code: job.CodeConstraint}})
		got, err := f.Revive(f.t.Context(), id, nil)
		f.check(err)
		want := job.Job{
			ID: id, Kind: "test", Queue: "default", State: job.Pending, Args: json.RawMessage(`{"a": 1}`), Result: json.RawMessage(`1`), MaxAttempts: 10,
			Generation: 1, Epoch: 3, Delivery: job.AtLeastOnce, CreatedAt: got.CreatedAt, RunAt: got.RunAt, Worker: w, WaitingOn: got.WaitingOn,
		}
		f.equal(*got, want)
		f.wantAttempts(id, "1 retry timeout", "2 "+string(state)+" constraint")
		f.refused(job.Outcome{Job: id, Epoch: 2, State: job.Completed})
		if j := f.claim(w, id)[0]; j.Epoch != 4 || j.Attempt != 1 {
			f.t.Errorf("claimed at epoch %d, attempt %d; want 4, 1", j.Epoch, j.Attempt)
		}
		f.finish(job.Outcome{Job: id, Epoch: 4, State: job.Completed})
		f.wantAttempts(id, "1 retry timeout", "2 "+string(state)+" constraint", "1 completed ")
	}
	// In its new generation it has not run: there is nothing to seal.
	id := f.accept(1, exactly)[0]
	f.run(w, id, job.Outcome{State: job.Archived})
	_, err := f.Revive(f.t.Context(), id, nil)
	f.check(err)
	_, err = f.Cancel(f.t.Context(), id)
	f.check(err)
	f.want(id, job.Canceled)
}

func reviveArgs(f *fixture) {
	f.start()
	w := f.join()
	id := f.accept(1, nil)[0]
	for generation, args := range []string{"", `{"b": 2}`, "", `{"c":3}`} {
		f.run(w, id, job.Outcome{State: job.Archived})
		var what *job.Work
		if args != "" {
			what = &job.Work{Args: json.RawMessage(args), Delivery: job.ExactlyOnceEffect, RunOnce: generation == 1}
		}
		got, err := f.Revive(f.t.Context(), id, what)
		f.check(err)
		wantArgs, wantKey := []string{`{"a": 1}`, `{"b": 2}`, `{"b": 2}`, `{"c":3}`}[generation], []int{0, 2, 2, 4}[generation]
		if string(got.Args) != wantArgs || got.KeyGeneration != wantKey || got.Generation != generation+1 {
			f.t.Errorf("Revive(%q) = args %s, key generation %d, generation %d; want %s, %d, %d",
				args, got.Args, got.KeyGeneration, got.Generation, wantArgs, wantKey, generation+1)
		}
		wantDelivery := job.ExactlyOnceEffect
		if generation == 0 {
			wantDelivery = job.AtLeastOnce
		}
		if wantOnce := generation == 1 || generation == 2; got.Delivery != wantDelivery || got.RunOnce != wantOnce {
			f.t.Errorf("Revive(%q) = delivery %s, run once %t; want %s, %t", args, got.Delivery, got.RunOnce, wantDelivery, wantOnce)
		}
	}
}

func deleteEnded(f *fixture) {
	f.start()
	id := f.accept(1, nil)[0]
	if err := f.Delete(f.t.Context(), id); !errors.Is(err, job.ErrNotTerminal) {
		f.t.Errorf("Delete(pending) = %v, want %v", err, job.ErrNotTerminal)
	}
	w := f.join()
	f.run(w, id, job.Outcome{State: job.Retry})
	f.due(id)
	f.run(w, id, job.Outcome{State: job.Completed})
	f.check(f.Delete(f.t.Context(), id))
	if n := f.count("SELECT count(*) FROM asyncops_jobs") + f.count("SELECT count(*) FROM asyncops_attempts"); n != 0 {
		f.t.Errorf("%d rows are left, want none", n)
	}
}

func steerUnknown(f *fixture) {
	f.start()
	id := job.NewID()
	_, cancel := f.Cancel(f.t.Context(), id)
	_, revive := f.Revive(f.t.Context(), id, nil)
	_, get := f.Get(f.t.Context(), id)
	for name, err := range map[string]error{"Cancel": cancel, "Revive": revive, "Get": get, "Delete": f.Delete(f.t.Context(), id)} {
		if !errors.Is(err, job.ErrNotFound) {
			f.t.Errorf("%s(unknown) = %v, want %v", name, err, job.ErrNotFound)
		}
	}
}

func endedJobs(f *fixture) {
	f.start()
	ids := f.accept(3, nil)
	f.run(f.join(), ids[1], job.Outcome{State: job.Completed})
	gone := job.NewID()
	got, err := f.Ended(f.t.Context(), append(ids, gone))
	f.check(err)
	if want := []job.Event{{Job: ids[1], State: job.Completed}, {Job: gone}}; !slices.Equal(got, want) {
		f.t.Errorf("Ended() = %v, want %v", got, want)
	}
	ctx, cancel := contextDone(f.t)
	defer cancel()
	if got, err := f.Ended(ctx, ids); err == nil {
		f.t.Errorf("Ended(done context) = %v, want an error: nobody knows", got)
	}
	if got, err := f.Ended(f.t.Context(), nil); err != nil || len(got) != 0 {
		f.t.Errorf("Ended(nothing) = %v, %v", got, err)
	}
}
