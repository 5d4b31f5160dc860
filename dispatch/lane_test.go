package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// suspects is a ledger with isolated jobs, whose Finish waits.
type suspects struct {
	ClaimLedger

	jobs    []job.Job
	claims  int
	release chan struct{}
}

func (s *suspects) ClaimIsolated(context.Context, string, []string) ([]job.Job, error) {
	if len(s.jobs) == 0 {
		return nil, nil
	}
	s.claims++
	next := s.jobs[:1]
	s.jobs = s.jobs[1:]
	return next, nil
}

func (s *suspects) Finish(ctx context.Context, _ []job.Outcome) ([]job.ID, error) {
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return nil, nil
}

type quiet struct{}

func (quiet) Active(string) func()                              { return func() {} }
func (quiet) Started(*job.Job, time.Duration)                   {}
func (quiet) Finished(*job.Job, job.Outcome, time.Duration)     {}
func (quiet) Fenced(int)                                        {}
func (quiet) Ended(string, string, job.State, int)              {}
func (quiet) Run(context.Context, *job.Job) (job.Result, error) { return job.Result{}, nil }
func (quiet) Seal(context.Context, *job.Job) (json.RawMessage, bool, error) {
	return nil, false, nil
}

// A job is a suspect until its outcome is written: if the next one killed the
// worker before, it would count as the third death of both.
func TestLaneWaitsForTheOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		ledger := &suspects{release: make(chan struct{}), jobs: []job.Job{{ID: job.NewID(), Epoch: 1}, {ID: job.NewID(), Epoch: 1}}}
		finish := newFinisher(4, ledger, NewBus(nil, log), quiet{}, log)
		exec := newExecutor(WorkerConfig{Concurrency: 4}, quiet{}, quiet{}, log, finish.add)
		exec.holds = func(string) bool { return true }
		life := newLease(time.Hour, job.Worker{}, nil, NewBus(nil, log), exec, log)
		life.id, life.safe = "here", time.Now().Add(time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		writing := make(chan struct{})
		go func() { finish.run(ctx); close(writing) }()
		running := make(chan struct{})
		go func() {
			(&lane{ledger: ledger, lease: life, queues: []string{"default"}, exec: exec, log: log}).run(ctx)
			close(running)
		}()
		time.Sleep(5 * lanePoll) // virtual
		synctest.Wait()
		if ledger.claims != 1 {
			t.Errorf("%d jobs were claimed while the first one's outcome was not written, want 1", ledger.claims)
		}
		close(ledger.release)
		time.Sleep(lanePoll)
		synctest.Wait()
		if ledger.claims != 2 {
			t.Errorf("%d jobs were claimed after it was, want 2", ledger.claims)
		}
		stop()
		finish.close()
		<-running
		<-writing
	})
}
