package dispatch //nolint:testpackage // what it tests is nobody else's

import (
	"testing"
	"time"

	"github.com/asyncops/asyncops/job"
)

// What ended within the last minute counts, and only what tells how runs go.
func TestRecentRuns(t *testing.T) {
	t.Parallel()
	r := newRecentRuns()
	at := func(after time.Duration) time.Time { return r.began.Add(after) }
	for _, run := range []struct {
		after time.Duration
		state job.State
	}{
		{0, job.Completed}, {time.Second, job.Retry}, {30 * time.Second, job.Archived}, {31 * time.Second, job.Unknown},
		{31 * time.Second, job.Parked}, {31 * time.Second, job.Pending}, {31 * time.Second, job.Canceled}, {58 * time.Second, job.Completed},
	} {
		r.add(at(run.after), run.state, 10*time.Millisecond)
	}
	for _, tt := range []struct {
		after        time.Duration
		runs, failed int
	}{
		{59 * time.Second, 5, 3}, {61 * time.Second, 3, 2}, {91 * time.Second, 1, 0}, {3 * time.Minute, 0, 0},
	} {
		got := r.last(at(tt.after))
		lasting := 0
		for _, n := range got.Lasting {
			lasting += n
		}
		if got.Runs != tt.runs || got.Failed != tt.failed || lasting != tt.runs {
			t.Errorf("after %s: %+v, want %d runs, %d failed", tt.after, got, tt.runs, tt.failed)
		}
	}
	r.add(at(63*time.Second), job.Completed, time.Hour) // into a slot of the first minute
	if got := r.last(at(64 * time.Second)); got.Runs != 4 || got.Lasting[job.RunBucket(time.Hour)] != 1 {
		t.Errorf("after the slot was used again: %+v, want 4 runs", got)
	}
}
