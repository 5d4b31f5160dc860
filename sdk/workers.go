package sdk

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Worker is one life of a worker process.
type Worker struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	State       string    `json:"state"`  // running, draining or gone
	Queues      []string  `json:"queues"` // empty: all
	Concurrency int       `json:"concurrency"`
	Running     int       `json:"running"` // jobs, as of BeatAt
	StartedAt   time.Time `json:"started_at"`
	BeatAt      time.Time `json:"beat_at"`

	Databases map[string]PoolUse `json:"databases"` // use of their connections, as of BeatAt
	Jobs      []RunningJob       `json:"jobs"`      // what it runs now, the 100 that have run longest
}

// RunningJob is a job that a worker runs.
type RunningJob struct {
	ID    job.ID    `json:"id"`
	Kind  string    `json:"kind"`
	Queue string    `json:"queue"`
	Since time.Time `json:"since"`
}

// Workers lists the workers that are alive, and those that went lately.
func (c *Client) Workers(ctx context.Context) ([]Worker, error) {
	return list[Worker](ctx, c, "/v1/workers")
}
