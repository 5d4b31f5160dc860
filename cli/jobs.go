package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// jobID reads an id that was typed.
func jobID(text string) (job.ID, error) {
	id, err := job.ParseID(text)
	if err != nil {
		return "", usage("%v", err)
	}
	return id, nil
}

// verdict is the error of a job that was waited for, unless it completed.
func (s *session) verdict(j *sdk.Job, waited time.Duration) error {
	switch {
	case j.State == job.Completed:
		return nil
	case j.State.Terminal():
		s.tell("%s is %s", j.ID, withDetail(string(j.State), errorText(j.Error)))
	default:
		s.tell("%s is still %s after %s", j.ID, withDetail(string(j.State), waiting(j.WaitingOn)), waited)
	}
	return errTold
}

// complete fetches the result of a job whose result is too large to stand in it.
func complete(ctx context.Context, client *sdk.Client, j *sdk.Job) error {
	if j.Result != nil || j.Links["result"] == "" {
		return nil
	}
	var err error
	j.Result, err = client.Result(ctx, j.ID)
	return err
}

// Run shows a job.
func (c *getCmd) Run(ctx context.Context, s *session) error {
	id, err := jobID(c.ID)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	var j *sdk.Job
	if c.Wait > 0 {
		j, err = client.Wait(ctx, id, c.Wait.Std())
	} else {
		j, err = client.Get(ctx, id)
	}
	if err == nil {
		err = complete(ctx, client, j)
	}
	if err != nil {
		return err
	}
	if err := s.printJob(j); err != nil || c.Wait <= 0 {
		return err
	}
	return s.verdict(j, c.Wait.Std())
}

// Run follows a job: a line for each change of its state or progress, and then
// the whole job.
func (c *watchCmd) Run(ctx context.Context, s *session) error {
	id, err := jobID(c.ID)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	started, before := time.Now(), ""
	for j, err := range client.Follow(ctx, id) {
		if err != nil {
			return err
		}
		now := change(j)
		if now == before || j.State.Terminal() {
			continue
		}
		before = now
		if err := s.printChange(j, now); err != nil {
			return err
		}
	}
	j, err := client.Get(ctx, id)
	if err == nil {
		err = complete(ctx, client, j)
	}
	if err != nil {
		return err
	}
	if s.json() {
		err = s.printChange(j, "")
	} else {
		err = s.printJob(j)
	}
	if err != nil {
		return err
	}
	return s.verdict(j, time.Since(started))
}

// change is a line of watch.
func change(j *sdk.Job) string {
	line := fmt.Sprintf("%-9s  attempt %d of %d", j.State, j.Attempt, j.MaxAttempts)
	if p := j.Progress; p != nil {
		line += fmt.Sprintf("  %d done", p.Done)
		if p.Total > 0 {
			line += fmt.Sprintf(" of %d", p.Total)
		}
		if p.Message != "" {
			line += ", " + p.Message
		}
	}
	if detail := waiting(j.WaitingOn); detail != "" {
		line += "  " + detail
	}
	return line
}

// printChange prints one line of watch.
func (s *session) printChange(j *sdk.Job, line string) error {
	if s.json() {
		text, err := json.Marshal(j)
		if err != nil {
			return fmt.Errorf("print the job: %w", err)
		}
		line = string(text)
	} else {
		line = printable(line)
	}
	if _, err := fmt.Fprintln(s.Stdout, line); err != nil {
		return fmt.Errorf("print the job: %w", err)
	}
	return nil
}

// Run lists jobs.
func (c *listCmd) Run(ctx context.Context, s *session) error {
	f, err := c.filter(time.Now())
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	jobs, err := firstOf(client.List(ctx, f), c.Limit)
	if err != nil {
		return err
	}
	return s.print(jobs, []string{"ID", "KIND", "QUEUE", "STATE", "ATTEMPT", "CREATED", "DETAIL"}, func() [][]string {
		rows := make([][]string, len(jobs))
		for i, j := range jobs {
			detail := waiting(j.WaitingOn)
			if detail == "" {
				detail = errorText(j.Error)
			}
			rows[i] = []string{
				string(j.ID), j.Kind, j.Queue, string(j.State), strconv.Itoa(j.Attempt), moment(j.CreatedAt), detail,
			}
		}
		return rows
	})
}

func (c *listCmd) filter(now time.Time) (sdk.Filter, error) {
	f := sdk.Filter{
		Kinds: c.Kind, Queues: c.Queue, Tag: c.Tag, CreatedBefore: c.CreatedBefore,
		Query: c.Query, OldestFirst: c.OldestFirst, Payload: c.Payload,
	}
	var err error
	if f.PageSize, err = pageSize(c.Limit); err != nil {
		return f, err
	}
	if f.CreatedAfter, err = beginning(c.Since, "--created-after", c.CreatedAfter, now); err != nil {
		return f, err
	}
	for _, text := range c.State {
		state := job.State(text)
		if !state.Valid() {
			return f, usage("--state: there is no state %q; there are %s", text, states())
		}
		f.States = append(f.States, state)
	}
	return f, nil
}

func states() string {
	text := ""
	for i, state := range job.States() {
		if i > 0 {
			text += ", "
		}
		text += string(state)
	}
	return text
}

// Run lists the runs of a job.
func (c *attemptsCmd) Run(ctx context.Context, s *session) error {
	id, err := jobID(c.ID)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	attempts, err := client.Attempts(ctx, id)
	if err != nil {
		return err
	}
	return s.print(attempts, []string{"NUMBER", "GENERATION", "OUTCOME", "STARTED", "TOOK", "WORKER", "ERROR"}, func() [][]string {
		rows := make([][]string, len(attempts))
		for i, a := range attempts {
			took := ""
			if a.FinishedAt != nil {
				took = a.FinishedAt.Sub(a.StartedAt).Round(time.Millisecond).String()
			}
			rows[i] = []string{
				strconv.Itoa(a.Number), strconv.Itoa(a.Generation), a.Outcome, moment(a.StartedAt), took, a.Worker, errorText(a.Error),
			}
		}
		return rows
	})
}

// Run stops a job.
func (c *cancelCmd) Run(ctx context.Context, s *session) error {
	return s.steer(c.ID, func(client *sdk.Client, id job.ID) (*sdk.Job, error) { return client.Cancel(ctx, id) })
}

// Run runs a job again.
func (c *retryCmd) Run(ctx context.Context, s *session) error {
	var args any
	if c.Args != "" {
		given, err := s.readJSON("--args", c.Args)
		if err != nil {
			return err
		}
		args = given
	}
	return s.steer(c.ID, func(client *sdk.Client, id job.ID) (*sdk.Job, error) { return client.Retry(ctx, id, args) })
}

func (s *session) steer(text string, move func(*sdk.Client, job.ID) (*sdk.Job, error)) error {
	id, err := jobID(text)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	j, err := move(client, id)
	if err != nil {
		return err
	}
	return s.printJob(j)
}
