package dispatchtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/asyncops/asyncops/dispatch"
	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

// byKind bounds the jobs of the kind slow.
func byKind(limit int) dispatch.Bulkheads {
	return dispatch.Bulkheads{Limits: map[string]int{"slow": limit}, TargetFunc: func(j *job.Job) string { return j.Kind }}
}

// ofKind makes a job one of the kind that may run as long as the test does: on
// a slow disk a flood takes longer to be parked than a job may run by default.
func ofKind(kind string) func(int, *job.Job) {
	return func(_ int, j *job.Job) { j.Kind, j.Options.Timeout = kind, 2*patience }
}

// gate lets runs of slow jobs through once it is open, and remembers how many
// were inside at a time.
type gate struct {
	open   chan struct{}
	inside atomic.Int32
	most   atomic.Int32
}

func (g *gate) run(ctx context.Context, j *job.Job) error {
	if j.Kind != "slow" {
		return nil
	}
	n := g.inside.Add(1)
	defer g.inside.Add(-1)
	for most := g.most.Load(); n > most && !g.most.CompareAndSwap(most, n); most = g.most.Load() {
	}
	return until(g.open)(ctx, j)
}

// moves counts what a worker writes of jobs.
type moves struct {
	*ledger.Ledger

	claimed, finished, parked atomic.Int64
}

func (m *moves) count(jobs []job.Job, err error) ([]job.Job, error) {
	m.claimed.Add(int64(len(jobs)))
	return jobs, err
}

func (m *moves) Claim(ctx context.Context, worker string, ids []job.ID) ([]job.Job, error) {
	return m.count(m.Ledger.Claim(ctx, worker, ids))
}

func (m *moves) ClaimDue(ctx context.Context, worker, queue string, limit int) ([]job.Job, error) {
	return m.count(m.Ledger.ClaimDue(ctx, worker, queue, limit))
}

func (m *moves) ClaimParked(ctx context.Context, worker, queue, target string, limit int) ([]job.Job, error) {
	return m.count(m.Ledger.ClaimParked(ctx, worker, queue, target, limit))
}

func (m *moves) Finish(ctx context.Context, outcomes []job.Outcome) ([]job.ID, error) {
	m.finished.Add(int64(len(outcomes)))
	for _, o := range outcomes {
		if o.State == job.Parked {
			m.parked.Add(1)
		}
	}
	return m.Ledger.Finish(ctx, outcomes)
}

// counted starts a worker whose moves are counted.
func (f *fleet) counted(cfg dispatch.WorkerConfig, h dispatch.Handler) *moves {
	f.t.Helper()
	m := &moves{Ledger: f.ledger}
	if cfg.Queues == nil {
		cfg.Queues = map[string]int{"critical": 6, "default": 3, "low": 1}
	}
	w, err := dispatch.NewWorker(cfg, m, f.broker, f.bus, h, &meter{}, f.log)
	if err != nil {
		f.t.Fatal(err)
	}
	f.run(w.Run)
	return m
}

// A flood of jobs on a target that stands still leaves the worker's other slots
// to other jobs: these end while not one of the flood does. The flood is parked,
// each job about once, uses no attempt and runs when the target goes on.
func bulkheads(t *testing.T, f *fleet) {
	const limit, flood, others = 8, 200, 100
	g := &gate{open: make(chan struct{})}
	h := &handler{run: g.run}
	m := f.counted(dispatch.WorkerConfig{Concurrency: 20, ShutdownTimeout: time.Second, Bulkheads: byKind(limit)}, h)
	slow := f.submit(flood, ofKind("slow"))
	quick := f.submit(others, ofKind("quick"))
	f.await(job.Completed, quick...)
	// On a slow disk those that were parked first are tried again meanwhile.
	testkit.Eventually(t, patience, 20*time.Millisecond, func() error { return f.held(limit, flood, slow[flood-1]) })
	close(g.open)
	f.await(job.Completed, slow...)
	if most := g.most.Load(); most != limit {
		t.Errorf("%d slow jobs ran at a time, want %d", most, limit)
	}
	for _, id := range []job.ID{slow[0], slow[flood/2], slow[flood-1]} {
		runs, err := f.ledger.Attempts(t.Context(), id)
		if j := f.get(id); err != nil || j.Attempt != 1 || h.ran(id) != 1 || len(runs) != 1 {
			t.Errorf("job %s: attempt %d, %d runs, %d in its record (%v), want 1 of each", id, j.Attempt, h.ran(id), len(runs), err)
		}
	}
	t.Logf("%d jobs on a target of %d: %d parks, %d claims, %d finishes", flood, limit, m.parked.Load(), m.claimed.Load(), m.finished.Load())
	if parks := m.parked.Load(); parks > 2*flood {
		t.Errorf("%d jobs were parked %d times, want about once each", flood, parks)
	}
}

