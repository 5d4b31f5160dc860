package api

import (
	"context"
)

// listWorkers is GET /v1/workers.
func (s *Server) listWorkers(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	workers, err := s.deps.Ledger.Workers(ctx)
	if err != nil {
		return err
	}
	for i := range workers {
		if workers[i].Queues == nil {
			workers[i].Queues = []string{}
		}
	}
	return s.sendValue(c, listOf(workers))
}
