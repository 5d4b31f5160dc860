package handlers

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Looker looks at targets, now.
type Looker interface {
	// Look returns how it found the targets that are named, all when none is. It
	// heeds ctx, and takes what does not answer for down.
	Look(ctx context.Context, targets []job.Target) []tasks.TargetHealth
}

// WithLooker lets the handlers run system.health. It is called before the first
// Run.
func (h *Handlers) WithLooker(l Looker) *Handlers {
	h.looker = l
	return h
}

// health is the job's whole work: that a target is down is its result, not its
// failure.
func (h *Handlers) health(ctx context.Context, task *tasks.Health) (job.Result, error) {
	if h.looker == nil {
		return job.Result{}, job.Permanent(job.CodeInternal, "this worker looks at no targets")
	}
	result := tasks.HealthResult{Status: "ok", Targets: h.looker.Look(ctx, task.Targets)}
	if ctx.Err() != nil {
		return job.Result{}, job.Retryable(job.CodeTimeout, "stopped while it looked at targets")
	}
	order := []string{"ok", "degraded", "down"}
	for _, target := range result.Targets {
		if slices.Index(order, target.Status) > slices.Index(order, result.Status) {
			result.Status = target.Status
		}
	}
	text, err := json.Marshal(result)
	return job.Result{Value: text}, err
}
