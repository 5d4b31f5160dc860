package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// runner is a Handler and a Meter made of funcs.
type runner struct {
	quiet

	run  func(ctx context.Context, j *job.Job) (job.Result, error)
	seal func() (json.RawMessage, bool, error)
}

func (r runner) Run(ctx context.Context, j *job.Job) (job.Result, error) { return r.run(ctx, j) }

func (r runner) Seal(context.Context, *job.Job) (json.RawMessage, bool, error) { return r.seal() }

// newRunner returns an executor of one slot, and where it hands its outcomes on.
func newRunner(r runner) (*executor, <-chan finished) {
	done := make(chan finished, 10)
	e := newExecutor(WorkerConfig{Concurrency: 1}.withDefaults(), r, r, slog.New(slog.DiscardHandler), func(f finished) { done <- f })
	e.holds = func(worker string) bool { return worker == "here" }
	return e, done
}

// What a failure leads to hangs on its class, and on why the run was stopped. A
// request that may have been sent is not sent again because the worker stops.
func TestOutcomeOfFailures(t *testing.T) {
	t.Parallel()
	throttled := &job.Failure{Class: job.ClassThrottled, Code: job.CodeBreakerOpen, Wait: job.WaitBreaker}
	ambiguous := &job.Failure{Class: job.ClassAmbiguous, Code: job.CodeAmbiguous}
	retryable, permanent := job.Retryable(job.CodeConflict, "again"), job.Permanent(job.CodeConstraint, "no")
	tests := []struct {
		name    string
		failure error
		cause   error
		job     job.Job
		want    job.State
		code    job.Code
	}{
		{"retryable", retryable, nil, job.Job{}, job.Retry, job.CodeConflict},
		{"retryable, the last attempt", retryable, nil, job.Job{Attempt: 3}, job.Archived, job.CodeExhausted},
		{"retryable, out of time", retryable, job.ErrTimeout, job.Job{}, job.Retry, job.CodeTimeout},
		{"retryable, past the deadline", retryable, job.ErrDeadline, job.Job{}, job.Archived, job.CodeDeadlineExceeded},
		{"retryable, canceled", retryable, job.ErrCanceled, job.Job{}, job.Canceled, job.CodeCanceled},
		{"retryable, drained", retryable, job.ErrDraining, job.Job{}, job.Pending, ""},
		{"retryable, drained in the last attempt", retryable, job.ErrDraining, job.Job{Attempt: 3}, job.Pending, ""},
		{"retryable, drained, runs once", retryable, job.ErrDraining, job.Job{RunOnce: true}, job.Pending, ""},
		{"retryable, lease lost", retryable, job.ErrLeaseLost, job.Job{}, job.Pending, ""},
		{"permanent", permanent, nil, job.Job{}, job.Archived, job.CodeConstraint},
		{"permanent, drained", permanent, job.ErrDraining, job.Job{}, job.Archived, job.CodeConstraint},
		{"permanent, lease lost", permanent, job.ErrLeaseLost, job.Job{}, job.Archived, job.CodeConstraint},
		{"permanent, canceled", permanent, job.ErrCanceled, job.Job{}, job.Canceled, job.CodeCanceled},
		{"throttled", throttled, nil, job.Job{}, job.Parked, job.CodeBreakerOpen},
		{"throttled, the last attempt", throttled, nil, job.Job{Attempt: 3}, job.Parked, job.CodeBreakerOpen},
		{"throttled, drained", throttled, job.ErrDraining, job.Job{}, job.Pending, ""},
		{"ambiguous", ambiguous, nil, job.Job{}, job.Unknown, job.CodeAmbiguous},
		{"ambiguous, drained", ambiguous, job.ErrDraining, job.Job{}, job.Unknown, job.CodeAmbiguous},
		{"ambiguous, canceled", ambiguous, job.ErrCanceled, job.Job{}, job.Unknown, job.CodeAmbiguous},
		{"ambiguous, past the deadline", ambiguous, job.ErrDeadline, job.Job{}, job.Unknown, job.CodeAmbiguous},
		{"no failure but an error", errors.New("oh"), nil, job.Job{}, job.Retry, job.CodeInternal},
		{"no failure but an error, runs once", errors.New("oh"), nil, job.Job{RunOnce: true}, job.Unknown, job.CodeInternal},
		{"no failure but an error, drained, runs once", errors.New("oh"), job.ErrDraining, job.Job{RunOnce: true}, job.Unknown, job.CodeInternal},
	}
	e, _ := newRunner(runner{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			j := test.job
			j.MaxAttempts = 3
			got := e.failed(t.Context(), &j, asFailure(&j, test.failure), test.cause)
			var code job.Code
			if got.Error != nil {
				code = got.Error.Code
			}
			if got.State != test.want || code != test.code {
				t.Errorf("failed = %s with code %q, want %s with %q", got.State, code, test.want, test.code)
			}
		})
	}
}

