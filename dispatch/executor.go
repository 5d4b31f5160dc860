package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Handler does what jobs ask for. It is called from many goroutines.
type Handler interface {
	// Run does the job once. It stops when ctx ends, whose cause says why:
	// job.ErrTimeout, job.ErrDeadline, job.ErrCanceled, job.ErrDraining or
	// job.ErrLeaseLost. An error that is no *job.Failure is taken for retryable
	// and internal.
	Run(ctx context.Context, j *job.Job) (job.Result, error)
	// Seal makes sure that no earlier run of the job can take effect any more.
	// If one already has, applied is true and result is what it stored.
	Seal(ctx context.Context, j *job.Job) (result json.RawMessage, applied bool, err error)
}

// Meter receives a worker's measurements. It is called from many goroutines.
type Meter interface {
	// Active is called when a run begins, and done when it has ended.
	Active(queue string) (done func())
	Started(j *job.Job, waited time.Duration)
	Finished(j *job.Job, o job.Outcome, ran time.Duration)
	Fenced(jobs int) // outcomes that were refused because the run had been superseded
}

// executor runs claimed jobs, each in a goroutine under its own context: not
// under asynq's, which ends when Redis is away.
type executor struct {
	handler Handler
	meter   Meter
	log     *slog.Logger
	finish  func(finished)
	slots   *slots

	mu      sync.Mutex
	running map[job.ID]context.CancelCauseFunc // guarded by mu
}

// finished is a run that has ended and is not yet written down.
type finished struct {
	job     *job.Job
	outcome job.Outcome
	ran     time.Duration
}

func newExecutor(size int, h Handler, m Meter, log *slog.Logger, finish func(finished)) *executor {
	return &executor{
		handler: h, meter: m, log: log, finish: finish, slots: newSlots(size),
		running: map[job.ID]context.CancelCauseFunc{},
	}
}

// start runs the jobs. The caller has taken a slot for each; it is given back
// when the run has ended and its outcome has been handed on.
func (e *executor) start(jobs []job.Job) {
	for i := range jobs {
		e.startOne(&jobs[i])
	}
}

// startOne is start for one job. The channel is closed when it has ended.
func (e *executor) startOne(j *job.Job) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		e.run(j)
		e.slots.give(1)
	}()
	return done
}

func (e *executor) run(j *job.Job) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	e.mu.Lock()
	e.running[j.ID] = cancel
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.running, j.ID)
		e.mu.Unlock()
	}()
	defer e.meter.Active(j.Queue)()
	began := time.Now()
	waited := began.Sub(j.RunAt)
	e.meter.Started(j, max(0, waited))
	var o job.Outcome
	if j.Verdict != nil {
		o = e.seal(ctx, j, *j.Verdict)
	} else {
		o = e.attempt(ctx, j)
	}
	o.Job, o.Epoch = j.ID, j.Epoch
	e.finish(finished{job: j, outcome: o, ran: time.Since(began)})
}

// attempt runs the handler within the job's time limits.
func (e *executor) attempt(parent context.Context, j *job.Job) job.Outcome {
	timeout := j.Options.Timeout
	if timeout == 0 {
		timeout = job.DefaultTimeout
	}
	ctx, cancel := context.WithTimeoutCause(parent, timeout, job.ErrTimeout)
	defer cancel()
	if !j.Deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, j.Deadline, job.ErrDeadline)
		defer stop()
	}
	result, err := e.call(ctx, j)
	if err == nil {
		return job.Outcome{State: job.Completed, Result: result.Value, Summary: result.Summary}
	}
	return e.failed(parent, j, asFailure(err), context.Cause(ctx))
}

// call runs the handler and turns a panic into a failure.
func (e *executor) call(ctx context.Context, j *job.Job) (r job.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("handler panicked", "job", j.ID, "kind", j.Kind, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = job.Retryable(job.CodeInternal, "the handler panicked; the worker's log has it")
		}
	}()
	return e.handler.Run(ctx, j)
}

// asFailure reads a handler's error. One that says nothing is ours to mend.
func asFailure(err error) *job.Failure {
	var f *job.Failure
	if errors.As(err, &f) {
		return f
	}
	return &job.Failure{Class: job.ClassRetryable, Code: job.CodeInternal, Message: "internal error; the worker's log has it", Err: err}
}

// stop ends a run with the cause, if it is here.
func (e *executor) stop(id job.ID, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if cancel, ok := e.running[id]; ok {
		cancel(cause)
	}
}

// stopAll ends every run with the cause.
func (e *executor) stopAll(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, cancel := range e.running {
		cancel(cause)
	}
}
