package ledgertest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func alertTests() tests {
	return tests{
		"one of many gets the turn":             alertTurns,
		"who looked last comes first":           alertHolder,
		"kept as they are, with jobs":           alertLife,
		"an old turn changes nothing":           alertFenced,
		"a failed plan changes nothing":         alertRefused,
		"a gap is told":                         alertGap,
		"resolved ones are forgotten in time":   alertForgotten,
		"one of each thing that a rule watches": alertUnique,
	}
}

// turn takes a turn that must be had.
func (f *fixture) turn() job.AlertTurn {
	f.t.Helper()
	turn, err := f.TakeAlertTurn(f.t.Context(), "me", 0, 0)
	f.check(err)
	if turn.Number == 0 {
		f.t.Fatalf("TakeAlertTurn() = %+v, want a turn", turn)
	}
	return turn
}

// settle settles a new turn with the change and returns what plan was shown.
func (f *fixture) settle(change job.AlertChange) (view job.AlertView) {
	f.t.Helper()
	settled, err := f.SettleAlerts(f.t.Context(), f.turn(), time.Minute, func(v job.AlertView) (job.AlertChange, error) {
		view = v
		return change, nil
	})
	f.check(err)
	if !settled {
		f.t.Fatal("SettleAlerts() did nothing")
	}
	return view
}

func newAlert(rule job.AlertRule, about job.Target) job.Alert {
	at := time.UnixMicro(2_000_000_000_123_456).UTC()
	return job.Alert{ID: job.NewID(), Rule: rule, About: about, State: job.AlertPending, Value: 0.75, Threshold: 0.5, Detail: "seen", Since: at, SeenAt: at}
}

func alertTurns(f *fixture) {
	f.start()
	var taken atomic.Int32
	var askers sync.WaitGroup
	for i := range 8 {
		l := f.open()
		askers.Go(func() {
			turn, err := l.TakeAlertTurn(f.t.Context(), fmt.Sprint("s", i), time.Hour, time.Second)
			if err != nil {
				f.t.Errorf("TakeAlertTurn() = %v", err)
			}
			if turn.Number > 0 {
				taken.Add(1)
			} else if turn.Wait <= 0 || turn.Wait > time.Hour+time.Second {
				f.t.Errorf("TakeAlertTurn() has to wait for %s, want an hour or less", turn.Wait)
			}
		})
	}
	askers.Wait()
	if taken.Load() != 1 {
		f.t.Errorf("%d got the turn, want 1", taken.Load())
	}
}

func alertHolder(f *fixture) {
	f.start()
	first := f.turn()
	f.sql("UPDATE asyncops_alert_turns SET taken_at = taken_at - 60000000")
	other, err := f.TakeAlertTurn(f.t.Context(), "other", 30*time.Second, time.Hour)
	f.check(err)
	if other.Number != 0 || other.Wait < 30*time.Minute {
		f.t.Errorf("another gets %+v, want it to wait for the grace", other)
	}
	again, err := f.TakeAlertTurn(f.t.Context(), "me", 30*time.Second, time.Hour)
	f.check(err)
	if again.Number != first.Number+1 {
		f.t.Errorf("who looked last gets %+v, want turn %d", again, first.Number+1)
	}
	f.sql("UPDATE asyncops_alert_turns SET taken_at = taken_at + 86400000000") // a clock that was set back
	if back, err := f.TakeAlertTurn(f.t.Context(), "other", time.Minute, 0); err != nil || back.Number == 0 {
		f.t.Errorf("a turn taken in the future keeps others away: %+v, %v", back, err)
	}
}

func alertLife(f *fixture) {
	var rung bell
	f.start(func(c *ledger.Config) { c.Bell = &rung })
	a := newAlert(job.AlertPoolUsage, job.DatabaseTarget("main"))
	if view := f.settle(job.AlertChange{Put: []job.Alert{a}}); len(view.Alerts) != 0 || view.Now.IsZero() || !view.Since.Equal(view.Now) {
		f.t.Errorf("view = %+v, want none, and looks that begin now", view)
	}
	view := f.settle(job.AlertChange{})
	if len(view.Alerts) != 1 || fmt.Sprintf("%+v", view.Alerts[0]) != fmt.Sprintf("%+v", a) {
		f.t.Errorf("alerts = %+v\nwant %+v", view.Alerts, a)
	}
	a.State, a.Value, a.FiredAt, a.ClearSince = job.AlertFiring, 0.9, a.Since.Add(time.Minute), a.Since.Add(time.Hour)
	told := newJobs(1, nil)
	f.settle(job.AlertChange{Put: []job.Alert{a}, Jobs: told})
	f.want(told[0].ID, job.Pending)
	if len(rung.rung) != 1 {
		f.t.Errorf("the bell rang %d times, want once", len(rung.rung))
	}
	if view = f.settle(job.AlertChange{}); len(view.Alerts) != 1 || fmt.Sprintf("%+v", view.Alerts[0]) != fmt.Sprintf("%+v", a) {
		f.t.Errorf("alerts = %+v\nwant %+v", view.Alerts, a)
	}
	if counts, err := f.AlertsFiring(f.t.Context()); err != nil || len(counts) != 1 || counts[job.AlertPoolUsage] != 1 {
		f.t.Errorf("AlertsFiring() = %v, %v; want one of pool_usage", counts, err)
	}
	a.State, a.ResolvedAt = job.AlertResolved, view.Now
	pending, firing := newAlert(job.AlertMemory, job.Target{Type: job.TypeProcess, Name: "p"}), newAlert(job.AlertErrorRate, job.Target{Type: job.TypeFleet})
	firing.State = job.AlertFiring
	f.settle(job.AlertChange{Put: []job.Alert{a, pending, firing}})
	all, err := f.Alerts(f.t.Context(), 10)
	f.check(err)
	if len(all.Alerts) != 3 || all.Alerts[0].ID != firing.ID || all.Alerts[1].ID != pending.ID || all.Alerts[2].ID != a.ID || all.Seen.IsZero() {
		f.t.Errorf("Alerts() = %+v, want firing, pending and resolved, and when they were seen", all)
	}
	f.settle(job.AlertChange{Delete: []job.ID{pending.ID}})
	if all, err = f.Alerts(f.t.Context(), 10); err != nil || len(all.Alerts) != 2 {
		f.t.Errorf("Alerts() = %+v, %v; want the pending one gone", all, err)
	}
}

