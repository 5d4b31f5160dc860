package job

import (
	"encoding/json"
	"time"
)

// Delivery says what a job's effect is worth.
type Delivery string

const (
	// ExactlyOnceEffect jobs commit their effect and the record of it in one
	// transaction of the target.
	ExactlyOnceEffect Delivery = "exactly_once_effect"
	// AtLeastOnce jobs may repeat their effect after a crash.
	AtLeastOnce Delivery = "at_least_once"
)

// Error is why a job ended as it did, or why its latest run failed.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	// Private says that Message holds text of an upstream or a database.
	Private bool `json:"-"`
}

// WaitReason says why a job that has not ended is not running.
type WaitReason string

const (
	WaitDependency  WaitReason = "dependency"
	WaitScheduled   WaitReason = "scheduled"
	WaitBackoff     WaitReason = "backoff"
	WaitBreaker     WaitReason = "breaker"
	WaitRateLimit   WaitReason = "rate_limit"
	WaitMaxInFlight WaitReason = "max_in_flight"
	WaitPool        WaitReason = "pool"
	WaitOrdering    WaitReason = "ordering"
	WaitQueuePaused WaitReason = "queue_paused"
	WaitNoWorker    WaitReason = "no_worker"
	WaitBacklog     WaitReason = "backlog"
	WaitSealing     WaitReason = "sealing"
	WaitIsolation   WaitReason = "isolation"
)

// WaitingOn is why a job is not running and, where that can be told, until when.
type WaitingOn struct {
	Reason WaitReason `json:"reason"`
	Detail string     `json:"detail,omitempty"`
	Until  *time.Time `json:"until,omitempty"`
}

// Options rule how a job is run. The zero value of each means its default.
type Options struct {
	Timeout   time.Duration // of one attempt; default DefaultTimeout
	Backoff   Backoff       // between attempts
	Retention time.Duration // how long the ended job is kept; default the ledger's
}

// Defaults and bounds of a submission.
const (
	DefaultQueue       = "default"
	DefaultMaxAttempts = 10
	DefaultTimeout     = 30 * time.Second

	MaxMaxAttempts = 1000
	MaxTimeout     = 24 * time.Hour
	MaxTags        = 20
	MaxTagLength   = 64
	MaxKeyLength   = 255 // of an idempotency key
	MaxDepth       = 32  // of nested JSON

	// MaxCrashes is the number of its worker's deaths that makes a job poison.
	MaxCrashes = 3
	// IsolationCrashes is the number of its worker's deaths from which a job
	// runs in the isolation lane, one by one.
	IsolationCrashes = 2
)

// Job is the durable record of one piece of work. Times are UTC; a zero time
// is "not yet" or "none".
type Job struct {
	ID          ID
	Kind        string
	Queue       string
	State       State
	Args        json.RawMessage // as submitted, byte for byte
	Result      json.RawMessage // of a completed job, or what runs of another have got done
	Progress    *Progress       // nil for none
	Error       *Error
	Attempt     int // runs that ended in a retryable failure, plus the current one
	MaxAttempts int
	Crashes     int   // deaths of its worker
	Generation  int   // raised by Revive
	Epoch       int64 // raised by every claim and reap; fences superseded runs
	// KeyGeneration is the generation of the latest Revive that replaced the
	// args; zero before. It is part of the key sent to an upstream.
	KeyGeneration int
	Delivery      Delivery
	// RunOnce jobs must not run again after a run that was lost: it may have
	// sent a request that is not safe to repeat. They become Unknown instead.
	RunOnce     bool
	Tags        []string
	Options     Options
	CreatedAt   time.Time
	RunAt       time.Time
	Deadline    time.Time
	ExpiresAt   time.Time
	StartedAt   time.Time
	FinishedAt  time.Time
	Owner       string          // id of the API key that submitted it; "" without authentication
	Worker      string          // that runs or last ran it
	Traceparent string          // W3C trace context of the submission
	Summary     json.RawMessage // of the latest run: what was sent and what came back
	Parked      WaitReason      // why a parked job is
	ParkedOn    string          // the target that a parked job waits for, such as "database main"; may be ""
	// CancelRequested says that a caller wants an active job to stop.
	CancelRequested bool
	// Verdict is set on a job that must be sealed in its target before it may
	// end: the next claim writes the tombstone instead of running it.
	Verdict *Verdict
	// WaitingOn is filled in by reads.
	WaitingOn *WaitingOn

	Schedule string    // that made it; "" for none
	FireAt   time.Time // the fire of its schedule that it is for; zero: it was run by hand

	IdempotencyKey string   // "" for none; unique per Owner
	Fingerprint    [32]byte // of the whole request, compared on a replay
}

// Verdict is the end that a job gets once its target is sealed.
type Verdict struct {
	State State // Archived, Canceled or Expired
	Error *Error
}

// Accepted is the answer to one accepted submission.
type Accepted struct {
	Job      Job  // as it is now
	Replayed bool // the idempotency key was known: Job is the first one
	// Err is ErrIdempotencyMismatch when the key came with another request.
	Err error
}

// Result is what a run that did its work leaves behind.
type Result struct {
	Value   json.RawMessage // the job's result
	Summary json.RawMessage // what was sent and what came back, for the attempts list; may be nil
}

// Work is what replaces a job's own args when it is revived, with what a new
// job of such args would have.
type Work struct {
	Args     json.RawMessage
	Delivery Delivery
	RunOnce  bool
}

// Outcome is what a worker writes when a run has ended. It is ignored unless
// the job is active under the same epoch.
type Outcome struct {
	Job    ID
	Epoch  int64
	State  State // Completed, Retry, Parked, Pending (handed back), Archived, Canceled, Unknown
	Result json.RawMessage
	Error  *Error
	Delay  time.Duration // until the next run, by the ledger's clock
	Parked WaitReason    // with State Parked
	// ParkedOn, with State Parked, is the target that the job waits for, such as
	// "database main"; "" for none in particular.
	ParkedOn string
	// Unrun, with State Parked, says that the run ended before it did anything:
	// it is as if the job had not been claimed.
	Unrun   bool
	Summary json.RawMessage
	// Noted says that the run has noted answers, which its Result, if it has one,
	// holds as well: the notes are not needed any more.
	Noted bool
	// Verdict, with State Parked or Pending, is the end that the job gets once
	// its target is sealed; the next claim is for that.
	Verdict *Verdict
}

// Attempt is one run of a job: those that ended in a retryable failure, loss
// or death, and the current or last one.
type Attempt struct {
	Number     int             `json:"number"`
	Generation int             `json:"generation"`
	Worker     string          `json:"worker"`
	StartedAt  time.Time       `json:"started_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	Outcome    string          `json:"outcome"` // a State, or "lost" when the worker's lease ended
	Error      *Error          `json:"error"`
	Summary    json.RawMessage `json:"summary,omitempty"`
}

// Worker is one life of a worker process: it begins when it joins and ends when
// it leaves, or with its lease. One whose lease ended joins again under a new ID.
type Worker struct {
	ID          string // unique over all lives
	Host        string
	PID         int
	Version     string
	Queues      []string
	Concurrency int
}

// Doorbell tells workers that jobs of one queue may be due. It carries no more
// than their ids.
type Doorbell struct {
	ID    string
	Queue string
	Jobs  []ID
}

// MaxDoorbellJobs is the most jobs one doorbell rings for.
const MaxDoorbellJobs = 100

// Event says that a job has moved. It carries no payload.
type Event struct {
	Job   ID     `json:"job"`
	State State  `json:"state"`
	Kind  string `json:"-"`
	Queue string `json:"-"`
}
