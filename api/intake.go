package api

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Submitter says who hands a submission in, and how.
type Submitter struct {
	Owner          string // whose the job and its idempotency key are
	IdempotencyKey string // besides the body's; "" for none
	Traceparent    string // as Traceparent returns it
	Now            time.Time
}

// Submit reads the body of a submission by the rules of POST /v1/jobs and has it
// accepted. Its errors are what AnswerError answers.
func (t Templates) Submit(ctx context.Context, body []byte, from Submitter, into Acceptor) (job.Accepted, error) {
	d, err := t.draft(body, from, func(*draft) error { return nil })
	if err != nil {
		return job.Accepted{}, err
	}
	answers, err := into.Accept(ctx, []job.Job{d.job}, false)
	if err != nil {
		return job.Accepted{}, err
	}
	return answers[0], acceptError(answers[0].Err)
}

// draft reads the body of a submission. permit is asked before anything is told
// of the job's targets.
func (t Templates) draft(body []byte, from Submitter, permit func(*draft) error) (draft, error) {
	var in submission
	if err := strictjson.Decode(body, &in); err != nil {
		return draft{}, err
	}
	key, err := chooseKey(from.IdempotencyKey, in.IdempotencyKey)
	if err != nil {
		return draft{}, err
	}
	out := draft{job: job.Job{Kind: in.Kind, Owner: from.Owner, Traceparent: from.Traceparent, IdempotencyKey: key}}
	options := optionReader{now: from.Now.UTC().Truncate(time.Microsecond), queues: t.Queues} // as the ledger keeps times
	options.read(&in, &out.job)
	task, err := tasks.Parse(in.Kind, in.Args, t.Targets)
	if err := joinFaults(options.faults, err); err != nil {
		return draft{}, err
	}
	out.task = task
	if err := permit(&out); err != nil {
		return draft{}, err
	}
	if out.job.Delivery, err = t.Deliveries.Delivery(task); err != nil {
		return draft{}, err
	}
	out.job.RunOnce = t.Deliveries.RunOnce(task)
	out.job.Args = orEmpty(in.Args)
	if key != "" {
		out.job.Fingerprint = fingerprint(body, in.IdempotencyKey != nil)
	}
	out.job.ID = job.NewID()
	return out, nil
}
