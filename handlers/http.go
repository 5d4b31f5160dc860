package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// requestSummary is what the attempts list tells of a request that succeeded.
type requestSummary struct {
	Client     string `json:"client"`
	Method     string `json:"method"`
	Path       string `json:"path"`
	Status     int    `json:"status"`
	Sends      int    `json:"sends"`
	Cached     bool   `json:"cached,omitempty"` // the answer is what was kept of an earlier one
	DurationMS int64  `json:"duration_ms"`
}

func (h *Handlers) request(ctx context.Context, j *job.Job, task *tasks.HTTP) (job.Result, error) {
	var since time.Time
	if h.upstreams[task.Client].NeedsKey(task.Request.Method) {
		notes, err := notesOf(ctx, j)
		if err != nil {
			return job.Result{}, err
		}
		since = doubtSince(j, notes, 0)
	}
	result, err := h.send(ctx, j, task, 0, since)
	if err != nil {
		return job.Result{}, noteDoubt(ctx, 0, err)
	}
	value, err := json.Marshal(result)
	if err != nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "the answer could not be written as a result")
	}
	summary, err := json.Marshal(requestSummary{
		Client: task.Client, Method: task.Request.Method, Path: task.Request.Path, Status: result.Status,
		Sends: result.Sends, Cached: result.Cached, DurationMS: result.DurationMS,
	})
	return job.Result{Value: value, Summary: summary}, err
}

// send makes the job's request of the index. since is when an earlier run sent it,
// if nobody can tell whether it was carried out.
func (h *Handlers) send(ctx context.Context, j *job.Job, task *tasks.HTTP, index int, since time.Time) (tasks.HTTPResult, error) {
	r := task.Request
	r.DoubtSince = since
	r.IdempotencyKey = upstreamKey(j, index)
	r.Traceparent = j.Traceparent
	response, err := h.upstreams[task.Client].Do(ctx, r)
	if err != nil {
		return tasks.HTTPResult{}, err
	}
	return tasks.NewHTTPResult(*response), nil
}

// upstreamKey is the idempotency key of a job's request: the same over attempts
// and generations, and another after a retry that replaced the args.
func upstreamKey(j *job.Job, index int) string {
	if j.KeyGeneration == 0 {
		return fmt.Sprintf("%s.%d", j.ID, index)
	}
	return fmt.Sprintf("%s.%d.%d", j.ID, index, j.KeyGeneration)
}
