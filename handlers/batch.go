package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// maxBatchResult bounds the answers that a batch keeps, in bytes altogether.
const maxBatchResult = 32 << 20

// batchSummary is what the attempts list tells of a batch.
type batchSummary struct {
	Requests   int   `json:"requests"`
	Succeeded  int   `json:"succeeded"`
	Failed     int   `json:"failed"`
	Undecided  int   `json:"undecided"`
	Sends      int   `json:"sends"` // of the requests that succeeded in this run
	DurationMS int64 `json:"duration_ms"`
}

// batch makes the requests that no earlier run of the job has decided. An
// answer decides a request, and so does a failure that another try would not
// mend. A run that leaves some undecided keeps what it has decided with the
// job, so that a retry sends only the others; what it notes meanwhile does the
// same for one that is lost.
func (h *Handlers) batch(ctx context.Context, j *job.Job, task *tasks.Batch) (job.Result, error) {
	b := &batchRun{handlers: h, job: j, task: task, began: time.Now()}
	b.errs = make([]*job.Failure, len(task.Requests))
	b.notes = newBatchNotes(job.NotebookOf(ctx), b.began)
	earlier, err := notesOf(ctx, j)
	if err != nil {
		return job.Result{}, err
	}
	if err := errors.Join(b.load(), b.takeOver(earlier)); err != nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "what earlier runs have decided cannot be read")
	}
	b.report(ctx)
	var workers sync.WaitGroup
	for range min(task.MaxConcurrent, len(task.Requests)) {
		workers.Go(func() {
			for i, ok := b.take(ctx); ok; i, ok = b.take(ctx) {
				b.send(ctx, i)
			}
		})
	}
	workers.Wait()
	return b.end(ctx)
}

// batchRun is one run of a batch.
type batchRun struct {
	handlers *Handlers
	job      *job.Job
	task     *tasks.Batch
	began    time.Time
	earlier  job.Notes
	notes    *batchNotes

	mu     sync.Mutex
	result tasks.HTTPBatchResult // guarded by mu
	errs   []*job.Failure        // guarded by mu: why requests that were tried failed, in this run
	next   int                   // guarded by mu
	kept   int                   // guarded by mu: bytes of the answers
	sends  int                   // guarded by mu
	halted bool                  // guarded by mu: no further request is begun
}

// load takes over what earlier runs have decided. A request whose failure ended
// the job is tried again, for a person has said so: one that was ambiguous, and
// with on_error: abort any.
func (b *batchRun) load() error {
	b.result.Responses = make([]json.RawMessage, len(b.task.Requests))
	if len(b.job.Result) == 0 {
		return nil
	}
	var earlier tasks.HTTPBatchResult
	if err := json.Unmarshal(b.job.Result, &earlier); err != nil {
		return err
	}
	if len(earlier.Responses) != len(b.task.Requests) {
		return errors.New("another number of responses")
	}
	for i, response := range earlier.Responses {
		var failed tasks.BatchError
		if err := json.Unmarshal(response, &failed); err != nil {
			return err
		}
		switch code := failed.Error.Code; {
		case string(response) == "null", code == job.CodeAmbiguous, code != "" && b.task.Abort:
			continue
		case code != "":
			b.result.Failed++
		default:
			b.result.Succeeded++
		}
		b.result.Responses[i] = response
		b.kept += len(response)
	}
	return nil
}

// take returns the next request that is undecided.
func (b *batchRun) take(ctx context.Context) (index int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; b.next < len(b.task.Requests); b.next++ {
		if b.halted || ctx.Err() != nil {
			return 0, false
		}
		if b.result.Responses[b.next] == nil {
			b.next++
			return b.next - 1, true
		}
	}
	return 0, false
}

