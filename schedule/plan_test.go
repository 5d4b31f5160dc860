package schedule_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/schedule"
)

// fired is what a decision comes to: the seconds of its fires after the first
// that was due, those that wait in brackets of their own.
type fired struct{ runs, waits []int }

func TestDecide(t *testing.T) {
	t.Parallel()
	due := at(t, "2026-11-23T10:00:00Z")
	minutes := func(n ...int) []int {
		for i := range n {
			n[i] *= 60
		}
		return n
	}
	last := func(from, to int) (n []int) {
		for i := from; i <= to; i++ {
			n = append(n, i*60)
		}
		return n
	}
	tests := []struct {
		name            string
		cron            string
		missed          job.Missed
		overlap         job.Overlap
		late            time.Duration
		open            int
		want            fired
		gone, abandoned int // missed and skipped
	}{
		{"in time", "* * * * *", job.MissedSkip, job.OverlapSkip, 0, 0, fired{runs: minutes(0)}, 0, 0},
		{"a minute late is in time", "* * * * *", job.MissedSkip, job.OverlapSkip, time.Minute - time.Millisecond, 0, fired{runs: minutes(0)}, 0, 0},
		{"of an hour's interval, a minute is late", "0 * * * *", job.MissedSkip, job.OverlapSkip, time.Minute + time.Millisecond, 0, fired{}, 1, 0},
		{"of an hour's interval, once", "0 * * * *", job.MissedOnce, job.OverlapSkip, time.Minute + time.Millisecond, 0, fired{runs: minutes(0)}, 0, 0},
		{"of a second's interval, a second is late", "* * * * * *", job.MissedSkip, job.OverlapSkip, 1500 * time.Millisecond, 0, fired{runs: []int{1}}, 1, 0},
		{"ten minutes, skip", "* * * * *", job.MissedSkip, job.OverlapSkip, 10*time.Minute + time.Second, 0, fired{runs: minutes(10)}, 10, 0},
		{"ten minutes, once", "* * * * *", job.MissedOnce, job.OverlapAllow, 10*time.Minute + time.Second, 0, fired{runs: minutes(9, 10)}, 9, 0},
		{"ten minutes, once, one after the other", "* * * * *", job.MissedOnce, job.OverlapSkip, 10*time.Minute + time.Second, 0, fired{runs: minutes(9), waits: minutes(10)}, 9, 0},
		{"three minutes, all", "* * * * *", job.MissedAll, job.OverlapAllow, 3*time.Minute + time.Second, 0, fired{runs: minutes(0, 1, 2, 3)}, 0, 0},
		{"three minutes, all, one after the other", "* * * * *", job.MissedAll, job.OverlapSkip, 3*time.Minute + time.Second, 0, fired{runs: minutes(0), waits: minutes(1, 2, 3)}, 0, 0},
		{"all, the latest hundred", "* * * * *", job.MissedAll, job.OverlapAllow, 150*time.Minute + time.Second, 0, fired{runs: last(50, 150)}, 50, 0},
		{"overlap, skip", "* * * * *", job.MissedSkip, job.OverlapSkip, 0, 1, fired{}, 0, 1},
		{"overlap, skip all that were missed", "* * * * *", job.MissedAll, job.OverlapSkip, 3*time.Minute + time.Second, 1, fired{}, 0, 4},
		{"overlap, queue", "* * * * *", job.MissedSkip, job.OverlapQueue, 0, 1, fired{waits: minutes(0)}, 0, 0},
		{"overlap, the queue is full", "* * * * *", job.MissedSkip, job.OverlapQueue, 0, job.MaxQueued + 1, fired{}, 0, 1},
		{"overlap, the queue is nearly full", "* * * * *", job.MissedAll, job.OverlapQueue, 3*time.Minute + time.Second, job.MaxQueued - 1, fired{waits: minutes(0, 1)}, 0, 2},
		{"overlap, allow", "* * * * *", job.MissedSkip, job.OverlapAllow, 0, 7, fired{runs: minutes(0)}, 0, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := &job.Schedule{Name: "s", NextFire: due, Missed: test.missed, Overlap: test.overlap}
			now := due.Add(test.late)
			d := schedule.Decide(spec(t, test.cron, "UTC"), s, now, test.open)
			var got fired
			for _, fire := range d.Fires {
				after := int(fire.At.Sub(due) / time.Second)
				if fire.Waiting {
					got.waits = append(got.waits, after)
				} else {
					got.runs = append(got.runs, after)
				}
				if fire.RunAt.Before(now) {
					t.Errorf("the job of %s may start at %s, which has passed", fire.At, fire.RunAt)
				}
			}
			if !equal(got.runs, test.want.runs) || !equal(got.waits, test.want.waits) || d.Missed != test.gone || d.Skipped != test.abandoned {
				t.Errorf("Decide = %+v, %d missed, %d skipped; want %+v, %d, %d", got, d.Missed, d.Skipped, test.want, test.gone, test.abandoned)
			}
			if !d.Next.After(now) {
				t.Errorf("next fire at %s, want one after %s", d.Next, now)
			}
		})
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// A fire's job is late by the same time whoever fires, and no later than asked.
func TestJitter(t *testing.T) {
	t.Parallel()
	s := &job.Schedule{Name: "s", NextFire: at(t, "2026-11-23T10:00:00Z"), Missed: job.MissedAll, Overlap: job.OverlapAllow, Jitter: 10 * time.Second}
	now := s.NextFire.Add(time.Hour)
	minutely := spec(t, "* * * * *", "UTC")
	late := map[time.Duration]bool{}
	for range 2 {
		for at := s.NextFire; at.Before(now); at = at.Add(time.Minute) {
			one := *s
			one.NextFire = at
			d := schedule.Decide(minutely, &one, at, 0)
			late[d.Fires[0].RunAt.Sub(at)] = true
		}
	}
	if len(late) < 50 || len(late) > 60 {
		t.Errorf("60 fires, twice, are late by %d different times", len(late))
	}
	for d := range late {
		if d < 0 || d > s.Jitter {
			t.Errorf("a job is late by %s, want 0 to %s", d, s.Jitter)
		}
	}
}

// However late a schedulers look and in whatever steps they do: with missed:
// all and room for them, each fire has one job.
func TestDecideLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		cron := rapid.SampledFrom([]string{"* * * * *", "*/7 * * * * *", "@every 13s", "0 */2 * * *", "30 2 * * *"}).Draw(t, "cron")
		parsed := specOrNil(cron, rapid.SampledFrom([]string{"UTC", "America/New_York", "Australia/Lord_Howe"}).Draw(t, "zone"))
		begin := time.Unix(rapid.Int64Range(1_700_000_000, 1_800_000_000).Draw(t, "begin"), 0).UTC()
		s := &job.Schedule{Name: "s", Anchor: begin, NextFire: parsed.Next(begin, begin), Missed: job.MissedAll, Overlap: job.OverlapAllow}
		now, want := begin, parsed.Next(begin, begin)
		for range 20 {
			now = now.Add(time.Duration(rapid.Int64Range(0, 300_000).Draw(t, "step")) * time.Millisecond)
			if s.NextFire.After(now) {
				continue
			}
			d := schedule.Decide(parsed, s, now, 0)
			for _, fire := range d.Fires {
				if !fire.At.Equal(want) {
					t.Fatalf("fire at %s, want %s", fire.At, want)
				}
				want = parsed.Next(want, begin)
			}
			if s.NextFire = d.Next; !d.Next.Equal(want) || !want.After(now) {
				t.Fatalf("next fire at %s, want %s", d.Next, want)
			}
		}
	})
}

