package asyncops

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/asyncops/asyncops/api"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// Submission is a job to be, as clients of the REST API submit it. Kind is
// required; a zero field means the default.
type Submission = sdk.Submission

// Receipt says that a job was accepted: it is durable.
type Receipt struct {
	Job      *job.Job
	Replayed bool // the idempotency key was known: Job is the first one, as it is now
}

// Submit hands in a job by the rules of POST /v1/jobs. It returns once the job
// is durable. What is wrong with the submission is a *job.InvalidError;
// job.ErrUnavailable and job.ErrSaturated say that the ledger did not answer or
// had no room, after which only an idempotency key tells whether the job is
// there. All Submits of all programs share their idempotency keys: SubmitAs
// keeps those of different users apart.
func (a *App) Submit(ctx context.Context, s Submission) (*Receipt, error) {
	return a.SubmitAs(ctx, "", s)
}

// SubmitAs is Submit for somebody, such as a user of the program: whose the job
// is, and to whom its idempotency key belongs.
func (a *App) SubmitAs(ctx context.Context, owner string, s Submission) (*Receipt, error) {
	return a.submit(ctx, s, api.Submitter{Owner: ownerOf(owner)})
}

// ownerOf is an owner as the ledger has it: no API key has such an id.
func ownerOf(name string) string { return "app:" + name }

func (a *App) submit(ctx context.Context, s Submission, from api.Submitter) (*Receipt, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("asyncops: write the submission: %w", err)
	}
	accepted, err := a.embedded.Submit(ctx, body, from)
	if err != nil {
		return nil, fmt.Errorf("asyncops: submit %s: %w", s.Kind, err)
	}
	return &Receipt{Job: &accepted.Job, Replayed: accepted.Replayed}, nil
}

// Job returns the job as it is now, whoever has submitted it; job.ErrNotFound
// where there is none.
func (a *App) Job(ctx context.Context, id job.ID) (*job.Job, error) {
	j, err := a.embedded.Job(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("asyncops: look job %s up: %w", id, err)
	}
	return j, nil
}

// Wait returns the job once it has ended. Its error is the cause of ctx when
// that ends first, and one of Job's.
func (a *App) Wait(ctx context.Context, id job.ID) (*job.Job, error) {
	if err := a.embedded.Wait(ctx, id); err != nil {
		return nil, fmt.Errorf("asyncops: wait for job %s: %w", id, err)
	}
	return a.Job(ctx, id)
}

// owns reports whether the job is the owner's, as SubmitAs has it.
func owns(owner string, j *job.Job) bool { return j.Owner == ownerOf(owner) }
