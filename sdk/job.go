package sdk

import (
	"encoding/json"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Job is a job as the server shows it. A zero time is "not yet" or "none".
type Job struct {
	ID          job.ID            `json:"id"`
	Kind        string            `json:"kind"`
	Queue       string            `json:"queue"`
	State       job.State         `json:"state"`
	Args        json.RawMessage   `json:"args,omitempty"`   // nil if the key may not see it
	Result      json.RawMessage   `json:"result,omitempty"` // nil if there is none, or it is to be read from Links["result"]
	Error       *job.Error        `json:"error,omitempty"`  // why it ended, or why its latest run failed
	Attempt     int               `json:"attempt"`          // runs that ended in a retryable failure, plus the current one
	MaxAttempts int               `json:"max_attempts"`
	Crashes     int               `json:"crashes"`    // deaths of its worker
	Generation  int               `json:"generation"` // raised by Retry
	Delivery    job.Delivery      `json:"delivery"`
	Tags        []string          `json:"tags,omitempty"`
	CreatedAt   time.Time         `json:"created_at,omitzero"`
	RunAt       time.Time         `json:"run_at,omitzero"`
	StartedAt   time.Time         `json:"started_at,omitzero"`
	FinishedAt  time.Time         `json:"finished_at,omitzero"`
	WaitingOn   *job.WaitingOn    `json:"waiting_on,omitempty"` // why it is not running
	Progress    *Progress         `json:"progress,omitempty"`
	Workflow    string            `json:"workflow,omitempty"` // that it is a step of
	Schedule    string            `json:"schedule,omitempty"` // that made it
	Links       map[string]string `json:"links,omitempty"`    // paths of what belongs to it
}

// UnmarshalJSON reads a job as the server writes it.
func (j *Job) UnmarshalJSON(text []byte) error {
	type plain Job
	if err := json.Unmarshal(text, (*plain)(j)); err != nil {
		return err
	}
	for _, payload := range []*json.RawMessage{&j.Args, &j.Result} {
		if string(*payload) == "null" { // encoding/json keeps the word
			*payload = nil
		}
	}
	return nil
}

// Progress is how far a job has come.
type Progress struct {
	Done    int64  `json:"done"`
	Total   int64  `json:"total"` // 0: not known
	Message string `json:"message,omitempty"`
}

// Submission is a job to be. Kind is required; a zero field means the
// server's default.
type Submission struct {
	Kind           string
	Args           any // marshalled as JSON; nil is {}
	Queue          string
	RunAt          time.Time     // not before; at most one of RunAt and Delay
	Delay          time.Duration // before the first run
	Timeout        time.Duration // of one attempt
	Deadline       time.Time     // archived when it has not ended by then
	ExpiresAt      time.Time     // expired when it has not started by then
	MaxAttempts    int
	Backoff        *job.Backoff // between attempts; a zero field of it means its default
	IdempotencyKey string       // makes the submission safe to repeat
	Tags           []string
	Retention      time.Duration // how long the ended job is kept
}

// MarshalJSON writes the body of a submission.
func (s Submission) MarshalJSON() ([]byte, error) {
	args := s.Args
	if args == nil {
		args = struct{}{}
	}
	return json.Marshal(struct {
		Kind           string       `json:"kind"`
		Args           any          `json:"args"`
		Queue          string       `json:"queue,omitempty"`
		RunAt          time.Time    `json:"run_at,omitzero"`
		Delay          string       `json:"delay,omitempty"`
		Timeout        string       `json:"timeout,omitempty"`
		Deadline       time.Time    `json:"deadline,omitzero"`
		ExpiresAt      time.Time    `json:"expires_at,omitzero"`
		MaxAttempts    int          `json:"max_attempts,omitempty"`
		Backoff        *backoffBody `json:"backoff,omitempty"`
		IdempotencyKey string       `json:"idempotency_key,omitempty"`
		Tags           []string     `json:"tags,omitempty"`
		Retention      string       `json:"retention,omitempty"`
	}{
		s.Kind, args, s.Queue, s.RunAt.UTC(), text(s.Delay), text(s.Timeout), s.Deadline.UTC(), s.ExpiresAt.UTC(),
		s.MaxAttempts, backoffOf(s.Backoff), s.IdempotencyKey, s.Tags, text(s.Retention),
	})
}

// backoffBody is how a job.Backoff is written.
type backoffBody struct {
	Initial    string   `json:"initial,omitempty"`
	Max        string   `json:"max,omitempty"`
	Multiplier float64  `json:"multiplier,omitempty"`
	Jitter     *float64 `json:"jitter,omitempty"`
}

func backoffOf(b *job.Backoff) *backoffBody {
	if b == nil {
		return nil
	}
	body := &backoffBody{Initial: text(b.Initial), Max: text(b.Max), Multiplier: b.Multiplier}
	if b.Jitter > 0 || b.NoJitter {
		body.Jitter = &b.Jitter
	}
	return body
}

// text writes a duration, and nothing for zero.
func text(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
