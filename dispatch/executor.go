package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Handler does what jobs ask for. It is called from many goroutines.
type Handler interface {
	// Run does the job once. It stops when ctx ends, whose cause says why:
	// job.ErrTimeout, job.ErrDeadline, job.ErrCanceled, job.ErrDraining or
	// job.ErrLeaseLost. An error that is no *job.Failure is taken for retryable
	// and internal, or for ambiguous where the job must run once only.
	Run(ctx context.Context, j *job.Job) (job.Result, error)
	// Seal makes sure that no earlier run of the job can take effect any more.
	// If one already has, applied is true and result is what it stored.
	Seal(ctx context.Context, j *job.Job) (result json.RawMessage, applied bool, err error)
}

// Meter receives a worker's measurements. It is called from many goroutines.
type Meter interface {
	// Active is called when a run begins, and done when it has ended.
	Active(queue string) (done func())
	// Started counts a run of a job that had been due for waited.
	Started(j *job.Job, waited time.Duration)
	// Finished counts a run whose outcome is in the ledger.
	Finished(j *job.Job, o job.Outcome, ran time.Duration)
	// Fenced counts outcomes that were refused because their runs had been
	// superseded.
	Fenced(jobs int)

	EndMeter
}

// executor runs claimed jobs, each in a goroutine under its own context: not
// under asynq's, which ends when Redis is away.
type executor struct {
	handler   Handler
	meter     Meter
	log       *slog.Logger
	finish    func(finished)
	holds     func(worker string) bool // whether the life that claimed a job still has a lease
	sealAgain time.Duration            // WorkerConfig.SealInterval
	slots     *slots
	bulkheads bulkheads
	shown     *progress   // nil shows none
	notes     NotesLedger // nil keeps none

	mu      sync.Mutex
	running map[runID]context.CancelCauseFunc // guarded by mu
	drained bool                              // jobs that come yet are handed back; guarded by mu

	sealing trouble
}

// runID names one run. A superseded one may still be on its way out while its
// job runs here again.
type runID struct {
	job   job.ID
	epoch int64
}

// finished is a run that has ended and is not yet written down.
type finished struct {
	job     *job.Job
	outcome job.Outcome
	ran     time.Duration
	settled func() // called by settle; may be nil
}

// size is about how many bytes the outcome is to write.
func (f *finished) size() int { return len(f.outcome.Result) + len(f.outcome.Summary) }

// settle tells who waits that the outcome is written, or given up.
func (f finished) settle() {
	if f.settled != nil {
		f.settled()
	}
}

func newExecutor(cfg WorkerConfig, h Handler, m Meter, log *slog.Logger, finish func(finished)) *executor {
	return &executor{
		handler: h, meter: m, log: log, finish: finish, sealAgain: cfg.SealInterval, slots: newSlots(cfg.Concurrency),
		bulkheads: newBulkheads(cfg.Bulkheads),
		running:   map[runID]context.CancelCauseFunc{},
	}
}

// start runs the jobs, which become its own, in the background. The caller has
// taken a slot for each; it is given back when the run has ended and its outcome
// has been handed on.
func (e *executor) start(jobs []job.Job) { e.startInside(jobs, nil, nil) }

// startInside is start for jobs for which the caller has also taken the room of
// a bulkhead, unless it is nil, and has passes of its gate, if that has one.
func (e *executor) startInside(jobs []job.Job, inside *bulkhead, passes []Pass) {
	var next atomic.Int64
	for range jobs {
		// Where jobs are short, the first goroutines run them all, on stacks that
		// have grown already.
		go func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(jobs)) {
					return
				}
				j := jobs[i]
				jobs[i] = job.Job{} // one that runs for long does not keep the others' args in memory
				var pass Pass
				if passes != nil {
					pass = passes[i]
				}
				e.run(&j, inside, pass, nil)
				e.slots.give(1)
			}
		}()
	}
}

