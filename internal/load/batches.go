package load

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// BatchSize is how many jobs are submitted in one request.
const BatchSize = 1000

// Bounds of what is tried when batches are refused.
const (
	maxRefused     = 5 // in a row
	maxBatchesWait = time.Minute
)

// batches submits jobs in batches over one connection, and waits until they
// have ended.
func (r *run) batches(ctx context.Context) error {
	accepted, refused := 0, 0
	began := time.Now()
	r.report.Batches = &Batches{Size: BatchSize}
	for accepted < r.plan.Jobs && refused < maxRefused {
		r.show(Progress{"batches", int64(accepted), int64(r.plan.Jobs), fmt.Sprintf("%d jobs", accepted)})
		n, err := r.batch(ctx, min(BatchSize, r.plan.Jobs-accepted))
		accepted += n
		r.report.Batches.Accepted = accepted
		r.report.Batches.PerSecond, r.report.Batches.Seconds = rate(accepted, time.Since(began))
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			refused = 0
			continue
		case hopeless(err):
			refused = maxRefused
		}
		refused++
		if err := r.failed(ctx, MeasureBatches, err, time.Now().Add(maxBatchesWait)); err != nil {
			return err
		}
	}
	throughput, err := r.drain(ctx, "completing")
	r.report.Throughput = throughput
	return err
}

// batch submits one batch and returns how many of its jobs were accepted. The
// error is that of the batch, or of the first job that was not accepted.
func (r *run) batch(ctx context.Context, size int) (int, error) {
	result, err := r.writer.SubmitBatch(ctx, repeat(r.job, size), sdk.BatchOptions{})
	if err != nil {
		return 0, err
	}
	accepted := 0
	var first error
	for _, item := range result.Items {
		switch {
		case item.Error == nil:
			r.open[item.ID] = true
			accepted++
		case first == nil:
			first = item.Error // which the caller counts
		default:
			r.failures.add(MeasureBatches, item.Error, 0)
		}
	}
	return accepted, first
}

func repeat(s sdk.Submission, count int) iter.Seq[sdk.Submission] {
	return func(yield func(sdk.Submission) bool) {
		for range count {
			if !yield(s) {
				return
			}
		}
	}
}
