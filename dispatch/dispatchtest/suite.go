package dispatchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
)

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	for name, test := range map[string]func(*testing.T, *fleet){
		"every job runs once":                     everyJobOnce,
		"many submitters, lone jobs":              loneJobs,
		"no job waits behind a busy worker":       notBehindBusy,
		"outcomes":                                outcomes,
		"attempts are exhausted":                  exhausted,
		"a panic is a failed attempt":             panics,
		"timeout and deadline":                    timeLimits,
		"cancel a running job":                    cancelRunning,
		"drain hands back without counting":       drain,
		"drain waits for jobs that end in time":   drainWaits,
		"an operator drains a worker":             drainAsked,
		"a lost lease begins another life":        lostLease,
		"a paused queue rests":                    pausedQueue,
		"scheduled jobs start when due":           scheduled,
		"every queue gets its turn":               everyQueue,
		"verdicts seal and end":                   verdicts,
		"a target that is away keeps the verdict": sealAgain,
		"wait returns at the end":                 wait,
		"a slow target takes no more than it may": bulkheads,
		"room for a quick target is waited for":   quickTarget,
		"others' parked jobs start too":           adopted,
		"a gate lets parked jobs start":           gated,
		"a full target does not seal":             fullSeal,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFleet(t, h))
		})
	}
}

func everyJobOnce(t *testing.T, f *fleet) {
	h := &handler{}
	for range 3 {
		f.worker(dispatch.WorkerConfig{Concurrency: 25, ShutdownTimeout: time.Second}, h)
	}
	ids := f.submit(1000, nil)
	f.await(job.Completed, ids...)
	for _, id := range ids {
		if got := h.ran(id); got != 1 {
			t.Errorf("job %s ran %d times, want 1", id, got)
		}
	}
	if j := f.get(ids[0]); j.Attempt != 1 || string(j.Result) != `{"ran":true}` || j.Crashes != 0 {
		t.Errorf("job = attempt %d, result %s, crashes %d; want 1, the handler's, 0", j.Attempt, j.Result, j.Crashes)
	}
}

