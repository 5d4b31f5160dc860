package handlers

import (
	"context"
	"encoding/json"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

func noop(ctx context.Context, task *tasks.Noop) (job.Result, error) {
	if task.Sleep > 0 {
		timer := time.NewTimer(task.Sleep)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return job.Result{}, job.Retryable(job.CodeTimeout, "stopped while it slept")
		}
	}
	if task.Fail {
		f := job.Retryable(job.CodeFailed, "%s", task.Message)
		f.Private = true // it is a part of the args
		return job.Result{}, f
	}
	return job.Result{Value: json.RawMessage("{}")}, nil
}
