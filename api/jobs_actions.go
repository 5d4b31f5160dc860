package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// noBody refuses a request whose body says anything.
func (s *Server) noBody(c *call) error {
	body, err := readOptionalBody(c.Request(), s.cfg.BodyLimit)
	if err != nil || body == nil {
		return err
	}
	return strictjson.Decode(body, &struct{}{})
}

// cancelJob is POST /v1/jobs/{id}/cancel: 200 when the job ended at once, 202
// while it is stopping.
func (s *Server) cancelJob(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	if err := s.noBody(c); err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if j, err = s.deps.Ledger.Cancel(ctx, j.ID); err != nil {
		return err
	}
	s.deps.Signals.Moved(j)
	if j.State.Terminal() {
		return s.sendJob(c, http.StatusOK, j)
	}
	if j.State == job.Active {
		s.deps.Signals.Stop(j.ID)
	}
	return s.sendJob(c, http.StatusAccepted, j)
}

// retryBody is the optional body of POST /v1/jobs/{id}/retry.
type retryBody struct {
	Args json.RawMessage `json:"args"`
}

// retryJob is POST /v1/jobs/{id}/retry.
func (s *Server) retryJob(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	var in retryBody
	body, err := readOptionalBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	if body != nil {
		if err := strictjson.Decode(body, &in); err != nil {
			return err
		}
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if string(in.Args) == "null" {
		in.Args = nil
	}
	var what *job.Work
	if in.Args != nil {
		if what, err = s.work(c.who, j.Kind, in.Args); err != nil {
			return err
		}
	}
	if j, err = s.deps.Ledger.Revive(ctx, j.ID, what); err != nil {
		return err
	}
	s.deps.Signals.Wake(j.Queue)
	s.deps.Signals.Moved(j)
	c.Response().Header().Set("Location", "/v1/jobs/"+string(j.ID))
	return s.sendJob(c, http.StatusAccepted, j)
}

// work reads the args that a job of the kind gets, as for a new job.
func (s *Server) work(who *principal, kind string, args json.RawMessage) (*job.Work, error) {
	task, err := tasks.Parse(kind, args, s.deps.Targets)
	if err != nil {
		return nil, err
	}
	if err := who.permitTask(task); err != nil {
		return nil, err
	}
	delivery, err := s.deps.Deliveries.Delivery(task)
	if err != nil {
		return nil, err
	}
	return &job.Work{Args: args, Delivery: delivery, RunOnce: s.deps.Deliveries.RunOnce(task)}, nil
}

// deleteJob is DELETE /v1/jobs/{id}.
func (s *Server) deleteJob(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if err := s.deps.Ledger.Delete(ctx, j.ID); err != nil {
		return err
	}
	return noContent(c)
}
