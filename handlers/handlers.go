// Package handlers does what jobs ask for: one file per family of kinds. It
// reads the args again as the worker's own configuration sees them, calls store
// and clients, and turns their answers into results. It keeps nothing.
package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/asyncops/asyncops/clients"
	"github.com/asyncops/asyncops/dbop"
	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// Database runs operations; *store.Target is one.
type Database interface {
	Run(ctx context.Context, op dbop.Operation, effect *store.Effect) (*store.Result, error)
	RunCached(ctx context.Context, op dbop.Operation, c store.Cached) (*store.Result, error)
	Warm(ctx context.Context, op dbop.Operation, c store.Cached) (fresh bool, err error)
	RunTransaction(ctx context.Context, txn dbop.Transaction, effect *store.Effect) (*store.Result, error)
	Seal(ctx context.Context, e store.Effect, ops ...dbop.Operation) (stored json.RawMessage, applied bool, err error)
}

// Upstream sends requests and talks; *clients.Client is one.
type Upstream interface {
	Do(ctx context.Context, r httpop.Request) (*httpop.Response, error)
	Exchange(ctx context.Context, e httpop.Exchange) (*httpop.Transcript, error)
	// Repeatable reports whether a request of this method, with or without a key,
	// may be sent again though it may have been carried out, and NeedsKey whether
	// only for as long as the upstream remembers the key.
	Repeatable(method string, keyed bool) bool
	NeedsKey(method string) bool
}

var (
	_ Database = (*store.Target)(nil)
	_ Upstream = (*clients.Client)(nil)
)

// Handlers runs jobs of every built-in kind. It is safe for concurrent use.
type Handlers struct {
	targets   tasks.Targets
	databases map[string]Database
	upstreams map[string]Upstream
	looker    Looker // nil: no system.health
}

// New returns the handlers of what is configured. targets must know the same
// names as the two maps, which must not change afterwards.
func New(targets tasks.Targets, databases map[string]Database, upstreams map[string]Upstream) *Handlers {
	return &Handlers{targets: targets, databases: databases, upstreams: upstreams}
}

// unknownKindDelay is how long a job rests that this worker cannot run. Another
// release of the worker may know its kind.
const unknownKindDelay = 5 * time.Second

// Run does the job once. Its errors are *job.Failure.
func (h *Handlers) Run(ctx context.Context, j *job.Job) (job.Result, error) {
	if !tasks.Known(j.Kind) {
		return job.Result{}, &job.Failure{
			Class: job.ClassThrottled, Code: job.CodeUnknownKind, Wait: job.WaitNoWorker, RetryAfter: unknownKindDelay,
			Message: "worker " + j.Worker + " does not know kind " + j.Kind,
		}
	}
	task, err := tasks.ParseStored(j.Kind, j.Args, h.targets)
	if err != nil {
		return job.Result{}, invalid(err)
	}
	switch task := task.(type) {
	case *tasks.DB:
		return h.database(ctx, j, task)
	case *tasks.Transaction:
		return h.transaction(ctx, j, task)
	case *tasks.HTTP:
		return h.request(ctx, j, task)
	case *tasks.Batch:
		return h.batch(ctx, j, task)
	case *tasks.Exchange:
		return h.exchange(ctx, j, task)
	case *tasks.Warm:
		return h.warm(ctx, j, task)
	case *tasks.Health:
		return h.health(ctx, task)
	case *tasks.Notify:
		return h.notify(ctx, j, task)
	case *tasks.Noop:
		return noop(ctx, task)
	}
	return job.Result{}, job.Permanent(job.CodeInternal, "kind %s has no handler", j.Kind)
}

// invalid is the failure of args that the API's configuration allowed and the
// worker's does not.
func invalid(err error) *job.Failure {
	var wrong *job.InvalidError
	if !errors.As(err, &wrong) {
		return &job.Failure{Class: job.ClassPermanent, Code: job.CodeInternal, Message: "the args could not be read", Err: err}
	}
	return job.Permanent(job.CodeInvalid, "the worker's configuration does not allow the args: %s", wrong.Error())
}

// Seal makes sure that no earlier run of the job can change its database any
// more, or returns what one that did has stored. Kinds that change no database
// have nothing to seal.
func (h *Handlers) Seal(ctx context.Context, j *job.Job) (result json.RawMessage, applied bool, err error) {
	task, err := tasks.ParseStored(j.Kind, j.Args, h.targets)
	if err != nil {
		return nil, false, invalid(err)
	}
	database, writes := "", []dbop.Operation(nil)
	switch task := task.(type) {
	case *tasks.DB:
		if task.Operation.Writes() {
			database, writes = task.Database, []dbop.Operation{task.Operation}
		}
	case *tasks.Transaction:
		for _, step := range task.Transaction.Steps {
			if step.Writes() {
				database, writes = task.Database, append(writes, step.Operation)
			}
		}
	}
	if database == "" {
		return nil, false, nil
	}
	return h.databases[database].Seal(ctx, effectOf(j), writes...)
}