func alertFenced(f *fixture) {
	f.start()
	put := func(job.AlertView) (job.AlertChange, error) {
		return job.AlertChange{Put: []job.Alert{newAlert(job.AlertMemory, job.Target{})}, Jobs: newJobs(1, nil)}, nil
	}
	old := f.turn()
	f.turn()
	if settled, err := f.SettleAlerts(f.t.Context(), old, time.Minute, put); err != nil || settled {
		f.t.Errorf("SettleAlerts(superseded turn) = %t, %v; want nothing", settled, err)
	}
	late := f.turn()
	f.sql("UPDATE asyncops_alert_turns SET taken_at = taken_at - 61000000")
	if settled, err := f.SettleAlerts(f.t.Context(), late, time.Minute, put); err != nil || settled {
		f.t.Errorf("SettleAlerts(turn of a process that was frozen) = %t, %v; want nothing", settled, err)
	}
	if n := f.count("SELECT (SELECT count(*) FROM asyncops_alerts) + (SELECT count(*) FROM asyncops_jobs)"); n != 0 {
		f.t.Errorf("there are %d alerts and jobs, want none", n)
	}
}

func alertRefused(f *fixture) {
	f.start()
	refusal := job.ErrNotFound
	_, err := f.SettleAlerts(f.t.Context(), f.turn(), time.Minute, func(job.AlertView) (job.AlertChange, error) {
		return job.AlertChange{Put: []job.Alert{newAlert(job.AlertMemory, job.Target{})}}, refusal
	})
	if err == nil || f.count("SELECT count(*) FROM asyncops_alerts") != 0 {
		f.t.Errorf("SettleAlerts() = %v, want the plan's error, and no alert", err)
	}
}

func alertGap(f *fixture) {
	f.start()
	first := f.settle(job.AlertChange{})
	if second := f.settle(job.AlertChange{}); !second.Since.Equal(first.Since) || second.Seen.IsZero() {
		f.t.Errorf("view = %+v, want looks without a gap since %s", second, first.Since)
	}
	f.sql("UPDATE asyncops_alert_turns SET seen_at = seen_at - 21000000")
	if third := f.settle(job.AlertChange{}); !third.Since.Equal(third.Now) {
		f.t.Errorf("view = %+v, want looks that begin anew", third)
	}
}

func alertForgotten(f *fixture) {
	f.start()
	view := f.settle(job.AlertChange{})
	old, fresh, open := newAlert(job.AlertMemory, job.Target{Name: "a"}), newAlert(job.AlertMemory, job.Target{Name: "b"}), newAlert(job.AlertMemory, job.Target{Name: "c"})
	old.State, old.ResolvedAt = job.AlertResolved, view.Now.Add(-25*time.Hour)
	fresh.State, fresh.ResolvedAt = job.AlertResolved, view.Now.Add(-23*time.Hour)
	f.settle(job.AlertChange{Put: []job.Alert{old, fresh, open}})
	all, err := f.Alerts(f.t.Context(), 10)
	f.check(err)
	if len(all.Alerts) != 2 || all.Alerts[0].ID != open.ID || all.Alerts[1].ID != fresh.ID {
		f.t.Errorf("Alerts() = %+v, want the one that was resolved a day ago forgotten", all.Alerts)
	}
}

func alertUnique(f *fixture) {
	f.start()
	one := newAlert(job.AlertMemory, job.Target{Name: "a"})
	f.settle(job.AlertChange{Put: []job.Alert{one}})
	_, err := f.SettleAlerts(f.t.Context(), f.turn(), time.Minute, func(job.AlertView) (job.AlertChange, error) {
		return job.AlertChange{Put: []job.Alert{newAlert(job.AlertMemory, job.Target{Name: "a"})}, Jobs: newJobs(1, nil)}, nil
	})
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); err == nil || n != 0 {
		f.t.Errorf("a second alert of the same thing: %v, with %d jobs; want it refused, without", err, n)
	}
}
