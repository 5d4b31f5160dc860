package observe_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/observe"
)

// tallyLedger keeps tallies as the ledger does: the last of each span counts.
type tallyLedger struct {
	mu     sync.Mutex
	down   bool                               // guarded by mu
	writes int                                // guarded by mu
	kept   map[string]map[time.Time]job.Tally // by queue and kind; guarded by mu
}

func (l *tallyLedger) WriteTallies(_ context.Context, _ string, tallies []job.Tally) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	if l.down {
		return errors.New("away")
	}
	for _, t := range tallies {
		name := t.Queue + " " + t.Kind
		if l.kept[name] == nil {
			l.kept[name] = map[time.Time]job.Tally{}
		}
		l.kept[name][t.At] = t
	}
	return nil
}

func (l *tallyLedger) sum(name string) (sum job.Tally, spans int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.kept[name] {
		sum.Merge(&t)
	}
	return sum, len(l.kept[name])
}

func TestTallies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &tallyLedger{kept: map[string]map[time.Time]job.Tally{}}
		m := observe.New(observe.Build{}, observe.Labels{})
		tallies := observe.NewTallies(l, slog.New(slog.DiscardHandler))
		m.Keep(tallies)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- tallies.Run(ctx) }()

		j := &job.Job{Kind: "db.query", Queue: "default"}
		for range 10 { // ten minutes, the ledger is away for some of them
			m.Submitted("db.query", "default", 3)
			m.Started(j, time.Second)
			m.Finished(j, job.Outcome{State: job.Completed}, 20*time.Millisecond)
			m.Finished(j, job.Outcome{State: job.Retry}, 30*time.Millisecond)
			m.Ended("db.query", "default", job.Canceled, 2)
			l.mu.Lock()
			l.down = !l.down
			l.mu.Unlock()
			time.Sleep(time.Minute)
		}
		l.mu.Lock()
		l.down = false
		l.mu.Unlock()
		m.Submitted("system.noop", "low", 1) // just before the end
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run() = %v, want nil", err)
		}
		sum, spans := l.sum("default db.query")
		if spans != 10 || sum.Submitted != 30 || sum.Completed != 10 || sum.Retried != 10 || sum.Canceled != 20 || sum.Wait.Count() != 10 || sum.Run.Count() != 20 {
			t.Errorf("%d minutes of %+v, want 10 of 3 submitted, 1 completed, 1 retried and 2 canceled", spans, sum)
		}
		if sum, _ := l.sum("low system.noop"); sum.Submitted != 1 {
			t.Errorf("what was counted last is %+v, want 1 submitted", sum)
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.writes > 70 {
			t.Errorf("%d writes in 10 minutes, want one each 10 s", l.writes)
		}
	})
}
