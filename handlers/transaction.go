package handlers

import (
	"context"
	"encoding/json"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// transactionSummary is what the attempts list tells of a transaction.
type transactionSummary struct {
	Database  string        `json:"database"`
	Operation string        `json:"operation"` // transaction
	Isolation string        `json:"isolation,omitempty"`
	Steps     []stepSummary `json:"steps"`
	Rows      int64         `json:"rows"`               // of all steps
	Replayed  bool          `json:"replayed,omitempty"` // the effect had happened in an earlier run
}

// stepSummary is what it tells of a step.
type stepSummary struct {
	Operation string `json:"operation"`
	Table     string `json:"table,omitempty"`
	Query     string `json:"query,omitempty"` // the name of a named statement
	As        string `json:"as,omitempty"`
	Rows      *int64 `json:"rows,omitempty"` // absent when replayed
}

func (h *Handlers) transaction(ctx context.Context, j *job.Job, task *tasks.Transaction) (job.Result, error) {
	var effect *store.Effect
	if task.Transaction.Writes() {
		e := effectOf(j)
		effect = &e
	}
	result, err := h.databases[task.Database].RunTransaction(store.ForJob(ctx, j.ID), task.Transaction, effect)
	if err != nil {
		return job.Result{}, err
	}
	told := transactionSummary{
		Database: task.Database, Operation: "transaction", Isolation: string(task.Transaction.Isolation), Rows: result.Rows, Replayed: result.Replayed,
	}
	for i, step := range task.Transaction.Steps {
		s := stepSummary{Operation: string(step.Op), Table: step.Table, Query: step.Query, As: step.As}
		if i < len(result.Steps) {
			s.Rows = &result.Steps[i]
		}
		told.Steps = append(told.Steps, s)
	}
	summary, err := json.Marshal(told)
	return job.Result{Value: result.JSON, Summary: summary}, err
}
