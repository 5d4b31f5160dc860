package load

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

const (
	// Tag is what all jobs of a run have.
	Tag = "asyncops-bench"
	// Retention is how long they are kept when they have ended.
	Retention = 10 * time.Minute
)

// Plan is what is measured. Every field is required.
type Plan struct {
	Kind        string
	Args        any // marshalled as JSON
	Queue       string
	Jobs        int           // submitted in batches, and then worked on
	Connections int           // of the concurrent submissions
	Duration    time.Duration // of the lone submissions, and of the concurrent ones
	Patience    time.Duration // how long no job may end before they are waited for no longer
}

// Progress is how far one part of a run has come.
type Progress struct {
	Doing       string
	Done, Total int64
	Detail      string
}

// Run measures a server: lone submissions and their pick-up, concurrent
// submissions, batches, and how fast the jobs of the batches are worked on.
// Between these it waits until all jobs have ended.
//
// Submissions that are not accepted are counted; if the first one is not, or a
// lone one for good, its error ends the run. So do ctx, an *UnfinishedError and
// questions that are not answered. The report has what was measured until then.
// show is called by one goroutine at a time.
func Run(ctx context.Context, target Target, plan Plan, show func(Progress)) (*Report, error) {
	r := &run{
		target: target, plan: plan, show: show, open: map[job.ID]bool{},
		job: sdk.Submission{Kind: plan.Kind, Args: plan.Args, Queue: plan.Queue, Tags: []string{Tag}, Retention: Retention},
		report: &Report{
			Server: target.URL, Kind: plan.Kind, Queue: plan.Queue, StartedAt: time.Now().UTC().Truncate(time.Millisecond),
			Ended: map[job.State]int{}, Notes: []string{},
		},
	}
	var err error
	if r.reader, err = sdk.New(target.URL, target.Key, sdk.Options{UserAgent: target.UserAgent}); err != nil {
		return nil, err
	}
	defer r.reader.Close()
	if r.writer, err = sdk.New(target.URL, target.Key, sdk.Options{UserAgent: target.UserAgent, MaxRetries: -1}); err != nil {
		return nil, err
	}
	defer r.writer.Close()
	for _, measure := range []func(context.Context) error{r.lone, r.concurrent, r.batches} {
		if err = measure(ctx); err != nil {
			break
		}
	}
	r.report.Failures, r.report.Open = r.failures.list(), len(r.open)+r.lost
	return r.report, err
}

// run is one run.
type run struct {
	target   Target
	plan     Plan
	job      sdk.Submission
	show     func(Progress)
	reader   *sdk.Client // calls again what was refused
	writer   *sdk.Client // does not: refusals are counted
	report   *Report
	failures failures
	open     map[job.ID]bool // accepted, and not seen to have ended
	lost     int             // accepted, and not to be found
	since    time.Time       // by the server's clock: no job of the run is older
}

// failed counts a failure and waits as long as the server asks for, but no
// longer than until the end.
func (r *run) failed(ctx context.Context, measure string, err error, end time.Time) error {
	wait, asked := waitAfter(err)
	wait = max(0, min(wait, time.Until(end)))
	if asked {
		r.failures.add(measure, err, wait)
	} else {
		r.failures.add(measure, err, 0)
	}
	return sleep(ctx, wait)
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