func loneJobs(_ *testing.T, f *fleet) {
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second}, h)
	var all sync.WaitGroup
	var mu sync.Mutex
	var ids []job.ID
	for range 16 {
		all.Go(func() {
			for range 10 {
				id := f.submit(1, nil)[0]
				mu.Lock()
				ids = append(ids, id)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	f.await(job.Completed, ids...)
}

func notBehindBusy(_ *testing.T, f *fleet) {
	release := make(chan struct{})
	busy := &handler{run: until(release)}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, busy)
	ids := f.submit(40, nil)
	f.awaitCount(job.Active, 4)
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, &handler{})
	f.awaitCount(job.Completed, 36)
	close(release)
	f.await(job.Completed, ids...)
}

func outcomes(t *testing.T, f *fleet) {
	var tried atomic.Int32
	h := &handler{run: func(_ context.Context, j *job.Job) error {
		switch j.Kind {
		case "permanent":
			return job.Permanent(job.CodeConstraint, "no")
		case "ambiguous":
			return &job.Failure{Class: job.ClassAmbiguous, Code: job.CodeAmbiguous, Message: "who knows"}
		case "throttled":
			if tried.Add(1) == 1 {
				return &job.Failure{Class: job.ClassThrottled, Code: job.CodeBreakerOpen, Message: "open", Wait: job.WaitBreaker}
			}
		case "flaky":
			if j.Attempt < 3 {
				return job.Retryable(job.CodeUpstreamStatus, "503")
			}
		}
		return nil
	}}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	tests := []struct {
		kind     string
		state    job.State
		code     job.Code
		attempt  int
		attempts int
	}{
		{"fine", job.Completed, "", 1, 1},
		{"permanent", job.Archived, job.CodeConstraint, 1, 1},
		{"ambiguous", job.Unknown, job.CodeAmbiguous, 1, 1},
		{"throttled", job.Completed, "", 1, 1},
		{"flaky", job.Completed, "", 3, 3},
	}
	ids := f.submit(len(tests), func(i int, j *job.Job) {
		j.Kind, j.Options.Backoff = tests[i].kind, job.Backoff{Initial: time.Millisecond}
	})
	for i, test := range tests {
		id := ids[i]
		f.await(test.state, id)
		j := f.get(id)
		if test.code != "" && (j.Error == nil || j.Error.Code != test.code) {
			t.Errorf("%s: error = %+v, want code %s", test.kind, j.Error, test.code)
		}
		if test.code == "" && j.Error != nil {
			t.Errorf("%s: error = %+v, want none", test.kind, j.Error)
		}
		if j.Attempt != test.attempt {
			t.Errorf("%s: attempt = %d, want %d", test.kind, j.Attempt, test.attempt)
		}
		attempts, err := f.ledger.Attempts(context.Background(), id)
		if err != nil || len(attempts) != test.attempts {
			t.Errorf("%s: %d attempts, err %v; want %d", test.kind, len(attempts), err, test.attempts)
		}
	}
}

func exhausted(t *testing.T, f *fleet) {
	h := &handler{run: func(context.Context, *job.Job) error { return job.Retryable(job.CodeUpstreamStatus, "503 again") }}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	id := f.submit(1, func(_ int, j *job.Job) {
		j.MaxAttempts, j.Options.Backoff = 3, job.Backoff{Initial: time.Millisecond}
	})[0]
	f.await(job.Archived, id)
	if j := f.get(id); j.Attempt != 3 || h.ran(id) != 3 || j.Error.Code != job.CodeExhausted {
		t.Errorf("attempt %d, %d runs, error %+v; want 3, 3, exhausted", j.Attempt, h.ran(id), j.Error)
	}
}

func panics(t *testing.T, f *fleet) {
	h := &handler{run: func(_ context.Context, j *job.Job) error {
		if j.Attempt == 1 {
			panic("boom")
		}
		return nil
	}}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	id := f.submit(1, func(_ int, j *job.Job) { j.Options.Backoff.Initial = time.Millisecond })[0]
	f.await(job.Completed, id)
	if got := f.get(id).Attempt; got != 2 {
		t.Errorf("attempt = %d, want 2", got)
	}
}

func timeLimits(t *testing.T, f *fleet) {
	h := &handler{run: until(nil)}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	late := f.submit(1, func(_ int, j *job.Job) { j.Options.Timeout, j.MaxAttempts = 50*time.Millisecond, 1 })[0]
	over := f.submit(1, func(_ int, j *job.Job) { j.Deadline = time.Now().Add(300 * time.Millisecond) })[0]
	f.await(job.Archived, late, over)
	if j := f.get(late); j.Error.Code != job.CodeExhausted {
		t.Errorf("timed out job: error = %+v, want exhausted", j.Error)
	}
	if j := f.get(over); j.Error.Code != job.CodeDeadlineExceeded {
		t.Errorf("job past its deadline: error = %+v, want deadline_exceeded", j.Error)
	}
}

func cancelRunning(t *testing.T, f *fleet) {
	h := &handler{run: until(nil)}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	id := f.submit(1, nil)[0]
	f.await(job.Active, id)
	if _, err := f.ledger.Cancel(context.Background(), id); err != nil {
		t.Fatal(err)
	}
	f.bus.Stop(id)
	f.await(job.Canceled, id)
	if h.ran(id) != 1 {
		t.Errorf("ran %d times, want 1", h.ran(id))
	}
}

func drain(t *testing.T, f *fleet) {
	stubborn := &handler{run: until(nil)}
	stop := f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: 10 * time.Millisecond}, stubborn)
	ids := f.submit(40, nil)
	f.awaitCount(job.Active, 4)
	stop()
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, &handler{})
	f.await(job.Completed, ids...)
	for _, id := range ids {
		if j := f.get(id); j.Attempt != 1 || j.Crashes != 0 {
			t.Errorf("job %s: attempt %d, crashes %d; want 1, 0", id, j.Attempt, j.Crashes)
		}
	}
}

func drainAsked(t *testing.T, f *fleet) {
	release := make(chan struct{})
	drained := &handler{run: until(release)}
	f.worker(dispatch.WorkerConfig{Concurrency: 2, ShutdownTimeout: time.Second, Lease: time.Second}, drained)
	held := f.submit(2, nil)
	f.awaitCount(job.Active, 2)
	worker := f.get(held[0]).Worker
	if err := f.ledger.DrainWorker(context.Background(), worker); err != nil {
		t.Fatal(err)
	}
	f.awaitBeats(worker, 4) // it looks after each, and has no room meanwhile
	close(release)
	f.await(job.Completed, held...)
	others := f.submit(20, nil)
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, &handler{})
	f.await(job.Completed, others...)
	for _, id := range others {
		if drained.ran(id) != 0 {
			t.Errorf("job %s was begun by the worker that takes no more", id)
		}
	}
	for _, id := range held {
		if j := f.get(id); drained.ran(id) != 1 || j.Attempt != 1 || j.Crashes != 0 {
			t.Errorf("job %s: %d runs, attempt %d, crashes %d; want it ended where it ran", id, drained.ran(id), j.Attempt, j.Crashes)
		}
	}
}

