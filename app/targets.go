package app

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// targets answers what tasks and the API ask about the configured databases
// and upstreams. Only Plan reaches one, and is short about it.
type targets struct {
	databases map[string]*store.Target
	upstreams map[string]*clients.Client
}

// Database is that of the name, or the only one for "".
func (t targets) Database(name string) (tasks.Database, bool) {
	target, ok := named(t.databases, name)
	if !ok {
		return tasks.Database{}, false
	}
	return tasks.Database{Name: target.Name(), Registry: target.Registry()}, true
}

// Client is that of the name, or the only one for "".
func (t targets) Client(name string) (tasks.Client, bool) {
	client, ok := named(t.upstreams, name)
	if !ok {
		return tasks.Client{}, false
	}
	return tasks.Client{Name: client.Name(), Policy: client.Policy()}, true
}

func named[T any](all map[string]T, name string) (T, bool) {
	if name == "" && len(all) == 1 {
		for _, only := range all {
			return only, true
		}
	}
	v, ok := all[name]
	return v, ok
}

// Delivery says what the task's effect is worth: that of a transaction as much
// as that of its weakest step.
func (t targets) Delivery(task tasks.Task) (job.Delivery, error) {
	var database string
	var ops []dbop.Operation
	switch task := task.(type) {
	case *tasks.DB:
		database, ops = task.Database, []dbop.Operation{task.Operation}
	case *tasks.Transaction:
		database = task.Database
		for _, step := range task.Transaction.Steps {
			ops = append(ops, step.Operation)
		}
	default:
		return job.AtLeastOnce, nil
	}
	target := t.databases[database]
	delivery := job.ExactlyOnceEffect
	for _, op := range ops {
		if !op.Writes() {
			continue
		}
		if target.EffectsMissing() {
			return "", job.ErrEffectsMissing
		}
		if worth := target.Delivery(op.Op); worth != job.ExactlyOnceEffect {
			delivery = worth
		}
	}
	return delivery, nil
}

// RunOnce reports whether a run of the task that was lost must not be repeated.
// Every request of a job has a key. A batch notes what it is about to send, so
// that its next run knows which of its requests may have been carried out.
func (t targets) RunOnce(task tasks.Task) bool {
	switch task := task.(type) {
	case *tasks.HTTP:
		return !t.upstreams[task.Client].Repeatable(task.Request.Method, true)
	case *tasks.Exchange:
		return task.Sends() && !t.upstreams[task.Client].Repeatable(http.MethodPost, true)
	}
	return false
}

// Plan tells what the task would do.
func (t targets) Plan(ctx context.Context, task tasks.Task) (json.RawMessage, error) {
	switch task := task.(type) {
	case *tasks.DB:
		plan, err := t.planOperation(ctx, task)
		if err != nil {
			return nil, err
		}
		return json.Marshal(plan)
	case *tasks.Transaction:
		return t.planTransaction(task)
	case *tasks.HTTP:
		plan, err := t.planRequest(task, 0)
		if err != nil {
			return nil, err
		}
		return json.Marshal(plan)
	case *tasks.Batch:
		return t.planBatch(task)
	case *tasks.Exchange:
		return t.planExchange(task)
	}
	return json.RawMessage("{}"), nil
}

// operationPlan is what a dry run tells of a database operation.
type operationPlan struct {
	Database string   `json:"database"`
	SQL      string   `json:"sql"`
	Record   []string `json:"record,omitempty"`          // of a write: what makes its effect happen once
	Explain  []string `json:"explain,omitempty"`         // of a read: how the database would go about it
	Skipped  string   `json:"explain_skipped,omitempty"` // why it does not say
}

func (t targets) planOperation(ctx context.Context, task *tasks.DB) (*operationPlan, error) {
	target := t.databases[task.Database]
	sql, err := target.Registry().Explain(task.Operation)
	if err != nil {
		return nil, err
	}
	plan := &operationPlan{Database: task.Database, SQL: sql}
	switch {
	case !task.Operation.Writes():
		if plan.Explain, err = target.Plan(ctx, task.Operation); err != nil {
			plan.Skipped = store.PlanSkipped(err)
		}
	case target.Delivery(task.Operation.Op) == job.ExactlyOnceEffect:
		plan.Record = target.Registry().RecordSQL()
	}
	return plan, nil
}

func (t targets) planTransaction(task *tasks.Transaction) (json.RawMessage, error) {
	target := t.databases[task.Database]
	statements, err := target.Registry().ExplainTransaction(task.Transaction)
	if err != nil {
		return nil, err
	}
	type step struct {
		Op  dbop.Op `json:"op"`
		As  string  `json:"as,omitempty"`
		SQL string  `json:"sql"`
	}
	steps := make([]step, len(statements))
	for i, s := range task.Transaction.Steps {
		steps[i] = step{s.Op, s.As, statements[i]}
	}
	var record []string
	if delivery, err := t.Delivery(task); err == nil && delivery == job.ExactlyOnceEffect && task.Transaction.Writes() {
		record = target.Registry().RecordSQL()
	}
	return json.Marshal(struct {
		Database   string         `json:"database"`
		Isolation  dbop.Isolation `json:"isolation,omitempty"`
		Operations []step         `json:"operations"`
		Record     []string       `json:"record,omitempty"`
	}{task.Database, task.Transaction.Isolation, steps, record})
}
