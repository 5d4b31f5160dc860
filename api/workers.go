package api

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
)

// maxListedJobs bounds the running jobs that are listed of one worker.
const maxListedJobs = 100

// workerItem is a worker as it is shown.
type workerItem struct {
	Worker

	Jobs []runningJob `json:"jobs"` // those that have run longest, at most maxListedJobs
}

// runningJob is a job that a worker runs.
type runningJob struct {
	ID    job.ID    `json:"id"`
	Kind  string    `json:"kind"`
	Queue string    `json:"queue"`
	Since time.Time `json:"since"`
}

// listWorkers is GET /v1/workers. What a key may not use is left out of what it
// is told of a worker.
func (s *Server) listWorkers(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	workers, err := s.deps.Ledger.Workers(ctx)
	if err != nil {
		return err
	}
	// The target of a job is in its args.
	jobs, err := s.deps.Ledger.Running(ctx, len(c.who.databases)+len(c.who.clients) > 0)
	if err != nil {
		return err
	}
	runs := map[string][]runningJob{}
	for i := range jobs {
		j := &jobs[i]
		if len(runs[j.Worker]) < maxListedJobs && s.permitJob(c.who, j) == nil {
			runs[j.Worker] = append(runs[j.Worker], runningJob{ID: j.ID, Kind: j.Kind, Queue: j.Queue, Since: j.StartedAt})
		}
	}
	items := make([]workerItem, len(workers))
	for i, w := range workers {
		if w.Queues == nil {
			w.Queues = []string{}
		}
		pools := map[string]PoolUse{}
		for name, use := range w.Databases {
			if limited(c.who.databases, "database", name) == nil {
				pools[name] = use
			}
		}
		w.Databases = pools
		items[i] = workerItem{Worker: w, Jobs: runs[w.ID]}
		if items[i].Jobs == nil {
			items[i].Jobs = []runningJob{}
		}
	}
	return s.sendValue(c, listOf(items))
}
