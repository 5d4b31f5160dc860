package load

import (
	"context"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

const (
	pageSize      = 200                    // the most that the API lists at once
	drainInterval = 100 * time.Millisecond // between two looks at the same page
	// clockSlack is how far the clocks of a server's processes may differ.
	clockSlack = time.Minute
)

// UnfinishedError says that jobs do not end, so that nothing more is measured.
type UnfinishedError struct {
	Open  int
	Job   *sdk.Job // one of them
	After time.Duration
}

// Error says how many there are, what one of them waits for, and why it failed
// if it did.
func (e *UnfinishedError) Error() string {
	text := fmt.Sprintf("no job has ended for %s (open: %d): %s is %s", e.After, e.Open, e.Job.ID, e.Job.State)
	if w := e.Job.WaitingOn; w != nil {
		text += ", waiting on " + string(w.Reason)
		if w.Detail != "" {
			text += " (" + w.Detail + ")"
		}
	}
	if e.Job.Error != nil {
		text += fmt.Sprintf("; its last run: %s: %s", e.Job.Error.Code, e.Job.Error.Message)
	}
	return text
}

// ended takes note of a job that has ended.
func (r *run) ended(j *sdk.Job) {
	if r.since.IsZero() {
		r.since = j.CreatedAt
	}
	delete(r.open, j.ID)
	r.report.Ended[j.State]++
}

// drain waits until all open jobs have ended, and returns how fast they
// completed; nil if none did. It reads the list of jobs in the order of their
// creation and goes on to the next page when all on a page have ended: each
// job is read a few times, however many there are.
func (r *run) drain(ctx context.Context, doing string) (*Throughput, error) {
	var span span
	total, moved, again := len(r.open), time.Now(), false
	filter := sdk.Filter{
		Kinds: []string{r.plan.Kind}, Queues: []string{r.plan.Queue}, CreatedAfter: r.since.Add(-clockSlack),
		OldestFirst: true, PageSize: pageSize,
	}
	for len(r.open) > 0 {
		page, err := r.reader.Page(ctx, filter)
		if err != nil {
			return span.throughput(), err
		}
		var waiting *sdk.Job
		for _, j := range page.Items {
			switch {
			case !r.open[j.ID]: // another's, or seen before
			case j.State.Terminal():
				r.ended(j)
				span.add(j)
				moved = time.Now()
			default:
				waiting = j
			}
		}
		r.show(Progress{doing, int64(total - len(r.open)), int64(total), fmt.Sprintf("%d of %d jobs ended", total-len(r.open), total)})
		switch {
		case waiting != nil && time.Since(moved) > r.plan.Patience:
			return span.throughput(), &UnfinishedError{Open: len(r.open), Job: waiting, After: r.plan.Patience}
		case waiting != nil:
			if err := sleep(ctx, drainInterval); err != nil {
				return span.throughput(), err
			}
		case page.Next != "":
			filter.Cursor = page.Next
		case !again: // a process whose clock is late may have put them further up
			filter.Cursor, again = "", true
		default:
			r.lost += len(r.open)
			clear(r.open)
		}
	}
	return span.throughput(), nil
}

// span is the time in which jobs were created and ended, by the server's clocks.
type span struct {
	completed   int
	first, last time.Time
}

func (s *span) add(j *sdk.Job) {
	if s.first.IsZero() || j.CreatedAt.Before(s.first) {
		s.first = j.CreatedAt
	}
	if j.FinishedAt.After(s.last) {
		s.last = j.FinishedAt
	}
	if j.State == job.Completed {
		s.completed++
	}
}

func (s *span) throughput() *Throughput {
	if s.completed == 0 {
		return nil
	}
	t := &Throughput{Completed: s.completed}
	t.PerSecond, t.Seconds = rate(s.completed, s.last.Sub(s.first))
	return t
}
