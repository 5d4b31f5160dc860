package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

// fakeLedger holds one schedule and no transactions. Its clock is that of the
// bubble.
type fakeLedger struct {
	mu       sync.Mutex
	s        job.Schedule // guarded by mu
	down     error        // guarded by mu
	jobs     []job.Job    // guarded by mu
	looks    int          // guarded by mu
	plans    int          // guarded by mu
	releases int          // guarded by mu
	queued   int          // jobs that the next release lets start; guarded by mu
}

func (l *fakeLedger) UntilFire(_ context.Context, except ...string) (time.Duration, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looks++
	if slices.Contains(except, l.s.Name) {
		return 0, false, l.down
	}
	return time.Until(l.s.NextFire), !l.s.NextFire.IsZero(), l.down
}

func (l *fakeLedger) Fire(
	_ context.Context, now time.Time, _ int, plan func(*job.Schedule, time.Time, int) job.Firing, except ...string,
) (job.Fired, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.IsZero() {
		now = time.Now()
	}
	if l.s.NextFire.After(now) || l.down != nil || slices.Contains(except, l.s.Name) {
		return job.Fired{}, l.down
	}
	l.plans++
	f := plan(&l.s, now, 0)
	if f.Left {
		return job.Fired{}, nil
	}
	l.s.NextFire = f.Next
	l.jobs = append(l.jobs, f.Jobs...)
	return job.Fired{Schedules: 1, Jobs: f.Jobs}, nil
}

func (l *fakeLedger) ReleaseQueued(context.Context) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.queued
	l.releases, l.queued = l.releases+1, 0
	return n, l.down
}

func (l *fakeLedger) set(change func(*fakeLedger)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

type meter map[string]int

func (m meter) Submitted(kind, queue string, jobs int) { m[kind+" "+queue] += jobs }

// firing runs a Firer of the ledger in a bubble until do returns.
func firing(t *testing.T, l *fakeLedger, do func(log *bytes.Buffer, m meter, wakes *int)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m, wakes := meter{}, 0
		f := schedule.NewFirer(schedule.Config{
			Ledger: l, Meter: m, Wake: func() { wakes++ }, Log: slog.New(slog.NewTextHandler(&log, nil)),
			Draft: func(s *job.Schedule) (job.Job, error) {
				if len(s.Template) == 0 {
					return job.Job{}, job.ErrMalformed
				}
				return job.Job{Kind: "a.b", Queue: "low", Args: s.Template}, nil
			},
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.Run(ctx) }()
		do(&log, m, &wakes)
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

// after lets time pass in the bubble.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestFirerFiresInTime(t *testing.T) {
	t.Parallel()
	l := &fakeLedger{}
	firing(t, l, func(_ *bytes.Buffer, m meter, _ *int) {
		first := time.Now().Add(90 * time.Second).Truncate(time.Minute)
		l.set(func(l *fakeLedger) {
			l.s = job.Schedule{
				Name: "s", Owner: "k", Cron: "* * * * *", Timezone: "UTC", Template: []byte(`{}`), Missed: job.MissedSkip, Overlap: job.OverlapSkip,
				NextFire: first, Anchor: first,
			}
		})
		after(5 * time.Minute)
		if len(l.jobs) < 4 || m["a.b low"] != len(l.jobs) {
			t.Fatalf("%d jobs, %d counted, want at least 4", len(l.jobs), m["a.b low"])
		}
		for i, j := range l.jobs {
			want := first.Add(time.Duration(i) * time.Minute)
			if !j.FireAt.Equal(want) || j.RunAt.Sub(want) > 50*time.Millisecond || j.Schedule != "s" || j.Owner != "k" || j.State != job.Pending || j.ID == "" {
				t.Errorf("job = %+v, want that of %s, in time", j, want)
			}
		}
		if l.looks > 320 {
			t.Errorf("%d looks in five minutes, want about one a second", l.looks)
		}
	})
}

func TestFirerReleasesQueuedJobs(t *testing.T) {
	t.Parallel()
	l := &fakeLedger{}
	firing(t, l, func(_ *bytes.Buffer, _ meter, wakes *int) {
		after(10 * time.Second)
		if l.releases < 9 || l.releases > 16 || *wakes != 0 {
			t.Errorf("looked %d times for queued jobs and woke workers %d times, want about 10 and 0", l.releases, *wakes)
		}
		l.set(func(l *fakeLedger) { l.queued = 3 })
		after(2 * time.Second)
		if *wakes != 1 {
			t.Errorf("woke workers %d times, want once", *wakes)
		}
		before := l.releases
		for range 20 { // short jobs, one after the other
			l.set(func(l *fakeLedger) { l.queued = 1 })
			after(100 * time.Millisecond)
		}
		if looks := l.releases - before; *wakes < 10 || looks > 60 {
			t.Errorf("woke workers %d times with %d looks in two seconds, want it to look more often while jobs wait", *wakes-1, looks)
		}
	})
}

func TestFirerOutlivesTheLedgersAbsence(t *testing.T) {
	t.Parallel()
	l := &fakeLedger{down: errors.New("ledger: away")}
	firing(t, l, func(log *bytes.Buffer, _ meter, _ *int) {
		after(25 * time.Second)
		if lines := strings.Count(log.String(), "away"); lines < 2 || lines > 4 {
			t.Errorf("told of it %d times in 25 s, want one line every 10 s:\n%s", lines, log)
		}
		l.set(func(l *fakeLedger) { l.down = nil })
		after(2 * time.Second)
		if !strings.Contains(log.String(), "fire again") {
			t.Errorf("log = %s, want the end of the trouble told", log)
		}
	})
}

// A schedule of another release stays as it is: it is that release's to fire.
func TestFirerLeavesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]job.Schedule{
		"cron":     {Name: "theirs", Cron: "of another release", Timezone: "UTC", Template: []byte(`{}`)},
		"template": {Name: "theirs", Cron: "* * * * *", Timezone: "UTC", Missed: job.MissedSkip, Overlap: job.OverlapSkip},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &fakeLedger{}
			firing(t, l, func(log *bytes.Buffer, _ meter, _ *int) {
				now := time.Now()
				l.set(func(l *fakeLedger) { l.s = s; l.s.NextFire, l.s.Anchor = now, now })
				after(100 * time.Second)
				if len(l.jobs) != 0 || !l.s.NextFire.Equal(now) || strings.Count(log.String(), "schedule=theirs") != l.plans {
					t.Errorf("%d jobs, next fire %s, log %s; want none, %s, and the schedule named", len(l.jobs), l.s.NextFire, log, now)
				}
				if l.plans < 3 || l.plans > 4 || l.looks > 120 {
					t.Errorf("planned %d times with %d looks in 100 s, want every 30 s", l.plans, l.looks)
				}
			})
		})
	}
}
