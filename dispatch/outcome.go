package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/asyncops/asyncops/job"
)

const (
	sealTimeout   = 4 * time.Second // of one try to seal a target; below handBackGrace
	maxSealPause  = time.Minute
	minParkedTime = time.Second
)

// failed decides what follows a run that did not do its work. cause is why its
// context ended, nil if it had not.
func (e *executor) failed(ctx context.Context, j *job.Job, f *job.Failure, cause error) job.Outcome {
	if f.Code == job.CodeInternal {
		e.log.Error("run failed", "job", j.ID, "kind", j.Kind, "attempt", j.Attempt, "error", f.Err)
	}
	why := &job.Error{Code: f.Code, Message: f.Message, Private: f.Private}
	switch {
	case f.Class == job.ClassAmbiguous: // what nobody can tell stays so, whatever else ended the run
		return job.Outcome{State: job.Unknown, Error: why, Result: f.Result, Summary: f.Summary}
	case errors.Is(cause, job.ErrCanceled):
		why = &job.Error{Code: job.CodeCanceled, Message: "canceled by a caller while it ran"}
		return e.end(ctx, j, job.Verdict{State: job.Canceled, Error: why}, f)
	case f.Class == job.ClassPermanent: // the answer stands: another run would send the request again
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f)
	case errors.Is(cause, job.ErrDraining), errors.Is(cause, job.ErrLeaseLost):
		return job.Outcome{State: job.Pending, Result: f.Result, Summary: f.Summary}
	case errors.Is(cause, job.ErrDeadline):
		why = &job.Error{Code: job.CodeDeadlineExceeded, Message: "the deadline passed while it ran"}
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f)
	case f.Class == job.ClassThrottled:
		return e.throttled(f, why)
	case errors.Is(cause, job.ErrTimeout):
		why = &job.Error{Code: job.CodeTimeout, Message: "the attempt ran longer than the job's timeout"}
	}
	if j.Attempt >= j.MaxAttempts {
		why = &job.Error{Code: job.CodeExhausted, Private: why.Private,
			Message: fmt.Sprintf("%d of %d attempts failed, the last with %s: %s", j.Attempt, j.MaxAttempts, why.Code, why.Message)}
		return e.end(ctx, j, job.Verdict{State: job.Archived, Error: why}, f)
	}
	delay := max(f.RetryAfter, j.Options.Backoff.Delay(j.Attempt, rand.Float64()))
	return job.Outcome{State: job.Retry, Error: why, Delay: delay, Result: f.Result, Summary: f.Summary}
}

// throttled is the outcome of a run that may not go on now. Jobs of a target
// whose gate lets them in are asked for by the workers as soon as it does; the
// time until which they are parked is the net, well after that.
func (e *executor) throttled(f *job.Failure, why *job.Error) job.Outcome {
	o := job.Outcome{State: job.Parked, Error: why, Parked: f.Wait, Delay: max(f.RetryAfter, minParkedTime), Result: f.Result, Summary: f.Summary}
	if b := e.bulkheads.all[f.On]; b != nil && b.gate != nil {
		o.ParkedOn = f.On
		o.Delay = f.RetryAfter + minParkTime + rand.N(minParkTime)
	}
	if f.Unrun {
		o.Unrun, o.Error, o.Summary = true, nil, nil
	}
	return o
}

// end gives the job its verdict, once its target is sealed.
func (e *executor) end(ctx context.Context, j *job.Job, v job.Verdict, f *job.Failure) job.Outcome {
	o := e.seal(ctx, j, v)
	o.Summary = f.Summary
	if o.Result == nil {
		o.Result = f.Result
	}
	return o
}

// seal returns the job's verdict. Where the effect is exactly once, the target
// is sealed first: an earlier run that is only believed dead could commit yet.
// When the effect turns out to have happened, the outcome is its result. While
// the target cannot be reached the job is parked and keeps its verdict.
func (e *executor) seal(ctx context.Context, j *job.Job, v job.Verdict) job.Outcome {
	verdict := job.Outcome{State: v.State, Error: v.Error}
	if j.Delivery != job.ExactlyOnceEffect {
		return verdict
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sealTimeout)
	defer cancel()
	result, applied, err := e.callSeal(ctx, j)
	switch {
	case err != nil:
		if e.sealing.tell() {
			e.log.Warn("target not sealed, will try again", "job", j.ID, "kind", j.Kind, "verdict", v.State, "error", err)
		}
		return e.unsealed(j, v)
	case applied:
		return job.Outcome{State: job.Completed, Result: result}
	}
	return verdict
}

// unsealed is the outcome of a job whose target could not be sealed.
func (e *executor) unsealed(j *job.Job, v job.Verdict) job.Outcome {
	return job.Outcome{State: job.Parked, Parked: job.WaitSealing, Delay: e.sealPause(j), Error: v.Error, Verdict: &v}
}

// callSeal is call for Seal.
func (e *executor) callSeal(ctx context.Context, j *job.Job) (result json.RawMessage, applied bool, err error) {
	defer recovered(&err)
	return e.handler.Seal(ctx, j)
}

// sealPause is how long a job rests whose target cannot be sealed: the longer
// it has been so, the longer, that a target which is away takes few slots.
func (e *executor) sealPause(j *job.Job) time.Duration {
	pause := min(max(time.Since(j.StartedAt)/2, e.sealAgain), max(maxSealPause, e.sealAgain))
	return pause + time.Duration(rand.Float64()*0.2*float64(e.sealAgain))
}