func (b *batchRun) send(ctx context.Context, i int) {
	if !b.repeatable(i) {
		if err := b.notes.mark(ctx, i); err != nil {
			b.unmarked(i, err)
			return
		}
	}
	result, value, err := b.try(ctx, i)
	defer b.notes.now(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.report(ctx)
	if err == nil && b.kept+len(value) > maxBatchResult {
		err = job.Permanent(job.CodeResponseTooLarge, "it answered %d; the answers of the batch are over %d bytes altogether", result.Status, maxBatchResult)
	}
	if err == nil {
		b.result.Responses[i] = value
		b.notes.answered(i, value)
		b.result.Succeeded++
		b.sends += result.Sends
		b.kept += len(value)
		return
	}
	f := b.asFailure(i, err)
	b.errs[i] = f
	if b.decides(ctx, f) {
		b.decideLocked(i, f)
	}
	b.halted = b.halted || b.task.Abort
}

// try makes a request. A panic is an error: nobody above would catch it.
func (b *batchRun) try(ctx context.Context, i int) (result tasks.HTTPResult, value json.RawMessage, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	var since time.Time
	if b.upstream(i).NeedsKey(b.task.Requests[i].Request.Method) {
		since = doubtSince(b.job, b.earlier, i)
	}
	result, err = b.handlers.send(ctx, b.job, &b.task.Requests[i], i, since)
	if err == nil {
		value, err = json.Marshal(result)
	}
	return result, value, noteDoubt(ctx, i, err)
}

func (b *batchRun) upstream(i int) Upstream { return b.handlers.upstreams[b.task.Requests[i].Client] }

// repeatable reports whether a request may be sent again though it may have been
// carried out.
func (b *batchRun) repeatable(i int) bool {
	return b.upstream(i).Repeatable(b.task.Requests[i].Request.Method, true)
}

// unmarked ends the run before a request that could not be noted: it must not be
// sent.
func (b *batchRun) unmarked(i int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.halted = true
	b.errs[i] = &job.Failure{Class: job.ClassRetryable, Code: job.CodeInternal, Message: "that it is about to be sent could not be noted", Err: err}
}

// asFailure reads an error. One that says nothing is ours to mend, and leaves
// open what has been done.
func (b *batchRun) asFailure(i int, err error) *job.Failure {
	if f, ok := errors.AsType[*job.Failure](err); ok {
		return f
	}
	f := &job.Failure{Class: job.ClassRetryable, Code: job.CodeInternal, Message: "internal error; the worker's log has it", Err: err}
	if !b.repeatable(i) {
		f.Class = job.ClassAmbiguous
	}
	return f
}

// decides reports whether a request that failed so is not to be tried again.
// What only the end of the run has brought about decides nothing.
func (b *batchRun) decides(ctx context.Context, f *job.Failure) bool {
	switch f.Class {
	case job.ClassAmbiguous:
		return true
	case job.ClassPermanent:
		return ctx.Err() == nil || f.Code != job.CodeCanceled && f.Code != job.CodeDeadlineExceeded
	}
	last := b.job.Attempt >= b.job.MaxAttempts
	return f.Class == job.ClassRetryable && last && ctx.Err() == nil
}

func (b *batchRun) decideLocked(i int, f *job.Failure) {
	var failed tasks.BatchError
	failed.Error.Code, failed.Error.Message = f.Code, f.Message
	text, err := json.Marshal(failed)
	if err != nil {
		return // two texts; it cannot fail
	}
	b.result.Responses[i] = text
	b.notes.answered(i, text)
	b.result.Failed++
	b.kept += len(text)
}

// report shows how many requests are decided.
func (b *batchRun) report(ctx context.Context) {
	message := ""
	if b.result.Failed > 0 {
		message = fmt.Sprintf("%d failed", b.result.Failed)
	}
	job.ReportProgress(ctx, job.Progress{
		Done: int64(b.result.Succeeded + b.result.Failed), Total: int64(len(b.task.Requests)), Message: message,
	})
}

// end says what the run has come to.
func (b *batchRun) end(ctx context.Context) (job.Result, error) {
	b.notes.last(ctx)
	value, err := json.Marshal(b.result)
	if err != nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "the responses could not be written as a result")
	}
	undecided := len(b.task.Requests) - b.result.Succeeded - b.result.Failed
	summary, err := json.Marshal(batchSummary{
		Requests: len(b.task.Requests), Succeeded: b.result.Succeeded, Failed: b.result.Failed, Undecided: undecided,
		Sends: b.sends, DurationMS: time.Since(b.began).Milliseconds(),
	})
	if err != nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "the responses could not be written as a result")
	}
	f := b.failure(ctx, undecided)
	if f == nil {
		return job.Result{Value: value, Summary: summary}, nil
	}
	f.Result, f.Summary = value, summary
	return job.Result{}, f
}

// failure is why the job does not complete; nil if it does.
func (b *batchRun) failure(ctx context.Context, undecided int) *job.Failure {
	failed := []job.Class{job.ClassAmbiguous}
	if b.task.Abort {
		failed = append(failed, job.ClassPermanent)
	}
	switch {
	case b.first(failed...) >= 0:
		return b.because(b.first(failed...), undecided)
	case undecided > 0 && ctx.Err() != nil:
		return &job.Failure{Class: job.ClassRetryable, Code: job.CodeTimeout, Err: context.Cause(ctx),
			Message: fmt.Sprintf("the time was over with %d of %d requests undecided", undecided, len(b.task.Requests))}
	case undecided > 0 || b.task.Abort:
		for _, class := range []job.Class{job.ClassRetryable, job.ClassThrottled} {
			if i := b.open(class); i >= 0 {
				return b.because(i, undecided)
			}
		}
	}
	return nil
}

// first is the first request that failed so in this run, or -1.
func (b *batchRun) first(classes ...job.Class) int {
	return slices.IndexFunc(b.errs, func(f *job.Failure) bool { return f != nil && slices.Contains(classes, f.Class) })
}

// open is the first request that failed so in this run and keeps the job from
// its end, or -1. A failure that has decided its request does so only if it
// aborts the batch: others may wait to be sent yet.
func (b *batchRun) open(class job.Class) int {
	for i, f := range b.errs {
		if f != nil && f.Class == class && (b.task.Abort || b.result.Responses[i] == nil) {
			return i
		}
	}
	return -1
}

// because is the failure of the batch for that of a request.
func (b *batchRun) because(index, undecided int) *job.Failure {
	f := *b.errs[index]
	for _, other := range b.errs {
		if other != nil && other.Class == f.Class {
			f.RetryAfter = max(f.RetryAfter, other.RetryAfter)
		}
	}
	// It is as if the job had not run only if no request has been sent, ever.
	f.Unrun = b.sends == 0 && b.result.Succeeded+b.result.Failed == 0 && !slices.ContainsFunc(b.errs, func(f *job.Failure) bool { return f != nil && !f.Unrun })
	f.Message = fmt.Sprintf("request %d: %s", index, f.Message)
	if undecided > 0 {
		f.Message += fmt.Sprintf(" (%d of %d requests are undecided)", undecided, len(b.task.Requests))
	}
	return &f
}
