package handlers

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

func (h *Handlers) exchange(ctx context.Context, j *job.Job, task *tasks.Exchange) (job.Result, error) {
	e := task.Exchange
	e.IdempotencyKey = upstreamKey(j, 0)
	e.Traceparent = j.Traceparent
	if task.Sends() && h.upstreams[task.Client].NeedsKey(http.MethodPost) {
		notes, err := notesOf(ctx, j)
		if err != nil {
			return job.Result{}, err
		}
		e.DoubtSince = doubtSince(j, notes, 0)
	}
	transcript, err := h.upstreams[task.Client].Exchange(ctx, e)
	if err != nil {
		return job.Result{}, noteDoubt(ctx, 0, err)
	}
	value, err := json.Marshal(tasks.NewWSExchangeResult(*transcript))
	if err != nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "the messages could not be written as a result")
	}
	return job.Result{Value: value, Summary: transcript.Summary}, nil
}