// awaitBeats waits until the worker has renewed its lease so many times.
func (f *fleet) awaitBeats(worker string, beats int) {
	f.t.Helper()
	var last time.Time
	testkit.Eventually(f.t, patience, 10*time.Millisecond, func() error {
		workers, err := f.ledger.Workers(context.Background())
		if err != nil {
			return err
		}
		for _, w := range workers {
			if w.ID == worker && w.BeatAt.After(last) {
				last = w.BeatAt
				beats--
			}
		}
		if beats >= 0 { // the first was before
			return fmt.Errorf("%d beats of %s to go", beats+1, worker)
		}
		return nil
	})
}

func drainWaits(t *testing.T, f *fleet) {
	release := make(chan struct{})
	h := &handler{run: until(release)}
	stop := f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: patience}, h)
	f.submit(8, nil)
	f.awaitCount(job.Active, 4)
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	testkit.Eventually(t, patience, 10*time.Millisecond, func() error { return wantDraining(f) })
	close(release)
	<-stopped
	if err := f.count(job.Completed, 4); err != nil {
		t.Error(err)
	}
	if err := f.count(job.Pending, 4); err != nil {
		t.Error(err)
	}
}

// wantDraining is nil when nothing is left that takes work.
func wantDraining(f *fleet) error {
	workers, err := f.ledger.Workers(context.Background())
	if err != nil {
		return err
	}
	for _, w := range workers {
		if w.State == "running" {
			return errors.New("the worker does not say yet that it drains")
		}
	}
	return nil
}

// lostLease has the ledger declare a worker that is alive for gone.
func lostLease(t *testing.T, f *fleet) {
	var zombie atomic.Bool
	reaped := make(chan struct{})
	h := &handler{run: func(ctx context.Context, _ *job.Job) error {
		if zombie.CompareAndSwap(false, true) {
			<-ctx.Done()
			<-reaped // else it could hand its job back in order first
			return context.Cause(ctx)
		}
		return nil
	}}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second, Lease: time.Second}, h)
	id := f.submit(1, nil)[0]
	testkit.Eventually(t, patience, 5*time.Millisecond, func() error {
		if !zombie.Load() { // claimed is not yet begun: a claim that finds its lease gone is given up
			return errors.New("the job has not begun")
		}
		return nil
	})
	ctx, first := context.Background(), f.get(id).Worker
	err := f.ledger.Leave(ctx, first)
	if err == nil {
		_, err = f.ledger.Reap(ctx)
	}
	close(reaped)
	if err != nil {
		t.Fatal(err)
	}
	more := f.submit(20, nil)
	f.await(job.Completed, append(more, id)...)
	j := f.get(id)
	if h.ran(id) != 2 || j.Crashes != 1 || j.Attempt != 1 || j.Worker == first {
		t.Errorf("ran %d times, crashes %d, attempt %d, last by %s; want 2, 1, 1, not by %s", h.ran(id), j.Crashes, j.Attempt, j.Worker, first)
	}
	for _, id := range more {
		if j := f.get(id); h.ran(id) != 1 || j.Worker == first {
			t.Errorf("job %s ran %d times, last by %s; want once, not by %s", id, h.ran(id), j.Worker, first)
		}
	}
}

func pausedQueue(t *testing.T, f *fleet) {
	ctx := context.Background()
	if err := f.ledger.PauseQueue(ctx, "default", true); err != nil {
		t.Fatal(err)
	}
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	rests := f.submit(3, nil)
	runs := f.submit(3, func(_ int, j *job.Job) { j.Queue = "low" })
	f.await(job.Completed, runs...)
	for _, id := range rests {
		j := f.get(id)
		if j.State != job.Pending || j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitQueuePaused {
			t.Errorf("job of the paused queue is %s, waiting on %+v", j.State, j.WaitingOn)
		}
	}
	if err := f.ledger.PauseQueue(ctx, "default", false); err != nil {
		t.Fatal(err)
	}
	f.bus.Due()
	f.await(job.Completed, rests...)
}

