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
}

func (h *Handlers) database(ctx context.Context, j *job.Job, task *tasks.DB) (job.Result, error) {
	var effect *store.Effect
	if task.Operation.Writes() {
		e := effectOf(j)
		effect = &e
	}
	result, err := h.databases[task.Database].Run(store.ForJob(ctx, j.ID), task.Operation, effect)
	if err != nil {
		return job.Result{}, err
	}
	summary, err := json.Marshal(databaseSummary{
		Database: task.Database, Operation: string(task.Operation.Op), Table: task.Operation.Table, Query: task.Operation.Query,
		Rows: result.Rows, Replayed: result.Replayed,
	})
	return job.Result{Value: result.JSON, Summary: summary}, err
}

// effectOf names the run's effect. Every run of a generation has the same one.
func effectOf(j *job.Job) store.Effect {
	return store.Effect{Job: j.ID, Generation: j.Generation, Required: j.Delivery == job.ExactlyOnceEffect}
}
