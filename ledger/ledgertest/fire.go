package ledgertest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/schedule"
)

func fireTests() tests {
	return tests{
		"a job, and the next fire":          fireOnce,
		"no second job for a fire":          fireTwice,
		"bounded":                           fireBounded,
		"rings for what may start":          fireRings,
		"nothing paused, nothing over":      fireNothing,
		"jobs that have not ended":          fireOpen,
		"queued jobs, one after the other":  fireQueued,
		"queued jobs of a deleted schedule": fireQueuedDeleted,
		"an hour with four":                 fireRace,
		"ten minutes down":                  fireDown,
		"a schedule that another holds":     fireHeld,
		"by the ledger's clock":             fireClock,
		"what is left as it is":             fireLeft,
	}
}

// minutely plans a job now, and the next fire in a minute.
func minutely(s *job.Schedule, now time.Time, _ int) job.Firing {
	j := newJobs(1, nil)[0]
	j.Schedule, j.FireAt, j.RunAt, j.Owner = s.Name, s.NextFire, now, s.Owner
	return job.Firing{Jobs: []job.Job{j}, Next: s.NextFire.Add(time.Minute)}
}

// fire fires at the given time, which is zero for the ledger's clock.
func (f *fixture) fire(at time.Time, limit int, plan func(*job.Schedule, time.Time, int) job.Firing) job.Fired {
	f.t.Helper()
	fired, err := f.Fire(f.t.Context(), at, limit, plan)
	f.check(err)
	return fired
}

var virtual = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func fireOnce(f *fixture) {
	f.start()
	f.put(newSchedule("s", virtual))
	fired := f.fire(virtual, 10, minutely)
	if fired.Schedules != 1 || len(fired.Jobs) != 1 {
		f.t.Fatalf("Fire() = %+v, want one job of one schedule", fired)
	}
	got := f.want(fired.Jobs[0].ID, job.Pending)
	if got.Schedule != "s" || !got.FireAt.Equal(virtual) || got.Owner != "k1" {
		f.t.Errorf("job = %+v, want one of the schedule s and its fire", got)
	}
	s := f.schedule("s")
	if !s.NextFire.Equal(virtual.Add(time.Minute)) || !s.LastFire.Equal(virtual) || s.LastJob != got.ID {
		f.t.Errorf("schedule = %+v, want it to fire in a minute and to tell of its job", s)
	}
	if fired := f.fire(virtual.Add(59*time.Second), 10, minutely); fired.Schedules != 0 {
		f.t.Errorf("Fire() before the next fire = %+v, want nothing", fired)
	}
	page, err := f.Search(f.t.Context(), ledger.Filter{Schedule: "s"})
	f.check(err)
	if len(page.Jobs) != 1 || page.Jobs[0].ID != got.ID {
		f.t.Errorf("Search(schedule s) = %+v, want its job", page.Jobs)
	}
}

// A fire that was made before gets no second job, by whatever way its schedule
// came to be due again; but its schedule goes on.
func fireTwice(f *fixture) {
	f.start()
	f.put(newSchedule("s", virtual))
	first := f.fire(virtual, 10, minutely).Jobs[0].ID
	f.remove("s")
	f.put(newSchedule("s", virtual))
	if fired := f.fire(virtual, 10, minutely); len(fired.Jobs) != 0 || fired.Schedules != 1 {
		f.t.Errorf("Fire() = %+v, want no job", fired)
	}
	f.run(f.join(), first, job.Outcome{State: job.Completed})
	f.put(newSchedule("s", virtual))
	f.fire(virtual, 10, minutely)
	if n := f.count("SELECT count(*) FROM asyncops_jobs"); n != 1 {
		f.t.Errorf("%d jobs, want the first", n)
	}
	if next := f.schedule("s").NextFire; !next.Equal(virtual.Add(time.Minute)) {
		f.t.Errorf("next fire = %s, want a minute later", next)
	}
}

func fireBounded(f *fixture) {
	f.start()
	for i := range 25 {
		f.put(newSchedule(fmt.Sprintf("s%02d", i), virtual))
	}
	for _, want := range []int{10, 10, 5, 0} {
		if fired := f.fire(virtual, 10, minutely); fired.Schedules != want || len(fired.Jobs) != want {
			f.t.Errorf("Fire(10) fired %d schedules with %d jobs, want %d", fired.Schedules, len(fired.Jobs), want)
		}
	}
	// Many jobs of a few schedules end the batch early; the others stay due.
	for i := range 25 {
		f.put(newSchedule(fmt.Sprintf("s%02d", i), virtual))
	}
	many := func(s *job.Schedule, _ time.Time, _ int) job.Firing {
		jobs := newJobs(100, func(i int, j *job.Job) {
			j.Schedule, j.FireAt = s.Name, virtual.Add(time.Duration(i+1)*time.Second)
		})
		return job.Firing{Jobs: jobs, Next: virtual.Add(time.Hour)}
	}
	total := 0
	for {
		fired := f.fire(virtual, 25, many)
		if fired.Schedules == 0 {
			break
		}
		if len(fired.Jobs) > 1100 {
			f.t.Errorf("one Fire made %d jobs", len(fired.Jobs))
		}
		total += len(fired.Jobs)
	}
	if total != 2500 {
		f.t.Errorf("%d jobs, want 2500", total)
	}
}

