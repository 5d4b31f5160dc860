package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/asyncops/asyncops/job"
)

// findJob reads the job in the path, which the caller has to be allowed to use.
func (s *Server) findJob(ctx context.Context, c *call) (*job.Job, error) {
	id, err := pathID(c)
	if err != nil {
		return nil, err
	}
	j, err := s.deps.Ledger.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return j, s.permitJob(c.who, j)
}

// getJob is GET /v1/jobs/{id}.
func (s *Server) getJob(ctx context.Context, c *call) error {
	q, err := readQuery(c.Request(), "wait")
	if err != nil {
		return err
	}
	wait, err := q.wait()
	if err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	if j, err = s.await(c, j, wait); err != nil {
		return err
	}
	return s.sendJob(c, http.StatusOK, j)
}

// sendJob answers with the job as the caller may see it.
func (s *Server) sendJob(c *call, status int, j *job.Job) error {
	return s.send(c, status, appendJob(make([]byte, 0, 1024+len(j.Args)), j, c.who.sees(j.Owner)))
}

// getResult is GET /v1/jobs/{id}/result: the result alone, of any size.
func (s *Server) getResult(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	switch {
	case err != nil:
		return err
	case !c.who.sees(j.Owner).payload:
		return refuse(http.StatusForbidden, CodeForbidden, "this key lacks the scope %s, and another submitted the job", JobsPayload)
	case len(j.Result) == 0:
		return refuse(http.StatusNotFound, CodeNotFound, "the job has no result")
	}
	return s.send(c, http.StatusOK, j.Result)
}

// attemptItem is one run as it is listed.
type attemptItem struct {
	Number     int             `json:"number"`
	Generation int             `json:"generation"`
	Worker     string          `json:"worker"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	Outcome    string          `json:"outcome"`
	Error      *job.Error      `json:"error"`
	Summary    json.RawMessage `json:"summary"` // null when there is none, or the caller may not see it
}

// listAttempts is GET /v1/jobs/{id}/attempts.
func (s *Server) listAttempts(ctx context.Context, c *call) error {
	if err := noQuery(c.Request()); err != nil {
		return err
	}
	j, err := s.findJob(ctx, c)
	if err != nil {
		return err
	}
	attempts, err := s.deps.Ledger.Attempts(ctx, j.ID)
	if err != nil {
		return err
	}
	visible := c.who.sees(j.Owner).payload
	list := make([]attemptItem, len(attempts))
	for i, a := range attempts {
		list[i] = attemptItem{
			Number: a.Number, Generation: a.Generation, Worker: a.Worker, StartedAt: a.StartedAt,
			FinishedAt: a.FinishedAt, Outcome: a.Outcome, Error: visibleError(a.Error, visible),
		}
		if visible && len(a.Summary) > 0 {
			list[i].Summary = a.Summary
		}
	}
	return s.sendValue(c, listOf(list))
}
