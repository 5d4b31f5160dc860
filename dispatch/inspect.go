package dispatch

import (
	"context"
	"errors"
	"fmt"
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
