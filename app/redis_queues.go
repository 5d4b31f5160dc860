package app

import (
	"context"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dispatch"
)

// redisViewAge is how old what is shown of Redis may be: asynq's look at a queue
// takes longer the more is in it.
const redisViewAge = 3 * time.Second

// redisQueues is asynq's own view of the queues; none while Redis is away. It is
// safe for concurrent use.
type redisQueues struct {
	look func(ctx context.Context, queue string) (dispatch.QueueView, error)
	up   func() bool

	mu    sync.Mutex // held during a look: nobody looks beside
	views map[string]redisView
	quiet time.Time // until when nobody looks: Redis did not answer
}

type redisView struct {
	at   time.Time
	view *api.RedisQueue
}

func newRedisQueues(look func(ctx context.Context, queue string) (dispatch.QueueView, error), up func() bool) *redisQueues {
	return &redisQueues{look: look, up: up, views: map[string]redisView{}}
}

// RedisQueue returns nil when Redis does not answer. Then it looks at no queue
// for a while: each look would take its timeout.
func (r *redisQueues) RedisQueue(ctx context.Context, queue string) *api.RedisQueue {
	if !r.up() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	if kept := r.views[queue]; now.Sub(kept.at) < redisViewAge {
		return kept.view
	}
	if now.Before(r.quiet) {
		return nil
	}
	view, err := r.look(ctx, queue)
	if err != nil {
		if ctx.Err() == nil {
			r.quiet = time.Now().Add(redisViewAge)
		}
		return nil
	}
	shown := &api.RedisQueue{
		Pending: int(view.Pending), Active: int(view.Active), Leases: int(view.Leases), MemoryBytes: view.MemoryBytes,
		Processed: int(view.Processed), Failed: int(view.Failed), Days: []api.RedisDay{},
	}
	for _, d := range view.Days {
		shown.Days = append(shown.Days, api.RedisDay{Date: d.Day.Format(time.DateOnly), Processed: int(d.Processed), Failed: int(d.Failed)})
	}
	r.views[queue] = redisView{time.Now(), shown}
	return shown
}
