package ledger

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/asyncops/asyncops/job"
)

// row is one line of asyncops_jobs as it is read. NULL reads as the zero value.
type row struct {
	ID              job.ID
	Epoch           int64
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
	ErrorPrivate    bool
	Kind            string
	Queue           string
	State           job.State
	Delivery        job.Delivery
	Owner           string
	Worker          string
	Parked          job.WaitReason
	ErrorCode       job.Code
	ErrorMessage    string
	Traceparent     string
	Tags            string
	Options         string
	Verdict         string
	Args            string
	Result          string
	Summary         string
}

// metaColumns are all of row's columns but args and result.
const metaColumns = `id, epoch, run_at, created_at, deadline, expires_at, started_at, finished_at, retention,
	attempt, max_attempts, crashes, generation, key_generation, cancel_requested, error_private, kind, queue, state,
	delivery, owner, worker, parked, error_code, error_message, traceparent, tags, options, verdict, summary`

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
}

func (r *row) job() (job.Job, error) {
	j := job.Job{
		ID: r.ID, Kind: r.Kind, Queue: r.Queue, State: r.State, Args: raw(r.Args), Result: raw(r.Result),
		Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Crashes: r.Crashes, Generation: r.Generation,
		KeyGeneration: r.KeyGeneration, Epoch: r.Epoch, Delivery: r.Delivery,
		CreatedAt: r.CreatedAt.time(), RunAt: r.RunAt.time(), Deadline: r.Deadline.time(), ExpiresAt: r.ExpiresAt.time(),
		StartedAt: r.StartedAt.time(), FinishedAt: r.FinishedAt.time(), Owner: r.Owner, Worker: r.Worker,
		Traceparent: r.Traceparent, Summary: raw(r.Summary), Parked: r.Parked, CancelRequested: r.CancelRequested,
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
		j.Verdict = &job.Verdict{State: v.State, Error: &job.Error{Code: v.Code, Message: v.Message}}
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

// insertRow is what Accept writes; the other columns have their defaults.
type insertRow struct {
	bun.BaseModel `bun:"table:asyncops_jobs"`

	ID          job.ID       `bun:"id"`
	RunAt       micros       `bun:"run_at"`
	RungAt      micros       `bun:"rung_at"`
	CreatedAt   micros       `bun:"created_at"`
	Deadline    *micros      `bun:"deadline"`
	ExpiresAt   *micros      `bun:"expires_at"`
	Retention   *int64       `bun:"retention"`
	MaxAttempts int          `bun:"max_attempts"`
	Kind        string       `bun:"kind"`
	Queue       string       `bun:"queue"`
	State       job.State    `bun:"state"`
	Delivery    job.Delivery `bun:"delivery"`
	Owner       string       `bun:"owner"`
	Doorbell    *string      `bun:"doorbell"`
	Traceparent *string      `bun:"traceparent"`
	Tags        *string      `bun:"tags"`
	Options     *string      `bun:"options"`
	Args        string       `bun:"args"`
}

func insertRowOf(j *job.Job) (insertRow, error) {
	r := insertRow{
		ID: j.ID, RunAt: microsOf(j.RunAt), CreatedAt: microsOf(j.CreatedAt), MaxAttempts: j.MaxAttempts, Kind: j.Kind,
		Queue: j.Queue, State: j.State, Delivery: j.Delivery, Owner: j.Owner, Args: string(j.Args),
		Traceparent: orNull(j.Traceparent), Deadline: orNull(microsOf(j.Deadline)), ExpiresAt: orNull(microsOf(j.ExpiresAt)),
		Retention: orNull(j.Options.Retention.Microseconds()),
	}
	if len(j.Tags) > 0 {
		text, err := json.Marshal(j.Tags)
		if err != nil {
			return insertRow{}, err
		}
		r.Tags = orNull(string(text))
	}
	if o := (options{Timeout: j.Options.Timeout}); o.Timeout != 0 || j.Options.Backoff != (job.Backoff{}) {
		if j.Options.Backoff != (job.Backoff{}) {
			o.Backoff = &j.Options.Backoff
		}
		text, err := json.Marshal(o)
		if err != nil {
			return insertRow{}, err
		}
		r.Options = orNull(string(text))
	}
	return r, nil
}

// orNull is nil, which is written as NULL, for a zero value.
func orNull[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
