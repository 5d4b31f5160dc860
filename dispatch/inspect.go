package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/asyncops/asyncops/job"
)

// QueueView is asynq's own view of a queue: doorbells, not jobs.
type QueueView struct {
	Pending     int64 `json:"pending"`
	Active      int64 `json:"active"`
	Leases      int64 `json:"leases"`
	MemoryBytes int64 `json:"memory_bytes"`
	Processed   int64 `json:"processed"` // today, UTC
	Failed      int64 `json:"failed"`    // today, UTC
	Days        []QueueDay
}

// QueueDay is what became of a queue's doorbells on one day.
type QueueDay struct {
	Day       time.Time // its beginning, UTC
	Processed int64
	Failed    int64
}

// historyDays is how many days are shown, today included.
const historyDays = 7

// Queue returns asynq's view of the queue; zero for one it has never seen.
func (b *Broker) Queue(ctx context.Context, queue string) (QueueView, error) {
	var view QueueView
	// asynq's inspector takes no context: a Redis that is away is found out here.
	if err := b.ping(ctx); err != nil {
		return view, err
	}
	inspector := asynq.NewInspectorFromRedisClient(b.client)
	info, err := inspector.GetQueueInfo(queue)
	switch {
	case errors.Is(err, asynq.ErrQueueNotFound):
		return view, nil
	case err != nil:
		return view, fmt.Errorf("redis: look at queue %s: %w", queue, err)
	}
	view = QueueView{
		Pending: int64(info.Pending), Active: int64(info.Active), MemoryBytes: info.MemoryUsage,
		Processed: int64(info.Processed), Failed: int64(info.Failed),
	}
	days, err := inspector.History(queue, historyDays)
	if err != nil {
		return view, fmt.Errorf("redis: look at the history of queue %s: %w", queue, err)
	}
	for _, d := range days {
		view.Days = append(view.Days, QueueDay{Day: d.Date.UTC().Truncate(24 * time.Hour), Processed: int64(d.Processed), Failed: int64(d.Failed)})
	}
	view.Leases, err = b.client.ZCard(ctx, "asynq:{"+queue+"}:lease").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return view, fmt.Errorf("redis: count leases of queue %s: %w", queue, err)
	}
	return view, nil
}

// ServerView is one of asynq's servers: what takes doorbells in a worker.
type ServerView struct {
	ID          string
	Host        string
	PID         int
	Status      string         // active, or stopped while it takes no more
	Concurrency int            // doorbells that it answers at a time, which is no number of jobs
	Queues      map[string]int // that it serves, with their weights
	Strict      bool           // they are served in the order of their weights
	Started     time.Time
	Active      int // doorbells that it answers now
}

// Servers returns asynq's servers, those that began first come first. One that
// died is listed for some seconds more.
func (b *Broker) Servers(ctx context.Context) ([]ServerView, error) {
	if err := b.ping(ctx); err != nil {
		return nil, err
	}
	found, err := asynq.NewInspectorFromRedisClient(b.client).Servers()
	if err != nil {
		return nil, fmt.Errorf("redis: look at asynq's servers: %w", err)
	}
	servers := make([]ServerView, len(found))
	for i, s := range found {
		servers[i] = ServerView{
			ID: s.ID, Host: s.Host, PID: s.PID, Status: s.Status, Concurrency: s.Concurrency, Queues: s.Queues, Strict: s.StrictPriority,
			Started: s.Started.UTC(), Active: len(s.ActiveWorkers),
		}
	}
	slices.SortFunc(servers, func(a, b ServerView) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return servers, nil
}

// DoorbellView is a doorbell that Redis holds.
type DoorbellView struct {
	job.Doorbell

	Active bool // a worker answers it; else it waits
}

// Held returns doorbells of the queue, those that are answered first, then those
// that wait, in the order of their turns; at most limit.
func (b *Broker) Held(ctx context.Context, queue string, limit int) ([]DoorbellView, error) {
	if err := b.ping(ctx); err != nil {
		return nil, err
	}
	inspector := asynq.NewInspectorFromRedisClient(b.client)
	var views []DoorbellView
	for _, list := range []func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){inspector.ListActiveTasks, inspector.ListPendingTasks} {
		tasks, err := list(queue, asynq.PageSize(limit))
		switch {
		case errors.Is(err, asynq.ErrQueueNotFound):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("redis: list doorbells of queue %s: %w", queue, err)
		}
		for _, t := range tasks {
			bell := job.Doorbell{ID: t.ID, Queue: queue, Jobs: doorbellJobs(t.Payload)}
			views = append(views, DoorbellView{Doorbell: bell, Active: t.State == asynq.TaskStateActive})
		}
	}
	return views[:min(limit, len(views))], nil
}

// Doorbells counts those that wait in the queues.
func (b *Broker) Doorbells(ctx context.Context, queues []string) (int64, error) {
	var total int64
	for _, queue := range queues {
		n, err := b.client.LLen(ctx, pendingKey(queue)).Result()
		if err != nil {
			return 0, fmt.Errorf("redis: count doorbells of queue %s: %w", queue, err)
		}
		total += n
	}
	return total, nil
}

// waiting sorts doorbells into those that wait their turn in Redis and those
// that do not: lost, or taken by somebody who did not answer them. What it asks
// is the list itself, of which the oldest are found first; a task's own record
// may say pending when the list is gone.
func (b *Broker) waiting(ctx context.Context, bells []job.Doorbell) (waiting, lost []job.Doorbell, err error) {
	pipe := b.client.Pipeline()
	for _, bell := range bells {
		pipe.LPos(ctx, pendingKey(bell.Queue), bell.ID, redis.LPosArgs{Rank: -1})
	}
	answers, err := pipe.Exec(ctx)
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, nil, fmt.Errorf("redis: look after doorbells: %w", err)
	}
	for i, answer := range answers {
		switch err := answer.Err(); {
		case err == nil:
			waiting = append(waiting, bells[i])
		case errors.Is(err, redis.Nil):
			lost = append(lost, bells[i])
		default:
			return nil, nil, fmt.Errorf("redis: look after doorbells: %w", err)
		}
	}
	return waiting, lost, nil
}

// register makes the queues known to asynq's own tools again: a producer does
// it only once in its life, and Redis may have lost it since.
func (b *Broker) register(ctx context.Context, queues []string) error {
	if len(queues) == 0 {
		return nil
	}
	members := make([]any, len(queues))
	for i, queue := range queues {
		members[i] = queue
	}
	if err := b.client.SAdd(ctx, queuesKey, members...).Err(); err != nil {
		return fmt.Errorf("redis: register queues: %w", err)
	}
	return nil
}
