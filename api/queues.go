package api

import (
	"context"
	"slices"

	"github.com/asyncops/asyncops/job"
)

// queueItem is a queue as it is shown.
type queueItem struct {
	Name          string            `json:"name"`
	Weight        *int              `json:"weight"` // its share of a busy worker; null for one that is not configured any more
	Paused        bool              `json:"paused"`
	Counts        map[job.State]int `json:"counts"`         // every state
	OldestSeconds float64           `json:"oldest_seconds"` // how long the job that may start has waited; 0 when none waits
	Throughput    throughput        `json:"throughput"`
	Redis         *RedisQueue       `json:"redis"` // doorbells, not jobs; null without Redis
}

type throughput struct {
	FinishedLastMinute int `json:"finished_last_minute"`
}

func (s *Server) queueItem(ctx context.Context, q Queue) queueItem {
	item := queueItem{
		Name: q.Name, Paused: q.Paused, Counts: make(map[job.State]int, len(job.States())),
		Throughput: throughput{FinishedLastMinute: q.FinishedLastMinute},
	}
	if weight, ok := s.cfg.Weights[q.Name]; ok {
		item.Weight = &weight
	}
	for _, state := range job.States() {
		item.Counts[state] = q.Counts[state]
	}
	if !q.Oldest.IsZero() {
		item.OldestSeconds = max(0, q.Now.Sub(q.Oldest).Seconds())
	}
	if s.deps.RedisQueues != nil {
		item.Redis = s.deps.RedisQueues.RedisQueue(ctx, q.Name)
	}
	return item
}

// listQueues is GET /v1/queues.
func (s *Server) listQueues(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	queues, err := s.deps.Ledger.Queues(ctx, c.who.queues...)
	if err != nil {
		return err
	}
	list := make([]queueItem, len(queues))
	for i, q := range queues {
		list[i] = s.queueItem(ctx, q)
	}
	return s.sendValue(c, listOf(list))
}

// pathQueue returns the queue in the path, which the caller has to be allowed
// to use.
func (s *Server) pathQueue(c *call) (string, error) {
	name := c.Param("queue")
	if err := noQuery(c.Request()); err != nil {
		return "", err
	}
	return name, limited(c.who.queues, "queue", name)
}

// getQueue is GET /v1/queues/{queue}.
func (s *Server) getQueue(ctx context.Context, c *call) error {
	name, err := s.pathQueue(c)
	if err != nil {
		return err
	}
	return s.sendQueue(ctx, c, name)
}

func (s *Server) sendQueue(ctx context.Context, c *call, name string) error {
	item, err := s.readQueue(ctx, name)
	if err != nil {
		return err
	}
	return s.sendValue(c, item)
}

func (s *Server) readQueue(ctx context.Context, name string) (queueItem, error) {
	queues, err := s.deps.Ledger.Queues(ctx, name)
	if err != nil {
		return queueItem{}, err
	}
	i := slices.IndexFunc(queues, func(q Queue) bool { return q.Name == name })
	if i < 0 {
		return queueItem{}, job.ErrNotFound
	}
	return s.queueItem(ctx, queues[i]), nil
}

// pauseQueue is POST /v1/queues/{queue}/pause.
func (s *Server) pauseQueue(ctx context.Context, c *call) error {
	return s.setPaused(ctx, c, true)
}

// resumeQueue is POST /v1/queues/{queue}/resume.
func (s *Server) resumeQueue(ctx context.Context, c *call) error {
	return s.setPaused(ctx, c, false)
}

func (s *Server) setPaused(ctx context.Context, c *call, paused bool) error {
	name, err := s.pathQueue(c)
	if err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	if err := s.deps.Ledger.PauseQueue(ctx, name, paused); err != nil {
		return err
	}
	if !paused {
		s.deps.Signals.Wake(name)
	}
	return s.sendQueue(ctx, c, name)
}
