package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/asyncops/asyncops/job"
)

// A job whose claim was answered too late, or at the end of a drain, is handed
// back before it runs.
func TestLateJobsDoNotRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		worker string
		before func(*executor)
		want   job.State
		runs   int32
	}{
		{"in time", "here", func(*executor) {}, job.Completed, 1},
		{"claimed by a life that is over", "before", func(*executor) {}, job.Pending, 0},
		{"claimed at the last moment", "here", (*executor).drain, job.Pending, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var runs atomic.Int32
			e, done := newRunner(runner{run: func(context.Context, *job.Job) (job.Result, error) {
				runs.Add(1)
				return job.Result{}, nil
			}})
			test.before(e)
			e.slots.take(1)
			e.start([]job.Job{{ID: job.NewID(), Epoch: 7, Worker: test.worker}})
			got := <-done
			if got.outcome.State != test.want || got.outcome.Epoch != 7 || runs.Load() != test.runs {
				t.Errorf("outcome = %+v after %d runs, want %s after %d", got.outcome, runs.Load(), test.want, test.runs)
			}
			if !e.slots.awaitIdle(t.Context()) {
				t.Error("the slot was not given back")
			}
		})
	}
}

// A superseded run that is on its way out does not hide the job's next one.
func TestStopFindsEveryRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		id, release := job.NewID(), make(chan struct{})
		e, done := newRunner(runner{run: func(ctx context.Context, j *job.Job) (job.Result, error) {
			if j.Epoch == 1 {
				<-release // ignores its end for a while
			} else {
				<-ctx.Done()
			}
			return job.Result{}, context.Cause(ctx)
		}})
		e.start([]job.Job{{ID: id, Epoch: 1, Worker: "here"}})
		synctest.Wait()
		e.stopAll(job.ErrLeaseLost)
		e.start([]job.Job{{ID: id, Epoch: 2, Worker: "here"}})
		synctest.Wait()
		close(release)
		if got := <-done; got.outcome.Epoch != 1 {
			t.Fatalf("the run of epoch %d ended first, want 1", got.outcome.Epoch)
		}
		synctest.Wait()
		e.stop(id, job.ErrCanceled)
		synctest.Wait()
		select {
		case got := <-done:
			if got.outcome.Epoch != 2 || got.outcome.State != job.Canceled {
				t.Errorf("outcome = %+v, want canceled under epoch 2", got.outcome)
			}
		default:
			t.Error("the second run was not stopped")
			e.stopAll(errors.New("the test is over"))
		}
	})
}