func scheduled(t *testing.T, f *fleet) {
	h := &handler{}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	at := time.Now().Add(700 * time.Millisecond)
	soon := f.submit(5, func(_ int, j *job.Job) { j.State, j.RunAt = job.Scheduled, at })
	later := f.submit(1, func(_ int, j *job.Job) { j.State, j.RunAt = job.Scheduled, at.Add(time.Hour) })
	f.await(job.Completed, soon...)
	for _, id := range soon {
		if j := f.get(id); j.StartedAt.Before(at.Add(-50 * time.Millisecond)) {
			t.Errorf("started at %v, before its run_at %v", j.StartedAt, at)
		}
	}
	if j := f.get(later[0]); j.State != job.Scheduled || j.WaitingOn.Reason != job.WaitScheduled {
		t.Errorf("a job of an hour later is %s", j.State)
	}
}

func everyQueue(_ *testing.T, f *fleet) {
	h := &handler{}
	queues := []string{"critical", "default", "low"}
	ids := f.submit(300, func(i int, j *job.Job) { j.Queue = queues[i%3] })
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second, Strict: true}, h)
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second, Queues: map[string]int{"low": 1}}, h)
	f.await(job.Completed, ids...)
}

func verdicts(t *testing.T, f *fleet) {
	h := &handler{
		run: func(context.Context, *job.Job) error { return job.Permanent(job.CodeConstraint, "no") },
		seal: func(j *job.Job) (json.RawMessage, bool, error) {
			return json.RawMessage(`{"stored":true}`), j.Kind == "applied", nil
		},
	}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, h)
	exactly := func(kind string) func(int, *job.Job) {
		return func(_ int, j *job.Job) { j.Kind, j.Delivery = kind, job.ExactlyOnceEffect }
	}
	sealed := f.submit(1, exactly("void"))[0]
	applied := f.submit(1, exactly("applied"))[0]
	f.await(job.Archived, sealed)
	f.await(job.Completed, applied)
	if j := f.get(applied); string(j.Result) != `{"stored":true}` || j.Error != nil {
		t.Errorf("result = %s, error = %+v; want what the target stored", j.Result, j.Error)
	}
}

func sealAgain(t *testing.T, f *fleet) {
	var sealed atomic.Bool
	h := &handler{
		run: func(context.Context, *job.Job) error { return job.Permanent(job.CodeConstraint, "no") },
		seal: func(*job.Job) (json.RawMessage, bool, error) {
			if !sealed.Load() {
				return nil, false, errors.New("the target is away")
			}
			return nil, false, nil
		},
	}
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second, SealInterval: 200 * time.Millisecond}, h)
	id := f.submit(1, func(_ int, j *job.Job) { j.Delivery = job.ExactlyOnceEffect })[0]
	f.await(job.Parked, id)
	if j := f.get(id); j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitSealing {
		t.Errorf("waiting on %+v, want sealing", j.WaitingOn)
	}
	sealed.Store(true)
	f.await(job.Archived, id)
	if got := h.ran(id); got != 1 {
		t.Errorf("ran %d times, want 1", got)
	}
	if j := f.get(id); j.Attempt != 1 || j.Error.Code != job.CodeConstraint {
		t.Errorf("attempt %d, error %+v; want 1, constraint", j.Attempt, j.Error)
	}
}

func wait(t *testing.T, f *fleet) {
	release := make(chan struct{})
	f.worker(dispatch.WorkerConfig{Concurrency: 4, ShutdownTimeout: time.Second}, &handler{run: until(release)})
	id := f.submit(1, nil)[0]
	f.await(job.Active, id)
	ctx, cancel := context.WithTimeoutCause(context.Background(), 50*time.Millisecond, errors.New("time is up"))
	defer cancel()
	if err := f.waiter.Wait(ctx, id); err == nil || err.Error() != "time is up" {
		t.Errorf("Wait = %v, want the cause of its context", err)
	}
	done := make(chan error, 1)
	go func() { done <- f.waiter.Wait(context.Background(), id) }()
	close(release)
	if err := <-done; err != nil {
		t.Errorf("Wait = %v, want nil", err)
	}
	if got := f.get(id).State; got != job.Completed {
		t.Errorf("after Wait the job is %s, want completed", got)
	}
}
