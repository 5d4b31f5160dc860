package ledgertest

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
	"github.com/asyncops/asyncops/schedule"
)

// raceHours begin half an hour before a clock is set, in five zones.
var raceHours = []string{
	"2026-03-08T06:30:00Z", // New York, forward
	"2026-11-01T05:30:00Z", // New York, back
	"2018-11-04T02:30:00Z", // Sao Paulo, forward at midnight
	"2018-02-18T01:30:00Z", // Sao Paulo, back at midnight
	"2026-10-03T15:00:00Z", // Lord Howe, forward by half an hour
	"2026-04-04T14:30:00Z", // Lord Howe, back by half an hour
	"2011-12-30T09:30:00Z", // Apia, over a whole day
	"2026-02-15T01:30:00Z", // Casablanca, back
}

// raceSchedules are stored for each hour.
func raceSchedules() []job.Schedule {
	crons := map[string]string{"every-minute": "* * * * *", "every-15s": "*/15 * * * * *", "every-7s": "@every 7s"}
	all := make([]job.Schedule, 0, 24)
	add := func(name, cron, zone string) {
		all = append(all, job.Schedule{
			Name: name, Source: job.SourceAPI, Cron: cron, Timezone: zone, Template: json.RawMessage(`{}`),
			Missed: job.MissedAll, Overlap: job.OverlapAllow,
		})
	}
	for name, cron := range crons {
		add(name, cron, "UTC")
	}
	for _, zone := range []string{"America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"} {
		for i, cron := range []string{"15,30 1,2 * * *", "*/20 0-3 * * *", "45 * * * *", "5 0,12,23 * * *"} {
			add(fmt.Sprintf("%s-%d", strings.ToLower(strings.ReplaceAll(zone, "/", "-")), i), cron, zone)
		}
	}
	return all
}

// fireRace lets four schedulers race through hours in which clocks are set.
// Some of them die in the middle of firing, and some wake up with an old idea of
// the time.
func fireRace(f *fixture) {
	f.start()
	random := testkit.Random(f.t)
	ledgers := []*ledger.Ledger{f.Ledger, f.open(), f.open(), f.open()}
	for i, begin := range raceHours {
		start, err := time.Parse(time.RFC3339, begin)
		f.check(err)
		want := map[string]bool{}
		for _, s := range raceSchedules() {
			s.Name = fmt.Sprintf("hour%d-%s", i, s.Name)
			spec, err := schedule.ParseSpec(s.Cron, s.Timezone)
			f.check(err)
			f.check(schedule.Arrange(spec, &s, nil, start))
			f.put(s)
			for at := spec.Next(start, s.Anchor); !at.After(start.Add(time.Hour)); at = spec.Next(at, s.Anchor) {
				want[s.Name+" "+at.Format(time.RFC3339)] = true
			}
		}
		f.raceHour(random, ledgers, start)
		f.compareFires(fmt.Sprintf("hour%d-", i), want)
		f.sql("DELETE FROM asyncops_schedules")
	}
}

func (f *fixture) raceHour(random *rand.Rand, ledgers []*ledger.Ledger, start time.Time) {
	f.t.Helper()
	end, step := start.Add(time.Hour), 4*time.Minute
	if testkit.Long() {
		step = time.Minute
	}
	for now := start; now.Before(end); now = now.Add(time.Duration(random.Int64N(int64(step)) + 1)) {
		var racers sync.WaitGroup
		for _, l := range ledgers {
			at, ctx, cancel := now, f.t.Context(), context.CancelFunc(func() {})
			switch random.IntN(10) {
			case 0:
				ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(5_000))*time.Microsecond)
			case 1:
				at = now.Add(-time.Duration(random.IntN(300)) * time.Second)
			}
			racers.Go(func() {
				defer cancel()
				_, err := schedule.NewFirer(f.firing(l, func() time.Time { return at })).Fire(ctx)
				if err != nil && ctx.Err() == nil {
					f.t.Error(err)
				}
			})
		}
		racers.Wait()
	}
	firer := schedule.NewFirer(f.firing(f.Ledger, func() time.Time { return end }))
	for {
		n, err := firer.Fire(f.t.Context())
		f.check(err)
		if n == 0 {
			return
		}
	}
}

// compareFires holds the jobs of schedules whose names begin with the prefix
// against the fires that there should have been.
func (f *fixture) compareFires(prefix string, want map[string]bool) {
	f.t.Helper()
	rows, err := f.db.SQL.QueryContext(f.t.Context(), `SELECT schedule, fire_at FROM asyncops_jobs WHERE schedule LIKE '`+prefix+`%'`)
	f.check(err)
	defer rows.Close()
	got, n := map[string]bool{}, 0
	for rows.Next() {
		var name string
		var at int64
		f.check(rows.Scan(&name, &at))
		fire := name + " " + time.UnixMicro(at).UTC().Format(time.RFC3339)
		n++
		if got[fire] = true; !want[fire] {
			f.t.Errorf("a job for %s, which is no fire", fire)
		}
	}
	f.check(rows.Err())
	for fire := range want {
		if !got[fire] {
			f.t.Errorf("no job for %s", fire)
		}
	}
	if n != len(got) {
		f.t.Errorf("%d jobs for %d fires", n, len(got))
	}
}

// fireDown is what becomes of fires while no scheduler runs.
func fireDown(f *fixture) {
	f.start()
	tests := []struct {
		name   string
		missed job.Missed
		down   time.Duration
		want   int
	}{
		{"skip", job.MissedSkip, 10 * time.Minute, 1}, // the last is on time
		{"once", job.MissedOnce, 10 * time.Minute, 2},
		{"all", job.MissedAll, 10 * time.Minute, 11},
		{"all-of-very-many", job.MissedAll, 30 * time.Hour, job.MaxMissed + 1},
	}
	for _, test := range tests {
		s := newSchedule(test.name, virtual)
		s.Missed, s.Overlap = test.missed, job.OverlapSkip // it does not depend on overlaps
		f.put(s)
		back := virtual.Add(test.down + 500*time.Millisecond)
		_, err := schedule.NewFirer(f.firing(f.Ledger, func() time.Time { return back })).Fire(f.t.Context())
		f.check(err)
		if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE schedule = '%s'", test.name); n != test.want {
			f.t.Errorf("%s: %d jobs, want %d", test.name, n, test.want)
		}
		if n := f.count("SELECT count(*) FROM asyncops_jobs WHERE schedule = '%s' AND state = 'pending'", test.name); n != 1 {
			f.t.Errorf("%s: %d jobs may start, want one: they do not overlap", test.name, n)
		}
		if next := f.schedule(test.name).NextFire; !next.Equal(virtual.Add(test.down + time.Minute)) {
			f.t.Errorf("%s: next fire at %s, want the next minute", test.name, next)
		}
		f.sql("DELETE FROM asyncops_schedules")
	}
}
