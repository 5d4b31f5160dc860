package api

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/asyncops/asyncops/internal/strictjson"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/tasks"
)

// Templates reads submissions as the configuration lets them be: those that are
// handed in, and those of schedules.
type Templates struct {
	Queues     []string // that are configured
	Targets    tasks.Targets
	Deliveries Deliveries
}

// Read returns the job that a schedule's template makes, without id, times and
// state: a submission's body without times and keys, which each fire has of its own.
// Its errors are *job.InvalidError, with pointers into the template. With one
// that is not ErrMalformed the job can be accepted nevertheless: its run then
// says what is wrong.
func (t Templates) Read(template json.RawMessage) (job.Job, tasks.Task, error) {
	var in submission
	if err := strictjson.Decode(template, &in); err != nil {
		return job.Job{}, nil, err
	}
	j := job.Job{Kind: in.Kind, Args: orEmpty(in.Args), Delivery: job.AtLeastOnce}
	options := optionReader{now: time.Unix(0, 0), queues: t.Queues}
	for _, given := range []struct {
		name string
		is   bool
	}{
		{"run_at", in.RunAt != nil}, {"delay", in.Delay != nil}, {"deadline", in.Deadline != nil},
		{"expires_at", in.ExpiresAt != nil}, {"idempotency_key", in.IdempotencyKey != nil},
	} {
		if given.is {
			options.fault("/"+given.name, codeConflict, "%s cannot be the same for every fire; leave it out", given.name)
		}
	}
	options.read(&in, &j)
	task, err := tasks.Parse(in.Kind, in.Args, t.Targets)
	if err == nil {
		j.RunOnce = t.Deliveries.RunOnce(task)
		if j.Delivery, err = t.Deliveries.Delivery(task); errors.Is(err, job.ErrEffectsMissing) {
			j.Delivery, err = job.ExactlyOnceEffect, nil // the run waits for the table
		}
	}
	return j, task, joinFaults(options.faults, err)
}

// orEmpty is {} for args that were left out.
func orEmpty(args json.RawMessage) json.RawMessage {
	if len(args) == 0 || string(args) == "null" {
		return json.RawMessage("{}")
	}
	return args
}

// Draft returns a job of the schedule, for which everything but its id, times,
// state and fire is set.
func (t Templates) Draft(s *job.Schedule) (job.Job, error) {
	j, _, err := t.Read(s.Template)
	j.Schedule, j.Owner = s.Name, s.Owner
	return j, err
}