func fireRings(f *fixture) {
	var b bell
	f.start(func(c *ledger.Config) { c.Bell = &b })
	f.put(newSchedule("s", virtual))
	f.put(newSchedule("later", virtual))
	f.put(newSchedule("waits", virtual))
	fired := f.fire(virtual, 10, func(s *job.Schedule, now time.Time, open int) job.Firing {
		firing := minutely(s, now, open)
		switch s.Name {
		case "later":
			firing.Jobs[0].State, firing.Jobs[0].RunAt = job.Scheduled, time.Now().Add(time.Hour)
		case "waits":
			firing.Jobs[0].State = job.Waiting
		}
		return firing
	})
	var rung []job.ID
	for _, d := range b.rung {
		rung = append(rung, d.Jobs...)
	}
	for _, j := range fired.Jobs {
		if j.Schedule == "s" && (len(rung) != 1 || rung[0] != j.ID) {
			f.t.Errorf("rung for %v, want the pending job %s alone", rung, j.ID)
		}
	}
}

func fireNothing(f *fixture) {
	f.start()
	if _, ok, err := f.UntilFire(f.t.Context()); ok || err != nil {
		f.t.Errorf("UntilFire() without schedules = %t, %v; want none", ok, err)
	}
	f.put(newSchedule("over", time.Time{}))
	if fired := f.fire(virtual, 10, minutely); fired.Schedules != 0 {
		f.t.Errorf("Fire() = %+v, want nothing", fired)
	}
	f.put(newSchedule("last", virtual))
	f.fire(virtual, 10, func(*job.Schedule, time.Time, int) job.Firing { return job.Firing{} })
	if s := f.schedule("last"); !s.NextFire.IsZero() {
		f.t.Errorf("next fire = %s, want none", s.NextFire)
	}
}

func fireOpen(f *fixture) {
	f.start()
	s := newSchedule("s", virtual)
	s.Overlap = job.OverlapSkip
	f.put(s)
	f.put(newSchedule("other", virtual))
	w := f.join()
	at := virtual
	want := func(open int) (made job.ID) {
		f.t.Helper()
		for _, j := range f.fire(at, 10, func(s *job.Schedule, now time.Time, got int) job.Firing {
			if s.Name == "s" && got != open || s.Name == "other" && got != 0 {
				f.t.Errorf("%s has %d jobs that have not ended, want %d", s.Name, got, open)
			}
			return minutely(s, now, got)
		}).Jobs {
			if j.Schedule == "s" {
				made = j.ID
			}
		}
		at = at.Add(time.Minute)
		return made
	}
	first := want(0)
	second := want(1)
	f.claim(w, first)
	f.run(w, second, job.Outcome{State: job.Retry})
	third := want(2)
	_, err := f.Cancel(f.t.Context(), third)
	f.check(err)
	want(2)
}

// queued stores a schedule whose jobs wait for each other, and fires it n times.
func (f *fixture) queued(n int) []job.ID {
	f.t.Helper()
	s := newSchedule("s", virtual)
	s.Overlap, s.Cron = job.OverlapQueue, "* * * * *"
	f.put(s)
	var ids []job.ID
	for i := range n {
		at := virtual.Add(time.Duration(i) * time.Minute)
		firer := schedule.NewFirer(f.firing(f.Ledger, func() time.Time { return at }))
		if fired, err := firer.Fire(f.t.Context()); err != nil || fired != 1 {
			f.t.Fatalf("Fire() = %d, %v; want 1", fired, err)
		}
		ids = append(ids, f.schedule("s").LastJob)
	}
	return ids
}

func (f *fixture) release(want int) {
	f.t.Helper()
	if n, err := f.ReleaseQueued(f.t.Context()); err != nil || n != want {
		f.t.Errorf("ReleaseQueued() = %d, %v; want %d", n, err, want)
	}
}

func fireQueued(f *fixture) {
	f.start()
	ids := f.queued(4)
	w := f.join()
	f.want(ids[0], job.Pending)
	for _, id := range ids[1:] {
		if j := f.want(id, job.Waiting); j.WaitingOn == nil || j.WaitingOn.Reason != job.WaitDependency {
			f.t.Errorf("waiting on %+v, want a dependency", j.WaitingOn)
		}
	}
	f.release(0)
	f.run(w, ids[0], job.Outcome{State: job.Archived, Error: &job.Error{Code: job.CodeFailed}})
	f.release(1)
	f.want(ids[1], job.Pending)
	f.want(ids[2], job.Waiting)
	f.run(w, ids[1], job.Outcome{State: job.Retry})
	f.release(0)
	_, err := f.Cancel(f.t.Context(), ids[2]) // one that waits may be canceled
	f.check(err)
	f.want(ids[2], job.Canceled)
	f.due(ids[1])
	f.run(w, ids[1], job.Outcome{State: job.Completed})
	f.release(1)
	f.run(w, ids[3], job.Outcome{State: job.Completed})
	f.release(0)
}

