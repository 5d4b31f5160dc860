package cli

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/asyncops/asyncops/config"
	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// Run submits a job, or those of a file.
func (c *submitCmd) Run(ctx context.Context, s *session) error {
	if c.Wait < 0 {
		return usage("--wait: must not be negative")
	}
	if c.File != "" {
		alone := submitCmd{File: c.File, Wait: c.Wait}
		if !reflect.DeepEqual(*c, alone) {
			return usage("--file: each line is a whole submission; leave out KIND and every other option but --wait")
		}
		return c.submitFile(ctx, s)
	}
	if c.Kind == "" {
		return usage("submit: say the KIND of the job, or give --file")
	}
	submission, err := c.submission(s)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	receipt, err := client.SubmitWait(ctx, submission, c.Wait.Std())
	if err == nil {
		err = complete(ctx, client, receipt.Job)
	}
	if err != nil {
		return err
	}
	if receipt.Replayed {
		s.tell("the idempotency key was used before; this is the first job as it is now")
	}
	if err := s.printJob(receipt.Job); err != nil || c.Wait == 0 {
		return err
	}
	return s.verdict(receipt.Job, c.Wait.Std())
}

// submission is what the options say.
func (c *submitCmd) submission(s *session) (sdk.Submission, error) {
	args := json.RawMessage("{}")
	if c.Args != "" {
		var err error
		if args, err = s.readJSON("--args", c.Args); err != nil {
			return sdk.Submission{}, err
		}
	}
	backoff := &job.Backoff{Initial: c.BackoffInitial.Std(), Max: c.BackoffMax.Std(), Multiplier: c.BackoffMultiplier}
	if c.BackoffJitter != nil {
		backoff.Jitter, backoff.NoJitter = *c.BackoffJitter, *c.BackoffJitter == 0
	}
	if *backoff == (job.Backoff{}) {
		backoff = nil
	}
	for name, d := range map[string]config.Duration{
		"--delay": c.Delay, "--timeout": c.Timeout, "--retention": c.Retention,
		"--backoff-initial": c.BackoffInitial, "--backoff-max": c.BackoffMax,
	} {
		if d < 0 {
			return sdk.Submission{}, usage("%s: must not be negative", name)
		}
	}
	return sdk.Submission{
		Kind: c.Kind, Args: args, Queue: c.Queue, RunAt: c.RunAt, Delay: c.Delay.Std(), Timeout: c.Timeout.Std(),
		Deadline: c.Deadline, ExpiresAt: c.ExpiresAt, MaxAttempts: c.MaxAttempts, Backoff: backoff,
		IdempotencyKey: c.IdempotencyKey, Tags: c.Tag, Retention: c.Retention.Std(),
	}, nil
}

// readJSON returns the JSON that an option gives: itself, @FILE, or - for stdin.
func (s *session) readJSON(option, given string) (json.RawMessage, error) {
	text, err := []byte(given), error(nil)
	if given == "-" {
		text, err = io.ReadAll(s.Stdin)
	} else if path, ok := strings.CutPrefix(given, "@"); ok {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, usage("%s: %v", option, err)
	}
	var raw json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, usage("%s: not JSON: %v", option, err)
	}
	return raw, nil
}