// run runs a claimed job and hands its outcome on. inside is the bulkhead that
// has room for it already, if any, and pass the leave of its gate. settled,
// unless nil, is called when the outcome is in the ledger, or was given up.
func (e *executor) run(j *job.Job, inside *bulkhead, pass Pass, settled func()) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	if pass != nil {
		ctx = pass.With(ctx)
		defer pass.Return()
	}
	id := runID{j.ID, j.Epoch}
	e.mu.Lock()
	e.running[id] = cancel
	late := e.drained
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		delete(e.running, id)
		e.mu.Unlock()
	}()
	began := time.Now()
	o := job.Outcome{State: job.Pending}
	switch {
	case late || !e.holds(j.Worker):
		// Where the answer to the claim took too long, somebody else may have the job.
	case inside != nil:
		o = e.outcome(ctx, j)
	default:
		inside = e.bulkheads.of(j)
		switch {
		case inside == nil || inside.enter(ctx):
			began = time.Now()
			o = e.outcome(ctx, j)
		case ctx.Err() == nil:
			o, settled = e.roomless(j, inside), inside.look
			inside = nil
		default: // stopped while it waited
			inside = nil
		}
	}
	o.Job, o.Epoch = j.ID, j.Epoch
	ran := time.Since(began)
	if inside != nil {
		inside.leave(ran)
		if o.ParkedOn == inside.target {
			settled = both(settled, inside.look)
		}
	}
	e.finish(finished{job: j, outcome: o, ran: ran, settled: settled})
}

// both returns a func that calls the two; the first may be nil.
func both(a, b func()) func() {
	if a == nil {
		return b
	}
	return func() { a(); b() }
}

// roomless is the outcome of a job whose target has no room. One that was
// claimed to be sealed stays so.
func (e *executor) roomless(j *job.Job, b *bulkhead) job.Outcome {
	if j.Verdict != nil {
		return e.unsealed(j, *j.Verdict)
	}
	return b.park()
}

// outcome does what the job was claimed for.
func (e *executor) outcome(ctx context.Context, j *job.Job) job.Outcome {
	if j.Verdict != nil {
		return e.seal(ctx, j, *j.Verdict)
	}
	defer e.meter.Active(j.Queue)()
	e.meter.Started(j, max(0, j.StartedAt.Sub(j.RunAt)))
	return e.attempt(ctx, j)
}

// attempt runs the handler within the job's time limits.
func (e *executor) attempt(parent context.Context, j *job.Job) job.Outcome {
	limit, cause := j.Options.Timeout, job.ErrTimeout
	if limit == 0 {
		limit = job.DefaultTimeout
	}
	if !j.Deadline.IsZero() {
		// Both are times of the ledger's clock: ours may differ.
		if left := j.Deadline.Sub(j.StartedAt); left < limit {
			limit, cause = left, job.ErrDeadline
		}
	}
	ctx, cancel := context.WithTimeoutCause(parent, limit, cause)
	defer cancel()
	if e.shown != nil {
		run := runID{j.ID, j.Epoch}
		ctx = job.WithProgress(ctx, func(p job.Progress) { e.shown.report(run, p) })
		defer e.shown.settle(ctx, run)
	}
	book := &notebook{ledger: e.notes, run: runID{j.ID, j.Epoch}}
	if e.notes != nil {
		ctx = job.WithNotebook(ctx, book)
	}
	o := job.Outcome{State: job.Completed}
	result, err := e.call(ctx, j)
	if err == nil {
		o.Result, o.Summary = result.Value, result.Summary
	} else {
		o = e.failed(parent, j, asFailure(j, err), context.Cause(ctx))
	}
	o.Noted = book.used.Load()
	return o
}

// call runs the handler and turns a panic into an error.
func (e *executor) call(ctx context.Context, j *job.Job) (r job.Result, err error) {
	defer recovered(&err)
	return e.handler.Run(ctx, j)
}

// recovered, deferred, turns a panic into an error that tells where it was.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
	}
}

// asFailure reads a handler's error. One that says nothing is ours to mend, and
// leaves open what the run has done.
func asFailure(j *job.Job, err error) *job.Failure {
	var f *job.Failure
	if errors.As(err, &f) {
		return f
	}
	f = &job.Failure{Class: job.ClassRetryable, Code: job.CodeInternal, Message: "internal error; the worker's log has it", Err: err}
	if j.RunOnce {
		f.Class = job.ClassAmbiguous
		f.Message += "; a request may have been sent, which is not safe to repeat"
	}
	return f
}

// stop ends the runs of a job with the cause, if there are any here.
func (e *executor) stop(id job.ID, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for run, cancel := range e.running {
		if run.job == id {
			cancel(cause)
		}
	}
}

// drain ends every run, and those that come yet before they begin.
func (e *executor) drain() {
	e.mu.Lock()
	e.drained = true
	e.mu.Unlock()
	e.stopAll(job.ErrDraining)
}

// stopAll ends every run with the cause, and returns how many there were.
func (e *executor) stopAll(cause error) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, cancel := range e.running {
		cancel(cause)
	}
	return len(e.running)
}
