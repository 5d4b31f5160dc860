package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	sealTimeout = 10 * time.Second // of one try to seal a target
	sealAgain   = 5 * time.Second  // until the next, while the target is away
	throttled   = time.Second      // parked for at least so long
)

// failed decides what follows a run that did not do its work. cause is why its
// context ended, nil if it had not.
func (e *executor) failed(ctx context.Context, j *job.Job, f *job.Failure, cause error) job.Outcome {
	if f.Code == job.CodeInternal {
		e.log.Error("run failed", "job", j.ID, "kind", j.Kind, "attempt", j.Attempt, "error", f.Err)
	}
	why := &job.Error{Code: f.Code, Message: f.Message, Private: f.Private}
	// What nobody can tell stays so, whatever else ended the run.
	if f.Class == job.ClassAmbiguous {
		return job.Outcome{State: job.Unknown, Error: why, Summary: f.Summary}
	}
	switch {
	case errors.Is(cause, job.ErrCanceled):
		why = &job.Error{Code: job.CodeCanceled, Message: "canceled by a caller while it ran"}
		return e.end(ctx, j, job.Verdict{State: job.Canceled, Error: why}, f.Summary)
	case errors.Is(cause, job.ErrDraining), errors.Is(cause, job.ErrLeaseLost):
		return job.Outcome{State: job.Pending, Summary: f.Summary}
	case errors.Is(cause, job.ErrDeadline):
		why = &job.Error{Code: job.CodeDeadlineExceeded, Message: "the deadline passed while it ran"}
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f.Summary)
	case errors.Is(cause, job.ErrTimeout) && f.Class == job.ClassRetryable:
		why = &job.Error{Code: job.CodeTimeout, Message: "the attempt ran longer than the job's timeout"}
	}
	switch f.Class {
	case job.ClassPermanent:
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f.Summary)
	case job.ClassThrottled:
		return job.Outcome{State: job.Parked, Error: why, Parked: f.Wait, Delay: max(f.RetryAfter, throttled), Summary: f.Summary}
	}
	if j.Attempt >= j.MaxAttempts {
		why = &job.Error{Code: job.CodeExhausted, Private: why.Private,
			Message: fmt.Sprintf("%d of %d attempts failed, the last with %s: %s", j.Attempt, j.MaxAttempts, why.Code, why.Message)}
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f.Summary)
	}
	delay := max(f.RetryAfter, j.Options.Backoff.Delay(j.Attempt, rand.Float64()))
	return job.Outcome{State: job.Retry, Error: why, Delay: delay, Summary: f.Summary}
}

// end gives the job its verdict. Where the effect is exactly once, the target
// is sealed first: an earlier run that is only believed dead could commit yet.
func (e *executor) end(ctx context.Context, j *job.Job, v job.Verdict, summary []byte) job.Outcome {
	o := job.Outcome{State: v.State, Error: v.Error, Summary: summary}
	if j.Delivery != job.ExactlyOnceEffect {
		return o
	}
	sealed := e.seal(ctx, j, v)
	if sealed.Summary == nil {
		sealed.Summary = summary
	}
	return sealed
}

// seal seals the job's target and returns the verdict; or, when the effect
// turns out to have happened, its result. While the target cannot be reached
// the job is parked and keeps its verdict.
func (e *executor) seal(ctx context.Context, j *job.Job, v job.Verdict) job.Outcome {
	if j.Delivery != job.ExactlyOnceEffect {
		return job.Outcome{State: v.State, Error: v.Error}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealTimeout)
	defer cancel()
	result, applied, err := e.handler.Seal(ctx, j)
	switch {
	case err != nil:
		e.log.Warn("target not sealed, will try again", "job", j.ID, "kind", j.Kind, "verdict", v.State, "error", err)
		return job.Outcome{State: job.Parked, Parked: job.WaitSealing, Delay: sealAgain, Error: v.Error, Verdict: &v}
	case applied:
		return job.Outcome{State: job.Completed, Result: result}
	}
	return job.Outcome{State: v.State, Error: v.Error}
}
