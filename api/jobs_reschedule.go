package api

import (
	"context"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// rescheduleBody is the body of POST /v1/jobs/{id}/reschedule.
type rescheduleBody struct {
	RunAt *time.Time `json:"run_at"`
}

// rescheduleJob is POST /v1/jobs/{id}/reschedule.
func (s *Server) rescheduleJob(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	var in rescheduleBody
	body, err := readBody(c.Request(), s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	if err := strictjson.Decode(body, &in); err != nil {
		return err
	}
	switch {
	case in.RunAt == nil:
		return job.Invalid("/run_at", tasks.CodeRequired, "run_at is missing; write a time such as 2026-11-23T10:00:00Z")
	case in.RunAt.After(s.now().Add(maxDelay)):
		return job.Invalid("/run_at", codeOutOfRange, "run_at is more than ten years ahead")
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if j, err = s.deps.Ledger.Reschedule(ctx, j.ID, in.RunAt.UTC().Truncate(time.Microsecond)); err != nil {
		return err
	}
	s.deps.Signals.Wake(j.Queue)
	s.deps.Signals.Moved(j)
	return s.sendJob(c, http.StatusAccepted, j)
}
