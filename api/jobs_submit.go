package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// submit is POST /v1/jobs.
func (s *Server) submit(ctx context.Context, c *call) error {
	r := c.Request()
	q, err := readQuery(r, "dry_run")
	if err != nil {
		return err
	}
	dryRun, err := q.flag("dry_run")
	if err != nil {
		return err
	}
	d := s.drafter(c)
	if d.from.IdempotencyKey, err = IdempotencyKey(r.Header); err != nil {
		return err
	}
	body, err := readBody(r, s.cfg.BodyLimit)
	if err != nil {
		return err
	}
	submitted, err := d.read(body)
	if err != nil {
		return err
	}
	if dryRun {
		return s.dryRun(ctx, c, &submitted)
	}
	answers, err := s.deps.Ledger.Accept(ctx, []job.Job{submitted.job}, false)
	if err != nil {
		return err
	}
	return s.answerSubmit(c, &answers[0])
}

// answerSubmit tells the caller of an accepted job, once it has ended if that
// was asked for.
func (s *Server) answerSubmit(c *call, a *job.Accepted) error {
	if a.Err != nil {
		return acceptError(a.Err)
	}
	header := c.Response().Header()
	header["Location"] = []string{"/v1/jobs/" + string(a.Job.ID)}
	if a.Replayed {
		header["Idempotency-Replayed"] = []string{"true"}
	} else {
		s.deps.Observer.Submitted(a.Job.Kind, a.Job.Queue, 1)
	}
	j, status := &a.Job, http.StatusAccepted
	if wait := PreferredWait(c.Request().Header); wait > 0 {
		header.Set("Preference-Applied", "wait="+strconv.Itoa(int(wait/time.Second)))
		now, err := s.await(c, j, wait)
		if err == nil {
			j = now
		} else if c.Request().Context().Err() == nil && !errors.Is(err, job.ErrNotFound) {
			// It is accepted all the same, and that is what the answer says.
			s.deps.Log.WarnContext(c.Request().Context(), "an accepted job could not be read again", "job", j.ID, "error", err)
		}
		if j.State.Terminal() {
			status = http.StatusOK
		}
	}
	return s.send(c, status, appendJob(make([]byte, 0, 1024+len(j.Args)+len(j.Result)), j, c.who.sees(j.Owner)))
}

// acceptError is the answer to one submission that the ledger refused.
func acceptError(err error) error {
	if errors.Is(err, job.ErrNotFound) {
		return refuse(http.StatusConflict, CodeJobDeleted, "the job that this idempotency key stands for has been deleted; use a new key for another job")
	}
	return err
}

// plan is what a dry run answers.
type plan struct {
	Kind        string          `json:"kind"`
	Queue       string          `json:"queue"`
	State       job.State       `json:"state"` // in which it would be accepted
	RunAt       time.Time       `json:"run_at"`
	MaxAttempts int             `json:"max_attempts"`
	Delivery    job.Delivery    `json:"delivery"`
	Plan        json.RawMessage `json:"plan"` // SQL or request; null when it cannot be told here
}

// dryRun answers what a submission would do, and does nothing.
func (s *Server) dryRun(ctx context.Context, c *call, d *draft) error {
	p := plan{
		Kind: d.job.Kind, Queue: d.job.Queue, State: d.job.State, RunAt: d.job.RunAt,
		MaxAttempts: d.job.MaxAttempts, Delivery: d.job.Delivery, Plan: json.RawMessage("null"),
	}
	if s.deps.Planner != nil {
		told, err := s.deps.Planner.Plan(ctx, d.task)
		if err != nil {
			return err
		}
		if told != nil {
			p.Plan = told
		}
	}
	return s.sendValue(c, p)
}