// A panic is an error that says nothing: repeated, unless the job runs once.
func TestPanics(t *testing.T) {
	t.Parallel()
	e, _ := newRunner(runner{
		run:  func(context.Context, *job.Job) (job.Result, error) { panic("boom") },
		seal: func() (json.RawMessage, bool, error) { panic("boom") },
	})
	verdict := &job.Verdict{State: job.Archived, Error: &job.Error{Code: job.CodeConstraint}}
	tests := []struct {
		name string
		job  job.Job
		want job.State
	}{
		{"run", job.Job{MaxAttempts: 2}, job.Retry},
		{"runs once", job.Job{MaxAttempts: 2, RunOnce: true}, job.Unknown},
		{"seal", job.Job{Delivery: job.ExactlyOnceEffect, Verdict: verdict}, job.Parked},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := e.outcome(t.Context(), &test.job); got.State != test.want {
				t.Errorf("outcome = %+v, want %s", got, test.want)
			}
		})
	}
}

// An effect that was committed as the run was canceled has happened.
func TestCancelAfterTheEffect(t *testing.T) {
	t.Parallel()
	e, _ := newRunner(runner{
		run: func(ctx context.Context, _ *job.Job) (job.Result, error) {
			<-ctx.Done()
			return job.Result{Value: json.RawMessage("1")}, nil
		},
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(job.ErrCanceled)
	if got := e.outcome(ctx, &job.Job{}); got.State != job.Completed || string(got.Result) != "1" {
		t.Errorf("outcome of a run that did its work = %+v, want completed with its result", got)
	}
	// One whose reply was lost is found by the seal.
	e, _ = newRunner(runner{
		run: func(context.Context, *job.Job) (job.Result, error) {
			return job.Result{}, job.Retryable(job.CodeConflict, "")
		},
		seal: func() (json.RawMessage, bool, error) { return json.RawMessage("2"), true, nil },
	})
	if got := e.outcome(ctx, &job.Job{Delivery: job.ExactlyOnceEffect}); got.State != job.Completed || string(got.Result) != "2" {
		t.Errorf("outcome of a run whose effect the target knows = %+v, want completed with its result", got)
	}
}

// The deadline is the ledger's, and so is the clock that it is measured by.
func TestDeadlineByTheLedgersClock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, _ := newRunner(runner{run: func(ctx context.Context, _ *job.Job) (job.Result, error) {
			<-ctx.Done()
			return job.Result{}, job.Retryable(job.CodeConflict, "")
		}})
		started := time.Now().Add(-2 * time.Hour) // the ledger's clock is behind ours
		began := time.Now()
		got := e.outcome(t.Context(), &job.Job{StartedAt: started, Deadline: started.Add(20 * time.Second), MaxAttempts: 1})
		if ran := time.Since(began); ran != 20*time.Second || got.Error == nil || got.Error.Code != job.CodeDeadlineExceeded {
			t.Errorf("outcome = %+v after %v, want deadline_exceeded after 20s", got, ran)
		}
	})
}

// A target that stays away is asked less and less often.
func TestSealPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e, _ := newRunner(runner{})
		for _, test := range []struct{ since, low, high time.Duration }{
			{0, 5 * time.Second, 6 * time.Second},
			{30 * time.Second, 15 * time.Second, 16 * time.Second},
			{time.Hour, time.Minute, 61 * time.Second},
		} {
			if got := e.sealPause(&job.Job{StartedAt: time.Now().Add(-test.since)}); got < test.low || got > test.high {
				t.Errorf("sealPause after %v = %v, want %v to %v", test.since, got, test.low, test.high)
			}
		}
	})
}
