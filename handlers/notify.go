package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// notify sends an event until it is taken. That it may have been taken already
// does not stop it.
func (h *Handlers) notify(ctx context.Context, j *job.Job, task *tasks.Notify) (job.Result, error) {
	sent, err := h.send(ctx, j, &tasks.HTTP{Client: task.Client, Request: task.Request}, 0, time.Time{})
	if f := new(job.Failure); errors.As(err, &f) && f.Class == job.ClassAmbiguous {
		again := *f
		again.Class = job.ClassRetryable
		return job.Result{}, &again
	}
	if err != nil {
		return job.Result{}, err
	}
	value, err := json.Marshal(tasks.NotifyResult{Status: sent.Status, Sends: sent.Sends})
	return job.Result{Value: value, Summary: value}, err
}
