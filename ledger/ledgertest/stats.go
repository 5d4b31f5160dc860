package ledgertest

import (
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/ledger"
)

func statsTests() tests {
	return tests{
		"written again counts once":   statsAgain,
		"of some queues and kinds":    statsNarrow,
		"old ones are folded":         statsFold,
		"folding meets late tallies":  statsLate,
		"the oldest are deleted":      statsDeleted,
		"every window has its detail": statsSteps,
	}
}

// tally is what a minute, so long ago, counted.
func tally(ago time.Duration, queue, kind string, completed int64) job.Tally {
	t := job.Tally{At: time.Now().Add(-ago).Truncate(time.Minute), Step: time.Minute, Queue: queue, Kind: kind, Submitted: 2 * completed, Completed: completed}
	for range completed {
		t.Run.Add(50 * time.Millisecond)
	}
	return t
}

func (f *fixture) writeTallies(source string, tallies ...job.Tally) {
	f.t.Helper()
	f.check(f.WriteTallies(f.t.Context(), source, tallies))
}

// tallies sums up what is kept of a hundred days, and counts the rows.
func (f *fixture) tallies() (sum job.Tally, rows int) {
	f.t.Helper()
	found, err := f.Tallies(f.t.Context(), time.Now().Add(-100*24*time.Hour), nil, nil)
	f.check(err)
	for i := range found {
		sum.Merge(&found[i])
	}
	return sum, len(found)
}

func statsAgain(f *fixture) {
	f.start()
	for completed := range int64(4) {
		f.writeTallies("a", tally(time.Hour, "default", "test", completed))
	}
	f.writeTallies("b", tally(time.Hour, "default", "test", 10))
	f.writeTallies("b")
	sum, rows := f.tallies()
	if rows != 2 || sum.Completed != 13 || sum.Submitted != 26 || sum.Run.Count() != 13 {
		f.t.Errorf("%d tallies of %+v, want 2 of 13 completed", rows, sum)
	}
}

func statsNarrow(f *fixture) {
	f.start()
	f.writeTallies("a", tally(time.Hour, "default", "test", 1), tally(time.Hour, "low", "test", 2), tally(time.Hour, "low", "it's", 4), tally(5*time.Hour, "low", "test", 8))
	for _, tt := range []struct {
		queues, kinds []string
		want          int64
	}{
		{nil, nil, 7}, {[]string{"low"}, nil, 6}, {nil, []string{"test"}, 3}, {[]string{"low", "none"}, []string{"it's"}, 4}, {[]string{"none"}, nil, 0},
	} {
		found, err := f.Tallies(f.t.Context(), time.Now().Add(-2*time.Hour), tt.queues, tt.kinds)
		f.check(err)
		var sum job.Tally
		for i := range found {
			sum.Merge(&found[i])
		}
		if sum.Completed != tt.want {
			f.t.Errorf("queues %v, kinds %v: %d completed, want %d", tt.queues, tt.kinds, sum.Completed, tt.want)
		}
	}
}

func statsFold(f *fixture) {
	f.start()
	var written int64
	for _, ago := range []time.Duration{time.Minute, 2 * time.Hour, 5 * time.Hour, 5*time.Hour + time.Minute, 60 * time.Hour, 61 * time.Hour, 20 * 24 * time.Hour, 89 * 24 * time.Hour} {
		for i, source := range []string{"a", "b", "c"} {
			f.writeTallies(source, tally(ago, "default", "test", int64(i+1)), tally(ago, "low", "test", 1))
			written += int64(i + 2)
		}
	}
	for range 3 { // each step of the ladder
		f.prune(0)
	}
	sum, rows := f.tallies()
	if sum.Completed != written || sum.Submitted != 2*written || sum.Run.Count() != written {
		f.t.Errorf("%d completed and %d runs are left of %d", sum.Completed, sum.Run.Count(), written)
	}
	for step, most := range map[int]int{60: 2 * 3 * 2, 600: 2 * 2, 3600: 2 * 2, 86400: 2 * 2} {
		if n := f.count("SELECT count(*) FROM asyncops_stats WHERE step = %d", step); n > most || n == 0 {
			f.t.Errorf("%d rows of %d s, want 1 to %d", n, step, most)
		}
	}
	if before := rows; before > 24 {
		f.t.Errorf("%d rows are left, want no more than 24", before)
	}
}

func statsLate(f *fixture) {
	f.start()
	f.writeTallies("a", tally(5*time.Hour, "default", "test", 1))
	f.prune(0)
	f.writeTallies("b", tally(5*time.Hour, "default", "test", 2), tally(5*time.Hour, "low", "test", 4))
	f.prune(0)
	f.prune(0)
	if sum, rows := f.tallies(); sum.Completed != 7 || rows != 2 {
		f.t.Errorf("%d completed in %d rows, want 7 in 2", sum.Completed, rows)
	}
}

func statsDeleted(f *fixture) {
	f.start()
	f.writeTallies("a", tally(95*24*time.Hour, "default", "test", 1), tally(80*24*time.Hour, "default", "test", 2))
	for range 4 {
		f.prune(0)
	}
	if sum, rows := f.tallies(); sum.Completed != 2 || rows != 1 {
		f.t.Errorf("%d completed in %d rows, want the 2 of less than 90 days in one", sum.Completed, rows)
	}
}

func statsSteps(f *fixture) {
	got := ""
	for _, window := range []time.Duration{time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour, 90 * 24 * time.Hour} {
		got += fmt.Sprint(window, " ", ledger.StatsStep(window), "\n")
	}
	if want := "1m0s 1m0s\n1h0m0s 1m0s\n2h0m0s 1m0s\n6h0m0s 10m0s\n48h0m0s 10m0s\n168h0m0s 1h0m0s\n720h0m0s 24h0m0s\n2160h0m0s 24h0m0s\n"; got != want {
		f.t.Errorf("steps are\n%swant\n%s", got, want)
	}
}
