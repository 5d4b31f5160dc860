package handlers

import (
	"context"
	"encoding/json"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// databaseSummary is what the attempts list tells of a database operation.
type databaseSummary struct {
	Database  string `json:"database"`
	Operation string `json:"operation"`
	Table     string `json:"table,omitempty"`
	Query     string `json:"query,omitempty"` // the name of a named statement
	Rows      int64  `json:"rows"`
	Replayed  bool   `json:"replayed,omitempty"` // the effect had happened in an earlier run
	Cached    bool   `json:"cached,omitempty"`   // the database was not asked
}

func (h *Handlers) database(ctx context.Context, j *job.Job, task *tasks.DB) (job.Result, error) {
	result, err := h.run(store.ForJob(ctx, j.ID), j, task)
	if err != nil {
		return job.Result{}, err
	}
	summary, err := json.Marshal(databaseSummary{
		Database: task.Database, Operation: string(task.Operation.Op), Table: task.Operation.Table, Query: task.Operation.Query,
		Rows: result.Rows, Replayed: result.Replayed, Cached: result.Cached,
	})
	return job.Result{Value: result.JSON, Summary: summary}, err
}

func (h *Handlers) run(ctx context.Context, j *job.Job, task *tasks.DB) (*store.Result, error) {
	database := h.databases[task.Database]
	switch {
	case task.Operation.Writes():
		effect := effectOf(j)
		return database.Run(ctx, task.Operation, &effect)
	case task.Cache != nil:
		return database.RunCached(ctx, task.Operation, store.Cached{Key: task.Cache.Key, TTL: task.Cache.TTL})
	}
	return database.Run(ctx, task.Operation, nil)
}

// effectOf names the run's effect. Every run of a generation has the same one.
func effectOf(j *job.Job) store.Effect {
	return store.Effect{Job: j.ID, Generation: j.Generation, Required: j.Delivery == job.ExactlyOnceEffect}
}
