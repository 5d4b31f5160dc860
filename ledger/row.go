package ledger

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/asyncops/asyncops/job"
)

// row is one line of asyncops_jobs as it is read. NULL reads as the zero value.
type row struct {
	ID              job.ID
	Epoch           int64
	RunEpoch        int64 // of the run that the row tells of; 0: of none
	RunAt           micros
	CreatedAt       micros
	Deadline        micros
	ExpiresAt       micros
	StartedAt       micros
	FinishedAt      micros
	Retention       int64
	Attempt         int
	MaxAttempts     int
	Crashes         int
	Generation      int
	KeyGeneration   int
	CancelRequested bool
	RunOnce         bool
	ErrorPrivate    bool
	Kind            string
	Queue           string
	State           job.State
	Delivery        job.Delivery
	Owner           string
	IdempotencyKey  string
	Worker          string
	Parked          job.WaitReason
	ParkedOn        string
	ErrorCode       job.Code
	ErrorMessage    string
	Traceparent     string
	Tags            string
	Options         string
	Verdict         string
	Schedule        string
	FireAt          micros
	Args            string
	Result          string
	Summary         string
	Progress        string
}

// metaColumns are all of row's columns but args and result.
const metaColumns = `id, epoch, run_epoch, run_at, created_at, deadline, expires_at, started_at, finished_at, retention,
	attempt, max_attempts, crashes, generation, key_generation, cancel_requested, run_once, error_private, kind, queue, state,
	delivery, owner, idempotency_key, worker, parked, parked_on, error_code, error_message, traceparent, tags, options, verdict, schedule, fire_at, summary, progress`

const allColumns = metaColumns + ", args, result"

// micros is a time of the database: microseconds since 1970, zero for none.
type micros int64

func (m micros) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(m)).UTC()
}

func microsOf(t time.Time) micros {
	if t.IsZero() {
		return 0
	}
	return micros(t.UnixMicro())
}

// options is what the column of that name holds.
type options struct {
	Timeout time.Duration `json:"timeout,omitempty"`
	Backoff *job.Backoff  `json:"backoff,omitempty"`
}

// verdict is what the column of that name holds.
type verdict struct {
	State   job.State `json:"state"`
	Code    job.Code  `json:"code,omitempty"`
	Message string    `json:"message,omitempty"`
	Private bool      `json:"private,omitempty"`
}

func (r *row) job() (job.Job, error) {
	j := job.Job{
		ID: r.ID, Kind: r.Kind, Queue: r.Queue, State: r.State, Args: raw(r.Args), Result: raw(r.Result),
		Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Crashes: r.Crashes, Generation: r.Generation,
		KeyGeneration: r.KeyGeneration, Epoch: r.Epoch, Delivery: r.Delivery, RunOnce: r.RunOnce,
		CreatedAt: r.CreatedAt.time(), RunAt: r.RunAt.time(), Deadline: r.Deadline.time(), ExpiresAt: r.ExpiresAt.time(),
		StartedAt: r.StartedAt.time(), FinishedAt: r.FinishedAt.time(), Owner: r.Owner, IdempotencyKey: r.IdempotencyKey, Worker: r.Worker,
		Traceparent: r.Traceparent, Summary: raw(r.Summary), Parked: r.Parked, ParkedOn: r.ParkedOn, CancelRequested: r.CancelRequested, Schedule: r.Schedule, FireAt: r.FireAt.time(),
	}
	j.Options.Retention = time.Duration(r.Retention) * time.Microsecond
	if r.ErrorCode != "" {
		j.Error = &job.Error{Code: r.ErrorCode, Message: r.ErrorMessage, Private: r.ErrorPrivate}
	}
	if r.Tags != "" {
		if err := json.Unmarshal([]byte(r.Tags), &j.Tags); err != nil {
			return job.Job{}, err
		}
	}
	if r.Progress != "" {
		j.Progress = new(job.Progress)
		if err := json.Unmarshal([]byte(r.Progress), j.Progress); err != nil {
			return job.Job{}, err
		}
	}
	if r.Options != "" {
		var o options
		if err := json.Unmarshal([]byte(r.Options), &o); err != nil {
			return job.Job{}, err
		}
		j.Options.Timeout = o.Timeout
		if o.Backoff != nil {
			j.Options.Backoff = *o.Backoff
		}
	}
	if r.Verdict != "" {
		var v verdict
		if err := json.Unmarshal([]byte(r.Verdict), &v); err != nil {
			return job.Job{}, err
		}
		j.Verdict = &job.Verdict{State: v.State, Error: &job.Error{Code: v.Code, Message: v.Message, Private: v.Private}}
	}
	return j, nil
}

func jobsOf(rows []row) ([]job.Job, error) {
	jobs := make([]job.Job, len(rows))
	for i := range rows {
		j, err := rows[i].job()
		if err != nil {
			return nil, err
		}
		jobs[i] = j
	}
	return jobs, nil
}

func raw(s string) json.RawMessage {
	if s == "" {
		return nil
	}
	return json.RawMessage(s)
}

// orNull is nil, which is written as NULL, for a zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// isStorable reports whether both databases can hold the text as it is.
func isStorable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// storable replaces what a database cannot hold.
func storable(s string) string {
	if isStorable(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
