package app

import (
	"context"
	"encoding/json"

	"github.com/asyncops/asyncops/httpop"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/store"
	"github.com/asyncops/asyncops/tasks"
)

// Done is what came of a task: one of its fields besides Kind is set.
type Done struct {
	Kind     tasks.Kind
	Result   *store.Result    // of a database's operation
	Response *httpop.Response // of an API
}

// Do carries a task out without a job: what it asks for is read by the rules of
// a submission, and a write leaves no record in its database. key is the
// idempotency key of an API call; "" for none.
func (e *Embedded) Do(ctx context.Context, kind string, args json.RawMessage, key, traceparent string) (Done, error) {
	task, err := tasks.Parse(kind, args, e.s.targets)
	if err != nil {
		return Done{}, err
	}
	done := Done{Kind: task.Kind()}
	switch task := task.(type) {
	case *tasks.DB:
		if target := e.s.databases[task.Database]; task.Cache != nil {
			done.Result, err = target.RunCached(ctx, task.Operation, store.Cached{Key: task.Cache.Key, TTL: task.Cache.TTL})
		} else {
			done.Result, err = target.Run(ctx, task.Operation, nil)
		}
	case *tasks.Transaction:
		done.Result, err = e.s.databases[task.Database].RunTransaction(ctx, task.Transaction, nil)
	case *tasks.HTTP:
		request := task.Request
		request.IdempotencyKey, request.Traceparent = key, traceparent
		done.Response, err = e.s.upstreams[task.Client].Do(ctx, request)
	default:
		err = job.Invalid("/kind", "not_available", "%s runs as a job only", kind)
	}
	return done, err
}
