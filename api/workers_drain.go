package api

import (
	"context"
	"encoding/json"
	"net/http"
)

// drainWorker is POST /v1/workers/{id}/drain: the worker takes no more jobs and
// ends those that it runs. It hears of it within a quarter of its lease, and
// takes jobs again when it is started anew.
func (s *Server) drainWorker(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	id := c.Param("id")
	if err := plainText("id", id); err != nil {
		return err
	}
	if err := s.deps.Ledger.DrainWorker(ctx, id); err != nil {
		return err
	}
	body, err := json.Marshal(struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}{id, "draining"})
	if err != nil {
		return err
	}
	return s.send(c, http.StatusAccepted, body)
}