// held is nil while limit jobs of a flood of slow ones run and the others are
// parked, last among them.
func (f *fleet) held(limit, flood int, last job.ID) error {
	if err := errors.Join(f.count(job.Active, limit), f.count(job.Parked, flood-limit)); err != nil {
		return err
	}
	counts, err := f.ledger.CountParkedOn(context.Background())
	if err != nil {
		return err
	}
	if counts["slow"] != flood-limit {
		return fmt.Errorf("CountParkedOn() = %v, want %d on slow", counts, flood-limit)
	}
	j, err := f.ledger.Get(context.Background(), last)
	if err != nil {
		return err
	}
	if w := j.WaitingOn; j.State != job.Parked || w == nil || w.Reason != job.WaitPool || w.Detail == "" || w.Until == nil || time.Until(*w.Until) < 10*time.Second {
		return fmt.Errorf("the last of the flood is %s, waiting on %+v, want it parked for the pool until later", j.State, j.WaitingOn)
	}
	return nil
}

// Where jobs are short, those that find the target full wait for their turn in
// the worker: hardly one is parked.
func quickTarget(t *testing.T, f *fleet) {
	const jobs = 1000
	open := make(chan struct{})
	close(open)
	g := &gate{open: open}
	m := f.counted(dispatch.WorkerConfig{Concurrency: 40, ShutdownTimeout: time.Second, Bulkheads: byKind(4)}, &handler{run: g.run})
	ids := f.submit(jobs, ofKind("slow"))
	f.await(job.Completed, ids...)
	if most := g.most.Load(); most > 4 {
		t.Errorf("%d ran at a time, want at most 4", most)
	}
	t.Logf("%d short jobs: %d parks", jobs, m.parked.Load())
	if parks := m.parked.Load(); parks > jobs/2 {
		t.Errorf("%d short jobs were parked %d times, want few", jobs, parks)
	}
}

// Jobs that a worker has parked do not depend on it.
func adopted(_ *testing.T, f *fleet) {
	g := &gate{open: make(chan struct{})}
	stop := f.worker(dispatch.WorkerConfig{Concurrency: 10, Bulkheads: byKind(1)}, &handler{run: g.run})
	ids := f.submit(50, ofKind("slow"))
	f.awaitCount(job.Parked, 49)
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second, Bulkheads: byKind(3)}, &handler{})
	f.awaitCount(job.Completed, 49)
	stop() // its one is handed back
	f.await(job.Completed, ids...)
}

// Sealing needs the target as running does: it keeps to the bound, and what
// must be sealed stays so.
func fullSeal(t *testing.T, f *fleet) {
	g := &gate{open: make(chan struct{})}
	var sealed atomic.Int32
	h := &handler{
		run: func(ctx context.Context, j *job.Job) error {
			if len(j.Tags) > 0 {
				return &job.Failure{Class: job.ClassRetryable, Code: job.CodeConflict, Message: "later", RetryAfter: time.Hour}
			}
			return g.run(ctx, j)
		},
		seal: func(*job.Job) (json.RawMessage, bool, error) {
			sealed.Add(1)
			return nil, false, nil
		},
	}
	f.worker(dispatch.WorkerConfig{Concurrency: 10, ShutdownTimeout: time.Second, SealInterval: 100 * time.Millisecond, Bulkheads: byKind(1)}, h)
	exactly := func(tags ...string) job.ID {
		return f.submit(1, func(_ int, j *job.Job) { j.Kind, j.Delivery, j.Tags = "slow", job.ExactlyOnceEffect, tags })[0]
	}
	doomed := exactly("doomed")
	f.await(job.Retry, doomed)
	began := exactly()
	f.await(job.Active, began)
	if _, err := f.ledger.Cancel(t.Context(), doomed); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, patience, 10*time.Millisecond, func() error {
		if j := f.get(doomed); j.State != job.Parked || j.Parked != job.WaitSealing {
			return fmt.Errorf("the job is %s (%s), want it parked to be sealed", j.State, j.Parked)
		}
		return nil
	})
	if n := sealed.Load(); n != 0 {
		t.Errorf("%d jobs were sealed in a target that was full, want none", n)
	}
	close(g.open)
	f.await(job.Canceled, doomed)
	f.await(job.Completed, began)
	if sealed.Load() == 0 {
		t.Error("the job was canceled without being sealed")
	}
}
