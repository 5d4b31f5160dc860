package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Queue is a queue and what is in it.
type Queue struct {
	Name          string            `json:"name"`
	Paused        bool              `json:"paused"`
	Counts        map[job.State]int `json:"counts"`
	OldestSeconds float64           `json:"oldest_seconds"` // how long the first of the jobs that are due has waited
	Throughput    Throughput        `json:"throughput"`
	Redis         *RedisQueue       `json:"redis,omitempty"` // nil where no Redis is used, or it does not answer
}

// Throughput is how much a queue gets done.
type Throughput struct {
	FinishedLastMinute int `json:"finished_last_minute"` // jobs that ended in the last 60 s
}

// RedisQueue is what Redis holds of a queue: doorbells, not jobs.
type RedisQueue struct {
	Pending     int   `json:"pending"`
	Active      int   `json:"active"`
	Leases      int   `json:"leases"`
	MemoryBytes int64 `json:"memory_bytes"`
	Processed   int   `json:"processed"` // today, UTC
	Failed      int   `json:"failed"`    // today, UTC

	Days    []RedisDay    `json:"days"`    // the last seven, today first
	Servers []RedisServer `json:"servers"` // that serve the queue, those that began first come first
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

// Doorbell is one that Redis holds, and what it rings for.
type Doorbell struct {
	ID       string        `json:"id"`
	State    string        `json:"state"`     // pending or active
	RingsFor int           `json:"rings_for"` // jobs
	Jobs     []DoorbellJob `json:"jobs"`      // of those, the ones that are kept and may be seen
}

// DoorbellJob is a job that a doorbell rings for.
type DoorbellJob struct {
	ID    job.ID    `json:"id"`
	Kind  string    `json:"kind"`
	State job.State `json:"state"`
}

// Queues lists the queues in the order of their names.
func (c *Client) Queues(ctx context.Context) ([]Queue, error) {
	return list[Queue](ctx, c, "/v1/queues")
}

// Queue returns one queue. An unknown name is job.ErrNotFound.
func (c *Client) Queue(ctx context.Context, name string) (*Queue, error) {
	return c.queue(ctx, http.MethodGet, name, "")
}

// Doorbells lists the first ten doorbells of a queue: those that are answered just
// now, then those that wait; none without Redis.
func (c *Client) Doorbells(ctx context.Context, queue string) ([]Doorbell, error) {
	return list[Doorbell](ctx, c, "/v1/queues/"+url.PathEscape(queue)+"/doorbells")
}

// Pause stops claims of the queue's jobs. Those that run go on.
func (c *Client) Pause(ctx context.Context, queue string) (*Queue, error) {
	return c.queue(ctx, http.MethodPost, queue, "/pause")
}

// Resume lets claims of the queue's jobs go on.
func (c *Client) Resume(ctx context.Context, queue string) (*Queue, error) {
	return c.queue(ctx, http.MethodPost, queue, "/resume")
}

func (c *Client) queue(ctx context.Context, method, name, move string) (*Queue, error) {
	q := new(Queue)
	k := call{method: method, path: "/v1/queues/" + url.PathEscape(name) + move, idempotent: true}
	if _, err := c.fetch(ctx, k, q); err != nil {
		return nil, err
	}
	return q, nil
}

// Kind is a kind of job that can be submitted.
type Kind struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Effect      string          `json:"effect"` // what it may change
	Args        json.RawMessage `json:"args"`   // JSON Schema
	Result      json.RawMessage `json:"result"` // JSON Schema
}

// Kinds lists the kinds of jobs that the server takes.
func (c *Client) Kinds(ctx context.Context) ([]Kind, error) {
	return list[Kind](ctx, c, "/v1/kinds")
}

// Health is how a target was found when it was last looked at.
type Health struct {
	Status    string    `json:"status"` // ok, degraded, down or unknown
	Detail    string    `json:"detail"`
	LatencyMS *float64  `json:"latency_ms"`
	CheckedAt time.Time `json:"checked_at,omitzero"` // zero: not yet
}

// Pool is the use of a target's connections.
type Pool struct {
	InUse int `json:"in_use"`
	Idle  int `json:"idle"`
	Max   int `json:"max"`
}

// list returns the items of a list that has one page.
func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var body struct {
		Items []T `json:"items"`
	}
	_, err := c.fetch(ctx, call{method: http.MethodGet, path: path, idempotent: true}, &body)
	return body.Items, err
}
