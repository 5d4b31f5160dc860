package clients

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Gate decides when requests may go to an upstream: its rate limit, the pauses
// that it asked for, and its circuit breaker. It is safe for concurrent use.
type Gate interface {
	// Enter returns leave to send one request, and waits for it where it may be
	// had soon. Where not, the error is a *job.Failure of class throttled, which
	// says why and for how long. When ctx ends first, the error is its cause.
	Enter(ctx context.Context) (Pass, error)
	// Pause keeps everybody from sending: the upstream has refused a request
	// for being one too many. asked is how long it wants to be left alone; zero
	// leaves that to the gate. It returns how long the pause lasts.
	Pause(asked time.Duration) time.Duration
}

// Pass is leave to send one request.
type Pass interface {
	// Done says what the send told of the upstream. It is called once.
	Done(Sign)
}

// Sign is what a send tells of its upstream.
type Sign int

const (
	SignNone Sign = iota // nothing: it was not answered for a reason of our own
	SignWell             // it answers
	SignIll              // it answered that it failed, or did not answer
)

// ungated lets everything through.
type ungated struct{}

func (ungated) Enter(context.Context) (Pass, error)     { return ungated{}, nil }
func (ungated) Pause(asked time.Duration) time.Duration { return asked }
func (ungated) Done(Sign)                               {}

// leastTelling is how long a request must have waited at least for the lack of
// an answer to tell something: a job may ask for a timeout that no upstream
// could keep, which must not close it to others.
const leastTelling = time.Second

// refused is the verdict on a send that the gate did not let out. A call that
// has sent before ends as that send did: its job has used its attempt.
func (k *call) refused(ctx context.Context, err error, before *job.Failure) *verdict {
	var f *job.Failure
	switch {
	case !errors.As(err, &f):
		return final(k.interrupted(ctx, err))
	case before != nil && before.Class != job.ClassThrottled:
		before.RetryAfter = max(before.RetryAfter, f.RetryAfter)
		return final(before)
	}
	f.On, f.Unrun = job.ClientTarget(k.cfg.Name).String(), k.sends == 0
	return final(f)
}

// unansweredSign is what a send without an answer tells.
func (k *call) unansweredSign(ctx context.Context, x *exchange, err error, began time.Time) Sign {
	cause := context.Cause(ctx)
	_, unsigned := errors.AsType[*authError](err)
	switch {
	case x.unsigned, unsigned, errors.Is(err, errDialDenied):
		return SignNone
	case !x.ended(ctx):
		return SignIll
	case x.pooled(): // its own calls have kept it from being asked
		return SignNone
	case errors.Is(cause, errCallTimeout), errors.Is(cause, job.ErrTimeout), errors.Is(cause, job.ErrDeadline), errors.Is(cause, context.DeadlineExceeded):
		if time.Since(began) >= min(leastTelling, k.cfg.Timeout) {
			return SignIll
		}
	}
	return SignNone
}

// answeredSign is what an answer tells.
func answeredSign(status int) Sign {
	if status >= http.StatusInternalServerError {
		return SignIll
	}
	return SignWell
}

// throttled makes of an answer that asks to be left alone a pause for all: 429,
// and 503 that says for how long.
func (k *call) throttled(status int, f *job.Failure) {
	if status != http.StatusTooManyRequests && (status != http.StatusServiceUnavailable || f.RetryAfter == 0) {
		return
	}
	f.RetryAfter = k.gate.Pause(f.RetryAfter)
	f.Class, f.Wait, f.On = job.ClassThrottled, job.WaitRateLimit, job.ClientTarget(k.cfg.Name).String()
}

// maxPauseInPlace is how long a call waits for the end of a pause. A longer one
// is better waited for elsewhere: the call keeps a worker's slot.
const maxPauseInPlace = time.Second
