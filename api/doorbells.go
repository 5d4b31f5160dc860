package api

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/asyncops/asyncops/job"
)

// RedisQueues looks at the doorbells of a queue.
type RedisQueues interface {
	// RedisQueue returns nil when Redis does not answer.
	RedisQueue(ctx context.Context, queue string) *RedisQueue
	// Doorbells returns those that are answered first, then those that wait, in
	// the order of their turns; at most limit. ErrRedisAway says that Redis does
	// not answer.
	Doorbells(ctx context.Context, queue string, limit int) ([]Doorbell, error)
}

// ErrRedisAway says that Redis could not be looked at.
var ErrRedisAway = errors.New("redis does not answer")

// RedisQueue is what Redis holds of a queue: doorbells, not jobs.
type RedisQueue struct {
	Pending     int   `json:"pending"`
	Active      int   `json:"active"`
	Leases      int   `json:"leases"`
	MemoryBytes int64 `json:"memory_bytes"`
	Processed   int   `json:"processed"` // today, UTC
	Failed      int   `json:"failed"`    // today, UTC

	Days    []RedisDay    `json:"days"`    // the last seven, today first
	Servers []RedisServer `json:"servers"` // that serve the queue, those that began first come first; at most 100
}

// RedisDay is what became of a queue's doorbells on one day.
type RedisDay struct {
	Date      string `json:"date"` // such as 2026-11-23, UTC
	Processed int    `json:"processed"`
	Failed    int    `json:"failed"`
}

// RedisServer is one of asynq's servers: what takes doorbells in a worker.
type RedisServer struct {
	ID          string         `json:"id"`
	Host        string         `json:"host"`
	PID         int            `json:"pid"`
	Status      string         `json:"status"`      // active, or stopped while it takes no more
	Concurrency int            `json:"concurrency"` // doorbells at a time, not jobs
	Queues      map[string]int `json:"queues"`      // with their weights
	Strict      bool           `json:"strict"`      // in the order of their weights
	StartedAt   time.Time      `json:"started_at"`
	Active      int            `json:"active"` // doorbells that it answers now
}

// Doorbell is one that Redis holds.
type Doorbell struct {
	ID     string
	Active bool // a worker answers it; else it waits
	Jobs   []job.ID
}

// doorbellItem is a doorbell as it is shown.
type doorbellItem struct {
	ID       string        `json:"id"`
	State    string        `json:"state"`     // pending or active
	RingsFor int           `json:"rings_for"` // jobs
	Jobs     []doorbellJob `json:"jobs"`      // of those, the ones that are kept and that the key may see
}

// doorbellJob is a job that a doorbell rings for.
type doorbellJob struct {
	ID    job.ID    `json:"id"`
	Kind  string    `json:"kind"`
	State job.State `json:"state"`
}

const (
	defaultDoorbells = 10
	maxDoorbells     = 20 // each with up to job.MaxDoorbellJobs jobs
)

// listDoorbells is GET /v1/queues/{queue}/doorbells.
func (s *Server) listDoorbells(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "limit")
	if err != nil {
		return err
	}
	limit, err := q.limit(maxDoorbells, defaultDoorbells)
	if err != nil {
		return err
	}
	name := c.Param("queue")
	if err := limited(c.who.queues, "queue", name); err != nil {
		return err
	}
	if !slices.Contains(s.cfg.Queues, name) {
		if _, err := s.readQueue(ctx, name); err != nil {
			return err
		}
	}
	var bells []Doorbell
	if s.deps.RedisQueues != nil {
		if bells, err = s.deps.RedisQueues.Doorbells(ctx, name, limit); err != nil {
			return err
		}
	}
	items, err := s.doorbellItems(ctx, c.who, bells)
	if err != nil {
		return err
	}
	return s.sendValue(c, listOf(items))
}

// doorbellItems adds what the ledger knows of the doorbells' jobs, as far as the
// caller may see them.
func (s *Server) doorbellItems(ctx context.Context, who *principal, bells []Doorbell) ([]doorbellItem, error) {
	var ids []job.ID
	for _, b := range bells {
		ids = append(ids, b.Jobs...)
	}
	// The target of a job is in its args.
	seen, err := s.deps.Watcher.Glance(ctx, job.Glance{IDs: ids, Args: len(who.databases)+len(who.clients) > 0})
	if err != nil {
		return nil, err
	}
	jobs := make(map[job.ID]doorbellJob, len(ids))
	for i := range seen.Named {
		if j := &seen.Named[i]; s.permitJob(who, j) == nil {
			jobs[j.ID] = doorbellJob{j.ID, j.Kind, j.State}
		}
	}
	items := make([]doorbellItem, len(bells))
	for i, b := range bells {
		items[i] = doorbellItem{ID: b.ID, State: "pending", RingsFor: len(b.Jobs), Jobs: []doorbellJob{}}
		if b.Active {
			items[i].State = "active"
		}
		for _, id := range b.Jobs {
			if j, ok := jobs[id]; ok {
				items[i].Jobs = append(items[i].Jobs, j)
			}
		}
	}
	return items, nil
}