func TestArrange(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-11-23T10:00:30.5Z")
	hourly := func(edit func(*job.Schedule)) *job.Schedule {
		s := &job.Schedule{Name: "s", Cron: "0 * * * *", Timezone: "UTC"}
		if edit != nil {
			edit(s)
		}
		return s
	}
	old := hourly(func(s *job.Schedule) {
		s.NextFire, s.LastFire, s.LastJob = at(t, "2026-11-23T09:00:00Z"), at(t, "2026-11-23T08:00:00Z"), job.NewID()
		s.Anchor = at(t, "2026-11-01T00:00:07Z")
	})
	tests := []struct {
		name string
		s    *job.Schedule
		old  *job.Schedule
		want string // "" for none
	}{
		{"new", hourly(nil), nil, "2026-11-23T11:00:00Z"},
		{"new and paused", hourly(func(s *job.Schedule) { s.Paused = true }), nil, ""},
		{"from a start", hourly(func(s *job.Schedule) { s.Start = at(t, "2027-01-01T00:00:00Z") }), nil, "2027-01-01T00:00:00Z"},
		{"an interval, from its making", hourly(func(s *job.Schedule) { s.Cron = "@every 10s" }), nil, "2026-11-23T10:00:40Z"},
		{"an interval, from its start", hourly(func(s *job.Schedule) { s.Cron, s.Start = "@every 10s", at(t, "2026-12-01T00:00:03Z") }), nil, "2026-12-01T00:00:03Z"},
		{"what is due stays due", hourly(func(s *job.Schedule) { s.Overlap = job.OverlapAllow }), old, "2026-11-23T09:00:00Z"},
		{"other times", hourly(func(s *job.Schedule) { s.Cron = "30 * * * *" }), old, "2026-11-23T10:30:00Z"},
		{"another zone", hourly(func(s *job.Schedule) { s.Timezone = "Asia/Kolkata" }), old, "2026-11-23T10:30:00Z"},
		{"paused", hourly(func(s *job.Schedule) { s.Paused = true }), old, ""},
		{"resumed: what was missed meanwhile is not made up for", hourly(nil), hourly(func(s *job.Schedule) { s.Paused = true }), "2026-11-23T11:00:00Z"},
		{"an end far ahead", hourly(func(s *job.Schedule) { s.End = at(t, "2026-11-23T11:00:00Z") }), nil, "2026-11-23T11:00:00Z"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := *test.s
			if err := schedule.Arrange(spec(t, s.Cron, s.Timezone), &s, test.old, now); err != nil {
				t.Fatal(err)
			}
			if test.want == "" && !s.NextFire.IsZero() || test.want != "" && !s.NextFire.Equal(at(t, test.want)) {
				t.Errorf("next fire at %s, want %q", s.NextFire, test.want)
			}
			if test.old == old && (!s.LastFire.Equal(old.LastFire) || s.LastJob != old.LastJob) {
				t.Error("the last fire is forgotten")
			}
		})
	}
	s := hourly(func(s *job.Schedule) { s.End = at(t, "2026-11-23T10:59:59Z") })
	if err := schedule.Arrange(spec(t, s.Cron, s.Timezone), s, nil, now); !errors.Is(err, job.ErrInvalid) {
		t.Errorf("Arrange of one that ends before its first fire = %v, want ErrInvalid", err)
	}
}

func TestNextFires(t *testing.T) {
	t.Parallel()
	s := &job.Schedule{Start: at(t, "2026-11-23T12:00:00Z"), End: at(t, "2026-11-23T14:00:00Z")}
	got := schedule.NextFires(spec(t, "0 * * * *", "UTC"), s, at(t, "2026-11-23T10:00:00Z"), 5)
	if len(got) != 3 || !got[0].Equal(s.Start) || !got[2].Equal(s.End) {
		t.Errorf("NextFires = %s, want 12:00 to 14:00", got)
	}
	if got := schedule.NextFires(spec(t, "0 0 1 1 *", "UTC"), &job.Schedule{}, at(t, "9998-01-01T00:00:00Z"), 5); len(got) != 1 {
		t.Errorf("NextFires = %s, want the last that can be written", got)
	}
}
