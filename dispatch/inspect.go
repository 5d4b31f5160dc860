package dispatch

import (
	"context"
	"errors"
	"fmt"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// QueueView is asynq's own view of a queue: doorbells, not jobs.
type QueueView struct {
	Pending     int64 `json:"pending"`
	Active      int64 `json:"active"`
	Leases      int64 `json:"leases"`
	MemoryBytes int64 `json:"memory_bytes"`
	Processed   int64 `json:"processed"` // today, UTC
	Failed      int64 `json:"failed"`    // today, UTC
}

// Queue returns asynq's view of the queue; zero for one it has never seen.
func (b *Broker) Queue(ctx context.Context, queue string) (QueueView, error) {
	var view QueueView
	info, err := asynq.NewInspectorFromRedisClient(b.client).GetQueueInfo(queue)
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
