package sdk

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
)

// MaxWait is the longest that a server holds one answer back.
const MaxWait = time.Minute

// Receipt is the answer to a submission that was accepted.
type Receipt struct {
	Job      *Job
	Replayed bool // the idempotency key was known: Job is the first one, as it is now
}

// Submit hands in a job and returns once it is durable. With an
// IdempotencyKey the submission is repeated when its answer is lost or the
// server is busy; without one only after a refusal (429).
func (c *Client) Submit(ctx context.Context, s Submission) (*Receipt, error) {
	return c.submit(ctx, s, 0)
}

// SubmitWait is Submit, and then waits for the job's end, at most as long as
// given. A job that has not ended by then is returned as it is, without error.
func (c *Client) SubmitWait(ctx context.Context, s Submission, atMost time.Duration) (*Receipt, error) {
	started := time.Now()
	receipt, err := c.submit(ctx, s, atMost)
	if err != nil || receipt.Job.State.Terminal() {
		return receipt, err
	}
	if rest := atMost - time.Since(started); rest > 0 {
		receipt.Job, err = c.Wait(ctx, receipt.Job.ID, rest)
	}
	return receipt, err
}

func (c *Client) submit(ctx context.Context, s Submission, wait time.Duration) (*Receipt, error) {
	k := call{method: http.MethodPost, path: "/v1/jobs", contentType: "application/json"}
	var err error
	if k.body, err = jsonBody(s); err != nil {
		return nil, fmt.Errorf("sdk: write the submission: %w", err)
	}
	if s.IdempotencyKey != "" {
		k.idempotent = true
	}
	if wait > 0 {
		k.extra = min(wait, MaxWait)
		seconds := math.Ceil(k.extra.Seconds())
		k.header = http.Header{"Prefer": {"wait=" + strconv.Itoa(int(seconds))}}
	}
	receipt := &Receipt{Job: new(Job)}
	a, err := c.fetch(ctx, k, receipt.Job)
	if err != nil {
		return nil, err
	}
	receipt.Replayed = a.header.Get("Idempotency-Replayed") == "true"
	return receipt, nil
}

// Plan is what a submission would do.
type Plan struct {
	Kind        string          `json:"kind"`
	Queue       string          `json:"queue"`
	State       job.State       `json:"state"` // in which it would be accepted
	RunAt       time.Time       `json:"run_at"`
	MaxAttempts int             `json:"max_attempts"`
	Delivery    job.Delivery    `json:"delivery"`
	Plan        json.RawMessage `json:"plan"` // SQL with placeholders, or the request without secrets; null when the server cannot tell
}

// DryRun checks a submission and returns what it would do. Nothing is stored.
func (c *Client) DryRun(ctx context.Context, s Submission) (*Plan, error) {
	k := call{method: http.MethodPost, path: "/v1/jobs", contentType: "application/json", idempotent: true}
	k.query = url.Values{"dry_run": {"true"}}
	var err error
	if k.body, err = jsonBody(s); err != nil {
		return nil, fmt.Errorf("sdk: write the submission: %w", err)
	}
	plan := new(Plan)
	if _, err := c.fetch(ctx, k, plan); err != nil {
		return nil, err
	}
	return plan, nil
}
