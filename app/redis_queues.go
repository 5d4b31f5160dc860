package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/dispatch"
)

const (
	// redisViewAge is how old what is shown of Redis may be: asynq's look at a queue
	// takes longer the more is in it.
	redisViewAge = 3 * time.Second
	// maxRedisServers is how many of asynq's servers are shown of a queue.
	maxRedisServers = 100
)

// redisLooks looks at Redis. It is dispatch.Broker.
type redisLooks interface {
	Queue(ctx context.Context, queue string) (dispatch.QueueView, error)
	Servers(ctx context.Context) ([]dispatch.ServerView, error)
	Held(ctx context.Context, queue string, limit int) ([]dispatch.DoorbellView, error)
}

// redisQueues is asynq's own view of the queues; none while Redis is away. It is
// safe for concurrent use.
type redisQueues struct {
	looks redisLooks
	up    func() bool

	mu      sync.Mutex // held during a look: nobody looks beside
	views   map[string]redisView
	servers []dispatch.ServerView
	listed  time.Time // when servers was
	quiet   time.Time // until when nobody looks: Redis did not answer
}

type redisView struct {
	at   time.Time
	view *api.RedisQueue
}

func newRedisQueues(looks redisLooks, up func() bool) *redisQueues {
	return &redisQueues{looks: looks, up: up, views: map[string]redisView{}}
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
	r.views[queue] = redisView{time.Now(), view}
	return view
}

// look looks at a queue, and at the servers unless that was done just now. The
// caller holds mu.
func (r *redisQueues) look(ctx context.Context, queue string) (*api.RedisQueue, error) {
	view, err := r.looks.Queue(ctx, queue)
	if err != nil {
		return nil, err
	}
	if time.Since(r.listed) >= redisViewAge {
		if r.servers, err = r.looks.Servers(ctx); err != nil {
			return nil, err
		}
		r.listed = time.Now()
	}
	shown := &api.RedisQueue{
		Pending: int(view.Pending), Active: int(view.Active), Leases: int(view.Leases), MemoryBytes: view.MemoryBytes,
		Processed: int(view.Processed), Failed: int(view.Failed), Days: []api.RedisDay{}, Servers: []api.RedisServer{},
	}
	for _, d := range view.Days {
		shown.Days = append(shown.Days, api.RedisDay{Date: d.Day.Format(time.DateOnly), Processed: int(d.Processed), Failed: int(d.Failed)})
	}
	for _, s := range r.servers {
		if _, serves := s.Queues[queue]; serves && len(shown.Servers) < maxRedisServers {
			shown.Servers = append(shown.Servers, api.RedisServer{
				ID: s.ID, Host: s.Host, PID: s.PID, Status: s.Status, Concurrency: s.Concurrency, Queues: s.Queues, Strict: s.Strict,
				StartedAt: s.Started, Active: s.Active,
			})
		}
	}
	return shown, nil
}

// Doorbells looks at the doorbells themselves, which is done for who looks at
// one queue.
func (r *redisQueues) Doorbells(ctx context.Context, queue string, limit int) ([]api.Doorbell, error) {
	if !r.up() {
		return nil, api.ErrRedisAway
	}
	held, err := r.looks.Held(ctx, queue, limit)
	if err != nil {
		return nil, errors.Join(api.ErrRedisAway, err)
	}
	bells := make([]api.Doorbell, len(held))
	for i, b := range held {
		bells[i] = api.Doorbell{ID: b.ID, Active: b.Active, Jobs: b.Jobs}
	}
	return bells, nil
}
