package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
)

// board is a ProgressLedger that remembers what it is told, and when.
type board struct {
	mu   sync.Mutex
	done []int64     // guarded by mu
	at   []time.Time // guarded by mu
}

func (b *board) ReportProgress(_ context.Context, reports []job.ProgressReport) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range reports {
		b.done, b.at = append(b.done, r.Done), append(b.at, time.Now())
	}
	return nil
}

// A run may report as often as it likes: at most one report a second is
// written, and the last one before the run's outcome.
func TestProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &board{}
		shown := newProgress(b, slog.New(slog.DiscardHandler))
		ctx, stop := context.WithCancel(t.Context())
		go shown.run(ctx)
		e, done := newRunner(runner{run: func(ctx context.Context, _ *job.Job) (job.Result, error) {
			for n := range 100 {
				job.ReportProgress(ctx, job.Progress{Done: int64(n)})
				time.Sleep(25 * time.Millisecond)
			}
			job.ReportProgress(ctx, job.Progress{Done: 100})
			return job.Result{}, nil
		}})
		e.shown = shown
		e.slots.take(1)
		e.start([]job.Job{{ID: job.NewID(), Epoch: 7, Worker: "here"}})
		if got := <-done; got.outcome.State != job.Completed {
			t.Errorf("outcome = %+v, want completed", got.outcome)
		}
		stop()
		synctest.Wait()
		b.mu.Lock()
		defer b.mu.Unlock()
		if n := len(b.done); n < 3 || n > 5 || b.done[n-1] != 100 || !slices.IsSorted(b.done) {
			t.Errorf("written: %v, want about three and 100 at the end", b.done)
		}
		for i := 1; i < len(b.at)-1; i++ {
			if pause := b.at[i].Sub(b.at[i-1]); pause < progressInterval {
				t.Errorf("two reports were written within %s, want %s", pause, progressInterval)
			}
		}
	})
}

// What a run has got done besides its failure goes to the ledger with any
// outcome.
func TestOutcomeKeepsWhatWasDone(t *testing.T) {
	t.Parallel()
	for _, f := range []*job.Failure{
		{Class: job.ClassRetryable, Code: job.CodeTimeout}, {Class: job.ClassPermanent, Code: job.CodeInvalid}, {Class: job.ClassAmbiguous, Code: job.CodeAmbiguous},
		{Class: job.ClassThrottled, Code: job.CodeRateLimited, Wait: job.WaitRateLimit},
	} {
		f.Result = []byte(`{"done":1}`)
		e, _ := newRunner(runner{})
		for _, cause := range []error{nil, job.ErrCanceled, job.ErrDraining, job.ErrDeadline} {
			if o := e.failed(t.Context(), &job.Job{Attempt: 1, MaxAttempts: 3}, f, cause); string(o.Result) != `{"done":1}` {
				t.Errorf("%s, %v: outcome = %+v, want what was done", f.Class, cause, o)
			}
		}
	}
}