func fireQueuedDeleted(f *fixture) {
	f.start()
	ids := f.queued(2)
	f.remove("s")
	f.run(f.join(), ids[0], job.Outcome{State: job.Completed})
	f.release(1)
	f.want(ids[1], job.Pending)
}

// firing is the configuration of a scheduler on the ledger, at a time of its own.
func (f *fixture) firing(l *ledger.Ledger, now func() time.Time) schedule.Config {
	return schedule.Config{
		Ledger: l, Wake: func() {}, Meter: noMeter{}, Log: slog.New(slog.DiscardHandler), Now: now,
		Draft: func(s *job.Schedule) (job.Job, error) {
			return job.Job{Kind: "test", Queue: "default", Args: s.Template, MaxAttempts: 1, Delivery: job.AtLeastOnce}, nil
		},
	}
}

type noMeter struct{}

func (noMeter) Submitted(string, string, int) {}

// A scheduler that hangs inside its transaction keeps its schedules from the
// others for as long as the database lets it, and nothing else.
func fireHeld(f *fixture) {
	f.start()
	if f.h.Server == nil {
		f.t.Skip("a transaction holds this database as a whole")
	}
	other := f.open()
	f.put(newSchedule("held", virtual))
	inside, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	go func() {
		_, err := other.Fire(f.t.Context(), virtual, 10, func(s *job.Schedule, now time.Time, open int) job.Firing {
			close(inside)
			<-goOn
			return minutely(s, now, open)
		})
		done <- err
	}()
	<-inside
	f.put(newSchedule("free", virtual))
	if fired := f.fire(virtual, 10, minutely); fired.Schedules != 1 || fired.Jobs[0].Schedule != "free" {
		f.t.Errorf("Fire() = %+v, want the schedule that nobody holds", fired)
	}
	close(goOn)
	f.check(<-done)
	if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE schedule = 'held'"); n != 1 {
		f.t.Errorf("%d jobs of the schedule that was held, want 1", n)
	}
}

func fireLeft(f *fixture) {
	f.start()
	f.put(newSchedule("theirs", virtual.Add(-time.Hour)))
	f.put(newSchedule("ours", virtual))
	theirs := f.schedule("theirs")
	fired := f.fire(virtual, 10, func(s *job.Schedule, now time.Time, open int) job.Firing {
		if s.Name == "theirs" {
			return job.Firing{Left: true}
		}
		return minutely(s, now, open)
	})
	if fired.Schedules != 1 || len(fired.Jobs) != 1 || fired.Jobs[0].Schedule != "ours" {
		f.t.Errorf("Fire() = %+v, want ours", fired)
	}
	if diff := cmp.Diff(theirs, f.schedule("theirs")); diff != "" {
		f.t.Errorf("the schedule that was left (-before +after):\n%s", diff)
	}
	again, err := f.Fire(f.t.Context(), virtual.Add(time.Minute), 1, minutely, "theirs", "it's another")
	f.check(err)
	if again.Schedules != 1 || again.Jobs[0].Schedule != "ours" {
		f.t.Errorf("Fire(except theirs) = %+v, want ours", again)
	}
	if _, ok, err := f.UntilFire(f.t.Context(), "theirs", "ours"); ok || err != nil {
		f.t.Errorf("UntilFire(except all) = %t, %v; want none", ok, err)
	}
}

func fireClock(f *fixture) {
	f.start()
	f.put(newSchedule("past", time.Now().Add(-time.Hour)))
	if wait, ok, err := f.UntilFire(f.t.Context()); err != nil || !ok || wait > -time.Minute {
		f.t.Errorf("UntilFire() = %s, %t, %v; want about an hour ago", wait, ok, err)
	}
	f.put(newSchedule("future", time.Now().Add(time.Hour)))
	fired := f.fire(time.Time{}, 10, func(s *job.Schedule, now time.Time, open int) job.Firing {
		if d := time.Since(now); d < -time.Minute || d > time.Minute {
			f.t.Errorf("the time is %s, want now", now)
		}
		return job.Firing{Jobs: minutely(s, now, open).Jobs}
	})
	if len(fired.Jobs) != 1 || fired.Jobs[0].Schedule != "past" {
		f.t.Errorf("Fire() = %+v, want the schedule that was due", fired)
	}
	if wait, ok, err := f.UntilFire(f.t.Context()); err != nil || !ok || wait < time.Minute {
		f.t.Errorf("UntilFire() = %s, %t, %v; want about an hour", wait, ok, err)
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	cancel()
	if _, err := f.Fire(ctx, virtual, 1, minutely); err == nil {
		f.t.Error("Fire() under a context that has ended = nil, want an error")
	}
}
