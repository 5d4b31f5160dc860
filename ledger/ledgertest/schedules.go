package ledgertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func scheduleTests() tests {
	return tests{
		"made, changed, deleted":            scheduleLife,
		"listed by name":                    scheduleList,
		"one maker wins":                    scheduleMakers,
		"changes do not pass by each other": scheduleChanges,
		"an error changes nothing":          scheduleRefused,
		"names that cannot be stored":       scheduleBadName,
	}
}

// newSchedule is one that fires every minute, the first time at next.
func newSchedule(name string, next time.Time) job.Schedule {
	return job.Schedule{
		Name: name, Source: job.SourceAPI, Owner: "k1", Cron: "* * * * *", Timezone: "UTC", Template: json.RawMessage(`{"kind": "test"}`),
		Missed: job.MissedSkip, Overlap: job.OverlapAllow, Anchor: next, NextFire: next,
	}
}

// put stores the schedule, whatever there is of its name.
func (f *fixture) put(s job.Schedule) *job.Schedule {
	f.t.Helper()
	stored, err := f.ChangeSchedule(f.t.Context(), s.Name, func(*job.Schedule, time.Time) (*job.Schedule, error) { return &s, nil })
	f.check(err)
	return stored
}

func (f *fixture) remove(name string) {
	f.t.Helper()
	_, err := f.ChangeSchedule(f.t.Context(), name, func(*job.Schedule, time.Time) (*job.Schedule, error) { return nil, nil })
	f.check(err)
}

func (f *fixture) schedule(name string) job.Schedule {
	f.t.Helper()
	s, err := f.Schedule(f.t.Context(), name)
	f.check(err)
	return *s
}

func scheduleLife(f *fixture) {
	f.start()
	want := newSchedule("nightly", time.UnixMicro(2_000_000_000_123_456).UTC())
	want.Jitter, want.Start, want.End = 3*time.Second, time.Unix(1_999_999_999, 0).UTC(), time.Unix(2_100_000_000, 0).UTC()
	want.LastFire, want.LastJob = time.Unix(1_900_000_000, 0).UTC(), job.NewID()
	first := f.put(want)
	got := f.schedule("nightly")
	if got.Version == 0 || got.CreatedAt.IsZero() || !got.UpdatedAt.Equal(got.CreatedAt) || got.Version != first.Version {
		f.t.Errorf("schedule = %+v, want a version and the times of its making", got)
	}
	want.Version, want.CreatedAt, want.UpdatedAt = got.Version, got.CreatedAt, got.UpdatedAt
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		f.t.Errorf("schedule = %+v\nwant %+v", got, want)
	}
	want.Paused, want.NextFire = true, time.Time{}
	second := f.put(want)
	if got := f.schedule("nightly"); second.Version <= first.Version || !got.Paused || !got.NextFire.IsZero() || !got.CreatedAt.Equal(first.CreatedAt) {
		f.t.Errorf("schedule = %+v, want it paused, with a higher version than %d, and as old", got, first.Version)
	}
	f.remove("nightly")
	if _, err := f.Schedule(f.t.Context(), "nightly"); !errors.Is(err, job.ErrNotFound) {
		f.t.Errorf("Schedule() = %v, want ErrNotFound", err)
	}
	if third := f.put(want); third.Version <= second.Version {
		f.t.Errorf("the version of a new schedule of the name is %d, want more than %d", third.Version, second.Version)
	}
}

func scheduleList(f *fixture) {
	f.start()
	for _, name := range []string{"c", "a", "b", "d"} {
		s := newSchedule(name, time.Now())
		if name == "b" {
			s.Source = job.SourceConfig
		}
		f.put(s)
	}
	page := func(after string) (names string) {
		found, err := f.Schedules(f.t.Context(), after, 2)
		f.check(err)
		for _, s := range found {
			names += s.Name
		}
		return names
	}
	if got := []string{page(""), page("b"), page("d")}; got[0] != "ab" || got[1] != "cd" || got[2] != "" {
		f.t.Errorf("pages = %q, want ab, cd and none", got)
	}
	if names, err := f.ScheduleNames(f.t.Context(), job.SourceConfig); err != nil || len(names) != 1 || names[0] != "b" {
		f.t.Errorf("ScheduleNames(config) = %v, %v; want b", names, err)
	}
}

func scheduleMakers(f *fixture) {
	f.start()
	other := f.open()
	var made, refused atomic.Int32
	var makers sync.WaitGroup
	for i := range 8 {
		l := f.Ledger
		if i%2 == 0 {
			l = other
		}
		makers.Go(func() {
			_, err := l.ChangeSchedule(f.t.Context(), "one", func(old *job.Schedule, now time.Time) (*job.Schedule, error) {
				if old != nil {
					return nil, job.ErrExists
				}
				s := newSchedule("one", now)
				return &s, nil
			})
			switch {
			case err == nil:
				made.Add(1)
			case errors.Is(err, job.ErrExists):
				refused.Add(1)
			default:
				f.t.Error(err)
			}
		})
	}
	makers.Wait()
	if made.Load() != 1 || refused.Load() != 7 {
		f.t.Errorf("%d made it and %d were refused, want 1 and 7", made.Load(), refused.Load())
	}
}

func scheduleChanges(f *fixture) {
	f.start()
	other := f.open()
	f.put(newSchedule("counter", time.Now().Add(time.Hour)))
	const each = 10
	var changers sync.WaitGroup
	for _, l := range []*ledger.Ledger{f.Ledger, other} {
		changers.Go(func() {
			for range each {
				_, err := l.ChangeSchedule(f.t.Context(), "counter", func(old *job.Schedule, _ time.Time) (*job.Schedule, error) {
					s := *old
					s.Jitter += time.Millisecond
					return &s, nil
				})
				if err != nil {
					f.t.Error(err)
				}
			}
		})
	}
	changers.Wait()
	if got := f.schedule("counter").Jitter; got != 2*each*time.Millisecond {
		f.t.Errorf("jitter = %s, want %s: a change was lost", got, 2*each*time.Millisecond)
	}
}

func scheduleRefused(f *fixture) {
	f.start()
	before := f.put(newSchedule("kept", time.Now().Add(time.Hour)))
	for name, want := range map[string]error{"kept": job.ErrPrecondition, "new": job.ErrReadOnly} {
		_, err := f.ChangeSchedule(f.t.Context(), name, func(*job.Schedule, time.Time) (*job.Schedule, error) { return nil, want })
		if !errors.Is(err, want) {
			f.t.Errorf("ChangeSchedule(%s) = %v, want %v", name, err, want)
		}
	}
	same, err := f.ChangeSchedule(f.t.Context(), "kept", func(old *job.Schedule, _ time.Time) (*job.Schedule, error) { return old, nil })
	f.check(err)
	if got := f.schedule("kept"); got.Version != before.Version || same.Version != before.Version {
		f.t.Errorf("version = %d, want %d: nothing was changed", got.Version, before.Version)
	}
}

func scheduleBadName(f *fixture) {
	f.start()
	for _, name := range []string{"", "a\x00b", "\xff", "never made"} {
		if _, err := f.Schedule(f.t.Context(), name); !errors.Is(err, job.ErrNotFound) {
			f.t.Errorf("Schedule(%q) = %v, want ErrNotFound", name, err)
		}
	}
}
