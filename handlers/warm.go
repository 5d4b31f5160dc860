package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// maxWarming is how many items of a cache.warm are read at the same time.
const maxWarming = 4

// warm has the cache hold the items. That one fails is its outcome, not the
// job's.
func (h *Handlers) warm(ctx context.Context, j *job.Job, task *tasks.Warm) (job.Result, error) {
	result := tasks.WarmResult{Items: make([]tasks.WarmOutcome, len(task.Items))}
	var next, done atomic.Int64
	var warming sync.WaitGroup
	for range min(maxWarming, len(task.Items)) {
		warming.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(task.Items) {
					return
				}
				result.Items[i] = h.warmItem(ctx, j, task.Items[i], i)
				job.ReportProgress(ctx, job.Progress{Done: done.Add(1), Total: int64(len(task.Items))})
			}
		})
	}
	warming.Wait()
	if ctx.Err() != nil {
		return job.Result{}, job.Retryable(job.CodeTimeout, "stopped while it was reading; what it has read is kept")
	}
	for _, outcome := range result.Items {
		switch outcome.Status {
		case tasks.Warmed:
			result.Warmed++
		case tasks.WarmFresh:
			result.Fresh++
		default:
			result.Failed++
		}
	}
	value, err := json.Marshal(result)
	if err != nil {
		return job.Result{}, err
	}
	summary, err := json.Marshal(map[string]int{"warmed": result.Warmed, "fresh": result.Fresh, "failed": result.Failed})
	return job.Result{Value: value, Summary: summary}, err
}

func (h *Handlers) warmItem(ctx context.Context, j *job.Job, item tasks.Task, index int) tasks.WarmOutcome {
	var fresh bool
	var err error
	switch item := item.(type) {
	case *tasks.DB:
		fresh, err = h.databases[item.Database].Warm(store.ForJob(ctx, j.ID), item.Operation, store.Cached{Key: item.Cache.Key, TTL: item.Cache.TTL})
	case *tasks.HTTP:
		early := *item
		kept := *item.Request.Cache
		kept.Early = true
		early.Request.Cache = &kept
		var answer tasks.HTTPResult
		answer, err = h.send(ctx, j, &early, index, time.Time{})
		fresh = answer.Cached && answer.Sends == 0
	}
	switch f := new(job.Failure); {
	case err == nil && fresh:
		return tasks.WarmOutcome{Status: tasks.WarmFresh}
	case err == nil:
		return tasks.WarmOutcome{Status: tasks.Warmed}
	case errors.As(err, &f):
		return tasks.WarmOutcome{Status: tasks.WarmFailed, Error: &job.Error{Code: f.Code, Message: f.Message}}
	}
	return tasks.WarmOutcome{Status: tasks.WarmFailed, Error: &job.Error{Code: job.CodeInternal, Message: "it could not be read"}}
}
