package api

import (
	"context"
	"time"

	"github.com/asyncops/asyncops/job"
)

// Ledger is the durable record as the API needs it. Its methods are safe for
// concurrent use, wrap the sentinels of package job, and answer
// job.ErrUnavailable while the database is away.
type Ledger interface {
	Acceptor
	Reader
	Steerer
	Queues
	Fleet
}

// Schedules keeps periodic jobs.
type Schedules interface {
	// Schedules lists at most limit of them, those whose names come after the
	// given one.
	Schedules(ctx context.Context, after string, limit int) ([]job.Schedule, error)
	// Schedule returns the one with the name, or job.ErrNotFound.
	Schedule(ctx context.Context, name string) (*job.Schedule, error)
	// ChangeSchedule stores what change returns: nil deletes the schedule, the
	// pointer that was given leaves it, an error too, and is passed on. change
	// gets nil when there is none of the name, may be called again, and must not
	// wait.
	ChangeSchedule(ctx context.Context, name string, change func(old *job.Schedule, now time.Time) (*job.Schedule, error)) (*job.Schedule, error)
}

// Fleet tells who works, and on what.
type Fleet interface {
	// Workers lists the workers that are alive, and those that went lately.
	Workers(ctx context.Context) ([]Worker, error)
	// Running lists the jobs that run, those that began first come first, with
	// their args if asked to.
	Running(ctx context.Context, args bool) ([]job.Job, error)
	// DrainWorker has a worker take no more jobs; one that is not alive answers
	// job.ErrNotFound.
	DrainWorker(ctx context.Context, id string) error
}

// Acceptor takes submissions.
type Acceptor interface {
	// Accept commits the jobs and returns one answer per job, in order; when
	// the error is nil, every answer without an Err is durable. With atomic,
	// one answer with an Err means that none was accepted.
	Accept(ctx context.Context, jobs []job.Job, atomic bool) ([]job.Accepted, error)
}

// Reader looks jobs up.
type Reader interface {
	// Get returns the job, or job.ErrNotFound.
	Get(ctx context.Context, id job.ID) (*job.Job, error)
	// Search returns one page and the cursor of the next, "" on the last. A
	// cursor that it did not make answers job.ErrMalformedCursor.
	Search(ctx context.Context, f Filter) (jobs []job.Job, next string, err error)
	// FailureGroups groups the latest jobs that ended in the states by error,
	// kind and state, the largest groups first; examined is how many it looked at,
	// complete says that those were all.
	FailureGroups(ctx context.Context, states []job.State, queues, kinds []string, limit int) (groups []job.FailureGroup, examined int, complete bool, err error)
	// Attempts lists the runs of a job, oldest first, or answers job.ErrNotFound.
	Attempts(ctx context.Context, id job.ID) ([]job.Attempt, error)
}

// Steerer moves jobs that are in the ledger. An unknown id answers
// job.ErrNotFound.
type Steerer interface {
	// Cancel ends a job that does not run, and asks one that runs to stop: the
	// state of the returned job tells which. One that has ended answers
	// job.ErrTerminal.
	Cancel(ctx context.Context, id job.ID) (*job.Job, error)
	// Revive runs an ended job again, with what in place of its own args unless
	// nil. A job in another state answers job.ErrNotRevivable.
	Revive(ctx context.Context, id job.ID, what *job.Work) (*job.Job, error)
	// Reschedule gives a job another time. One that has ended or started answers
	// job.ErrTerminal or job.ErrStarted.
	Reschedule(ctx context.Context, id job.ID, at time.Time) (*job.Job, error)
	// Delete removes an ended job; another answers job.ErrNotTerminal.
	Delete(ctx context.Context, id job.ID) error
}

// Queues counts and pauses queues.
type Queues interface {
	// Queues counts the jobs of the named queues, of all when none is named, in
	// the order of their names; unknown names are left out.
	Queues(ctx context.Context, names ...string) ([]Queue, error)
	// PauseQueue stops claims of the queue's jobs, or lets them go on; an
	// unknown queue answers job.ErrNotFound.
	PauseQueue(ctx context.Context, name string, paused bool) error
	// PurgeQueue cancels at most limit jobs of the queue that wait, and returns
	// what became of them; an unknown queue answers job.ErrNotFound.
	PurgeQueue(ctx context.Context, name string, limit int) ([]job.Event, error)
}

// KeySource holds API keys besides the configured ones.
type KeySource interface {
	// Key returns the key with the id, revoked and expired ones too, or
	// job.ErrNotFound.
	Key(ctx context.Context, id string) (*Key, error)
}

// Filter chooses jobs. Zero fields choose all.
type Filter struct {
	States        []job.State
	Kinds         []string
	Queues        []string
	Tag           string
	Schedule      string
	CreatedAfter  time.Time
	CreatedBefore time.Time
	Query         string // the beginning of an id, or words of tags and errors
	Ascending     bool   // oldest first
	Limit         int    // of one page
	Cursor        string
	Payload       bool // read args and result too
}

// Queue is a queue as the ledger sees it.
type Queue struct {
	Name               string
	Paused             bool
	Counts             map[job.State]int // jobs in each state that has any
	Oldest             time.Time         // when the job that has waited longest became due; zero when none waits
	Now                time.Time         // the ledger's clock at the time of counting
	FinishedLastMinute int
}

// Worker is one life of a worker process.
type Worker struct {
	ID          string    `json:"id"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Version     string    `json:"version"`
	State       string    `json:"state"`  // running, draining or gone
	Queues      []string  `json:"queues"` // empty: all
	Concurrency int       `json:"concurrency"`
	Running     int       `json:"running"` // jobs, as of BeatAt
	StartedAt   time.Time `json:"started_at"`
	BeatAt      time.Time `json:"beat_at"`

	Databases map[string]PoolUse `json:"databases"` // use of their connections, as of BeatAt
}

// Key is an API key without its secret. What its lists name it is limited to;
// an empty list is no limit.
type Key struct {
	ID        string // the <id> of aok_<id>_<secret>
	Name      string
	Hash      string   // of the whole key, as HashKey makes it
	Role      string   // viewer, submitter, operator, admin, or "" for scopes alone
	Scopes    []string // besides the role's
	Queues    []string
	Kinds     []string
	Databases []string
	Clients   []string
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: not
}
