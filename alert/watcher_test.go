package alert_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/alert"
	"github.com/asyncops/asyncops/job"
)

// memory is a ledger of one bubble.
type memory struct {
	mu     sync.Mutex
	turn   int64
	holder string
	taken  time.Time
	view   job.AlertView
	jobs   []job.Job
	looked map[string]int // by holder
	err    error
}

func (m *memory) TakeAlertTurn(_ context.Context, holder string, every, grace time.Duration) (job.AlertTurn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := every - time.Since(m.taken)
	if holder != m.holder {
		wait += grace
	}
	if m.err != nil || wait > 0 && m.turn > 0 {
		return job.AlertTurn{Wait: wait}, m.err
	}
	m.turn++
	m.holder, m.taken = holder, time.Now()
	return job.AlertTurn{Number: m.turn}, nil
}

func (m *memory) SettleAlerts(_ context.Context, turn job.AlertTurn, maxAge time.Duration, plan func(job.AlertView) (job.AlertChange, error)) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil || turn.Number != m.turn || time.Since(m.taken) > maxAge {
		return false, m.err
	}
	now := time.Now()
	if m.view.Since.IsZero() || now.Sub(m.view.Seen) > 20*time.Second {
		m.view.Since = now
	}
	m.view.Now = now
	change, err := plan(m.view)
	if err != nil {
		return false, err
	}
	kept := map[job.ID]job.Alert{}
	for _, a := range m.view.Alerts {
		kept[a.ID] = a
	}
	for _, id := range change.Delete {
		delete(kept, id)
	}
	for _, a := range change.Put {
		kept[a.ID] = a
	}
	m.view.Alerts = nil
	for _, a := range kept {
		if a.State != job.AlertResolved {
			m.view.Alerts = append(m.view.Alerts, a)
		}
	}
	m.jobs = append(m.jobs, change.Jobs...)
	m.view.Seen = now
	m.looked[m.holder]++
	return true, nil
}

// Three watch; the one that looks is killed; each change is told once, in time.
func TestWatchersTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const hold = 30 * time.Second
		ledger := &memory{looked: map[string]int{}}
		began := time.Now()
		rule := alert.Rule{
			Name: job.AlertTargetDown, Above: alert.OfState, For: hold, Calm: hold,
			ReadFunc: func(context.Context) ([]alert.Reading, error) {
				since := time.Since(began)
				return []alert.Reading{{About: main, Bad: since > time.Minute && since < 5*time.Minute}}, nil
			},
		}
		notify := func(e alert.Event) ([]job.Job, error) {
			return []job.Job{{Kind: e.Type, Args: fmt.Appendf(nil, "%s", time.Since(began).Round(time.Second))}}, nil
		}
		stop := map[string]context.CancelFunc{}
		var watching sync.WaitGroup
		for _, holder := range []string{"a", "b", "c"} {
			ctx, cancel := context.WithCancel(t.Context())
			stop[holder] = cancel
			w := alert.NewWatcher(alert.Config{Ledger: ledger, Holder: holder, Rules: []alert.Rule{rule}, NotifyFunc: notify, Log: slog.New(slog.DiscardHandler)})
			watching.Go(func() {
				if err := w.Run(ctx); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		}
		time.Sleep(time.Minute + time.Second)
		ledger.mu.Lock()
		first := ledger.holder
		if len(ledger.looked) != 1 {
			t.Errorf("looks by %v, want them to stay with one", ledger.looked)
		}
		ledger.mu.Unlock()
		stop[first]()
		time.Sleep(9 * time.Minute)
		for _, cancel := range stop {
			cancel()
		}
		watching.Wait()
		if len(ledger.jobs) != 2 || ledger.jobs[0].Kind != "alert.firing" || ledger.jobs[1].Kind != "alert.resolved" {
			t.Fatalf("jobs = %+v, want one that it fires and one that it is resolved", ledger.jobs)
		}
		for i, from := range []time.Duration{time.Minute, 5 * time.Minute} {
			after, err := time.ParseDuration(string(ledger.jobs[i].Args))
			if j := ledger.jobs[i]; err != nil || after-from < hold || after-from > hold+15*time.Second || j.ID == "" || j.State != job.Pending || j.CreatedAt.IsZero() {
				t.Errorf("%s came %s after the change, as %+v; want it within 15s of %s, pending", j.Kind, after-from, j, hold)
			}
		}
	})
}

// A trouble is told once, and its end; what could not be settled is not lost.
func TestWatcherTellsOfTrouble(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ledger := &memory{looked: map[string]int{}, err: errors.New("refused")}
		var log strings.Builder
		w := alert.NewWatcher(alert.Config{
			Ledger: ledger, Holder: "a", NotifyFunc: func(alert.Event) ([]job.Job, error) { return nil, nil },
			Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		ctx, cancel := context.WithCancel(t.Context())
		var watching sync.WaitGroup
		watching.Go(func() { _ = w.Run(ctx) })
		time.Sleep(8 * time.Second)
		ledger.mu.Lock()
		ledger.err = nil
		ledger.mu.Unlock()
		time.Sleep(10 * time.Second)
		cancel()
		watching.Wait()
		if text := log.String(); strings.Count(text, "could not be looked at") != 1 || strings.Count(text, "looked at again") != 1 || ledger.looked["a"] == 0 {
			t.Errorf("log = %s, after %v looks; want the trouble and its end once each", text, ledger.looked)
		}
	})
}
